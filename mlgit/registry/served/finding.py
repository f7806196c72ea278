"""Which version a name means in another repository, by as few questions as that takes.

What a stage serves is what its tag says, which stands for the gates: where the base branch asks for another version
that is not settled, or was refused, that is told, and not served.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from mlgit.core import refs
from mlgit.core.model import ModelVersion
from mlgit.core.run import Run
from mlgit.dvc import addresses
from mlgit.errors import NotFoundError, OutOfReachError
from mlgit.git.objects import Reader
from mlgit.git.repo import Repo, split_commit
from mlgit.registry import ledger
from mlgit.registry.ledger import Action, Ledger
from mlgit.registry.moving.propose import agree
from mlgit.registry.served.clone import REMOTE, Clone
from mlgit.registry.trust.trusting import KEYS
from mlgit.registry.versions import shelf
from mlgit.registry.versions.aliasing import LATEST
from mlgit.registry.versions.registering import record_of
from mlgit.store import registry as store
from mlgit.store import runs

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_=./-]*")
"""Of a model or a stage: nothing in it is a pattern to git."""
_CONFIG = ".dvc/config"


@dataclass(frozen=True, kw_only=True)
class Found:
    """A version, and how it was found."""

    version: ModelVersion
    stage: str = ""
    """The stage that it was asked for by, or empty."""
    run: Run | None = None
    """The run that made it, as its result tells of it."""
    base: str = "main"
    """Whose keys are trusted."""
    away: str = ""
    """Why the repository was not asked whether this is so still; empty where it was."""
    unsettled: str = ""
    """The version that the base branch asks for, where that is another."""


@dataclass(frozen=True, kw_only=True)
class _Question:
    """What is asked."""

    model: str
    version: str = ""
    stage: str = ""
    is_named: bool = True
    """Whether the *stage* was, so that nothing else will do."""
    base: str | None = None

    @property
    def base_name(self) -> str:
        return self.base or "main"


def find(clone: Clone, text: str, *, base: str | None = None, offline: bool = False, anew: bool = False) -> Found:
    """The version that *text* names in *clone*: `MODEL@STAGE`, `MODEL@VERSION`, `MODEL@ALIAS` or `MODEL`, as
    `shelf.find` reads it.

    A version never changes: one that is here is not asked for again, unless *anew*. *offline*: nothing is. Where the
    repository is away, what it said last counts, and `away` says so. Raises `NotFoundError`, `GitError`.
    """
    question = _question(text, base)
    with clone.alone():
        if offline:
            return replace(_known(clone, question), away="it was not to be asked")
        if question.version and not anew:
            try:
                return _known(clone, question)
            except NotFoundError:
                pass  # it is asked for
        try:
            _bring(clone, question)
        except OutOfReachError as exc:
            try:
                return replace(_known(clone, question), away=exc.why.strip().rpartition("\n")[2] or exc.what)
            except NotFoundError:
                raise exc from None
        return _known(clone, question)


def _question(text: str, base: str | None) -> _Question:
    model, which = shelf.parts(text)
    if not _NAME.fullmatch(model) or ".." in model:
        raise NotFoundError(f"There is no model {model[:120]!r}.", fix="write MODEL, MODEL@VERSION or MODEL@STAGE")
    if shelf.is_version(which):
        return _Question(model=model, version=ledger.version(which), base=base)
    if which and (not _NAME.fullmatch(which) or ".." in which):
        raise NotFoundError(f"{model} has nothing in {which[:80]!r}.", fix="write MODEL, MODEL@VERSION or MODEL@STAGE")
    return _Question(model=model, stage=which or shelf.PRODUCTION, is_named=bool(which), base=base)


def _bring(clone: Clone, question: _Question) -> None:
    """Have what *question* is answered by."""
    model, stage = question.model, question.stage
    there = f"refs/heads/{question.base}" if question.base else "HEAD"
    before = question.version or _desired(clone.repo, question)
    clone.refs(
        *(f"refs/tags/{model}{mark}{ledger.DEPRECATED}*" for mark in "@#"),
        *([f"refs/tags/{model}#{stage}*"] if stage else []), *(_of_version(model, before) if before else []),
        to={there: f"refs/remotes/{REMOTE}/{question.base_name}"}, without="blob:none",
    )  # fmt: skip
    commit = store.base_commit(clone.repo, question.base_name)
    named = [_CONFIG, store.POLICY, *([store.stage_path(model, stage)] if stage else [])]
    named += [store.version_path(model, before)] if before else []
    named += [store.card_path(model)] if stage and question.is_named else []  # it may be an alias
    with clone.repo.reader() as reader:
        lacking = _lacking(reader, commit, [*named, *_below(reader, commit, KEYS)])
    clone.objects(lacking)
    if stage == LATEST and question.is_named:
        clone.refs(f"refs/tags/{model}@*")
    question = _meant(clone, question)
    stage = question.stage
    version = question.version or _desired(clone.repo, question)
    if version and version != before:
        clone.refs(*_of_version(model, version))
    if stage and not _is_told(_ledger(clone, model), question, version):
        clone.refs(f"refs/tags/{model}@*")
        version = _serves(_ledger(clone, model), question, version)
    if version:
        _complete(clone, commit, model, version)


def _complete(clone: Clone, commit: str, model: str, version: str) -> None:
    """Have the files that *version* is checked and brought by."""
    known = _ledger(clone, model)
    run = runs.read(clone.repo, known.versions[version].commit) if version in known.versions else None
    with clone.repo.reader() as reader:
        paths = [store.version_path(model, version), *_configs(run.folder if run else "")]
        clone.objects(_lacking(reader, commit, paths))
        signed = [reader.read(oid) for oid in clone.repo.refs(refs.signatures(model, version)).values()]
        trees = [split_commit(found[2])[0]["tree"] for found in signed if found]
        clone.objects(_absent(reader, trees))
        clone.objects(_absent(reader, [one.oid for tree in trees for one in (reader.tree(tree) or {}).values()]))


def _known(clone: Clone, question: _Question) -> Found:
    """The answer by what is here. Raises `NotFoundError`."""
    question = _meant(clone, question)
    repo, model = clone.repo, question.model
    known = _ledger(clone, model)
    wanted = _desired(repo, question) if question.stage else ""
    version = question.version or _serves(known, question, wanted)
    if not version:
        raise NotFoundError(f"{model} has nothing in {question.stage} at {clone.name}.",
                            fix=f"mlgit promote {model}@VERSION {question.stage}")  # fmt: skip
    if version not in known.versions:
        raise NotFoundError(f"There is no {model} {version} at {clone.name}.", fix="mlgit model ls there lists them")
    record = record_of(known, version)
    run = runs.read(repo, known.versions[version].commit)
    commit = repo.resolve(f"refs/remotes/{REMOTE}/{question.base_name}")
    if commit:
        with repo.reader() as reader:
            if filed := store.version_at(reader, commit, model, version):
                agree(filed, record)  # the branch is reviewed, and a tag may be anybody's
            _lay_out(repo, reader, commit, run.folder if run else "")
    return Found(
        version=record, run=run, base=question.base_name,
        stage=question.stage if question.stage and (question.is_named or known.stages.get(question.stage)) else "",
        unsettled=wanted if wanted and wanted != version else "",
    )  # fmt: skip


def _meant(clone: Clone, question: _Question) -> _Question:
    """*question* by the number of a version, where what it names is no stage, but an alias."""
    commit = clone.repo.resolve(f"refs/remotes/{REMOTE}/{question.base_name}")
    known, stage = _ledger(clone, question.model), question.stage
    is_stage = any(event.stage == stage for event in known.history) or _desired(clone.repo, question)
    if not question.is_named or not stage or is_stage or not commit:
        return question
    with clone.repo.reader() as reader:
        aliases = store.card_at(reader, commit, question.model).aliases
    number = known.latest if stage == LATEST else aliases.get(stage)
    return replace(question, version=number, stage="") if number else question


def _serves(known: Ledger, question: _Question, wanted: str | None) -> str | None:
    """The version that the stage serves; of a model alone, else its latest."""
    served = wanted if _is_settled(known, question.stage, wanted) else known.stages.get(question.stage) or wanted
    return served or (None if question.is_named else known.latest)


def _is_told(known: Ledger, question: _Question, wanted: str | None) -> bool:
    """Whether what is here of the model tells what the stage serves, so that none of its other versions is needed."""
    if not any(event.stage == question.stage for event in known.history):
        return question.is_named or wanted is not None  # no tag ever gave it one
    return _is_settled(known, question.stage, wanted)


def _is_settled(known: Ledger, stage: str, wanted: str | None) -> bool:
    """Whether the last that was done to *stage* gave it the version *wanted*."""
    last = next((event for event in reversed(known.history) if event.stage == stage), None)
    tag = known.versions.get(wanted or "")
    return bool(last and tag and last.action is Action.ASSIGN and last.tag.commit == tag.commit)


def _desired(repo: Repo, question: _Question) -> str | None:
    """The version that the stage's file asks for, as the base branch has it here."""
    commit = repo.resolve(f"refs/remotes/{REMOTE}/{question.base_name}")
    if not commit:
        return None
    with repo.reader() as reader:
        said = store.stage_at(reader, commit, question.model, question.stage)
    return said.version if said else None


def _ledger(clone: Clone, model: str) -> Ledger:
    return ledger.of(store.tags(clone.repo, model), model)


def _of_version(model: str, version: str) -> list[str]:
    return [f"refs/tags/{model}@{version}*", f"{refs.signatures(model, version)}*"]


def _below(reader: Reader, commit: str, folder: str) -> list[str]:
    return [f"{folder}/{name}" for name in reader.tree(f"{commit}:{folder}") or {}]


def _lacking(reader: Reader, commit: str, paths: Iterable[str]) -> list[str]:
    """The ids of the files *paths* at *commit* that are not here."""
    found = []
    for path in paths:
        top, name = posixpath.split(path)
        entry = (reader.tree(f"{commit}:{top}" if top else f"{commit}^{{tree}}") or {}).get(name)
        if entry and not entry.is_tree:
            found.append(entry.oid)
    return _absent(reader, found)


def _absent(reader: Reader, oids: Sequence[str]) -> list[str]:
    """Those of *oids* that are not here."""
    return [oid for oid, kind in zip(oids, reader.kinds(oids), strict=True) if kind is None]


def _configs(folder: str) -> list[str]:
    """Where DVC's configuration may lie for what is in *folder*, which a run names: the repository's first."""
    parts = [part for part in folder.split("/") if part not in ("", ".", "..")]
    return ["/".join((*parts[:count], _CONFIG)) for count in range(len(parts) + 1)]


def _lay_out(repo: Repo, reader: Reader, commit: str, folder: str) -> None:
    """Have DVC's remotes in the work tree, as *commit* names them."""
    assert repo.work_tree
    for path in _configs(folder):
        place, text = repo.work_tree / path, reader.blob(f"{commit}:{path}")
        if text is None:
            place.unlink(missing_ok=True)
            continue
        said = addresses.remotes(text)
        if not place.is_file() or place.read_bytes() != said:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(said)
