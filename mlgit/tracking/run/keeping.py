"""What a run under way keeps beside its metrics: artifacts, models, code; and which versions it used."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlgit.core.artifact import ArtifactVersion
from mlgit.errors import MlgitError, UsageError, WrongKindError
from mlgit.tracking import pinned, tied
from mlgit.tracking.run.journal import Journal

if TYPE_CHECKING:
    from mlgit.artifacts.artifact import Artifact

Path_ = str | os.PathLike[str]
Filter = Callable[..., bool]

_CODE = r".*\.(py|pyi|ipynb|sh|ya?ml|toml|cfg)|requirements.*\.txt|Dockerfile.*|Makefile"
_NO_CODE = ("__pycache__", "node_modules", "site-packages", "wandb", "artifacts", "mlruns", "venv", "env")


class Kept:
    """The part of a run that keeps artifacts. Whatever the disk refuses is said once: a training goes on."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._kept: dict[tuple[str, str], ArtifactVersion] = {}
        """What this run has logged, by name and hash."""

    def log_artifact(
        self, artifact_or_path: Artifact | Path_, name: str | None = None, type: str | None = None,
        aliases: Sequence[str] | str | None = None, tags: Sequence[str] | str | None = None,
    ) -> Artifact:  # fmt: skip
        """Keep an artifact, or a file or folder, with the run: DVC holds the bytes, the run's branch the pointer.

            run.log_artifact("model.pt", name="digits", type="model", aliases=["best"])

        *name* and *type* are for a path: its own name and `file` unless given. The version is called `latest` from now
        on, and by the *aliases*; *tags* are added to its own. The same content is stored once, whoever logs it, and is
        the same version. It is stored when this returns; where the disk refuses, the answer stays a draft, whose
        `wait()` says why. Raises `UsageError` for a name that cannot be one or a path that does not exist,
        `WrongKindError` for the name of an artifact of another type.
        """
        from mlgit.artifacts import log
        from mlgit.artifacts.artifact import Artifact

        self._journal.check_open("artifacts")
        given = _several(aliases)
        if isinstance(artifact_or_path, Artifact):
            artifact, path = artifact_or_path, None
        else:
            artifact, path = of_path(artifact_or_path, name, type)
        artifact.tags = list(dict.fromkeys((*artifact.tags, *_several(tags))))
        if path is None or name:
            self._check_type(artifact)
        try:
            version = artifact.stored or self._stored(artifact, path)  # another run may have logged it before
            version = log.with_card(self._journal.repo, version, folder=self._journal.record.folder)
            if version.card and version.card.unsafe:
                marked = f"{artifact.name} is marked unsafe: {version.card.unsafe}"
                safe = "log_model() stores an object safely, and leaves out of a folder what exclude=[…] meets"
                self._journal.say_once(marked, f"{marked}; {safe}")
            version = replace(version, tags=tuple(artifact.tags), step=self._step())
            version = log.claimed(
                self._journal.repo, version, given, self._told(version), project=self._journal.project
            )  # fmt: skip
            if pinned.is_again():  # an old version would be `latest` once more
                version = replace(version, aliases=())
            self._journal.live.event(logged=[version.document()])
        except UsageError:
            raise
        except (MlgitError, OSError) as exc:
            what = f"artifact {artifact.name}"
            self._journal.say_once(what, f"{what} could not be kept: {exc}")
            artifact.not_logged(exc if isinstance(exc, MlgitError) else MlgitError(str(exc)))
            return artifact
        if artifact.ttl:
            self._journal.say_once("ttl", f"{artifact.name}: its ttl is recorded, and nothing expires by itself; "
                                   "artifact.delete() is for what is not wanted any more")  # fmt: skip
        self._kept[version.name, version.hash] = version
        record = self._journal.record
        artifact.logged_as(self._journal.repo, version, project=record.project, folder=record.folder)
        return artifact

    def _told(self, version: ArtifactVersion) -> Sequence[ArtifactVersion]:
        """What this run has said of *version*, as it was edited since."""
        if (before := self._kept.get((version.name, version.hash))) is None:
            return ()
        account = self._journal.so_far()
        return account.run.logged if account else (before,)

    def _step(self) -> int | None:
        """The last step that the run has logged at by now; None where there is none."""
        from mlgit.store import own, telling
        from mlgit.tracking.run import turns

        folder = self._journal.folder
        if (step := turns.last_step(folder / "history.jsonl")) >= 0:
            return step
        before = own.before(telling.begin(folder))
        return before.step if before else None

    def _stored(self, artifact: Artifact, path: Path | None) -> ArtifactVersion:
        """The version that *artifact* is, or what lies at *path*, once DVC's cache has its bytes."""
        from mlgit.artifacts import log

        repo, folder = self._journal.repo, self._journal.record.folder
        if path:
            return log.log(repo, path, name=artifact.name, type=artifact.type, folder=folder)
        if artifact.incremental:
            self._add_latest(artifact)
        return log.log_draft(repo, artifact, folder=folder)

    def _check_type(self, artifact: Artifact) -> None:
        """Raise `WrongKindError` where the project has an artifact of that name and another type."""
        from mlgit.artifacts import telling

        if artifact.stored:
            return
        before = telling.type_of(self._journal.repo, artifact.name, project=self._journal.project)
        if before and before != artifact.type:
            raise WrongKindError(f"The artifact {artifact.name} is a {before}: it cannot be a {artifact.type} too.")

    def _add_latest(self, draft: Artifact) -> None:
        """Let *draft* hold what the newest version of its name does."""
        from mlgit.artifacts import log
        from mlgit.artifacts.artifact import Artifact
        from mlgit.errors import NotFoundError

        try:
            held = log.find(self._journal.repo, f"{self._journal.project}/{draft.name}:latest")
        except NotFoundError:
            return
        draft.take_over(Artifact.of(self._journal.repo, held))

    def use_artifact(
        self, artifact_or_name: Artifact | str, type: str | None = None,
        aliases: Sequence[str] | str | None = None, use_as: str | None = None,
    ) -> Artifact:  # fmt: skip
        """An artifact to download or look into; the run remembers that it used it.

            folder = run.use_artifact("mnist:latest", type="dataset").download()

        It is named as `name:latest`, `name:v3`, `name:alias` or `project/name:alias`, among the runs of this
        repository, those under way among them. A draft is logged first, with *aliases*. *use_as* is kept with the use.
        Raises `NotFoundError` where there is none, or none of this *type*.
        """
        from mlgit.artifacts.artifact import Artifact

        self._journal.check_open("artifacts")
        if isinstance(artifact_or_name, Artifact):
            artifact = artifact_or_name
            if artifact.is_draft():
                artifact = self.log_artifact(artifact, aliases=aliases)
        else:
            held = pinned.find(self._journal.repo, artifact_or_name, run=self._journal.record, type=type)
            artifact = Artifact.of(self._journal.repo, held)
        artifact.use_as = use_as or artifact.use_as
        if version := artifact.stored:
            asked = artifact_or_name if isinstance(artifact_or_name, str) else ""
            self._remember(version.as_used(artifact.use_as, asked))
        return artifact

    def _remember(self, version: ArtifactVersion) -> None:
        used = version.document()
        self._journal.event(f"artifact {version.name}: that it was used", used=[used])

    def link_artifact(
        self, artifact: Artifact, target_path: str, aliases: Sequence[str] | None = None
    ) -> Artifact | None:  # fmt: skip
        """Put a version into the collection that the last part of *target_path* names; a draft is logged first.

            run.link_artifact(artifact, "model-registry/digits", aliases=["best"])
            mlgit.use_artifact("digits:best")

        What was linked last is `latest` there. The *aliases* count there alone; `model-registry/digits:best` says one
        too. Returns it as it is found there, or None where it could not be kept. Raises `UsageError` for a path that
        names no collection and for an alias that cannot be one.
        """
        if artifact.is_draft():
            self.log_artifact(artifact)
        if artifact.is_draft():
            return None
        if pinned.is_again():
            self._journal.say_once("link", f"{artifact.name} is not linked: a run that is made again moves no names")
            return artifact
        linked = artifact.link(target_path, _several(aliases))
        if version := artifact.stored:
            self._kept[version.name, version.hash] = version
        self._journal.say_once("link", f"{artifact.name} is linked to {target_path}; a registry with stages, gates and "
                       "review is: mlgit model register")  # fmt: skip
        return linked

    # -- one artifact by several processes

    def upsert_artifact(
        self, artifact_or_path: Artifact | Path_, name: str | None = None, type: str | None = None,
        aliases: Sequence[str] | None = None, distributed_id: str | None = None,
    ) -> Artifact:  # fmt: skip
        """Add to an artifact that several runs of a group fill; `finish_artifact` makes it a version.

            run.upsert_artifact("shard-3/", name="predictions", type="predictions")

        *name* and *type* are for a path, as in `log_artifact`. *distributed_id* is the group's name unless given.
        *aliases* are W&B's and change nothing: `finish_artifact` takes them. Returns the draft. Raises `UsageError`
        where there is neither a *distributed_id* nor a group, `MlgitError` where the disk refuses.
        """
        from mlgit.artifacts import parts
        from mlgit.artifacts.artifact import Artifact

        artifact = artifact_or_path
        if not isinstance(artifact, Artifact):
            draft, path = of_path(artifact, name, type)
            if path:
                draft.add_file(path) if path.is_file() else draft.add_dir(path)
            artifact = draft
        parts.put(self._journal.repo, artifact, self._shared(distributed_id), folder=self._journal.record.folder)
        return artifact

    def finish_artifact(
        self, artifact_or_path: Artifact | Path_, name: str | None = None, type: str | None = None,
        aliases: Sequence[str] | None = None, distributed_id: str | None = None,
    ) -> Artifact:  # fmt: skip
        """Log what `upsert_artifact` gathered, in whatever process, and what *artifact_or_path* holds, as one version.

        It is found by the name of the artifact; *name* and *type* are for a path, as in `log_artifact`, and the version
        is called by the *aliases*. *distributed_id* is the group's name unless given. Raises `UsageError` where there
        is neither, and where two processes gave one file other contents; else as `log_artifact` does.
        """
        from mlgit.artifacts import parts

        artifact = self.upsert_artifact(artifact_or_path, name, type, distributed_id=distributed_id)
        parts.gather(self._journal.repo, artifact, self._shared(distributed_id), folder=self._journal.record.folder)
        return self.log_artifact(artifact, aliases=aliases)

    def _shared(self, distributed_id: str | None) -> str:
        if shared := distributed_id or self._journal.record.group:
            return shared
        raise UsageError("An artifact of several processes needs a name for all of them.",
                         fix="distributed_id=…, or init(group=…)")  # fmt: skip

    # -- code

    def log_code(
        self, root: str | None = ".", name: str | None = None, include_fn: Filter | None = None,
        exclude_fn: Filter | None = None,
    ) -> Artifact | None:  # fmt: skip
        """Keep the code below *root* as an artifact of the type `code`; None where there is none.

            run.log_code(".", include_fn=lambda path: path.endswith((".py", ".cu")))

        The run's snapshot in git holds the code of the repository anyway. *root* is the current folder unless given,
        *name* `source-<project>-<folder>`. *include_fn* and *exclude_fn* are asked about each absolute path, and may
        take *root* as a second argument. Unless they are given, Python, notebooks, shell scripts, settings (YAML, TOML,
        cfg), requirements, Dockerfiles and Makefiles are taken, but not below hidden folders, `venv`, `node_modules`
        and the like. `.git`, `__pycache__` and files that are likely to hold credentials, such as `.env`, are never
        taken.
        """
        from mlgit.artifacts.artifact import Artifact
        from mlgit.core import refs, secrets

        top = Path(root or ".").resolve()
        label = name or f"source-{self._journal.project}-{top.name}"
        draft = Artifact(refs.slug(label, 90) if name is None else label, type="code")
        include, exclude = _with_root(include_fn or _is_code, top), _with_root(exclude_fn or _is_no_code, top)
        for folder, inner, names in os.walk(top):
            inner[:] = sorted(one for one in inner if one not in (".git", "__pycache__"))
            for one in sorted(names):
                path = Path(folder) / one
                taken = include(str(path)) and not exclude(str(path))
                if taken and path.is_file() and not secrets.is_secret_file(path.relative_to(top).as_posix()):
                    try:
                        draft.add_file(path, path.relative_to(top).as_posix())
                    except MlgitError as exc:
                        self._journal.warn("code", f"code could not be kept: {exc}")
                        return None
        return self.log_artifact(draft) if draft.file_count else None


def _with_root(question: Filter, top: Path) -> Filter:
    """A filter of a path alone; one that takes the root too is given *top*."""
    import inspect

    try:
        takes_two = len(inspect.signature(question).parameters) > 1
    except (TypeError, ValueError):
        takes_two = False
    return (lambda path: question(path, str(top))) if takes_two else question


def _is_code(path: str) -> bool:
    return re.fullmatch(_CODE, path.rpartition(os.sep)[2]) is not None


def _is_no_code(path: str, root: str) -> bool:
    parts = Path(os.path.relpath(path, root)).parts[:-1]
    return any(part in _NO_CODE or part.startswith(".") for part in parts)


def _several(texts: Iterable[str] | str | None) -> tuple[str, ...]:
    return (texts,) if isinstance(texts, str) else tuple(texts or ())


def of_path(place: Path_, name: str | None, type: str | None) -> tuple[Artifact, Path | None]:
    """An artifact for what lies at *place*, and its path; a reference has none. Raises `UsageError`."""
    from mlgit.artifacts import manifest
    from mlgit.artifacts.artifact import Artifact

    text = os.fspath(place)
    if not text:
        raise UsageError("An empty text names no file.", fix="give the path of a file or a folder")
    path = Path(text)
    named = path.resolve() if path.name in ("", "..") else path  # by what `.` is
    stem = name or re.sub(r"[^A-Za-z0-9._-]+", "-", named.stem).strip("-._") or "artifact"
    artifact = Artifact(stem, type=type or "file")
    if path.exists() or not manifest.is_address(text):
        return artifact, path
    artifact.add_reference(text)
    return artifact, None


tied.hand_over()
