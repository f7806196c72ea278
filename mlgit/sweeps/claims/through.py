"""One sweep for agents of different clones: what they agree on lies on a remote, and moves there by a push with lease.

The refs are those that a single repository has (`claiming`), and the rules too. A number is released on the remote only
once the run of its trial is there; so whoever reads the claims finds in the branches all that has ended.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mlgit.artifacts import carrying
from mlgit.core import refs
from mlgit.core.run import State
from mlgit.core.sweep import Sweep, SweepState
from mlgit.documents.reader import load
from mlgit.documents.writer import as_data, dump
from mlgit.errors import GitError, NotFoundError, RefMovedError, RefusedError, UnreachableError, UsageError
from mlgit.git.remote import Remote, bare
from mlgit.git.repo import Move, Repo
from mlgit.index import query
from mlgit.store import meeting, sync
from mlgit.sweeps import record
from mlgit.sweeps.claims import Agent, Claims, Pace, claiming

PACE = Pace(look=10.0, beat=60.0, lease=300.0, block=60.0)
"""What goes through a remote is rare: a forge would rather have few pushes."""
_PUSHES, _MINUTE = 6, 60.0
"""So many pushes a minute, to what is no disk of this machine; GitHub recommends no more."""
_MOST_OF_ONE = 2
"""Pushes of one change: the runs that have ended, then what is said of them."""
_TRIES = 8
"""How often who is overtaken begins, before it lets others go first."""
_LONGEST = 60.0
"""Seconds between two tries to reach a remote that is away, at most."""


def reach(repo: Repo, name: str) -> Remote:
    """The remote, address or path *name*. Raises `UsageError` where there is no such remote."""
    if f"remote.{name.lower()}.url" not in repo.config:
        if Path(name).is_dir():
            name = str(Path(name).resolve())  # as seen from here, not from the repository
        elif not any(char in name for char in "/:"):
            fix = f"git -C {repo.folder} remote add {name} URL, or give a URL or a path"
            raise UsageError(f"There is no remote {name[:80]!r}.", fix=fix)
    return Remote(repo=repo, name=name)


def bring(remote: Remote) -> None:
    """Have the sweeps that *remote* has, as they are there. Raises `GitError`."""
    _meet(remote, remote.refs(f"{refs.SWEEPS}*"))


def _meet(remote: Remote, far: dict[str, str]) -> None:
    """Take in what sweeps have become at *far*; what was told to one here and not there yet stays told."""
    repo = remote.repo
    for attempt in range(_TRIES):
        near = repo.refs(refs.SWEEPS)
        news = {ref: tip for ref, tip in far.items() if near.get(ref) != tip}
        remote.fetch([tip for tip in news.values() if repo.resolve(f"{tip}^{{commit}}") is None])
        moves = [Move(ref, near.get(ref), meeting.joined_sweep(repo, near.get(ref), tip)) for ref, tip in news.items()]
        moves = [move for move in moves if move.old != move.new]
        try:
            if moves:
                repo.move(moves, why=f"sweeps of {bare(remote.name)}")
            return
        except RefMovedError:  # another process of this clone has heard the same
            if attempt == _TRIES - 1:
                raise


@dataclass
class Board:
    """Where the agents of *sweep* see one another, whichever clones of *remote* they are in."""

    remote: Remote
    sweep: Sweep
    say: Callable[[str], None] = lambda _: None
    """Hears that the remote is away, and that it is back."""
    every: float = PACE.look
    """Seconds between two looks at the remote."""
    _here: claiming.Board = field(init=False)
    _news: query.News = field(init=False)
    _far: dict[str, str] = field(default_factory=dict)
    """What the remote had when it was last asked: the claims, the sweep, runs."""
    _claims: Claims = field(default_factory=Claims)
    _read: str | None = None
    """The blob that says so."""
    _ended: dict[str, str] = field(default_factory=dict)
    """The runs of the sweep that have ended, as far as they were read: id → commit."""
    _under_way: set[str] = field(default_factory=set)
    """The refs of those that are under way elsewhere, as their checkpoints say."""
    _unsent: dict[str, str] = field(default_factory=dict)
    """Of these those that the remote may not have: ref → tip."""
    _asked: set[tuple[str, str]] = field(default_factory=set)
    """Runs there that were asked for, each as it was: whichever were not brought stay away for a reason."""
    _ending: SweepState | None = None
    _pushed: deque[float] = field(default_factory=deque)
    """When was pushed, within the last minute."""
    _most: int = field(init=False)
    """Pushes a minute."""
    _failures: int = 0
    _met: bool = False
    """Whether the remote was ever reached."""
    _takes: bool = False
    """Whether it ever took what was pushed."""
    _refused: float | None = None
    """Since when it does not."""
    _again: float = 0.0
    """When to try again to reach the remote."""
    _next: float = 0.0
    """When to look again."""

    def __post_init__(self) -> None:
        self._here = claiming.Board(self.remote.repo, self.sweep)
        self._most = max(_MOST_OF_ONE, int(claiming.positive("MLGIT_SWEEP_PUSHES_PER_MINUTE", _PUSHES, "pushes")))
        self._news = query.News(self.remote.repo, self.sweep.id)

    @property
    def _runs(self) -> str:
        return f"{refs.RUNS}{refs.component(self.sweep.project, 'project')}/"

    @property
    def is_away(self) -> bool:
        """Whether the remote was, when it was last asked."""
        return self._failures > 0

    def look(self) -> tuple[Sweep, Claims]:
        """The sweep and its claims, as the remote told them a moment ago."""
        now = time.monotonic()
        if now >= max(self._next, self._again):
            try:
                self._learn()
            except GitError as exc:
                self._wait(exc)
        return self._here.look()[0], self._claims

    def ready(self, *, is_last: bool = False) -> bool:
        """Whether a change may be tried now: the remote was not away just now, nor pushed to too often, for which no
        agent waits that leaves: whoever ends its machine may give it seconds.
        """
        now = time.monotonic()
        while self._pushed and now - self._pushed[0] >= _MINUTE:
            self._pushed.popleft()
        in_turn = self.remote.is_near or len(self._pushed) + _MOST_OF_ONE <= self._most
        return now >= self._again and (is_last or in_turn)

    def say_what_is_left(self) -> None:
        """Say that what ended here may not be there, where the remote was away to the end."""
        if self.is_away:
            self.say(f"What ended here is kept, and may not be there yet: mlgit push --to {bare(self.remote.name)}")

    def change(self, change: Callable[[Claims], Claims]) -> Claims:
        """The claims after *change*, which is asked anew where somebody else was quicker.

        Raises `UnreachableError` where the remote is away or refuses for now, and nothing has changed as far as is
        known; `GitError` where it never was reached, `RefusedError` where it never took anything, or not any more.
        """
        try:
            for attempt in range(_TRIES):
                self._learn()
                self._send_runs()
                if self._ending:
                    self._here.settle(self._ending)
                after = change(self._claims)
                if self._push(after):
                    return after
                time.sleep(random.uniform(0, 0.05 * 2**attempt))  # so that two do not meet again
        except (GitError, RefusedError) as exc:
            self._wait(exc)
            raise UnreachableError(exc.what, why=exc.why, fix=exc.fix) from exc
        self._again = time.monotonic() + random.uniform(1, 5)
        raise UnreachableError(f"{bare(self.remote.name)} has moved on at each of {_TRIES} tries.")

    def settle(self, state: SweepState) -> None:
        """Let the sweep have ended like this, unless it has ended before; the remote hears it with the next change."""
        self._ending = state
        self._here.settle(state)

    def lives(self, agent: Agent) -> bool | None:
        """Whether *agent*, or something that it ran, is alive; None where nobody here can tell."""
        return self._here.lives(agent)

    def tell(self, change: Callable[[Sweep], Sweep]) -> Sweep:
        """The sweep after *change*, here and on the remote. Raises `GitError`."""
        while True:
            self._learn()
            after = record.change(self.remote.repo, self.sweep, change)
            if self._push(self._claims):
                return after

    def _learn(self) -> None:
        """Ask the remote, and take in what it says: the sweep, the claims, and the runs that are new there."""
        repo, sweep_ref, claims_ref = self.remote.repo, record.ref_of(self.sweep), self._here.ref
        far = self.remote.refs(sweep_ref, claims_ref, f"{self._runs}*")
        if sweep_ref in far:
            _meet(self.remote, {sweep_ref: far[sweep_ref]})
        near = repo.refs(self._runs)
        self._hear_runs()
        new = {
            ref for ref, tip in far.items()
            if ref.startswith(refs.RUNS) and (ref not in near or (ref in self._under_way and near[ref] != tip))
        }  # fmt: skip
        new = {ref for ref in new if (ref, far[ref]) not in self._asked}
        if new:
            self._exchange(new, pushes=False)
            self._asked |= {(ref, far[ref]) for ref in new}
        if (tip := far.get(claims_ref)) != self._read:
            self._claims = self._claims_at(tip)
            self._read = tip
        self._far = far
        self._next = time.monotonic() + self.every
        self._met = True
        if self._refused is None:
            self._is_back()

    def _claims_at(self, tip: str | None) -> Claims:
        if tip is None:
            return Claims()
        self.remote.fetch([tip])
        with self.remote.repo.reader() as reader:
            found = reader.read(tip)
        return load(found[2] if found else b"", Claims, source=self._here.ref)

    def _send_runs(self) -> None:
        """Let the remote have the runs of the sweep that have ended here. Raises `GitError`."""
        self._hear_runs()
        lacking = {ref for ref, tip in self._unsent.items() if self._far.get(ref) != tip}
        if lacking:
            self._pushed.append(time.monotonic())
            self._exchange(lacking, pushes=True)
        self._unsent.clear()

    def _hear_runs(self) -> None:
        """Take in which runs of the sweep have ended, and which are under way elsewhere."""
        for run in self._news.of(self._ended):
            if not run.commit or not run.ref.startswith(refs.RUNS):
                continue
            if run.state is State.RUNNING:
                self._under_way.add(run.ref)
            else:
                self._under_way.discard(run.ref)
                self._ended[run.id] = run.commit
                self._unsent[run.ref] = run.commit

    def _exchange(self, only: set[str], *, pushes: bool) -> None:
        """Have the runs *only* the same on both sides, as `mlgit push` and `pull` do."""
        repo = self.remote.repo
        wish = meeting.Wish(
            pushes=pushes, only=frozenset(only), telling=lambda names: query.told(repo, *names),
            carry=carrying.Carrier(repo),
        )  # fmt: skip
        try:
            outcome = sync.exchange(self.remote, wish)
        except NotFoundError as exc:  # it was deleted there at this very moment
            raise RefMovedError(exc.what) from exc
        if outcome.waiting:
            ref, why = next(iter(outcome.waiting.items()))
            raise UnreachableError(f"The bytes of {ref.removeprefix('refs/heads/')} could not be sent.", why=why)

    def _push(self, after: Claims) -> bool:
        """Say what is new to the remote, in one push; whether nobody was quicker."""
        repo, sweep_ref, claims_ref = self.remote.repo, record.ref_of(self.sweep), self._here.ref
        moves = []
        oid = self._read
        if after != self._claims:
            writer = repo.writer()
            oid = writer.blob(dump(as_data(after)).encode())
            writer.flush()
            moves.append(Move(claims_ref, self._read, oid))
        tip = repo.refs(sweep_ref).get(sweep_ref)
        if tip and tip != self._far.get(sweep_ref):
            moves.append(Move(sweep_ref, self._far.get(sweep_ref), tip))
        if moves:
            self._pushed.append(time.monotonic())
            try:
                self.remote.push(moves)
            except RefMovedError:
                return False
            self._takes, self._refused = True, None
            self._is_back()
        self._claims, self._read, self._ending = after, oid, None
        self._far |= {move.ref: move.new for move in moves if move.new}
        return True

    def _is_back(self) -> None:
        if self._failures:
            self.say(f"{bare(self.remote.name)} answers again")
        self._failures = 0

    def _wait(self, exc: GitError | RefusedError) -> None:
        """Note that the remote is away: it is asked again after a while that grows. Raises *exc* if it always was.

        Who refuses is read-only for a while, maybe; if it lasts for a lease, others have what is held here.
        """
        now = time.monotonic()
        if isinstance(exc, RefusedError):
            self._refused = self._refused or now
            if not self._takes or now - self._refused > PACE.lease:
                raise exc
        if not self._met:
            raise exc
        if not self._failures:
            self.say(f"{exc.what} What runs here goes on, and it is tried again. {exc.why}".strip())
        self._failures += 1
        self._again = now + random.uniform(0.5, 1) * min(_LONGEST, 0.5 * 2**self._failures)
