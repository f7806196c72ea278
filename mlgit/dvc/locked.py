"""What DVC holds of what stages made, as text (pure): `dvc.lock` has their hashes, `dvc.yaml` how each is kept."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from mlgit.dvc import pointers
from mlgit.dvc.pointers import Out

_LISTS = ("outs", "metrics", "plots")
_TEMPLATE = re.compile(r"\$\{[^}]*\}")


def outs(lock: str | bytes, stages: str | bytes, *, source: str) -> tuple[Out, ...]:
    """What the stages in *stages*, a `dvc.yaml`, made by their *lock*; what is left to git is left out.

    Paths are relative to the folder *source*. Left out are also stages that there are no more, and those whose folder a
    template tells. Raises `ConfigError` where one of the two documents, which stand in that folder, is no YAML.
    """
    told = _mapping(_mapping(pointers.read(stages, posixpath.join(source, "dvc.yaml"))).get("stages"))
    locked = _mapping(_mapping(pointers.read(lock, posixpath.join(source, "dvc.lock"))).get("stages"))
    return tuple(
        one
        for name, done in locked.items()
        if (stage := _stage(told, str(name)))
        for out in pointers.listed(_mapping(done).get("outs"))
        for one in _made(out, stage)
    )


def _stage(told: Mapping[Any, Any], name: str) -> Mapping[Any, Any]:
    """What `dvc.yaml` says of the stage *name*; `train@large` is one that `foreach` or `matrix` made of `train`."""
    stage = _mapping(told.get(name) or told.get(name.partition("@")[0]))
    return _mapping(stage.get("do")) or stage


def _made(out: Out, stage: Mapping[Any, Any]) -> Iterator[Out]:
    folder = stage.get("wdir") or "."
    how = next((how for path, how in _kept(stage) if _is_called(path, out.path)), None)
    if how is None or how.get("cache") is False or not isinstance(folder, str) or "${" in folder:
        return
    remote = how.get("remote")
    yield replace(
        out, path=posixpath.normpath(posixpath.join(folder, out.path)), is_pushed=how.get("push") is not False,
        remote=remote if isinstance(remote, str) else "",
    )  # fmt: skip


def _kept(stage: Mapping[Any, Any]) -> Iterator[tuple[str, Mapping[Any, Any]]]:
    """(path, how it is kept) of each of its outputs."""
    for name in _LISTS:
        items = stage.get(name)
        for item in items if isinstance(items, list) else [items] if items else ():
            yield from ((str(path), _mapping(how)) for path, how in _mapping(item).items())
            if isinstance(item, str):
                yield item, {}


def _is_called(path: str, locked: str) -> bool:
    """Whether *path* of a `dvc.yaml`, in which templates may stand, is that of *locked*."""
    first, *others = _TEMPLATE.split(posixpath.normpath(path))
    if not others:
        return locked == first
    *middle, last = others
    if not locked.startswith(first):
        return False
    at = len(first)
    for part in middle:
        if (found := locked.find(part, at)) < 0:
            return False
        at = found + len(part)
    return locked.endswith(last) and len(locked) - len(last) >= at


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}
