"""What `mlgit run` hands its program, in its command line and its environment, and what a script finds there."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlgit.core import secrets
from mlgit.core.compare import flatten
from mlgit.tracking.wish import Wish

_JOIN, _FIXED, _GIVEN, _LOOSE = "MLGIT_RUN_ID", "MLGIT_FIXED", "MLGIT_GIVEN", "MLGIT_LOOSE"
_BY, _HOME = "MLGIT_RUN_BY", "MLGIT_RUN_HOME"
_SECRETS = "MLGIT_SECRETS"
INNER = "inner-runs"
"""The file in a live folder that names the runs that a program inside of this run has begun, a line each."""
TAKEN = "taken-over"
"""The file that says: what this run was told was meant for one of those, and that one has it."""
_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.]*)\}")


@dataclass(frozen=True)
class Handed:
    """What a script finds in its environment."""

    run_id: str
    """The run that it takes part in; empty where it is started by itself."""
    fixed: frozenset[str]
    """The dotted names of the params that stand against its own."""
    fields: tuple[str, ...]
    """The fields of the run that `mlgit run` was told, such as `name`: they stand too."""
    loose: tuple[str, ...]
    """The params that only a script that asks for them will find."""
    home: str
    """The folder of the `mlgit run` around it, for a program that has left its repository."""
    is_command: bool
    """Whether this process is the command itself that `mlgit run` waits for, not one that the command started."""


def found() -> Handed:
    """What this process was handed."""

    def several(name: str) -> tuple[str, ...]:
        return tuple(filter(None, os.environ.get(name, "").split("\n")))

    return Handed(
        run_id=os.environ.get(_JOIN, ""),
        fixed=frozenset(several(_FIXED)),
        fields=several(_GIVEN),
        loose=several(_LOOSE),
        home=os.environ.get(_HOME, ""),
        is_command=os.environ.get(_BY) == str(os.getppid()),
    )


def hide_secrets() -> None:
    """Let the values of the variables that `MLGIT_SECRETS` names, with commas between, get into nothing of a run."""
    names = os.environ.get(_SECRETS, "").split(",")
    secrets.hide(os.environ[name] for name in map(str.strip, names) if name in os.environ)


def names_of(stated: Mapping[str, Any]) -> frozenset[str]:
    """The dotted names of what is *stated*; an empty mapping states nothing."""
    return frozenset(name for name, value in flatten(stated).items() if value != {})


def merged(nested: Mapping[str, Any], given: Mapping[str, Any], inner: Collection[str] = ()) -> dict[str, Any]:
    """*nested* with the dotted keys of *given* put where they belong; a key that is new stays as it was written.

    New ones of *inner* become mappings.
    """
    result: dict[str, Any] = json.loads(json.dumps(nested))
    for key, value in given.items():
        *folders, last = key.split(".")
        place: Any = result
        for name in folders:
            if key in inner and isinstance(place, dict):
                place.setdefault(name, {})
            place = place.get(name) if isinstance(place, dict) else None
        if isinstance(place, dict):
            place[last] = value
        else:
            result[key] = value
    return result


def inner(params: Mapping[str, Any]) -> Collection[str]:
    """The dotted names of those of *params* that stand in mappings."""
    return flatten(params).keys() - params.keys()


def filled(word: str, params: Mapping[str, Any]) -> str:
    """*word* with `{name}` replaced for every param of that name; other braces are the program's own."""
    return _PLACEHOLDER.sub(lambda found: _text(params[found[1]]) if found[1] in params else found[0], word)


def _text(value: Any) -> str:
    if isinstance(value, bool) or value is None or isinstance(value, list | dict):
        return json.dumps(value)
    return str(value)


def environment(
    run_id: str, *, params: Mapping[str, Any], stated: Mapping[str, Any], given: Mapping[str, Any],
    names: Sequence[str], words: Sequence[str], file: Path, wish: Wish, home: Path,
    base: Mapping[str, str] = os.environ,
) -> dict[str, str]:  # fmt: skip
    """The variables by which a program learns of the run that it takes part in.

    *params*: all of them; *stated* by the params file; *given* on the command line of `mlgit run`, as were the fields
    *names*. *words*: the command as it was given; *file*: the params as JSON. What *wish* says of checkpoints is meant
    for every run that the program begins by itself, too. *home*: the folder that it is started in. *base*: what
    else its environment has.
    """
    own = {
        _JOIN: run_id,
        _BY: str(os.getpid()),
        _HOME: str(home),
        _FIXED: "\n".join(sorted(names_of(stated) | given.keys())),
        _GIVEN: "\n".join(names),
        _LOOSE: "\n".join(loose(words, given, stated)),
        "MLGIT_PARAMS": json.dumps(params, default=str),
        "MLGIT_PARAMS_FILE": str(file),
    }
    if wish.checkpoint_seconds is not None:
        own["MLGIT_CHECKPOINT"] = f"{wish.checkpoint_seconds:f}s"
    if wish.push is not None:
        own["MLGIT_PUSH"] = json.dumps(wish.push)
    own |= {f"MLGIT_PARAM_{re.sub(r'[^A-Za-z0-9_]', '_', k)}": _text(v) for k, v in flatten(params).items()}
    return {"PYTHONUNBUFFERED": "1"} | dict(base) | own


def loose(words: Sequence[str], given: Mapping[str, Any], stated: Mapping[str, Any]) -> list[str]:
    """The params given that neither the params file has nor the command names: they are for a script that asks."""
    line = " ".join(words)
    in_file = flatten(stated)
    named = "{params_file}" in line
    return [
        key for key in given
        if not named and key not in in_file and not re.search(rf"(?<!\w){re.escape(key)}(?!\w)", line)
    ]  # fmt: skip
