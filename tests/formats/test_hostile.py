"""Bytes that are made to do harm: an error says what they are, quickly, and the process goes on."""

from __future__ import annotations

import importlib.util
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.core.model_card import ModelCard
from mlgit.errors import MlgitError, UsageError
from mlgit.formats import keeping, loading, nesting, scanning
from mlgit.formats.frameworks import Trust
from tests.conftest import need


def array(header: bytes, version: int = 1) -> bytes:
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(header)) + header


def shaped(shape: str) -> bytes:
    return array(f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode())


def tensors(header: bytes, size: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if size is None else size) + header


def packed(name: str, content: str | bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, content)

    return write


def torn(kind: int) -> Callable[[Path], None]:
    """An archive whose one member cannot be unpacked."""

    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w", kind) as archive:
            archive.writestr("a.npy", bytes(range(256)) * 20)
        content = bytearray(path.read_bytes())
        content[45:80] = b"\xff" * 35
        path.write_bytes(content)

    return write


def deep(opened: str) -> str:
    return opened * 100_000


FILES: dict[str, bytes | Callable[[Path], None]] = {
    "as large as no memory.npy": shaped("(10000000000000,)"),
    "less than it says.npy": shaped("(300000000,)"),
    "less than nothing.npy": shaped("(-5,)"),
    "a sum of signs.npy": array(b"-" * 8999 + b"1"),
    "brackets.npy": array(b"(" * 9000),
    "a header without end.npy": b"\x93NUMPY\2\0" + struct.pack("<I", 2**32 - 1) + b" " * 100,
    "of no version.npy": array(b"{}", 9),
    "no archive.npz": b"no archive",
    "torn lzma.npz": torn(zipfile.ZIP_LZMA),
    "torn bz2.npz": torn(zipfile.ZIP_BZIP2),
    "torn zlib.npz": torn(zipfile.ZIP_DEFLATED),
    "no archive.skops": b"no archive",
    "without a schema.skops": packed("x", ""),
    "half a schema.skops": packed("schema.json", '{"__loader__": "Nope", "protocol": 2}'),
    "deep.skops": packed("schema.json", deep('{"content": [')),
    "a function.skops": packed(
        "schema.json",
        json.dumps({
            "__class__": "system", "__module__": "os", "__loader__": "FunctionNode", "__id__": 1, "protocol": 2,
            "_skops_version": "0.16", "content": {},
        }),
    ),
    "a large header.safetensors": tensors(b"{}", 2**62),
    "a deep header.safetensors": tensors(b'{"a":' + b"[" * 100_000),
    "beyond its end.safetensors": tensors(b'{"a":{"dtype":"F32","shape":[1000000],"data_offsets":[0,4000000]}}'),
    "noise.onnx": b"\xff\0" * 500,
    "empty.onnx": b"",
    "deep.json": f'{{"learner": {deep("[")}'.encode(),
    "deeper.json": f'{{"learner": {deep("[{" + chr(34) + "a" + chr(34) + ":")}'.encode(),
    "deep.ubj": b"{L" + struct.pack(">q", 7) + b"learner" + b"[" * 100_000,
    "JSON in truth.ubj": f'{{"learner": {deep("[")}'.encode(),
    "longer than it is.ubj": b"{L" + struct.pack(">q", 7) + b"learner[$d#L" + struct.pack(">q", 2**40),
    "no tree.txt": b"tree\n",
}  # fmt: skip
LIBRARIES = {
    ".skops": "skops", ".safetensors": "safetensors", ".onnx": "onnx", ".json": "xgboost", ".ubj": "xgboost",
    ".txt": "lightgbm",
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_bytes_that_are_no_model_are_an_error_that_says_so(name: str, tmp_path: Path):
    if library := LIBRARIES.get(Path(name).suffix):
        need(library, importlib.util.find_spec(library) is not None)
    path, made = tmp_path / name, FILES[name]
    path.write_bytes(made) if isinstance(made, bytes) else made(path)

    card = keeping.described({name: path}, {name: keeping.sha256_of(path)})
    with pytest.raises(MlgitError) as caught:
        loading.load(path, card, Trust())

    assert caught.value.why or "too deep" in caught.value.what or "nobody trusts yet" in caught.value.what
    assert caught.value.fix


@pytest.mark.parametrize("where", ["../secret", "absolute", "a link"])
def test_a_graph_reads_no_tensors_from_outside_of_its_folder(where: str, tmp_path: Path):
    need("onnx", importlib.util.find_spec("onnx") is not None)
    from onnx import TensorProto, helper

    (tmp_path / "secret").write_bytes(b"s" * 32)
    (tmp_path / "model").mkdir()
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4, 2], data_location=TensorProto.EXTERNAL)
    place = {"absolute": str(tmp_path / "secret"), "a link": "weights"}.get(where, where)
    tensor.external_data.add(key="location", value=place)
    (tmp_path / "model" / "weights").symlink_to(tmp_path / "secret")
    sides = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size]) for name, size in (("x", 4), ("y", 2))]
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", sides[:1], sides[1:], [tensor])
    (tmp_path / "model/model.onnx").write_bytes(helper.make_model(graph).SerializeToString())

    with pytest.raises(MlgitError, match="onnx cannot load this model"):
        loading.load(tmp_path / "model", ModelCard(framework="onnx", format="onnx"), Trust())


@pytest.mark.parametrize("inside", [False, True])
def test_an_archive_that_would_fill_the_memory_is_seen_by_its_table(
    inside: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(scanning, "_LARGE", 1 << 20)
    path = tmp_path / "weights.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", b"\0" * (4 << 20))
    if inside:
        content = path.read_bytes()
        packed("inner.zip", content)(path)
    card = keeping.described({path.name: path}, {})

    with pytest.raises(UsageError):
        loading.load(path, card, Trust())

    assert card.unsafe.startswith("an archive that unpacks to more than 200 times its size")


def test_a_booster_may_be_as_deep_as_boosters_are():
    assert not nesting.is_too_deep(b'{"a": ["[[[[", "\\"[", {"b": [1, 2]}' + b", [[]]" * 1000 + b"]}")
    assert not nesting.is_too_deep(b'{"a": "' + b"[" * 1000)  # a text without an end
    assert not nesting.is_too_deep(b"{L" + struct.pack(">q", 1) + b"a[$d#L" + struct.pack(">q", 50) + b"[" * 200 + b"}")
    none, one = (b"L" + struct.pack(">q", count) for count in (0, 1))
    assert nesting.is_too_deep(b"{" + one + b"a[$d#" + none + one + b"b" + b"[" * 200)
    assert nesting.is_too_deep(b"[#L\0\0\0\0\0\0\0\1" * 200)
