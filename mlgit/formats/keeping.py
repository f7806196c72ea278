"""A model as a folder of files: stored by its framework's safe format, or described where it lies already."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from mlgit.core.model_card import ModelCard, Port, ports
from mlgit.documents import reader, writer
from mlgit.errors import ConfigError, UsageError
from mlgit.formats import frameworks, scanning
from mlgit.formats.frameworks import PICKLE

CARD = "model.yaml"
"""The file of a model's folder that tells what is in it."""
_LARGEST = 1 << 20
"""Bytes of a card."""
_NAMED = 5
"""So many unsafe files are named, of each kind."""


def store(
    model: Any, folder: Path, *, framework: str | None = None, allow_pickle: bool = False, signature: Any = None,
    example: Any = None,
) -> ModelCard:  # fmt: skip
    """Write *model* and its card into *folder*, which is empty.

    *framework*: whose format, its own unless given. *signature*: `{"inputs": …, "outputs": …}`, data like what goes in
    and comes out; else the model is asked with the *example*. Neither is stored. Raises `UsageError` for what no safe
    format holds unless *allow_pickle*, `MlgitError` where the library for its format is missing.
    """
    name = framework or frameworks.of(model)
    if name is None and not allow_pickle:
        raise UsageError(
            f"No safe format is known for a {frameworks.made(model)}.",
            fix='log a file of it, or allow_pickle=True: unsafe for ever, for who loads it runs what is in it',
        )  # fmt: skip
    if framework == PICKLE and not allow_pickle:
        raise UsageError("A pickle runs code when it is loaded.", fix="say allow_pickle=True too")
    name = name or PICKLE
    chosen = frameworks.named(name)
    try:
        kept = chosen.save(model, folder)
    except AttributeError as exc:  # a tensor, a data set, or what is of another library than is said
        raise UsageError(f"A {frameworks.made(model)} is no model of {name}.", why=str(exc)) from exc
    inputs, outputs = _ports(chosen, model, kept, signature, example)
    library = (frameworks.of(model) or "") if name == PICKLE else name
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    card = replace(
        described(files, {path: sha256_of(place) for path, place in files.items()}),
        framework=library, version=frameworks.version_of(library), made=frameworks.made(model), format=kept.format,
        load=kept.load, parameters=kept.parameters, dtype=kept.dtype, inputs=inputs, outputs=outputs,
    )  # fmt: skip
    if card.unsafe and not allow_pickle:
        raise UsageError(
            f"The model cannot be stored safely: {card.unsafe}.",
            fix="change that, or allow_pickle=True marks it unsafe",
        )
    (folder / CARD).write_text(writer.dump(card.document(), header="What is known of this model; written by mlgit."))
    return card


def _ports(
    chosen: frameworks.Framework, model: Any, kept: ModelCard, signature: Any, example: Any
) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    """(inputs, outputs): as given, or as the model answers to the *example*, or as its format knows."""
    if signature is not None:
        sides = signature if isinstance(signature, Mapping) else {}
        if not sides or sides.keys() - {"inputs", "outputs"}:
            raise UsageError(
                'A signature is {"inputs": …, "outputs": …}.', fix="give data like what goes in, comes out"
            )
        inputs, outputs = (ports(sides[side]) if side in sides else () for side in ("inputs", "outputs"))
        return inputs, outputs
    if example is None:
        return kept.inputs, kept.outputs
    return ports(example), ports(chosen.predict(model, example))


def described(files: Mapping[str, Path], sha256: Mapping[str, str]) -> ModelCard:
    """What is known of the model that *files* are, by path, with their *sha256*: by its card, else by its files.

    Whether it is unsafe is seen by the bytes and believed of no card. Nothing is loaded. Raises `OSError`.
    """
    card = _read(files.get(CARD)) or _guessed(files)
    unsafe = _unsafe((path, place) for path, place in sorted(files.items()) if path != CARD)
    return replace(
        card, unsafe=unsafe, sha256=dict(sha256), size=sum(place.stat().st_size for place in files.values()),
        format=card.format or (PICKLE if unsafe else ""),
    )  # fmt: skip


def _unsafe(files: Iterable[tuple[str, Path]]) -> str:
    """What in *files* may run code: `a pickle in optimizer.pt, training_args.bin`; empty where nothing may."""
    found: dict[str, list[str]] = {}
    for path, place in files:
        if what := scanning.unsafe(place, path):
            found.setdefault(what, []).append(path)
    return "; ".join(f"{what} in {_some(paths)}" for what, paths in found.items())


def _some(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _NAMED:,} more" if len(paths) > _NAMED else ""
    return f"{', '.join(paths[:_NAMED])}{more}"


def without(folder: Path, patterns: Sequence[str]) -> dict[str, Path]:
    """The files below *folder* by path, but for those whose path or name one of *patterns* (`*.pt`) meets.

    Links are followed. Raises `UsageError` where none is left.
    """
    found: dict[str, Path] = {}
    for top, _, names in os.walk(folder, followlinks=True):
        for place in (Path(top, name) for name in sorted(names)):
            path = place.relative_to(folder).as_posix()
            if not any(fnmatchcase(one, pattern) for one in (path, place.name) for pattern in patterns):
                found[path] = place
    if not found:
        raise UsageError(f"{folder} has no file that is not excluded.", fix="exclude less")
    return found


def _guessed(files: Mapping[str, Path]) -> ModelCard:
    name = frameworks.of_files(files)
    return ModelCard(framework=name, format=frameworks.named(name).FORMAT) if name else ModelCard()


def _read(path: Path | None) -> ModelCard | None:
    """The card at *path*; None where there is none, or it is something else that is called so."""
    if path is None or path.stat().st_size > _LARGEST:
        return None
    try:
        found = reader.load(path.read_bytes(), ModelCard, source=CARD)
    except ConfigError:
        return None
    return found if found.format else None


def sha256_of(path: Path) -> str:
    """The sha256 of a file, as hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
