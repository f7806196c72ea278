"""A run's params as a change of its code, so that merging the code changes what it trains with.

What `mlgit.init()` and `mlgit run` read is the params file that mlgit.yaml names. Where none is named, one is made.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from mlgit import settings
from mlgit.core import compare, secrets
from mlgit.core.run import Run
from mlgit.documents.editor import with_values
from mlgit.documents.reader import parse, plain
from mlgit.errors import ConfigError, MlgitError
from mlgit.git.objects import Reader
from mlgit.tracking.options import RunOptions

FILE = "params.yaml"
"""The params file of a project that has none, beside its mlgit.yaml."""

_ABOVE = "# What the code trains with; `mlgit run -p` puts another value in for one run.\n"


@dataclass(frozen=True)
class Written:
    """Files as they are to be, by path in the repository, and the params that are news in them, by dotted key."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)


def written(reader: Reader, run: Run, source: str, *, searched: Collection[str] = ()) -> Written:
    """What makes the code at the commit *source* train with the params of *run*, without any from outside.

    Of what the params file states, what the run had otherwise; and every param that the run was given, or that its
    sweep *searched*. A value that was
    hidden as a secret is left as it is. Raises `MlgitError` where a given param has no place that the code would read.
    """
    about = posixpath.join(run.folder, settings.FILE)
    given = {
        key: value for key in dict.fromkeys((*run.given, *searched)) if not _is_hidden(value := _at(run.params, key))
    }
    try:
        text = reader.blob(f"{source}:{about}")
        options = parse(text, source=settings.FILE).section("run", RunOptions) if text else None
        named = options.params if options else None
        if named is None and not given:
            return Written()
        path = posixpath.normpath(str(PurePosixPath(run.folder) / (named or FILE)))
        outside = path.startswith(("/", "../"))
        if outside and given:
            raise ConfigError(f"{path} is outside of the repository.")
        before = None if outside else reader.blob(f"{source}:{path}")
        if before is None and not given:
            return Written()
        values = _news(before or b"", path, run.params, given)
        files = {path: _put(before, values, path)} if values else {}
        if named is None:
            files[about] = with_values((text or b"").decode(), {"run.params": FILE}, source=settings.FILE).encode()
    except ConfigError as exc:
        raise MlgitError(
            f"The params of {run.name} cannot be written down for its code: merging it would not change them.",
            why=exc.what,
            fix=f"let run.params in {settings.FILE} name a YAML or JSON file, commit both, and run again",
        ) from None
    return Written(files, values if named else given | values)


def _news(text: bytes, path: str, params: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What a params file does not say yet: other values of its own keys, and the *given* ones that it lacks."""
    if not path.endswith((".yaml", ".yml", ".json")):
        raise ConfigError(f"{path} is neither YAML nor JSON.")
    stated = plain(text, source=path) if text.strip() else {}
    if stated is None:
        stated = {}
    if not isinstance(stated, Mapping):
        raise ConfigError(f"{path}:1: expected params by name.")
    known = compare.flatten(stated)
    other = {
        change.key: change.head
        for change in compare.changes(stated, params)
        if change.key in known and not _is_hidden(change.head)
    }
    return other | {key: value for key, value in given.items() if _at(stated, key) != value}


def _put(before: bytes | None, values: Mapping[str, Any], path: str) -> bytes:
    above = _ABOVE if before is None and not path.endswith(".json") else ""
    return (above + with_values((before or b"").decode(), values, source=path)).encode()


def _at(params: Mapping[str, Any], key: str) -> Any:
    """The value of a dotted *key*, which may stand there as it is or lie in mappings; `MISSING` where there is none."""
    if key in params:
        return params[key]
    folder, _, rest = key.partition(".")
    inner = params.get(folder)
    return _at(inner, rest) if rest and isinstance(inner, Mapping) else compare.MISSING


def _is_hidden(value: Any) -> bool:
    """Whether *value* is none that could be written: not there, or replaced because it was a secret."""
    return value is compare.MISSING or (isinstance(value, str) and secrets.HIDDEN in value)
