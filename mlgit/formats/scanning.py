"""Whether a file can run code when it is loaded: found by its content, which is never loaded.

A pickle is a program. It hides in PyTorch's and NumPy's zips, in tars, and compressed: each is looked into. What is
damaged so that it cannot be looked into is not trusted; a library may read on where this stops. The ways round such
looks are those that picklescan's and modelscan's advisories tell of.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickletools
import re
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any, cast

_SUFFIXES = (".pkl", ".pickle", ".joblib", ".dill", ".cloudpickle", ".pt", ".pth", ".ckpt")
"""Names under which everybody keeps pickles: what has one is believed to be one, unless its content is known."""
_KNOWN = (b"\x89HDF\r\n\x1a\n", b"GGUF")
_IMPORTS = frozenset(("GLOBAL", "STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4"))
_CALLS = frozenset(("REDUCE", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "BUILD"))
_NAME = re.compile(r"[\w.]+ [\w.<>]+")
_MOST = 32 << 20
"""Bytes of one stream that are looked at for a pickle without the usual beginning."""
_BLOCK = 1 << 16
_MEMBERS = 100_000
"""Files of an archive that are looked into: a forest of 4,000 trees has 20,000."""
_DEPTH = 4
_LARGE, _TIMES = 1 << 30, 200
"""Bytes that no memory feels, and how many times its own size an archive may unpack to that has more."""
_LAMBDA = re.compile(rb'"class_name"\s*:\s*"(__lambda__|Lambda)"')
_ESCAPED = re.compile(rb"\\u00([0-7][0-9a-fA-F])")
"""A plain letter written as JSON lets one, which hides a name from who only reads."""
_SEALED = (b"\x04\x22\x4d\x18", b"ZF0x")
"""How what joblib packs begins that Python cannot unpack: LZ4, and its own way before 0.9.3."""


def unsafe(path: Path, name: str = "") -> str:
    """What in the file *path*, called *name*, may run code when it is loaded, in a few words; empty where nothing may.

    Raises `OSError`.
    """
    # What is no pickle is full of escapes that Python warns of.
    with warnings.catch_warnings(action="ignore"), path.open("rb") as file:
        return _looked(file, (name or path.name).lower(), _DEPTH)


def _looked(file: IO[bytes], name: str, depth: int) -> str:
    head = file.read(512)
    file.seek(0)
    if depth == 0:
        return "archives in archives, too deep to look into"
    if found := _pickle(file):  # first, for it may begin as a file of another kind does
        return found
    if zipfile.is_zipfile(file):  # and so may a zip
        return _is_bomb(file) or _in_members(_of_zip(file), depth)
    file.seek(0)
    if head.startswith(_KNOWN):
        return "a Keras Lambda layer, which is code" if _has_lambda(file) else ""
    if head.startswith(b"\x93NUMPY"):
        return _in_array(file)
    if head.startswith(_SEALED):
        return "what joblib packed, which cannot be looked into"
    if _is_tar(head):
        return _in_members(_of_tar(file), depth)
    for magic, opened in _PACKED:
        if head.startswith(magic) and (inner := _unpacked(opened, file)):
            return _looked(inner, name, depth - 1)
    if name.endswith(".json") and _has_lambda(file):
        return "a Keras Lambda layer, which is code"
    is_tensors = head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 100_000_000
    return "called as a pickle is" if name.endswith(_SUFFIXES) and not is_tensors else ""


def _in_array(file: IO[bytes]) -> str:
    from numpy.lib import format as npy

    try:
        version = npy.read_magic(file)
        header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        _, _, dtype = header(file)
    except (ValueError, EOFError, SyntaxError, TokenError, RecursionError, MemoryError):  # Python's own, of its header
        return "a damaged NumPy array, which cannot be looked into"
    return "pickled objects in a NumPy array" if dtype.hasobject else ""


def _is_tar(head: bytes) -> bool:
    """By its word, or by the sum in its beginning: the oldest, which PyTorch still reads, say nothing else."""
    with suppress(tarfile.HeaderError):
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
        return True
    return head[257:262] == b"ustar"


def _in_members(members: Iterator[tuple[str, IO[bytes]]], depth: int) -> str:
    try:
        for count, (name, file) in enumerate(members):
            if count >= _MEMBERS:
                return "an archive of too many files to look into"
            with file:
                if found := _looked(file, name.lower(), depth - 1):
                    return f"{found} ({name.rpartition('/')[2][:60]})" if "(" not in found else found
    except OSError as exc:
        if exc.errno:  # of the disk; what bz2 raises has none
            raise
        return "a damaged archive, which cannot be looked into"
    except _DAMAGED:
        return "a damaged archive, which cannot be looked into"
    return ""


_DAMAGED = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, ValueError, NotImplementedError,
    RuntimeError,
)  # fmt: skip


def _is_bomb(file: IO[bytes]) -> str:
    """Whether a zip would fill the memory of who unpacks it, by its own table; models' numbers do not pack so well."""
    size = file.seek(0, io.SEEK_END)
    with suppress(*_DAMAGED), zipfile.ZipFile(file) as archive:
        unpacked = sum(info.file_size for info in archive.infolist())
        if unpacked > max(_LARGE, size * _TIMES):
            return f"an archive that unpacks to more than {_TIMES} times its size"
    return ""


def _of_zip(file: IO[bytes]) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(file) as archive:
        infos = sorted(archive.infolist(), key=lambda info: not info.filename.endswith(".pkl"))
        yield from ((info.filename, archive.open(info)) for info in infos if not info.is_dir())


def _of_tar(file: IO[bytes]) -> Iterator[tuple[str, IO[bytes]]]:
    with tarfile.open(fileobj=file, mode="r:") as archive:
        for member in archive:
            if member.isfile() and (inner := archive.extractfile(member)):
                yield member.name, inner


_PACKED: tuple[tuple[bytes, Callable[[IO[bytes]], Any]], ...] = (
    (b"\x1f\x8b", lambda file: gzip.GzipFile(fileobj=file)),
    (b"BZh", bz2.BZ2File),
    (b"\xfd7zXZ\0", lzma.LZMAFile),
    (b"]\0\0", lzma.LZMAFile),
    (b"\x78", lambda file: io.BytesIO(zlib.decompressobj().decompress(file.read(_MOST), _MOST))),
)
"""How joblib and others pack a pickle."""


def _unpacked(opened: Callable[[IO[bytes]], Any], file: IO[bytes]) -> IO[bytes] | None:
    """The beginning of what is in a packed *file*, as far as it can be unpacked; None where it is not packed at all."""
    inner = io.BytesIO()
    file.seek(0)
    with suppress(OSError, EOFError, lzma.LZMAError, zlib.error), opened(file) as stream:
        while inner.tell() < _MOST and (block := stream.read(_BLOCK)):
            inner.write(block)
    if not inner.tell():
        return None
    inner.seek(0)
    return inner


def _pickle(file: IO[bytes]) -> str:
    """Whether a pickle begins the *file*: by its protocol, or, of one without it, by an import and a call."""
    file.seek(0)
    head = file.read(2)
    if head[:1] == b"\x80" and head[1:] <= b"\x05":
        return "a pickle"
    imported, stack = False, _Stack()
    file.seek(0)
    try:
        for opcode, argument, _ in pickletools.genops(cast("IO[bytes]", _Limited(file))):  # it only reads
            if not stack.takes(opcode):
                return ""  # text, which happens to begin as a pickle could
            named = opcode.name in _IMPORTS and (not isinstance(argument, str) or _NAME.fullmatch(argument) is not None)
            imported = imported or named
            if imported and opcode.name in _CALLS:
                return "a pickle"
    except (ValueError, UnicodeDecodeError, OverflowError):
        return ""
    except _TooLongError:
        return "what may be a pickle"
    return "a pickle" if imported else ""


class _Stack:
    """How much lies on an unpickler's stack: what asks for more than that ends it before anything runs."""

    def __init__(self) -> None:
        self._marks = [0]
        self._depth = 0

    def takes(self, opcode: pickletools.OpcodeInfo) -> bool:
        """Go on by *opcode*; False where an unpickler could not."""
        plain = list(takewhile(lambda item: item is not pickletools.markobject, opcode.stack_before))
        if len(plain) < len(opcode.stack_before):
            if len(self._marks) == 1:
                return False
            self._depth = self._marks.pop()
        elif opcode.name == "POP" and len(self._marks) > 1 and self._depth == self._marks[-1]:
            self._marks.pop()
            return True
        if self._depth - self._marks[-1] < len(plain):
            return False
        self._depth += len(opcode.stack_after) - len(plain)
        if opcode.name == "MARK":
            self._depth -= 1
            self._marks.append(self._depth)
        return True


class _TooLongError(Exception):
    """So far it could be a pickle, and there is no end."""


class _Limited:
    """A stream that gives up after `_MOST` bytes; `pickletools` would read whatever length a file names."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._left = file, _MOST

    def read(self, size: int) -> bytes:
        return self._given(self._file.read(min(size, self._left + 1)))

    def readline(self) -> bytes:
        return self._given(self._file.readline(self._left + 1))

    def _given(self, data: bytes) -> bytes:
        self._left -= len(data)
        if self._left < 0:
            raise _TooLongError
        return data


def _has_lambda(file: IO[bytes]) -> bool:
    file.seek(0)
    before = b""
    while block := file.read(1 << 20):
        text = _ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), before + block)
        if _LAMBDA.search(text):
            return True
        before = block[-512:]
    return False
