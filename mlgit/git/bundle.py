"""A branch as one file, made, and taken from somebody who is not trusted.

What a bundle holds is looked at before git unpacks any of it, and unpacked and checked by git in a place of its own:
nothing of it is in the repository before who took it in says so. See gitformat-bundle(5) and gitformat-pack(5).
"""

from __future__ import annotations

import contextlib
import mmap
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mlgit import whole
from mlgit.core import figures
from mlgit.errors import GitError, MlgitError
from mlgit.git import process
from mlgit.git.repo import Repo

_VERSIONS = (b"# v2 git bundle", b"# v3 git bundle")
_FORMATS = (b"@object-format=sha1", b"@object-format=sha256")
_LINE = re.compile(rb"(-?)([0-9a-f]{64}|[0-9a-f]{40})(?: ([^\n]*))?")
_MOST_HEAD = 1 << 16
_OFFSET_DELTA, _REF_DELTA = 6, 7
_A_PIECE = 1 << 16


class BundleError(MlgitError):
    """A bundle is not what it should be; nothing of it was taken."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much one bundle may hold."""

    objects: int = 50_000
    object_bytes: int = 100 << 20
    """Of one object, unpacked: what GitHub takes."""
    bytes: int = 1 << 30
    """Of all of them."""


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """What a bundle says of itself."""

    path: Path
    refs: Mapping[str, str]
    """Full name → the commit that it is at."""
    needs: frozenset[str]
    """Commits that whoever takes it has to have."""
    start: int = field(repr=False)
    """Where its pack begins."""


def make(repo: Repo, path: Path, ref: str, *, without: str) -> None:
    """Write what *ref* has and the commit *without* has not to the file *path*, whole and synced, or not at all."""
    with whole.at(path) as scratch:
        process.run("bundle", "create", "--quiet", str(scratch), ref, f"^{without}", folder=repo.folder)
        sync(scratch)
    sync(path.parent)


def sync(path: Path) -> None:
    """Let the file or folder *path* be on the disk before we go on."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def read(path: Path) -> Bundle:
    """What the bundle at *path* says of itself. Raises `BundleError`."""
    if path.is_symlink() or not path.is_file():
        raise BundleError("It is no file.")
    with path.open("rb") as file:
        head, ends, _ = file.read(_MOST_HEAD).partition(b"\n\n")
    first, *lines = head.split(b"\n")
    if not ends or first not in _VERSIONS:
        raise BundleError("It is no bundle of git's, or cut off.")
    refs, needs = dict[str, str](), set[str]()
    for line in lines:
        if line in _FORMATS:
            continue
        if not (found := _LINE.fullmatch(line)):
            raise BundleError("Its head holds what mlgit does not know.", why=repr(line[:80]))
        oid, name = found[2].decode(), (found[3] or b"").decode(errors="replace")
        if found[1]:
            needs.add(oid)
        elif name in refs:
            raise BundleError(f"It names {name[:80]!r} twice.")
        else:
            refs[name] = oid
    return Bundle(path=path, refs=refs, needs=frozenset(needs), start=len(head) + 2)


def weigh(bundle: Bundle, limits: Limits) -> int:
    """How many objects its pack holds, each no larger than it says and none too large. Raises `BundleError`.

    Nothing is unpacked beyond what *limits* have room for.
    """
    size = len(next(iter(bundle.refs.values()), "")) // 2
    with bundle.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        at = bundle.start
        if content[at : at + 4] != b"PACK" or len(content) < at + 12 + size:
            raise BundleError("Its pack is cut off.")
        count, total = int.from_bytes(content[at + 8 : at + 12], "big"), 0
        if count > limits.objects:
            raise BundleError(f"It holds {count:,} objects, and may hold {limits.objects:,}.")
        at += 12
        for _ in range(count):
            at, weight = _weigh_one(content, at, size, limits.object_bytes)
            total += weight
            if total > limits.bytes:
                raise BundleError(f"It unpacks to more than {figures.size(limits.bytes)}.")
    return count


def _weigh_one(content: mmap.mmap, at: int, hash_bytes: int, most: int) -> tuple[int, int]:
    """(where the object at *at* ends, its bytes unpacked)."""
    try:
        kind, (at, size) = content[at] >> 4 & 7, _number(content, at, 4)
        if kind == _REF_DELTA:
            at += hash_bytes
        elif kind == _OFFSET_DELTA:
            at = next(place + 1 for place in range(at, at + 10) if not content[place] & 0x80)
        at, head, unpacked = _unpacked(content, at, min(size, most))
        weight = size
        if kind in (_OFFSET_DELTA, _REF_DELTA):  # the sizes of what it is a change of, and of what comes of it
            begin, _ = _number(head, 0, 7)
            weight = max(size, _number(head, begin, 7)[1])
    except (IndexError, StopIteration, zlib.error):
        raise BundleError("Its pack is damaged.") from None
    if weight > most:
        raise BundleError(f"It holds an object of {figures.size(weight)}, and may hold {figures.size(most)}.")
    if unpacked != size:
        raise BundleError("Its pack is damaged.", why="An object is larger or smaller than it says.")
    return at, weight


def _number(content: mmap.mmap | bytes, at: int, bits: int) -> tuple[int, int]:
    """(where the number at *at* ends, the number), whose first byte has so many *bits* of it."""
    byte = content[at]
    value, shift = byte & ((1 << bits) - 1), bits
    while byte & 0x80 and shift < 64:
        at += 1
        byte = content[at]
        value |= (byte & 0x7F) << shift
        shift += 7
    return at + 1, value


def _unpacked(content: mmap.mmap, at: int, most: int) -> tuple[int, bytes, int]:
    """(where the compressed bytes at *at* end, how they begin, how many they are), or more than *most*, if they are."""
    inflate, head, count, waiting = zlib.decompressobj(), b"", 0, b""
    while not inflate.eof and count <= most:
        if not waiting:
            waiting = content[at : at + min(_A_PIECE, most + 128)]
            at += len(waiting)
            if not waiting:
                raise IndexError(at)
        some = inflate.decompress(waiting, max(1, min(_A_PIECE, most + 1 - count)))
        waiting, count, head = inflate.unconsumed_tail, count + len(some), head or some[:32]
    return at - len(inflate.unused_data), head, count  # where it has not ended, nobody asks for the next one


@dataclass(frozen=True)
class Quarantine:
    """A place beside *repo*, which sees what that has, for objects that it is not to have yet."""

    repo: Repo
    apart: Repo
    """A repository of its own, with what was taken in and found to be sound so far."""

    def take(self, bundle: Bundle, limits: Limits, *, above: str) -> frozenset[str]:
        """The commits that *bundle*, of one ref, brings on top of *above*. Raises `BundleError`: nothing was taken.

        Git has checked every object then, and that all that is named is there; and nothing is there that is not named.
        """
        count = weigh(bundle, limits)
        (tip,) = bundle.refs.values()
        place = self.apart.git_dir / "taken" / os.urandom(8).hex()
        place.mkdir(parents=True)
        env = {
            "GIT_OBJECT_DIRECTORY": str(place),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(self.repo.common_dir / "objects"),
        }  # fmt: skip
        try:
            packed = self._unpack(bundle, env, limits)
            # not the paths: two hundred kilobytes of folders in folders have gigabytes of them
            listed = ("rev-list", "--objects", "--no-object-names", "--timestamp")  # that stands before commits alone
            reached = self._run(*listed, tip, f"^{above}", env=env)
        except GitError as exc:
            raise BundleError("Git finds it damaged, or not whole.", why=_first_words(exc)) from None
        lines = reached.decode().splitlines()
        known = {line.rpartition(" ")[2] for line in lines}
        extra = _ids(packed.with_suffix(".idx"), len(tip) // 2)
        appended = len(extra) - count  # what its objects were changes of, which git has put beside them
        if len(extra - known) > appended:
            raise BundleError(f"It holds {len(extra - known) - appended:,} objects that its branch does not lead to.")
        for suffix in (".pack", ".idx"):
            packed.with_suffix(suffix).rename(self.apart.git_dir / "objects/pack" / f"{packed.stem}{suffix}")
        return frozenset(line.rpartition(" ")[2] for line in lines if " " in line)

    def _unpack(self, bundle: Bundle, env: Mapping[str, str], limits: Limits) -> Path:
        args = ("index-pack", "--strict", "--fix-thin", "--threads=1", f"--max-input-size={limits.bytes}", "--stdin")
        with bundle.path.open("rb") as file:
            os.lseek(file.fileno(), bundle.start, os.SEEK_SET)
            git = process.start((*_LOOSELY, *args), folder=self.apart.git_dir, env=env, stdin=file.fileno())
            out, err = git.communicate()
        if git.returncode:
            raise process.failure("index-pack", self.apart.git_dir, err)
        name = out.decode().split()[-1]
        return Path(env["GIT_OBJECT_DIRECTORY"]) / "pack" / f"pack-{name}.pack"

    def _run(self, *args: str, env: Mapping[str, str]) -> bytes:
        return process.run(*args, folder=self.apart.git_dir, env=env)

    def bring(self, tips: Iterable[str], *, without: str) -> None:
        """Let the repository have *tips*, and all that the commit *without* has not of them, as one pack."""
        wanted = "".join(f"{tip}\n" for tip in tips)
        target = self.repo.common_dir / "objects/pack/pack"
        if wanted:
            process.run(
                "pack-objects", "--revs", "--quiet", "--delta-base-offset", str(target), folder=self.apart.git_dir,
                stdin=f"{wanted}^{without}\n".encode(),
            )  # fmt: skip


_LOOSELY = ("-c", "core.fsync=none")
"""What is thrown away need not be on the disk."""


@contextlib.contextmanager
def quarantine(repo: Repo, folder: Path) -> Iterator[Quarantine]:
    """One in the new or empty *folder*."""
    kind = repo.config.get("extensions.objectformat", "sha1")
    process.run(
        "init", "--quiet", "--bare", "--template=", f"--object-format={kind}", "--end-of-options", str(folder),
        folder=repo.folder,
    )  # fmt: skip
    (folder / "objects/info").mkdir(parents=True, exist_ok=True)
    (folder / "objects/pack").mkdir(parents=True, exist_ok=True)
    (folder / "objects/info/alternates").write_bytes(os.fsencode(repo.common_dir / "objects") + b"\n")
    with contextlib.suppress(FileNotFoundError):
        (folder / "shallow").write_bytes((repo.common_dir / "shallow").read_bytes())
    yield Quarantine(repo, Repo(work_tree=None, git_dir=folder, common_dir=folder))


def _ids(index: Path, size: int) -> set[str]:
    """The ids of all that the pack of *index* holds: gitformat-pack(5), version 2."""
    content = index.read_bytes()
    count = int.from_bytes(content[8 + 255 * 4 : 8 + 256 * 4], "big")
    names = content[8 + 256 * 4 : 8 + 256 * 4 + count * size].hex()
    return {names[at : at + 2 * size] for at in range(0, len(names), 2 * size)}


def _first_words(exc: GitError) -> str:
    lines = [line for line in exc.why.splitlines() if line.startswith(("error:", "fatal:"))]
    return "; ".join(lines[:2] or exc.why.splitlines()[:1])
