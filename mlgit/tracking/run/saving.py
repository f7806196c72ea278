"""Files of the script's own that go with a run: saved by pattern, kept up to date until its end, brought back."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from mlgit import whole
from mlgit.core.run import Run
from mlgit.errors import NotFoundError, UsageError
from mlgit.git.repo import Repo
from mlgit.store import own, runs, telling
from mlgit.tracking.notice import notify
from mlgit.tracking.run.journal import Journal

_POLICIES = ("live", "now", "end")


class Saved:
    """The part of a run that keeps files."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._patterns: dict[tuple[str, str | None, bool], str] = {}
        """What was saved → its policy."""

    @property
    def dir(self) -> str:
        """A folder for files of the script's own that go with the run; made at first need."""
        folder = self._journal.folder / "files"
        folder.mkdir(exist_ok=True)
        return str(folder)

    def save(
        self, glob_str: str | os.PathLike[str] | None = None, base_path: str | os.PathLike[str] | None = None,
        policy: str = "live", glob: bool = True,
    ) -> bool | list[str]:  # fmt: skip
        """Keep the files that a pattern names with the run, those of a folder all; return their paths below `run.dir`.

            run.save("checkpoints/*.pt", policy="now")

        They keep the folders below *base_path*; unless it is given, those below the current folder, and of an absolute
        path the last. *glob* off: *glob_str* is a path, and its `*` and `[` are part of a name.
        With the *policy* `live` or `end` they count as they are when the run ends, those that the pattern names only
        then among them; with `now`, as they are now. `save()` alone does nothing and returns True; an address `s3://…`
        or `gs://…` is not kept, and the list is empty. Raises `UsageError` for a path that leaves *base_path*, and for
        another policy.
        """
        self._journal.check_open("files")
        if glob_str is None:
            return True
        pattern, base = os.fspath(glob_str), None if base_path is None else os.fspath(base_path)
        if policy not in _POLICIES:
            raise UsageError(f"{policy!r} is no policy.", fix=", ".join(_POLICIES))
        if pattern.startswith(("s3://", "gs://")):
            notify(f"{pattern} is no file of this machine: an artifact's add_reference() records it")
            return []
        found = self._keep_files(pattern, base, glob=glob, policy=policy)
        if policy != "now":
            if not self._patterns:
                self._journal.at_end.append(self._keep_again)
            self._patterns[pattern, base and os.path.abspath(base), glob] = policy  # noqa: PTH100  (links are kept)
        return found

    def write_logs(self, text: str) -> None:
        """Put *text* into what the run printed, without printing it."""
        self._journal.check_open("its log")
        os.write(self._journal.live.output, f"{text}\n".encode("utf-8", "replace"))

    def _keep_again(self) -> None:
        """What was saved counts as it is at the end."""
        for (pattern, base, glob), policy in self._patterns.items():
            try:
                self._keep_files(pattern, base, glob=glob, policy=policy)
            except UsageError as exc:
                self._journal.warn("files", f"files {pattern}: {exc}")

    def _keep_files(self, pattern: str, base: str | None, *, glob: bool, policy: str) -> list[str]:
        start = (
            Path(base) if base else Path(pattern).parent.parent if Path(pattern).is_absolute() else Path()
        ).resolve()
        own = Path(self.dir)
        kept: list[str] = []
        for source in _matching(pattern, glob=glob):
            if source.is_relative_to(own):
                kept.append(str(source))
                continue
            if not source.is_relative_to(start):
                raise UsageError(f"{source} is not below {start}.", fix="name the folder above it as base_path")
            target = own / source.relative_to(start)
            try:
                _bring(source, target, share=policy != "now")
            except OSError as exc:
                self._journal.warn("files", f"files: {source} could not be kept: {exc}")
                continue
            kept.append(str(target))
        return kept

    def restore(
        self, name: str, run_path: str | None = None, replace: bool = False, root: str | None = None
    ) -> IO[str] | None:
        """A file of a run, brought below *root* (`run.dir` unless given) and opened to read as text.

            with run.restore("model.pt", "k3f9a2xq") as file:
                model.load_state_dict(torch.load(file.name))

        *name* is its path below the run's files. *run_path* is a run's id or `project/id`, this one unless given, with
        what it had kept before it was resumed. What lies there already stays, and is what is opened, unless *replace*.
        The caller closes the file. Raises `NotFoundError` where there is no such run or file, `UsageError` for a
        *run_path* that may be several runs, and for a *name* that leaves *root*.
        """
        from mlgit.artifacts import manifest

        target = Path(root or self.dir) / manifest.inside(name)
        if replace or not target.is_file():
            self._bring_file(name, run_path, target)
        return target.open(encoding="utf-8", errors="surrogateescape")

    def _bring_file(self, name: str, run_path: str | None, target: Path) -> None:
        journal = self._journal
        if run_path is not None:
            bring_of(journal.repo, run_path, name, target, project=journal.project)
            return
        source = journal.folder / "files" / name
        if source.is_file():
            _bring(source, target, share=False)
        elif (earlier := self._earlier()) is not None:
            _bring_from(journal.repo, earlier, name, target)
        else:
            raise NotFoundError(f"The run {journal.record.name} has no file {name[:120]!r}.", fix="save() keeps files")

    def _earlier(self) -> Run | None:
        """The run as it was when it was resumed; None where it was not."""
        before = own.before(telling.begin(self._journal.folder))
        return runs.read(self._journal.repo, before.commit) if before and before.how == "resume" else None


def bring_of(repo: Repo, run_path: str, name: str, target: Path, *, project: str) -> None:
    """Bring the file *name* of the run that *run_path* names to *target*. Raises `NotFoundError`."""
    from mlgit.public.lookup import run_of

    _bring_from(repo, run_of(repo, run_path, project=project), name, target)


def _bring_from(repo: Repo, run: Run, name: str, target: Path) -> None:
    from mlgit.public.run import Run as Recorded

    found = {file.name: file for file in Recorded(repo, run).files()}
    if name not in found:
        some = f"it has {', '.join(sorted(found)[:8])}"
        raise NotFoundError(f"The run {run.name} has no file {name[:120]!r}.", fix=some)
    found[name].bring(target)


def _matching(pattern: str, *, glob: bool) -> Iterator[Path]:
    """The files that *pattern* names, those of a folder all."""
    import glob as globbing

    named = sorted(globbing.glob(pattern, recursive=True)) if glob else [pattern]  # noqa: PTH207  (it may be absolute)
    for one in named:
        path = Path(one).absolute()
        path = path.parent.resolve() / path.name
        if path.is_dir():
            yield from sorted(inner for inner in path.rglob("*") if inner.is_file())
        elif path.is_file():
            yield path


def _bring(source: Path, target: Path, *, share: bool) -> None:
    """Put *source* at *target*; with *share* as the same file, where the disk can, so that changes count at once."""
    if target.exists() and source.samefile(target):
        return
    from mlgit.dvc import copying

    with whole.at(target) as scratch:
        if share:
            with contextlib.suppress(OSError):
                os.link(source, scratch)
        if not scratch.exists():
            copying.copy(source, scratch)
