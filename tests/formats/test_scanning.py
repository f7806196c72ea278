"""What can run code is found by its content, however it is packed and called; and none of it is ever loaded."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import pickletools
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlgit.formats import scanning


class Planted:
    """Creates a file when it is unpickled."""

    def __init__(self, path: str = "loaded") -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.path,)


def pickled(protocol: int = 4) -> bytes:
    return pickle.dumps(Planted(), protocol=protocol)


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def tarred(name: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def tarred_of_old(name: str, content: bytes) -> bytes:
    """A tar as it was before there was a word for its kind in it."""
    packed = bytearray(tarred(name, content))
    packed[257:265] = bytes(8)
    packed[148:156] = b" " * 8
    packed[148:156] = b"%06o\0 " % sum(packed[:512])
    return bytes(packed)


def saved(save: Callable[[io.BytesIO], object]) -> bytes:
    out = io.BytesIO()
    save(out)
    return out.getvalue()


OBJECTS = np.array([{"a": 1}], dtype=object)
UNSAFE = {
    **{f"protocol-{number}": pickled(number) for number in range(6)},
    "protocol-not-said": pickled(4)[2:],
    "broken-behind-the-call": pickled(0)[:-1] + b"\xff\xff",
    "text-escaped-oddly": b"S'\\d'\n(cos\nsystem\nS'true'\no.",
    "call-by-build": b"cbuiltins\neval\n}b.",
    "call-by-obj": b"(cos\nsystem\nS'true'\no.",
    "call-by-inst": b"(S'true'\nios\nsystem\n.",
    "plain-data": pickle.dumps({"a": [1, 2]}),
    "gzip": gzip.compress(pickled()),
    "bz2": bz2.compress(pickled()),
    "xz": lzma.compress(pickled()),
    "lzma": lzma.compress(pickled(), format=lzma.FORMAT_ALONE),
    "zlib": zlib.compress(pickled()),
    "twice": gzip.compress(zlib.compress(pickled(0))),
    "gzip-cut-off": gzip.compress(pickled() + os.urandom(200_000))[:-1000],
    "begins-as-gguf": b"GGUF" + b"\0" * 5 + pickled(0),
    "torch": zipped({"archive/data.pkl": pickled(2), "archive/data/0": b"\0" * 64}),
    "renamed-in-zip": zipped({"archive/weights": pickled(2)}),
    "zip-in-zip": zipped({"policy.pth": zipped({"archive/data.pkl": pickled(2)})}),
    "zip-behind-junk": b"GGUF?" + zipped({"archive/data.pkl": pickled(2)}),
    "tar": tarred("model.ckpt", pickled()),
    "tar-of-old": tarred_of_old("pickle", pickled()),
    "lz4": b"\x04\x22\x4d\x18" + bytes(99),
    "joblib-of-old": b"ZF0x15               " + zlib.compress(pickled()),
    "npy": saved(lambda out: np.save(out, OBJECTS, allow_pickle=True)),
    "npz": saved(lambda out: np.savez(out, a=OBJECTS)),
    "keras-lambda": zipped({"config.json": json.dumps({"class_name": "__lambda__"}).encode()}),
    "keras-lambda-escaped": zipped({"config.json": rb'{"class\u005fname": "\u004cambda"}'}),
    "h5-lambda": b"\x89HDF\r\n\x1a\n" + b"\0" * 99 + b'{"class_name": "Lambda"}',
}
SAFE = {
    "safetensors": (2).to_bytes(8, "little") + b"{}" + os.urandom(64),
    "npy": saved(lambda out: np.save(out, np.zeros(4))),
    "npz": saved(lambda out: np.savez(out, a=np.zeros(4), b=np.array(["text"]))),
    "keras": zipped({"config.json": b'{"class_name": "Dense"}', "model.weights.h5": b"\x89HDF\r\n\x1a\n" + b"\0" * 9}),
    "lightgbm": b"tree\nversion=v4\nnum_class=1\n",
    "json": b'{"learner": {"attributes": {}}}',
    "csv": b"col1\ncol2\nRegion\n1,2\n",
    "x": b"x,y\n1,2\n",
    "words": b"cat\ndog\n\nRabbit.\n",
    "gguf": b"GGUF\x03\0\0\0" + b"\0" * 32,
    "empty": b"",
    "zeros": b"\0" * 4096,
    "forest": zipped({f"{number}.npy": b"" for number in range(20_001)}),
    "zipped text": zipped({"readme.md": b"# hello\n", "data.csv": b"a,b\n1,2\n"}),
}


@pytest.mark.parametrize("name", UNSAFE)
def test_what_can_run_code_is_found_whatever_it_is_called(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.bin").write_bytes(UNSAFE[name])

    assert scanning.unsafe(tmp_path / "model.bin")
    assert os.listdir(tmp_path) == ["model.bin"]


@pytest.mark.parametrize("name", SAFE)
def test_what_is_no_code_is_not_called_so(name: str, tmp_path: Path):
    (tmp_path / "model.bin").write_bytes(SAFE[name])

    assert scanning.unsafe(tmp_path / "model.bin") == ""


@pytest.mark.parametrize("name", ["m.pkl", "m.PT", "m.joblib", "m.ckpt"])
def test_what_is_called_as_a_pickle_is_believed_to_be_one(name: str, tmp_path: Path):
    (tmp_path / name).write_bytes(b"x-weights in some way of their own")

    assert scanning.unsafe(tmp_path / name) == "called as a pickle is"


def test_it_says_which_file_of_an_archive_it_is(tmp_path: Path):
    (tmp_path / "m").write_bytes(UNSAFE["torch"])

    assert scanning.unsafe(tmp_path / "m") == "a pickle (data.pkl)"


def test_a_damaged_archive_is_not_trusted(tmp_path: Path):
    whole = bytearray(zipped({"a.txt": b"text" * 99}))
    whole[whole.index(b"texttext")] ^= 1
    (tmp_path / "m").write_bytes(whole)

    assert scanning.unsafe(tmp_path / "m") == "a damaged archive, which cannot be looked into"


def test_archives_too_deep_to_look_into_are_not_trusted(tmp_path: Path):
    content = b"x"
    for _ in range(8):
        content = zipped({"inner": content})
    (tmp_path / "m").write_bytes(content)

    assert "too deep" in scanning.unsafe(tmp_path / "m")


def test_a_file_that_names_a_huge_length_takes_no_memory(tmp_path: Path):
    huge = b"N0" * 9 + b"\x8e" + (1 << 40).to_bytes(8, "little")
    with (tmp_path / "m").open("wb") as file:
        file.write(huge)
        file.truncate(1 << 33)
    (tmp_path / "short").write_bytes(huge + b"\0" * 100)

    assert scanning.unsafe(tmp_path / "m") == "what may be a pickle"
    assert scanning.unsafe(tmp_path / "short") == ""


def test_the_planted_pickle_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert any(opcode.name == "REDUCE" for opcode, _, _ in pickletools.genops(pickled()))

    pickle.loads(pickled())

    assert (tmp_path / "loaded").is_dir()
