"""What commands of `mlgit pr` are given, and how they print what a forge keeps."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from mlgit.cli.choose import NUMBER
from mlgit.core import figures

if TYPE_CHECKING:
    from mlgit.forge.base import Comment, PullRequest, Review, Status

NUMBER_OF = click.argument("number", type=NUMBER, metavar="N")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")


def message(*, required: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The option -m."""
    return click.option("-m", "--message", default="", required=required, help="The words, in Markdown.")


def plain(record: PullRequest | Comment | Review | Status) -> dict[str, Any]:
    """*record* for a script: enums as their words, times as text."""
    times = ("created", "updated")
    return {
        key: figures.moment(value) if key in times else value.value if isinstance(value, enum.Enum) else value
        for key, value in asdict(record).items()
    }
