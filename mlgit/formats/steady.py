"""Files whose bytes tell of the model alone: not of when they were written, nor of where in memory it lay.

So an equal model has the same content address, and is the same version. What a loader reads of them stays as it was.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

Node = dict[str, Any]
_NONE: Mapping[str, str] = MappingProxyType({})


def numbered(key: str) -> Callable[[Node], Node]:
    """Makes 1, 2, … of the addresses that a document's nodes have as *key*, by their order: a hook for `json`."""
    numbers: dict[int, int] = {}

    def steady(node: Node) -> Node:
        if isinstance(address := node.get(key), int):
            node[key] = numbers.setdefault(address, len(numbers) + 1)
        return node

    return steady


def repack(path: Path, changed: Mapping[str, str], renamed: Mapping[str, str] = _NONE) -> None:
    """Write the zip at *path* anew: its members in their order, undated, *changed* and *renamed* as told by name."""
    fresh = path.with_name(f"{path.name}.new")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(fresh, "w") as new:
        for member in old.infolist():
            undated = zipfile.ZipInfo(renamed.get(member.filename, member.filename))
            undated.compress_type, undated.external_attr = member.compress_type, member.external_attr
            if member.filename in changed:
                new.writestr(undated, changed[member.filename])
                continue
            undated.file_size = member.file_size  # so that one above 2 GiB is written as such
            with old.open(member) as whence, new.open(undated, "w") as to:
                shutil.copyfileobj(whence, to, 1 << 20)
    fresh.replace(path)


def order_header(path: Path) -> None:
    """Let the safetensors file at *path* tell what is noted in it in order; its library does so in any."""
    with path.open("r+b") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
        header["__metadata__"] = dict(sorted(header.get("__metadata__", {}).items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        if len(text) <= size:  # it is as long as before, or the tensors would have to move
            file.seek(8)
            file.write(text.ljust(size))
