"""A run's record, edited: one more result commit on its branch or in the archive, or an event in its live folder.

Nothing that the run recorded is lost: what it said before stands in the commits below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from mlgit.core import escape, refs, secrets
from mlgit.core.run import Run
from mlgit.core.summary import DELETED
from mlgit.errors import GitError, MlgitError, NotFoundError, RefMovedError, UsageError
from mlgit.git import merge
from mlgit.git.objects import Entry, Reader
from mlgit.git.repo import Move, Repo, is_passing
from mlgit.store import archive, files, live, records, result, runs, stands, telling

_TRIES = 20
_FILED = ("name", "group", "job_type", "notes", "tags")
"""What `set` of a live run takes."""
_FIXED = ("id", "project", "created", "source", "tree", "folder", "ref", "commit", "archive")
"""What a run is, whatever it is called."""

Change = Callable[[Run], Run]


def edit(
    repo: Repo, run: Run, change: Change, *,
    more: Mapping[str, bytes | Entry | None] = MappingProxyType({}), why: str = "",
) -> Run:  # fmt: skip
    """Record what *change* makes of *run*, as it is by now; return it. *more*: files below `experiment/`, by path.

    Somebody else may edit it at the same moment: then *change* is asked again, about what they made of it. A run that
    is only known from a remote gets a local branch; an archived one stays in the archive; where its branch is checked
    out, the work tree follows. Raises `UsageError` for a change of what a run is, `NotFoundError` where it has gone,
    `GitError` where git refuses.
    """
    if not run.commit:
        return _edit_live(repo, run, change, more)
    ref = _local(run.ref)
    for tries in range(_TRIES):
        there = repo.refs(ref).get(ref)
        month, archived = (None if there else archive.find(repo, run)) or ("", "")
        if not there and not archived:
            there = repo.refs(ref).get(ref)  # it got its branch back as we looked
        tip = there or archived or repo.resolve(run.ref)
        before = runs.read(repo, tip) if tip else None
        if tip is None or before is None or before.id != run.id:
            raise NotFoundError(f"The run {run.name} has no branch any more.", fix="mlgit ls lists what is there")
        after = result.without_secrets(_checked(before, change(before)))
        if _told(after) == _told(before) and not more:
            return replace(before, ref=ref if there or archived else run.ref, archive=month)
        placed = {runs.place_of(after, path): content for path, content in more.items()}
        with repo.reader() as reader:
            changes = _changes(reader, before, after)
        commit = repo.commit(tip, changes | placed, message(after, why))
        told = why or f"edit {run.id}"
        try:
            if archived:
                no_branch = Move(ref, None, None)  # one that gets its branch back meanwhile is edited there
                archive.put(repo, {month: {ref.rpartition("/")[2]: (archived, commit)}}, [no_branch], why=told)
            else:
                move = Move(ref, there, commit)
                repo.move([move], why=told)
                merge.follow(repo, [move])
        except GitError as exc:
            if not is_passing(exc, again=tries < _TRIES - 1):
                raise
            continue
        return replace(after, ref=ref, commit=commit, archive=month)
    raise MlgitError(f"The run {run.name} is being edited by others all the time.", fix="try again")


def edit_all(repo: Repo, edited: Sequence[Run], change: Change, *, why: str = "") -> list[Run]:
    """`edit` of each of *edited*, which costs a tenth: those that stand in this repository at once, all or none."""
    together = _edit_together(repo, edited, change, why) if len(edited) > 1 else {}
    return [together.get(run.id) or edit(repo, run, change, why=why) for run in edited]


def _edit_together(repo: Repo, edited: Sequence[Run], change: Change, why: str) -> dict[str, Run]:
    """Those of *edited* that have branches in this repository or are archived, as *change* makes them, by id."""
    for _ in range(_TRIES):
        here = repo.refs(refs.RUNS)
        stands = archive.tips(repo, [run for run in edited if run.ref not in here])
        stands |= {run.ref: ("", here[run.ref]) for run in edited if run.commit and run.ref in here}
        wanted = {run.ref: run.id for run in edited if run.ref in stands}
        writer = repo.writer()
        moves: list[Move] = []
        listed: dict[str, dict[str, tuple[str, str]]] = {}
        done: dict[str, Run] = {}
        with repo.reader() as reader:
            for before in runs.read_whole(reader, [(ref, tip) for ref, (_, tip) in stands.items()]):
                if before.id != wanted[before.ref]:
                    continue  # `edit` says what is wrong with it
                month, tip = stands[before.ref]
                after = result.without_secrets(_checked(before, change(before)))
                if _told(after) != _told(before):
                    entries = reader.tree(f"{tip}^{{tree}}") or {}
                    tree = writer.edit(entries, _changes(reader, before, after), lambda oid: reader.tree(oid) or {})
                    commit = repo.write_commit(writer, tree, (tip,), message(after, why))
                    if month:
                        listed.setdefault(month, {})[before.ref.rpartition("/")[2]] = tip, commit
                        moves.append(Move(before.ref, None, None))  # as above
                    else:
                        moves.append(Move(before.ref, tip, commit))
                    after = replace(after, commit=commit)
                done[before.id] = replace(after, archive=month)
        writer.flush()
        try:
            if listed:
                archive.put(repo, listed, moves, why=why or "edit")
            elif moves:
                repo.move(moves, why=why or "edit")
        except GitError as exc:
            if not is_passing(exc, again=True):
                raise
            continue
        merge.follow(repo, moves)
        return done
    return {}


def follow_name(repo: Repo, run: Run) -> Run:
    """*run*, which was renamed, on a branch of its new name.

    It stays where it is while others may know the branch: one that a remote has, or that is checked out; and in the
    archive.
    """
    told = refs.run_ref(run.project, run.name, run.id).rpartition("-")[0]
    there = repo.refs(run.ref)
    if not run.commit or run.ref not in there or run.ref.rpartition("-")[0] == told:
        return run
    if run.ref in repo.worktrees() or stands.is_shared(repo, run.ref):
        return run
    ref = result.free_ref(repo, run)
    try:
        repo.move([Move(ref, None, there[run.ref]), Move(run.ref, there[run.ref], None)], why=f"rename {run.id}")
    except RefMovedError:  # somebody edits it: it will do under its old name
        return run
    return replace(run, ref=ref)


def _local(ref: str) -> str:
    """The branch that an edit goes to: of a remote's, the local one of that name."""
    if ref.startswith("refs/remotes/"):
        return f"refs/heads/{ref.removeprefix('refs/remotes/').partition('/')[2]}"
    if not ref.startswith("refs/heads/"):
        raise UsageError(f"{ref} is no branch of a run.")
    return ref


def _checked(before: Run, after: Run) -> Run:
    for name in _FIXED:
        if getattr(before, name) != getattr(after, name):
            raise UsageError(f"The {name} of a run cannot be changed.")
    if not escape.line(after.name):
        raise UsageError("A run has a name.", fix="give it one that can be seen")
    return after


def _told(run: Run) -> str:
    return records.line(run)


def _changes(reader: Reader, before: Run, after: Run) -> dict[str, bytes | Entry | None]:
    """The files to write; those that no longer are there go."""
    _, about = records.run_of_document(runs.provenance_in(reader, before))
    old, new = files.documents(before, about), files.documents(after, about)
    wanted: dict[str, bytes | Entry | None] = dict.fromkeys(old.keys() - new.keys())
    wanted |= {path: text.encode("utf-8", "replace") for path, text in new.items() if old.get(path) != text}
    return {runs.place_of(after, path): content for path, content in wanted.items()}


def message(run: Run, why: str) -> str:
    """The result's message, and for a person what was changed."""
    text = result.message(run)
    subject, _, rest = text.partition("\n")
    return f"{subject}\n\n{escape.line(secrets.redact(why))}\n{rest}" if why else text


def _edit_live(repo: Repo, run: Run, change: Change, more: Mapping[str, bytes | Entry | None]) -> Run:
    folder = live.folder_of(repo, run.id)
    try:
        before = telling.snapshot(folder)
    except FileNotFoundError:
        raise NotFoundError(f"The run {run.name} is no longer under way.", fix="look it up again") from None
    after = _checked(before, change(before))
    opened = live.Live(folder)
    try:
        for event in _events(before, after):
            opened.event(**event)
        gone = dict.fromkeys(before.metrics.keys() - after.metrics.keys(), DELETED)
        if summed := _differing(before.metrics, after.metrics) | gone:
            opened.set_metrics(summed)
        for path, content in more.items():
            target = folder / path
            if content is None:
                target.unlink(missing_ok=True)
            elif isinstance(content, bytes):
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
    finally:
        opened.close()
    if not (folder / "run.yaml").exists():
        raise NotFoundError(f"The run {run.name} has ended at this very moment.", fix="look it up again, and try again")
    return after


def _events(before: Run, after: Run) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if changed := {name: getattr(after, name) for name in _FILED if getattr(after, name) != getattr(before, name)}:
        found.append({"set": changed, "was": {name: getattr(before, name) for name in changed}})
    if params := _differing(before.params, after.params):
        found.append({"params": secrets.redact_params(params)})
    for kind in ("logged", "used"):
        known = getattr(before, kind)
        if versions := [version.document() for version in getattr(after, kind) if version not in known]:
            found.append({kind: versions})
    return found


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in after.items() if key not in before or before[key] != value}
