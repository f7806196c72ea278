"""The archive's part in an exchange: its months say the same on both sides, and have what was edited on branches.

It happens here, before anything else is decided: an archived run needs a branch on neither side then. As everywhere in
the archive, whatever is done makes the one before it takes away the other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mlgit.core import refs
from mlgit.core.merging import Clash, Side
from mlgit.core.run import Run
from mlgit.git.remote import Remote
from mlgit.git.repo import Move, Repo
from mlgit.store import archive, listings
from mlgit.store.joining import Joined, Parted, free_ref, join
from mlgit.store.stands import Spellings, Stand, moves, stands

_FLIPPED = {Side.OURS: Side.THEIRS, Side.THEIRS: Side.OURS, None: None}


@dataclass(kw_only=True)
class Settled:
    """What has become of the runs that are archived on one side, by the names of their branches below `exp/`."""

    archived: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Those that have a branch besides, on either side, and are archived here by now → month and tip."""
    there: set[str] = field(default_factory=set)
    """Those that the remote has archived."""
    whole: set[str] = field(default_factory=set)
    """Those of which the archive has all that branches have."""
    unread: bool = False
    """Whether there are months of the remote's that nobody has looked into."""
    parted: dict[str, Parted] = field(default_factory=dict)
    clashing: dict[str, tuple[Clash, ...]] = field(default_factory=dict)
    stuck: dict[str, str] = field(default_factory=dict)

    def leave(self, ref: str, joined: Joined) -> None:
        """The run of *ref* stays as it is on both sides."""
        if joined.clashes:
            self.clashing[ref] = joined.clashes
        else:
            self.stuck[ref] = "it is archived on one side, and another run, or none, on the other"


def settle(
    remote: Remote, near: Mapping[str, str], far: Mapping[str, str], agreed: Mapping[str, str],
    *, pulls: bool, prefer: Mapping[str, Side],
) -> Settled:  # fmt: skip
    """Join the months of both sides, and fold into them what branches of archived runs have besides.

    *near* and *far* are the refs of both sides, *agreed* those that were the same when they last met, *prefer* says
    whose edits count, by run. Who only pushes (not *pulls*) reads no months but those that have changed here.
    """
    repo, settled = remote.repo, Settled()
    others = {ref: tip for ref, tip in far.items() if ref.startswith(refs.ARCHIVE) and near.get(ref) != tip}
    moved = {ref: tip for ref, tip in others.items() if pulls or near.get(ref) != agreed.get(ref)}
    spellings = Spellings(repo, near)
    odd = {month: why for month in moved if month not in near and (why := spellings.conflict(month))}
    moved = {month: tip for month, tip in moved.items() if month not in odd}
    settled.unread = moved != others
    remote.fetch(moved.values())

    def both(branch: str, ours: str, theirs: str) -> str | None:
        """The tip that has both edits; where there is none, ours becomes a branch, so that it stays."""
        tip = join(repo, ours, theirs, prefer=prefer.get(branch)).tip
        if tip is None and branch not in repo.refs(branch):
            repo.move([Move(branch, None, ours)], why="sync: edited on two machines")
        return tip

    with repo.reader() as reader:
        kinds = dict(zip(moved, reader.kinds(moved.values()), strict=True))
    settled.stuck = {month: f"there it is a {kind}, and no month" for month, kind in kinds.items() if kind != "commit"}
    settled.stuck |= odd
    for month, tip in moved.items():
        if month in settled.stuck:
            continue
        listings.join(repo, month, tip, both, agreed=agreed.get(month))
        with repo.reader() as reader:
            branches = (refs.unfolded(month, name) for name in archive.listing(reader, tip))
            settled.there |= {branch.removeprefix(refs.RUNS) for branch in branches if branch}
    ours, theirs, last = stands(repo.refs(refs.RUNS, refs.TRASH)), stands(far), stands(agreed)
    settled.archived = archived(repo, ours.keys() | theirs.keys())
    remote.fetch(theirs[name].tip for name in settled.archived if name in theirs)
    for name in list(settled.archived):
        run = _Archived(repo, name, settled, ours.get(name), theirs.get(name), last.get(name), prefer)
        if run.is_hidden:
            run.hide()
        else:
            run.fold()
    return settled


def archived(repo: Repo, names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Those of the runs *names* that are archived here, by what follows `exp/` in their branches → month and tip."""
    wanted: dict[str, set[str]] = defaultdict(set)
    for project, _, name in (name.rpartition("/") for name in names):
        wanted[project].add(name)
    found: dict[str, tuple[str, str]] = {}
    with repo.reader() as reader:
        for month, head in archive.months(repo).items():
            project = month.removeprefix(refs.ARCHIVE).rpartition("/")[0]
            listed = archive.listing(reader, head) if wanted[project] else {}
            found |= {f"{project}/{name}": (month, listed[name]) for name in listed.keys() & wanted[project]}
    return found


@dataclass(frozen=True)
class _Archived:
    """An archived run that has a branch, in sight or hidden, on one side at least."""

    repo: Repo
    name: str
    settled: Settled
    ours: Stand | None
    theirs: Stand | None
    last: Stand | None
    prefer: Mapping[str, Side]

    @property
    def ref(self) -> str:
        """Its branch."""
        return f"{refs.RUNS}{self.name}"

    @property
    def is_hidden(self) -> bool:
        """Whether a side has hidden it, which it was not when both last met."""
        hidden = any(side.hidden for side in (self.ours, self.theirs) if side)
        return hidden and not (self.last and self.last.hidden)

    def fold(self) -> None:
        """Let the archive have what its branches have besides."""
        month, tip = self.settled.archived[self.name]
        prefer = self.prefer.get(self.ref)
        for side, whose in ((self.ours, prefer), (self.theirs, _FLIPPED[prefer])):
            if side is None:
                continue
            joined = self._join(side.tip, tip, whose)
            if joined.apart:
                self._part(joined.apart)
            elif joined.tip is None:
                self.settled.leave(self.ref, joined)
                return
            elif joined.tip != tip:
                archive.put(self.repo, {month: {self.name.rpartition("/")[2]: (tip, joined.tip)}}, why="sync")
                tip = joined.tip
        self.settled.archived[self.name] = month, tip
        self.settled.whole.add(self.name)

    def hide(self) -> None:
        """Take it out of the archive, into what is hidden here."""
        month, tip = self.settled.archived[self.name]
        ours = self.ours or Stand(tip)
        joined = self._join(ours.tip, tip, self.prefer.get(self.ref))
        if joined.tip is None:
            self.settled.leave(self.ref, joined)
            return
        known = self.repo.refs(refs.RUNS, refs.TRASH)
        out = {month: {self.name.rpartition("/")[2]: (tip, None)}}
        archive.put(self.repo, out, moves(self.name, known, Stand(joined.tip, hidden=True)), why="sync: hidden")
        del self.settled.archived[self.name]

    def _join(self, ours: str, theirs: str, prefer: Side | None) -> Joined:
        return join(self.repo, ours, theirs, agreed=self.last.tip if self.last else None, prefer=prefer)

    def _part(self, own: Run) -> None:
        free = free_ref(own, self.repo.refs(refs.RUNS))
        self.repo.move([Move(free, None, own.commit)], why="sync: it went on in two places")
        self.settled.parted[self.ref] = Parted(ref=self.ref, own=free)
