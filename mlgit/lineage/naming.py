"""What a text names in a lineage: a stage, a version, an artifact, data in the work tree, a run, a sweep, a hash."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlgit.artifacts import catalog
from mlgit.core.artifact import is_hash
from mlgit.dvc import pointers
from mlgit.dvc.pointers import Out
from mlgit.dvc.project import MAX_BYTES
from mlgit.errors import ConfigError, NotFoundError, UsageError
from mlgit.git.repo import Repo
from mlgit.index.naming import named
from mlgit.index.now import Now
from mlgit.lineage.graph import Key, Kind
from mlgit.lineage.sources import Sources

_SHORTEST = 6
"""So many digits of a hash name a content."""
_COMPARED = 5000
"""So many names are looked through for one that is close."""
_PROMOTED = re.compile(r"[^#]#[^#]+#\d+$")


def found(repo: Repo, now: Now, sources: Sources, text: str, *, folder: Path) -> Key:
    """The node that *text* names; a path is one below *folder*, and artifacts are those of the sources' project first.

    Raises `NotFoundError` where there is none, `UsageError` where there are several.
    """
    text = text.removeprefix("refs/tags/")
    if key := _registered(repo, sources, text) or _tracked(repo, folder, text):
        return key
    if is_hash(text):
        return _content(sources, text)
    if ":" in text or "@" in text or (text != "latest" and not _is_run(now, text) and _is_name(sources, text)):
        try:
            return Key(Kind.CONTENT, _version(repo, sources, text))
        except NotFoundError:
            if key := _registered(repo, sources, text.replace(":", "@", 1)) or _made_by_stage(
                repo, sources, folder, text
            ):
                return key
            raise
    try:
        return Key(Kind.RUN, named(now, text, sources.project).id)
    except NotFoundError as exc:
        if key := _begins(sources, text) or _model(sources, text) or _made_by_stage(repo, sources, folder, text):
            return key
        what = f"There is no run, artifact, model or data called {text[:120]!r}."
        raise NotFoundError(what, why=exc.why, fix=_close(sources, text) or exc.fix) from None


def _is_run(now: Now, text: str) -> bool:
    """Whether a run has this very id or name: it goes before an artifact that is called so; its id is found at once."""
    return any(now.rows(f"shown AND {field} = ?", text, tail="LIMIT 1") for field in ("id", "name"))


def _is_name(sources: Sources, text: str) -> bool:
    """Whether an artifact is called so, after its project where one stands before it."""
    return sources.is_name(text.rpartition("/")[2])


def _registered(repo: Repo, sources: Sources, text: str) -> Key | None:
    """The version or the stage of a model: `churn@v1.2.0`, `churn#production`, `churn@production`.

    And a tag of a promotion, `churn#production#2`: the version that it served.
    """
    stage = text.replace("@", "#", 1)
    if stage in sources.stages:
        return Key(Kind.STAGE, stage)
    model, mark, version = text.partition("@")
    name = next((one for one in (text, f"{model}@v{version}") if mark and one in sources.versions), None)
    if name is None and _PROMOTED.search(text) and (commit := repo.resolve(f"refs/tags/{text}")):
        of_model = (one for one in sources.versions.values() if one.model == text.partition("#")[0])
        name = next((one.name for one in of_model if one.commit == commit), None)
    if name is None and "#" in text:
        known = ", ".join(sorted(sources.stages))
        raise NotFoundError(
            f"No stage is called {text[:120]!r}.", fix=f"there are: {known}" if known else "mlgit promote"
        )
    return Key(Kind.VERSION, name) if name else None


def _model(sources: Sources, text: str) -> Key | None:
    """What of a model is meant by its name alone: what is in production, else its newest version."""
    if f"{text}#production" in sources.stages:
        return Key(Kind.STAGE, f"{text}#production")
    versions = [one.name for one in sources.versions.values() if one.model == text]
    return Key(Kind.VERSION, versions[-1]) if versions else None


def _made_by_stage(repo: Repo, sources: Sources, folder: Path, text: str) -> Key | None:
    """What a stage of `dvc.yaml` made last: `train`, or `dvc.yaml:train`. Raises `UsageError` where that is several."""
    name, top = text.removeprefix("dvc.yaml:"), repo.work_tree
    inside = (one for one in (folder, *folder.parents) if top and one.is_relative_to(top))
    lock = next((one / "dvc.lock" for one in inside if (one / "dvc.lock").is_file()), None)
    outs = [out for out in _outs_of(lock, stage=name) if sources.relations.is_content(out.hash)] if lock else []
    if len(outs) > 1:
        paths = ", ".join(out.path for out in outs[:10])
        raise UsageError(f"The stage {name[:120]!r} made {len(outs)} things.", fix=f"name one of them: {paths}")
    return Key(Kind.CONTENT, outs[0].hash) if outs else None


def _close(sources: Sources, text: str) -> str | None:
    """The artifacts and models that are called most like *text*."""
    import difflib

    models = {one.model for one in sources.versions.values()}
    known = {*models, *sources.relations.names(), *(ledger.name for ledger in sources.every_ledger)}
    close = difflib.get_close_matches(text, sorted(known)[:_COMPARED], 3)
    return f"did you mean {' or '.join(close)}?" if close else None


def _tracked(repo: Repo, folder: Path, text: str) -> Key | None:
    """The content of a path in the work tree that DVC tracks, or of the tracked folder that it lies in."""
    top = repo.work_tree
    if top is None or not text or "\0" in text:
        return None
    path = Path(posixpath.normpath(folder / text.removesuffix(".dvc")))
    while path.is_relative_to(top) and path != top:
        for document in (path.with_name(f"{path.name}.dvc"), *(one / "dvc.lock" for one in path.parents)):
            if document.is_relative_to(top) and (content := _named_in(document, path)):
                return Key(Kind.CONTENT, content)
        path = path.parent
    return None


def _named_in(document: Path, path: Path) -> str | None:
    """The content that a pointer or a `dvc.lock` says is at *path*."""
    places = ((posixpath.normpath(document.parent / out.path), out.hash) for out in _outs_of(document))
    return next((content for place, content in places if Path(place) == path), None)


def _outs_of(document: Path, **which: str) -> Sequence[Out]:
    """What a pointer or a `dvc.lock` tells of; nothing where it cannot be read."""
    try:
        if not document.is_file() or document.stat().st_size > MAX_BYTES:
            return ()
        text, name = document.read_bytes(), document.name
        return (
            pointers.parse_lock(text, source=name, **which) if name == "dvc.lock" else pointers.parse(text, source=name)
        )
    except (ConfigError, OSError):
        return ()


def _content(sources: Sources, content: str) -> Key:
    """A hash of DVC's that some run, or a registered version, names."""
    relations = sources.relations
    if relations.is_content(content) or content in set(sources.contents()):
        return Key(Kind.CONTENT, content)
    raise NotFoundError(f"No run that is here read or made {content}.", fix="mlgit pull")


def _version(repo: Repo, sources: Sources, text: str) -> str:
    """The content of `name:v2`, by the index alone where it can tell; by all that runs say of aliases."""
    wanted = catalog.parse(text)
    project = wanted.project or sources.project or sources.only_project(wanted.name)
    for numbers in (sources.listed, sources.numbers):  # the ledger first, for it need not look at what runs say
        if project and (content := _chosen(numbers(project, wanted.name), wanted.which)):
            return content
    from mlgit.artifacts import log

    try:
        return log.find(repo, text, project=sources.project).version.hash
    except NotFoundError as exc:
        model, mark, which = text.partition("@")
        versions = [name.partition("@")[2] for name in sources.versions if mark and name.startswith(f"{model}@")]
        if not versions:
            raise
        stages = [name.partition("#")[2] for name in sources.stages if name.startswith(f"{model}#")]
        what = f"The model {model[:120]!r} has neither a version nor a stage {which[:80]!r}."
        raise NotFoundError(what, why=exc.what, fix=f"there are: {', '.join([*stages, *versions][:10])}") from None


def _chosen(known: Mapping[str, int], which: str) -> str | None:
    """The content of that number, or the only one whose hash begins so."""
    if which[:1] == "v" and which[1:].isdecimal():
        return next((content for content, number in known.items() if str(number) == which[1:]), None)
    fitting = [one for one in known if len(which) >= _SHORTEST and one.startswith(which)]
    return fitting[0] if len(fitting) == 1 else None


def _begins(sources: Sources, text: str) -> Key | None:
    """A sweep, the only run of the code at a commit, or the one content whose hash begins so."""
    if sources.relations.trials(text):
        return Key(Kind.SWEEP, text)
    if rows := sources.relations.of_source(text):
        ids = list(sources.relations.ids(rows[:10]).values())
        if len(rows) > 1:
            raise UsageError(f"{len(rows):,} runs are of the code at {text[:12]}.", fix=f"name one: {', '.join(ids)}")
        return Key(Kind.RUN, ids[0])
    if len(text) < _SHORTEST or set(text) - set("0123456789abcdef"):
        return None
    fitting = {content for content in sources.contents() if content.startswith(text)}
    if len(fitting) > 1:
        raise UsageError(f"{text!r} begins {len(fitting)} hashes.", fix="give more of it")
    return Key(Kind.CONTENT, fitting.pop()) if fitting else None
