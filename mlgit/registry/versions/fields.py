"""The card fields of a version (pure): what Hugging Face's model cards say above their text, and one's own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mlgit.documents import reader
from mlgit.errors import ConfigError, UsageError

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_FRONT = re.compile(r"\A---[ \t]*\r?\n(?P<head>.*?)^---[ \t]*\r?$\n?(?P<text>.*)\Z", re.DOTALL | re.MULTILINE)
_MOST = 32_000
"""So many characters of fields at the most: they stand in a tag."""

_WORD = ("license", "license_name", "license_link", "library_name", "pipeline_tag", "model_name")
_WORDS = ("language", "tags", "metrics", "datasets", "base_model")
"""https://github.com/huggingface/hub-docs/blob/main/modelcard.md"""


def read(content: bytes, *, source: str) -> tuple[dict[str, Any], str]:
    """(the fields, the text below them) of a model card as Hugging Face has it, or of YAML alone;
    a *source* that ends in `.md` may be text alone.

    Raises `ConfigError` for what cannot be read, and for fields that cannot be.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{source}:1: not UTF-8 text ({exc.reason} at byte {exc.start}).") from None
    found = _FRONT.fullmatch(text)
    if not found and source.endswith(".md"):
        return {}, text.strip()
    head, below = (found["head"], found["text"]) if found else (text, "")
    told = reader.plain(head, source=source)
    if not isinstance(told, dict):
        raise ConfigError(
            f"{source}:1: no fields of a model card.",
            fix="a README.md that begins with its fields between two lines of ---, or YAML: `license: mit`",
        )
    return of_file(told, where=source), below.strip()


def of_file(fields: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    """`checked`, of what stands in a file. Raises `ConfigError`, which says *where*."""
    try:
        return checked(fields)
    except UsageError as exc:
        raise ConfigError(f"{where}: {exc.what}", why=exc.why, fix=exc.fix) from None


def checked(fields: Mapping[str, Any]) -> dict[str, Any]:
    """*fields*, if a card can have them. Raises `UsageError`."""
    for name, value in fields.items():
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"{name[:80]!r} cannot be a field of a model card.", why="Letters, digits, '_' and '-' make its name."
            )
        if name in _WORD and not _is_word(value):
            raise UsageError(f"{name} of a model card is a word, and not {_shown(value)}.", fix=f"{name}=WORD")
        if name in _WORDS and not (_is_word(value) or (_is_list(value) and all(map(_is_word, value)))):
            raise UsageError(f"{name} of a model card are words, and not {_shown(value)}.", fix=f"{name}='[ONE, TWO]'")
    if len(repr(fields)) > _MOST:
        raise UsageError(
            f"The fields of the model card are longer than {_MOST:,} characters.",
            why="They stand in the version's tag.", fix="leave long texts to a file of the model",
        )  # fmt: skip
    return dict(fields)


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _shown(value: Any) -> str:
    return "nothing" if value in (None, "") else repr(value)[:80]
