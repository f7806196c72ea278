"""Read and write git's objects: one long-lived `cat-file` for reading, loose objects of our own writing.

Writing them here costs a tenth of git processes. A loose object is zlib over `<kind> <size>\\0<content>`, named by the
hash of that (gitformat-loose(5)); the hash is the repository's, SHA-1 or SHA-256.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import stat
import struct
import subprocess
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from types import TracebackType

from mlgit.errors import GitError, UsageError
from mlgit.git import process

MOST_LOOSE = 200
"""Objects written as files of their own; more go into a pack."""
_AT_ONCE = 16
"""So many files at a time: a program's file descriptors are few."""
_SHARED = {**dict.fromkeys(("group", "true", "1"), 0o660), **dict.fromkeys(("all", "world", "everybody", "2"), 0o664)}
"""`core.sharedRepository` → the rights that it adds; as a number beginning with 0, it says all that there are."""
_PACK_KINDS = {b"commit": 1, b"tree": 2, b"blob": 3, b"tag": 4}

_LASTING = re.compile(r"([0-9a-f]{40}(?:[0-9a-f]{24})?)(?:\^\{tree\}|:[^\n]*)?$")
_PIPE = 1 << 14
"""Characters of questions that certainly fit a pipe, with as many that are not answered yet."""
_MOST_KNOWN = 1 << 14
"""Bytes of an object that is remembered, and how many are."""
_KNOWN: dict[tuple[Path, str], tuple[str, str, bytes] | None] = {}
_IDLE: ContextVar[dict[Path, list[subprocess.Popen[bytes]]] | None] = ContextVar("_IDLE", default=None)
"""Processes that wait for their next reader, by the folder that they read in; None where none waits."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a name in a tree stands for. *mode*: `100644`, `100755`, `120000`, `40000` (a folder), `160000`."""

    mode: str
    oid: str

    @property
    def is_tree(self) -> bool:
        """Whether it is a folder."""
        return self.mode == "40000"


@contextlib.contextmanager
def one_process() -> Iterator[None]:
    """Within it a reader that is done leaves its process to the next one, so that many short looks cost one process."""
    token = _IDLE.set({})
    try:
        yield
    finally:
        idle = _IDLE.get() or {}
        _IDLE.reset(token)
        for waiting in chain.from_iterable(idle.values()):
            waiting.communicate()


class Reader:
    """One `git cat-file --batch-command`; a context manager, as long-lived as its work."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._open = 0
        """Questions that were asked, and not answered yet."""

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        ended, self._process = self._process, None
        if ended and (idle := _IDLE.get()) is not None and not self._open:
            idle.setdefault(self._folder, []).append(ended)
        elif ended:
            ended.communicate()

    def read(self, name: str) -> tuple[str, str, bytes] | None:
        """(object id, kind, content) of *name* (an id, `ref`, `commit:path`), or None if there is none.

        What begins with a full id says the same for ever, so a process that makes many runs asks git for it once.
        """
        key = (self._folder, name)
        if key in _KNOWN:
            return _KNOWN[key]
        found = next(self.read_all((name,)))
        lasting = _LASTING.match(name)
        if lasting and (len(found[2]) <= _MOST_KNOWN if found else (self._folder, f"{lasting[1]}^{{tree}}") in _KNOWN):
            if len(_KNOWN) >= _MOST_KNOWN:
                _KNOWN.clear()
            _KNOWN[key] = found
        return found

    def read_all(self, names: Iterable[str]) -> Iterator[tuple[str, str, bytes] | None]:
        """`read` for each of *names*, asked in blocks so that a hundred thousand cost little more than their bytes."""
        waiting: list[str] = []
        for block in _blocks(names, 200):
            questions = "".join([f"contents {name}\n" for name in block])
            if len(questions) > _PIPE and self._process:  # git may wait for us to read, and we then for it
                yield from self._answers(self._process, waiting)
                waiting = []
            pipe = self._ask(questions)
            yield from self._answers(pipe, waiting)  # git looks for this block's meanwhile
            waiting = block
        if waiting:
            assert self._process
            yield from self._answers(self._process, waiting)

    def sizes(self, names: Iterable[str]) -> Iterator[int | None]:
        """The bytes of each of *names*, which are not read for it; None where there is none."""
        return (head and head[2] for head in self._heads(names))

    def ids(self, names: Iterable[str]) -> Iterator[str | None]:
        """The id of each of *names*, `<tag>^{}` among them; None where there is none."""
        return (head and head[0] for head in self._heads(names))

    def kinds(self, names: Iterable[str]) -> Iterator[str | None]:
        """`commit`, `tree`, `blob` or `tag` for each of *names*; None where there is none."""
        return (head and head[1] for head in self._heads(names))

    def blob(self, name: str) -> bytes | None:
        """The content of the file *name* (`commit:path`), or None if there is no such file."""
        found = self.read(name)
        return found[2] if found and found[1] == "blob" else None

    def tree(self, name: str) -> dict[str, Entry] | None:
        """The entries of the tree *name* (`commit:path`, `commit^{tree}`), or None if there is no such folder."""
        return _entries(self.read(name))

    def trees(self, names: Iterable[str]) -> Iterator[dict[str, Entry] | None]:
        """`tree` for each of *names*."""
        return map(_entries, self.read_all(names))

    def _ask(self, questions: str) -> subprocess.Popen[bytes]:
        self._open += questions.count("\n")
        if "\0" in questions:
            raise UsageError("a name holds a NUL character; git has no such names")
        pipe = self._process or self._start()
        assert pipe.stdin is not None
        try:
            pipe.stdin.write(f"{questions}flush\n".encode(errors="surrogateescape"))
            pipe.stdin.flush()
        except BrokenPipeError:
            self._fail()
        return pipe

    def _start(self) -> subprocess.Popen[bytes]:
        args = ("cat-file", "--batch-command", "--buffer")
        idle = (_IDLE.get() or {}).get(self._folder)
        self._process = idle.pop() if idle else process.start(args, folder=self._folder, stdin=subprocess.PIPE)
        return self._process

    def _answers(
        self, pipe: subprocess.Popen[bytes], names: Sequence[str]
    ) -> Iterator[tuple[str, str, bytes] | None]:  # fmt: skip
        assert pipe.stdout is not None
        read = pipe.stdout.read
        for name in names:
            head = self._head(pipe, name)
            found = head and (head[0], head[1], read(head[2] + 1)[:-1])
            self._open -= 1
            yield found

    def _heads(self, names: Iterable[str]) -> Iterator[tuple[str, str, int] | None]:
        for block in _blocks(names, 200):
            pipe = self._ask("".join(f"info {name}\n" for name in block))
            for name in block:
                head = self._head(pipe, name)
                self._open -= 1
                yield head

    def _head(self, pipe: subprocess.Popen[bytes], name: str) -> tuple[str, str, int] | None:
        """(object id, kind, size) of *name*, or None if there is none."""
        head = self._line(pipe).split(b" ")
        if len(head) != 3 or not head[2].isdigit():
            if head[-1] in (b"missing", b"ambiguous", b"submodule"):
                return None
            raise GitError(f"git could not read {name!r} in {self._folder}.", why=b" ".join(head).decode())
        return head[0].decode(), head[1].decode(), int(head[2])

    def _line(self, pipe: subprocess.Popen[bytes]) -> bytes:
        assert pipe.stdout is not None
        line = pipe.stdout.readline()
        if not line:
            self._fail()
        return line[:-1]

    def _fail(self) -> None:
        assert self._process is not None
        _, err = self._process.communicate()
        ended, self._process = self._process, None
        if b"unknown command" in err or b"unknown option" in err or ended.returncode == 129:
            raise GitError(
                "This git is older than 2.38.", why=err.decode(errors="replace")[:200], fix="install a newer git"
            )
        raise process.failure("cat-file", self._folder, err)


def _blocks(items: Iterable[str], size: int) -> Iterator[list[str]]:
    block: list[str] = []
    for item in items:
        if "\n" in item or item.endswith("\r"):
            raise UsageError(f"{item[:80]!r} holds a line break; git has no such names")
        block.append(item)
        if len(block) == size:
            yield block
            block = []
    if block:
        yield block


class Writer:
    """Loose objects, durable after `flush`. What was written before stays valid if the process dies in between."""

    def __init__(self, objects: Path, *, sha256: bool = False, shared: str = "umask") -> None:
        self._objects = objects
        self._hash: Callable[[bytes], hashlib._Hash] = hashlib.sha256 if sha256 else hashlib.sha1
        self._exact = re.fullmatch("0[0-7]{3}", shared) is not None
        self._rights = int(shared, 8) & 0o666 if self._exact else _SHARED.get(shared, 0)
        self._pending: dict[str, bytes] = {}
        self._asked: set[str] = set()
        self.size = 0
        """The bytes of all that was added."""

    def add(self, kind: str, content: bytes) -> str:
        """Remember an object; return its id. It lies on disk after `flush`."""
        raw = b"%s %d\0%s" % (kind.encode(), len(content), content)
        oid = self._hash(raw).hexdigest()
        if oid not in self._asked:
            self._asked.add(oid)
            self._pending[oid] = raw
            self.size += len(raw)
        return oid

    def blob(self, content: bytes) -> str:
        """A file's content; return its id."""
        return self.add("blob", content)

    def tree(self, entries: Mapping[str, Entry]) -> str:
        """A folder; return its id. Git sorts a folder's name as if it ended in `/`."""
        named = [(name.encode(errors="surrogateescape"), entry) for name, entry in entries.items()]
        named.sort(key=lambda item: item[0] + b"/" if item[1].is_tree else item[0])
        return self.add(
            "tree", b"".join(b"%s %s\0%s" % (e.mode.encode(), name, bytes.fromhex(e.oid)) for name, e in named)
        )

    def folder(self, files: Mapping[str, bytes]) -> str:
        """A folder made of *files* (path → content) alone; return its id."""
        nothing: Mapping[str, Mapping[str, Entry]] = {}
        return self.edit({}, files, nothing.__getitem__)

    def edit(
        self, entries: Mapping[str, Entry], changes: Mapping[str, bytes | Entry | None],
        read: Callable[[str], Mapping[str, Entry]],
    ) -> str:  # fmt: skip
        """The folder *entries* with *changes* applied; return its id.

        A change is a path with new content, with an entry that exists already (so a whole folder is put in place at
        once), or with None to take it away. *read* answers a folder's id with its entries. Raises `UsageError` for a
        path that leaves the folder.
        """
        result = dict(entries)
        nested: dict[str, dict[str, bytes | Entry | None]] = {}
        for path, change in changes.items():
            name, slash, rest = path.partition("/")
            if name in ("", ".", "..") or name.lower() == ".git" or "\0" in name or (slash and not rest):
                raise UsageError(f"{path[:120]!r} is no path inside a repository.")
            if slash:
                nested.setdefault(name, {})[rest] = change
            elif change is None:
                result.pop(name, None)
            else:
                result[name] = change if isinstance(change, Entry) else Entry("100644", self.blob(change))
        for name, inner in nested.items():
            there = result.get(name)
            inside = read(there.oid) if there and there.is_tree else {}
            if oid := self._edited(inside, inner, read):
                result[name] = Entry("40000", oid)
            else:
                result.pop(name, None)
        return self.tree(result)

    def _edited(
        self, inside: Mapping[str, Entry], changes: Mapping[str, bytes | Entry | None],
        read: Callable[[str], Mapping[str, Entry]],
    ) -> str | None:  # fmt: skip
        """`edit`, or None for a folder that ends up empty: git keeps no empty folders."""
        oid = self.edit(inside, changes, read)
        return None if oid == self._hash(b"tree 0\0").hexdigest() else oid

    def flush(self) -> None:
        """Put what is pending on disk, fsynced and read back. Raises `GitError` where the disk refuses."""
        try:
            if len(self._pending) > MOST_LOOSE:
                self._store_pack()
            else:
                waiting = iter(self._pending.items())
                while some := list(islice(waiting, _AT_ONCE)):
                    self._store(some)
        except OSError as exc:
            fix = "make room, or the folder writable; nothing that was logged is lost"
            raise GitError(f"{self._objects} cannot be written.", why=str(exc), fix=fix) from exc
        self._pending.clear()

    def _is_whole(self, oid: str, path: Path) -> bool:
        """Whether *path* holds the object *oid*: nothing may be deleted in the belief that it does."""
        try:
            return self._hash(zlib.decompress(path.read_bytes())).hexdigest() == oid
        except (FileNotFoundError, zlib.error):
            return False

    def _store_pack(self) -> None:
        """All that is pending as one pack (gitformat-pack(5)): one fsync instead of thousands."""
        pack = [b"PACK", struct.pack(">II", 2, len(self._pending))]
        for raw in self._pending.values():
            head, _, content = raw.partition(b"\0")
            kind, size = _PACK_KINDS[head.split(b" ")[0]], len(content)
            part, size = kind << 4 | size & 15, size >> 4
            while size:
                pack.append(bytes([part | 0x80]))
                part, size = size & 0x7F, size >> 7
            pack += (bytes([part]), zlib.compress(content, 1))
        body = b"".join(pack)
        env = {"GIT_DIR": str(self._objects.parent)}
        process.run("index-pack", "--stdin", folder=self._objects, stdin=body + self._hash(body).digest(), env=env)

    def _store(self, objects: Iterable[tuple[str, bytes]]) -> None:
        """Objects as files of their own. The disk takes them up side by side, and the first sync pays for most."""
        with contextlib.ExitStack() as tidy:
            written: list[tuple[str, Path, Path, int]] = []
            for oid, raw in objects:
                target = self._objects / oid[:2] / oid[2:]
                if self._is_whole(oid, target):
                    continue
                scratch, fd = self._scratch(target.parent)
                tidy.callback(scratch.unlink, missing_ok=True)
                file = tidy.enter_context(os.fdopen(fd, "wb"))
                file.write(zlib.compress(raw, 1))
                file.flush()
                _begin_writing(fd)
                written.append((oid, scratch, target, fd))
            for oid, scratch, target, fd in written:
                os.fsync(fd)
                self._share(scratch)
                if not self._is_whole(oid, scratch):
                    raise OSError(errno.EIO, "what was written is not what is read", str(target))
                scratch.rename(target)

    def _scratch(self, folder: Path, *, tries: int = 10) -> tuple[Path, int]:
        """A new file in *folder*, open to be written; another git may just take that away, for all in it is packed."""
        # never a name used before: in a container every process has the same number, and what a killed one left
        # is read-only. Git's own collection sweeps up what is called so.
        scratch = folder / f"tmp_obj_{os.urandom(8).hex()}"
        try:
            with contextlib.suppress(FileExistsError):
                folder.mkdir()
                self._share(folder)
            return scratch, os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444)
        except FileNotFoundError:
            if tries == 1:
                raise
            return self._scratch(folder, tries=tries - 1)

    def _share(self, path: Path) -> None:
        """Give *path* the rights that `core.sharedRepository` asks for, as git's adjust_shared_perm() does."""
        if not self._rights:
            return
        before = stat.S_IMODE(path.stat().st_mode)
        rights = self._rights if before & stat.S_IWUSR else self._rights & 0o444
        mode = rights if self._exact else before | rights
        if path.is_dir():
            mode |= (mode & 0o444) >> 2 | stat.S_ISGID
        path.chmod(mode)


def _begin_writing(fd: int) -> None:
    """Let the kernel put the file on disk now, without waiting for it: what Linux does for who needs it no longer."""
    with contextlib.suppress(AttributeError, OSError):  # there is none; it is no more than a wish
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)


def _entries(found: tuple[str, str, bytes] | None) -> dict[str, Entry] | None:
    return parse_tree(found[2], len(found[0]) // 2) if found and found[1] == "tree" else None


def parse_tree(content: bytes, width: int) -> dict[str, Entry]:
    """The entries of a tree object; *width* is the length of a raw object id in bytes."""
    found = re.findall(rb"([0-7]+) ([^\0]+)\0(.{%d})" % width, content, re.DOTALL)
    return {name.decode(errors="surrogateescape"): Entry(mode.decode(), oid.hex()) for mode, name, oid in found}
