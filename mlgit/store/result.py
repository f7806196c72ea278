"""A live folder becomes a branch: a run's files, its result commit, its ref.

A result commit's tree is its source's, with the folder `experiment/` replaced. The YAML there is the truth, the
commit's message its index.
"""

from __future__ import annotations

import contextlib
import hashlib
import posixpath
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mlgit.core import drifted, escape, figures, refs, secrets
from mlgit.core.run import Run, State
from mlgit.dvc import project
from mlgit.errors import GitError, NotFoundError, RefMovedError
from mlgit.git.objects import Entry, Reader, Writer
from mlgit.git.repo import Move, Repo
from mlgit.store import apart, attached, files, live, locks, own, records, telling, unfinished

_DIGITS = (6, 8, 16, 40)
_TRIES = 20
_AT_ONCE = 1000
"""Runs of `record_all` that are made durable together."""
_MOST_BYTES = 64 << 20
"""Bytes of such runs: they wait in memory."""
_MOST_LOCK = 4 << 20
"""Bytes of a lock file that git ignores: those of a thousand packages are a tenth of that."""
_A_MOMENT = 1.0
"""Seconds after which a ref's lock counts as left behind: git holds one for about a thousandth of that."""


def record(repo: Repo, folder: Path, lock: int) -> Run:
    """Make the live *folder* a branch; return its run. The folder goes once the commit has been verified.

    A run that has a branch already, for it was resumed or has checkpoints, gets one more commit there. Raises
    `GitError` where git or the disk refuses: the live folder then stays as it is, and the next mlgit command tries
    again. A large one is recorded by a process of its own, which shares the caller's *lock* of the folder.
    """
    with locks.committing(folder) as turn:
        held = lock, turn
        return apart.record(repo, folder, held) if apart.is_called_for(folder) else record_here(repo, folder, held)


def record_here(repo: Repo, folder: Path, held: Sequence[int] = ()) -> Run:
    """`record` in this process, which has all locks; unless it can hand those *held* on, and the run is a large one."""
    with contextlib.ExitStack() as stack:
        again = False
        while True:
            said = _said(folder)
            account = _whole(repo, telling.over(folder))
            if held and apart.is_possible() and attached.needs_dvc(repo, account):
                return apart.record(repo, folder, held)
            if (ours := own.of(folder)) is None:
                run = _finish(repo, folder, account)
            else:
                run = _go_on(repo, folder, account, ours, again=again)
            if run.dirty:
                release(repo, account.run)
            if run.state in (State.FINISHED, State.PRUNED):
                unfinished.clear(repo, run)
            if not again:
                with contextlib.suppress(FileNotFoundError):
                    stack.enter_context(
                        locks.turn(folder)
                    )  # from now on whoever shares the run waits, to find it ended
            if _leave(folder, said):
                return run
            own.note(folder, run.ref, run.commit)
            again = True  # somebody has said more meanwhile


def _finish(repo: Repo, folder: Path, account: telling.Account, below: Sequence[str] = ()) -> Run:
    """The branch of a run that has none yet, on top of what it had elsewhere, *below*."""
    run = commit(repo, account, below)
    made = _move(repo, run, run.commit)
    return replace(run, ref=made) if isinstance(made, str) else _go_on(repo, folder, account, made)


def _go_on(repo: Repo, folder: Path, account: telling.Account, ours: own.Own, *, again: bool = False) -> Run:
    """One more commit on the run's own branch: a branch of its own where another machine has resumed the run too.

    What is recorded there already stays as it is, unless there is more to say *again*.
    """
    for _ in range(_TRIES):
        tip = repo.refs(ours.ref).get(ours.ref)
        if tip is not None and not again and (recorded := _recorded(repo, account.run, tip)):
            return replace(recorded, ref=ours.ref)
        if tip is not None and not own.is_edit(repo, ours, tip):
            return _finish(repo, folder, replace(account, run=own.apart(account.run, ours)), ours.commits[-1:])
        run = commit(repo, account, (tip,) if tip else ours.commits[-1:])
        own.note(folder, ours.ref, run.commit)
        try:
            _put(repo, run, Move(ours.ref, tip, run.commit))
        except RefMovedError:
            continue
        return replace(run, ref=ours.ref)
    raise GitError(f"The branch of {account.run.name} is being moved by others all the time.", fix="try again")


def _recorded(repo: Repo, run: Run, tip: str) -> Run | None:
    """The record of this very end of *run* at *tip*, made by somebody who then died before it could tidy up."""
    from mlgit.store import runs  # read only where a run has a branch already

    known = runs.read(repo, tip)
    if known is None or (known.id, known.state) != (run.id, run.state) or None in (known.finished, run.finished):
        return None
    return known if abs((known.finished or 0) - (run.finished or 0)) < 0.01 else None


def checkpoint(repo: Repo, folder: Path, now: float) -> Run:
    """Commit what a run that is under way has said so far, as state `running`, so that others see it; return it.

    Raises `NotFoundError` where it ends meanwhile, `RefMovedError` where somebody else edits it at the same moment,
    `GitError` where another machine has gone on with it: what that has recorded stays on top of their branch.
    """
    try:
        with locks.committing(folder):
            return _checkpoint(repo, folder, now)
    except FileNotFoundError:
        raise NotFoundError(f"The run {folder.name!r} is no longer under way.", fix="mlgit ls") from None


def _checkpoint(repo: Repo, folder: Path, now: float) -> Run:
    ours = own.of(folder)
    tip = repo.refs(ours.ref).get(ours.ref) if ours else None
    if ours and tip and not own.is_edit(repo, ours, tip):
        why = f"Another machine has moved {ours.ref} on: this one will end on a branch of its own."
        raise GitError(f"The run {folder.name!r} goes on elsewhere too.", why=why)
    account = telling.read(folder)
    if account.ended or not locks.is_alive(folder):
        raise NotFoundError(f"The run {folder.name!r} is no longer under way.", fix="mlgit recover")
    going = replace(account.run, state=State.RUNNING, finished=None, seen=max(now, account.run.created))
    account = _whole(repo, replace(account, run=going))
    run = commit(repo, account, (tip,) if tip else ours.commits[-1:] if ours else ())
    ref = ours.ref if ours else free_ref(repo, run)
    own.note(folder, ref, run.commit)
    _put(repo, run, Move(ref, tip, run.commit))
    return replace(run, ref=ref)


def _whole(repo: Repo, account: telling.Account) -> telling.Account:
    """*account* with what the run that it goes on from had recorded."""
    if own.before(account.provenance) is None:
        return account
    from mlgit.store import resume  # reads branches back, which most runs need not

    return resume.whole(repo, account)


def commit(repo: Repo, account: telling.Account, below: Sequence[str]) -> Run:
    """The run of *account* as a commit on top of *below*, or of its code alone; no ref moves.

    Its code is always an ancestor too: a parent of its own where *below* does not hold it.
    """
    writer = repo.writer()
    with repo.reader() as reader:
        run = _written(repo, reader, writer, account, below)
    writer.flush()
    return run


def _written(
    repo: Repo, reader: Reader, writer: Writer, account: telling.Account, below: Sequence[str] = ()
) -> Run:  # fmt: skip
    """`commit`, in *writer*: nothing is on disk yet."""
    run = replace(without_secrets(account.run), rules=account.rules)
    told = own.before(account.provenance)
    if (source_commit := run.source) is None:
        raise GitError(f"The run {run.id} does not say what code it ran.")
    prefix = f"{run.folder}/" if run.folder else ""
    source = reader.tree(f"{source_commit}^{{tree}}")
    if source is None:
        raise GitError(f"The code of run {run.id}, commit {source_commit[:10]}, is not in the repository.")

    def entries(oid: str) -> Mapping[str, Entry]:
        return reader.tree(oid) or {}

    place = f"{prefix}{records.FOLDER}"
    named = project.tracked(repo, reader, source_commit, run.folder) | dict(run.data)
    data = {path: content for path, content in named.items() if content}  # one that is no data of it was told as none
    unseen = sorted(data.keys() - run.data.keys())
    if unseen and not account.ended and run.state is not State.RUNNING:
        account = replace(account, provenance={**account.provenance, drifted.UNSEEN: unseen})
    code = _code(account.folder)
    run = replace(run, tree=writer.edit(source, {**code, place: None}, entries), data=data)
    run, rendered = files.whole(repo, run, account)
    contents: dict[str, bytes | Entry | None] = {**rendered, **_lock_file(repo, reader, source_commit, account)}
    if told:
        from mlgit.store import resume

        contents |= resume.carried(reader, told, contents)
    tree = writer.edit(source, {**code, place: Entry("40000", writer.edit({}, contents, entries))}, entries)
    parents = [*below] if below and repo.is_ancestor(source_commit, below[0]) else [*below, source_commit]
    parents += [told.commit] if told and not below else []
    oid = repo.write_commit(writer, tree, parents, message(run), when=run.finished or run.seen)
    return replace(run, commit=oid)


def _code(folder: Path | None) -> dict[str, bytes]:
    """What belongs to a run's code as it is after it, by path: `dvc.lock`, as its stages have left it."""
    top = folder / telling.CODE if folder else None
    if top is None or not top.is_dir():
        return {}
    return {path.relative_to(top).as_posix(): path.read_bytes() for path in top.rglob("*") if path.is_file()}


def _lock_file(repo: Repo, reader: Reader, source: str, account: telling.Account) -> dict[str, bytes]:
    """The lock file beside the command, where the code does not hold it, for git ignores it; as it was then."""
    lock, cwd = account.provenance.get("lock") or {}, account.provenance.get("cwd", ".")
    place = posixpath.normpath(posixpath.join(cwd, lock.get("file", "")))
    if not lock or not repo.work_tree or reader.blob(f"{source}:{place}") is not None:
        return {}
    try:
        content = (repo.work_tree / cwd / lock["file"]).read_bytes()
    except OSError:
        return {}
    is_same = hashlib.sha256(content).hexdigest() == lock["sha256"] and not secrets.is_secret(content)
    return {f"lock/{lock['file']}": content} if is_same and len(content) <= _MOST_LOCK else {}


def record_all(repo: Repo, accounts: Iterable[telling.Account]) -> Iterator[Run]:
    """Make a branch of each of *accounts*, runs that are over and have none; each is durable when it is yielded.

    For very many: their objects go into packs, their refs are made and synced together, hundreds at a time, and of
    *accounts* one is asked for when the one before it is done with. A run that somebody else has recorded meanwhile
    stays as it is. Raises `GitError` where git or the disk refuses; those that were yielded stay.
    """
    rest = iter(accounts)
    while True:
        writer, made = repo.writer(), list[Run]()
        with repo.reader() as reader:
            while len(made) < _AT_ONCE and writer.size < _MOST_BYTES and (account := next(rest, None)):
                made.append(_written(repo, reader, writer, account))
        if not made:
            return
        writer.flush()
        yield from _placed(repo, made)


def _placed(repo: Repo, made: Iterable[Run]) -> list[Run]:
    """The runs *made*, each on a branch by now: its own, which may be there already."""
    for _ in range(_TRIES):
        there = repo.refs(refs.RUNS)
        taken, placed = dict(there), list[Run]()
        for run in made:
            placed.append(_on_a_branch(repo, run, taken))
            taken[placed[-1].ref] = placed[-1].commit
        try:
            repo.move([Move(run.ref, None, run.commit) for run in placed if run.ref not in there], why="many runs")
        except RefMovedError:  # somebody makes runs of these names at this moment
            continue
        return placed
    raise GitError("Branches of runs are being made by others all the time.", fix="try again")


def _on_a_branch(repo: Repo, run: Run, taken: Mapping[str, str]) -> Run:
    """*run*, which is on none yet, with the one that it can have; as it is there, where somebody has recorded it."""
    for digits in _DIGITS:
        ref = refs.run_ref(run.project, run.name, run.id, digits=digits)
        if ref not in taken:
            return replace(run, ref=ref)
        if known := _same(repo, run, taken[ref]):
            return replace(known, ref=ref)
    raise GitError(f"No free branch name for run {run.id}.")


def _same(repo: Repo, run: Run, commit: str) -> Run | None:
    """The record of *run* that somebody made at *commit*; None for any other."""
    from mlgit.store import runs  # read only where a namesake is met

    known = runs.read(repo, commit)
    return known if known and known.id == run.id and abs(known.created - run.created) < 0.01 else None


def without_secrets(run: Run) -> Run:
    """*run* as it may go into git, whatever way a token came into it."""

    def safe(text: str | None) -> str | None:
        return text and secrets.redact(text)

    return replace(
        run, name=secrets.redact(run.name), notes=safe(run.notes), group=safe(run.group), job_type=safe(run.job_type),
        sweep=safe(run.sweep), tags=tuple(map(secrets.redact, run.tags)), params=secrets.redact_params(run.params),
        metrics=secrets.redact_params(run.metrics),
    )  # fmt: skip


def _said(folder: Path) -> tuple[int, ...]:
    """How much the run has said: it grows with each word."""
    return tuple((folder / name).stat().st_size for name in live.SPOKEN)


def _leave(folder: Path, said: tuple[int, ...]) -> bool:
    """Remove the live folder, of which all that was *said* is recorded; False where more was said meanwhile.

    An edit looks for `run.yaml` when it has been written: one that comes too late for this knows that it does.
    """
    live.retire(folder)
    if _said(folder) != said:
        live.retire(folder, undo=True)
        return False
    live.remove(folder)
    return True


def discard(repo: Repo, opened: live.Live) -> Run:
    """Let a live run go that nobody will miss; return it, without a commit."""
    run = telling.read(opened.folder).run
    live.retire(opened.folder)  # before its lock is let go of, or somebody recovers it
    live.remove(opened.folder)
    opened.close()
    if run.dirty:
        release(repo, run)
    return run


def hold(repo: Repo, run: Run) -> None:
    """Keep the snapshot of a live run's code from git's collection until its branch holds it."""
    if run.dirty and run.source:
        repo.move([Move(f"{refs.LIVE}{run.id}", None, run.source)], why="run begins")


def release(repo: Repo, run: Run) -> None:
    """Undo `hold`; a run that was never held, or is released already, stays as it is.

    Its branch holds the code by now: where git refuses, a ref too many is no reason to call the run unrecorded.
    """
    with contextlib.suppress(GitError):
        repo.move([Move(f"{refs.LIVE}{run.id}", run.source, None)], why="run recorded")


def _move(repo: Repo, run: Run, commit: str) -> str | own.Own:
    """The run's branch, made at *commit*: with more digits of its id where a namesake already has the short name.

    Where somebody has just made a checkpoint of it, nothing is moved, and the answer is what is there.
    """
    for digits in _DIGITS:
        ref = refs.run_ref(run.project, run.name, run.id, digits=digits)
        try:
            _put(repo, run, Move(ref, None, commit))
        except RefMovedError:
            there = repo.refs(ref).get(ref)
            if there and (known := _same(repo, run, there)):
                if known.state is State.RUNNING:
                    return own.Own(ref=ref, commits=(there,))
                return ref  # the same run, recorded by somebody who then died before it could tidy up
            continue
        except GitError as exc:
            raise _in_the_way(repo, ref, exc) from None
        return ref
    raise GitError(f"No free branch name for run {run.id}.")


def _put(repo: Repo, run: Run, move: Move) -> None:
    """Move the run's branch, also where one that died as it did so has left git's lock."""
    why = f"{'checkpoint' if run.state is State.RUNNING else 'run'} {run.id}"
    try:
        repo.move([move], why=why)
    except RefMovedError:
        raise
    except GitError:
        if not _unlock(repo, run, move.ref):
            raise
        repo.move([move], why=why)
    if move.old:  # somebody may have switched to it
        from mlgit.git import merge  # read only where a run has a branch already

        merge.follow(repo, [move])


def _unlock(repo: Repo, run: Run, ref: str) -> bool:
    """Remove the lock of *ref* that was to move it to a commit of this very run; whether there was one.

    No other makes such commits now. An edit's lock goes by itself within a moment; one that stays was left.
    """
    from mlgit.store import runs

    lock = repo.common_dir / f"{ref}.lock"
    try:
        content = lock.read_text()
        if content and ((known := runs.read(repo, content.strip())) is None or known.id != run.id):
            return False
        time.sleep(_A_MOMENT)
        if lock.read_text() == content:
            lock.unlink()
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        return False
    return True


def free_ref(repo: Repo, run: Run) -> str:
    """The branch of a run that has none yet: with more digits of its id where a namesake has the short name."""
    names = [refs.run_ref(run.project, run.name, run.id, digits=digits) for digits in _DIGITS]
    taken = repo.refs(*names)
    return next(name for name in names if name not in taken)


def _in_the_way(repo: Repo, ref: str, exc: GitError) -> GitError:
    """*exc*, said so that a person knows what to do where a branch holds the folder that *ref* would lie in."""
    if "exists; cannot create" not in exc.why:
        return exc
    branch = next((r for r in repo.refs("refs/heads/exp") if f"{ref}/".startswith(f"{r}/")), "refs/heads/exp")
    name = branch.removeprefix("refs/heads/")
    fix = f"git branch -m {name} old-{name.replace('/', '-')}; the run is kept and becomes a branch then"
    return GitError(f"The branch {name!r} is in the way of {ref}.", why=exc.why, fix=fix)


def message(run: Run) -> str:
    """The result commit's message: what a person wants to see in `git log`, and the record."""
    state = "" if run.state is State.FINISHED else f" ({run.state.value})"
    told = figures.headlines(run)
    subject = f"{escape.line(run.name, 60) or run.id}{state}" + (f": {told}" if told else "")
    return f"{subject}\n\n{records.TRAILER}: {records.trailer(run)}\n"
