"""Where installed packages may have come from: the indexes that uv and pip are told of here, without credentials."""

from __future__ import annotations

import configparser
import os
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mlgit.core import secrets

_VARIABLES = {
    "index": ("UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "PIP_INDEX_URL",
              "PIP_EXTRA_INDEX_URL"),
    "find_links": ("UV_FIND_LINKS", "PIP_FIND_LINKS"),
}  # fmt: skip
_SETTINGS = {"index": ("default-index", "index-url", "extra-index-url", "index"), "find_links": ("find-links",)}
_NAMED = re.compile(r"^[\w.-]+=")
"""uv lets an index have a name: `torch=https://…`."""
_USUAL = "https://pypi.org/simple"


def known(folder: Path) -> dict[str, list[str]]:
    """`index` and `find_links`: the addresses but PyPI's own that uv and pip are told of for a program in *folder*.

    Folders of this machine are left out, and so is an address that still looks like a secret.
    """
    told = [*_uv(folder), *_pip()]
    found = {
        kind: [
            *(word for name in _VARIABLES[kind] for word in _words(os.environ.get(name))),
            *(word for settings in told for name in _SETTINGS[kind] for word in _words(settings.get(name))),
        ]
        for kind in _VARIABLES
    }
    return {kind: addresses for kind, words in found.items() if (addresses := _public(words))}


def _public(words: Iterable[str]) -> list[str]:
    shown = (secrets.address(_NAMED.sub("", word)) for word in words)
    return list(dict.fromkeys(
        one for one in shown
        if one.startswith("http") and one.rstrip("/") != _USUAL and secrets.redact(one) == one
    ))  # fmt: skip


def _words(told: Any) -> list[str]:
    """The addresses in a setting: words, a list of them, or of tables with a `url`."""
    if isinstance(told, str):
        return told.replace(",", " ").split()
    if isinstance(told, list):
        return [str(one.get("url", "")) if isinstance(one, Mapping) else str(one) for one in told]
    return []


def _uv(folder: Path) -> Iterator[Mapping[str, Any]]:
    """What uv's files say: the one that is named, else the project's, the user's and the system's."""
    named = os.environ.get("UV_CONFIG_FILE")
    own = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    project = next((place for place in (folder, *folder.parents) if (place / "pyproject.toml").is_file()), folder)
    if not named and (tool := _toml(project / "pyproject.toml").get("tool", {}).get("uv")):
        yield tool
    files = [Path(named)] if named else [project / "uv.toml", own / "uv" / "uv.toml", Path("/etc/uv/uv.toml")]
    for file in files:
        settings = _toml(file)
        yield settings
        yield settings.get("pip", {})


def _toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text())
    except (OSError, ValueError):
        return {}


def _pip() -> Iterator[Mapping[str, Any]]:
    """What pip's files say, in the sections that installing heeds."""
    own = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    named = os.environ.get("PIP_CONFIG_FILE")
    files = (Path("/etc/pip.conf"), Path.home() / ".pip" / "pip.conf", own / "pip" / "pip.conf",
             Path(sys.prefix) / "pip.conf", *([Path(named)] if named else []))  # fmt: skip
    parser = configparser.RawConfigParser()
    for file in files:
        try:
            parser.read_string(file.read_text())
        except (OSError, ValueError, configparser.Error):
            continue
    for section in ("global", "install"):
        if parser.has_section(section):
            yield dict(parser[section])
