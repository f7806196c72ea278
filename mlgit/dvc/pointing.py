"""The `.dvc` file beside what DVC holds, to the letter as `dvc add` writes it; what a person wrote into it stays."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

from mlgit import whole
from mlgit.dvc import pointers
from mlgit.dvc.pointers import Out
from mlgit.errors import MlgitError, UsageError

_OWN = frozenset({"md5", "size", "nfiles", "hash", "path"})
"""What DVC itself writes of an out."""


def point(pointer: Path, out: Out) -> bool:
    """Let *pointer* name *out*; whether it had to be written.

    Raises `UsageError` where it is not the pointer of *out* alone, `MlgitError` where the disk refuses.
    """
    try:
        before = pointer.read_text(encoding="utf-8") if pointer.exists() else ""
        text = changed(before, out, source=str(pointer)) if before else added(out)
        if text == before:
            return False
        with whole.at(pointer) as scratch:
            scratch.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise MlgitError(f"{pointer} cannot be written.", why=str(exc), fix="make room, or give the right") from exc
    return True


def added(out: Out) -> str:
    """The text of a new pointer."""
    from ruamel.yaml import YAML  # DVC's own choice

    text = io.StringIO()
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.dump({"outs": [pointers.plain(out)]}, text)
    return text.getvalue()


def changed(text: str, out: Out, *, source: str) -> str:
    """*text*, a pointer to what lies at the path of *out*, as a pointer to *out*.

    Raises `UsageError` where it is not a pointer to that alone, `ConfigError` where it is no YAML.
    """
    data, new = pointers.read(text, source), pointers.plain(out)
    held = data.get("outs") if isinstance(data, Mapping) else None
    before = held[0] if isinstance(held, list) and len(held) == 1 and isinstance(held[0], Mapping) else {}
    if before.get("path") != out.path or {"deps", "cmd"} & data.keys():
        fix = f"dvc update {source} if it was imported; else move it away"
        raise UsageError(f"{source} is not the pointer of {out.path} alone.", fix=fix)
    if pointers.is_versioned(before):
        raise UsageError(
            f"{source} names versions of the cloud's own, which mlgit cannot make.",
            fix=f"dvc commit {source}, or dvc remove {source} and mlgit data add {out.path}",
        )
    values = {name: value for name, value in new.items() if before.get(name) != value}
    gone = before.keys() & _OWN - new.keys()
    if not values and not gone:
        return text
    if before.keys() <= _OWN and data.keys() == {"outs"}:
        return added(out)
    from mlgit.documents import editor

    every = values | dict.fromkeys(gone, editor.GONE)
    return editor.with_values(text, {f"outs.0.{name}": value for name, value in every.items()}, source=source)
