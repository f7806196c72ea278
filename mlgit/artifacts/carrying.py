"""The bytes of what is to be shared, to the DVC remote, before the refs move that name them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from mlgit.core import refs
from mlgit.core.artifact import ArtifactVersion
from mlgit.core.ledger import Ledger
from mlgit.core.query import HELD
from mlgit.core.run import Run
from mlgit.dvc.remotes import remote
from mlgit.errors import MlgitError, SilentError
from mlgit.git.objects import Reader
from mlgit.git.repo import Move, Repo
from mlgit.index import query
from mlgit.store import archive, ledgers, runs

ARTIFACT, PART = "artifact", "part"
"""What a content is: a version, or what a run holds of its own (its history in full, its media, its files)."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A content of DVC's that a ref names."""

    content: str
    kind: str
    folder: str
    """The project's, in the repository."""
    label: str
    """What a person calls it."""


def of_run(run: Run) -> Iterator[Piece]:
    """What *run* made, but for what stays where it is."""
    for name, content in run.held.items():
        yield Piece(content=content, kind=PART, folder=run.folder, label=f"{name} of {run.name}")
    yield from (_version(one, run.folder, f"{one.name} of {run.name}") for one in run.logged if not one.stays)


def _version(one: ArtifactVersion, folder: str, label: str) -> Piece:
    return Piece(content=one.hash, kind=ARTIFACT, folder=folder, label=label)


def _added(known: Ledger, contents: Collection[str] | None = None) -> list[Piece]:
    """What people added to an artifact: all of it, or those of *contents*."""
    return [
        _version(one, one.folder, known.called(one.hash))
        for one in known.added
        if (contents is None or one.hash in contents) and not one.stays
    ]


def everything(repo: Repo) -> Iterator[Piece]:
    """What runs made and people added."""
    for known in ledgers.of(repo):
        yield from _added(known)
    for run in query.having(repo, HELD, "logged"):
        yield from of_run(run)


def _contents(reader: Reader, tips: Sequence[tuple[str, str]]) -> set[str]:
    """What the runs at *tips*, by ref, made."""
    return {piece.content for run in runs.read_all(reader, tips) for piece in of_run(run)}


def _folded(reader: Reader, move: Move) -> dict[str, str]:
    """Name → tip of the runs that *move*, of a month, adds to it, or changes in it."""
    before = archive.listing(reader, move.old)
    return {name: tip for name, tip in archive.listing(reader, move.new).items() if before.get(name) != tip}


class Carrier:
    """Sends what refs are about to name, and says which of them have to stay for its sake.

    What the remote is known to have is not asked for again, unless all is to be asked *anew*.
    """

    def __init__(self, repo: Repo, *, dry_run: bool = False, anew: bool = False) -> None:
        self._repo, self._dry_run, self._anew = repo, dry_run, anew
        self._failed: dict[str, MlgitError] = {}
        self._silent: dict[str, SilentError] = {}
        self._gone: set[str] = set()
        self.pieces: dict[str, Piece] = {}
        """All that it has heard of, by content."""
        self.sent: list[str] = []
        """The contents that the remote lacked; or would have got."""
        self.stays: dict[str, str] = {}
        """Those that did not get there → why."""
        self.homeless: list[str] = []
        """Those that there is no default remote for."""
        self.lost: list[Piece] = []
        """What neither the remote nor this repository has, and a ref names there all the same."""
        self.unasked: MlgitError | None = None
        """Why it is not known whether the remote has lost anything."""

    @property
    def error(self) -> MlgitError | None:
        """Why a remote could not be reached, or refused."""
        return next(iter(self._failed.values()), None)

    def catch_up(self, folder: str) -> None:
        """Send what the default remote of the project *folder* has lost since; everything, if nothing ever went there.

        Where it cannot be asked that is `unasked`, and no error: there may be nothing to send.
        """
        if remote.is_new(self._repo, folder):
            self.send(everything(self._repo))
            if not self.stays and not self._dry_run:
                remote.begin(self._repo, folder)
            return
        try:
            gone = set(remote.gone(self._repo, folder))
        except MlgitError as exc:
            self._unasked(folder, exc)
            gone = set()
        wanted = gone.union(remote.found_again(self._repo, folder))
        again = [piece for piece in everything(self._repo) if piece.content in wanted] if wanted else []
        self._gone = gone
        self.send(again)
        nowhere = gone - self.stays.keys() - set(self.sent)
        self.lost = [piece for piece in again if piece.content in nowhere]
        if not self._dry_run:
            remote.lose(self._repo, folder, nowhere)  # it was told

    def __call__(self, moves: Sequence[Move]) -> dict[str, str]:
        """Send the bytes behind *moves*; each ref whose bytes did not get there → why."""
        named = dict[str, set[str]]()
        pieces, new = list[Piece](), list[Piece]()
        go = {move.ref for move in moves if not move.new}
        with self._repo.reader() as reader:
            for move in moves:
                some, listed = self._behind(reader, move) if move.new else ((), ())
                pieces += some
                named[move.ref] = {*listed, *(piece.content for piece in some)}
                new += self._new(reader, move, some, go)
        self.send(pieces)
        self._miss(new)
        return {
            ref: f"{self.pieces[stuck[0]].label}: {self.stays[stuck[0]]}"
            for ref, contents in named.items()
            if (stuck := sorted(contents & self.stays.keys()))
        }

    def _behind(self, reader: Reader, move: Move) -> tuple[Sequence[Piece], Sequence[str]]:
        """(what the ref of *move* names there and did not name before, contents that it gives a number to)."""
        if move.ref.startswith(refs.ARTIFACTS):
            before, after = (ledgers.read(reader, move.ref, tip) for tip in (move.old, move.new))
            listed = set(after.listed) - set(before.listed)
            added = {one.hash for one in after.added} - {one.hash for one in before.added}
            return _added(after, listed | added), sorted(listed | added)  # one may have its number already
        told = runs.read_all(reader, self._tips(reader, move))
        return [piece for run in told for piece in of_run(run)], ()

    def _new(self, reader: Reader, move: Move, pieces: Sequence[Piece], go: Collection[str]) -> list[Piece]:
        """Those of *pieces*, which are behind *move*, that no ref names there yet; those *go* from there."""
        if move.ref.startswith(refs.ARCHIVE):
            listed, folded = archive.listing(reader, move.old), _folded(reader, move)
            new = [name for name in folded if name not in listed and refs.unfolded(move.ref, name) not in go]
            now = _contents(reader, [(move.ref, folded[name]) for name in new])
            return [piece for piece in pieces if piece.content in now]
        is_edited = move.old and move.ref.startswith(refs.RUNS)
        before = _contents(reader, [(move.ref, move.old or "")] if is_edited else ())
        return [piece for piece in pieces if piece.content not in before]

    def _miss(self, pieces: Sequence[Piece]) -> None:
        """Note which of *pieces* are lost: a ref does not wait for bytes that may never come, but that is said."""
        for folder in sorted({piece.folder for piece in pieces} - self._failed.keys() - self._silent.keys()):
            told = self.stays.keys() | {piece.content for piece in self.lost}
            here = {one.content: one for one in pieces if one.folder == folder and one.content not in told}
            try:
                self.lost += (here[one] for one in remote.nowhere(self._repo, here, folder=folder))
            except MlgitError as exc:
                self._unasked(folder, exc)

    def _unasked(self, folder: str, exc: MlgitError) -> None:
        self.unasked = exc
        if isinstance(exc, SilentError):  # to ask it again would take as long again
            self._silent[folder] = exc

    def _tips(self, reader: Reader, move: Move) -> list[tuple[str, str]]:
        if move.ref.startswith(refs.RUNS):
            return [(move.ref, move.new or "")]
        if not move.ref.startswith(refs.ARCHIVE):
            return []
        return [(move.ref, tip) for tip in _folded(reader, move).values()]

    def send(self, pieces: Iterable[Piece]) -> None:
        """Bring *pieces* to their remotes, as far as they lie here."""
        new = {piece.content: piece for piece in pieces if piece.content not in self.pieces}
        self.pieces |= new
        for folder in sorted({piece.folder for piece in new.values()}):
            self._send([piece.content for piece in new.values() if piece.folder == folder], folder)

    def _send(self, contents: list[str], folder: str) -> None:
        waiting = remote.unsent(self._repo, contents, folder=folder, anew=self._anew, lost=self._gone)
        if waiting is None:
            self.homeless += contents
        elif waiting and folder in self._silent:
            self._failed[folder] = self._silent[folder]
        elif waiting and folder not in self._failed:
            try:
                pushed = remote.push(self._repo, waiting, folder=folder, dry_run=self._dry_run)
            except MlgitError as exc:
                self._failed[folder] = exc
            else:
                self.sent += pushed.sent if pushed else []
                self.stays |= pushed.stays if pushed else {}
        if folder in self._failed:
            self.stays |= dict.fromkeys(waiting or (), self._failed[folder].what)
