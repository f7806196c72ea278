"""DVC's own command `repro`, with its options, in the project of the current folder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from mlgit.dvc.pipelines import plainly
from mlgit.errors import UsageError

FILE, LOCK = "dvc.yaml", "dvc.lock"


@contextlib.contextmanager
def command(words: Sequence[str]) -> Iterator[Any]:
    """The command with the options *words*, its repository open; stages are read when they are asked for.

    Raises `UsageError` for options that it does not take, which DVC itself tells first, and for `--help`.
    """
    from dvc.cli import DvcParserError, parse_args

    plainly.guard()
    try:
        args = parse_args(["repro", *words])
    except (DvcParserError, SystemExit):
        raise UsageError(
            "There is nothing that `dvc repro` could run.", fix="see above which options it takes"
        ) from None
    if args.dry:
        raise UsageError("Nothing would be run, and nothing recorded.", fix="mlgit run --dry-run")
    found = args.func(args)
    with found.repo:
        yield found


def is_data(stage: Any) -> bool:
    """Whether a stage of DVC's is no more than a `.dvc` file."""
    return not stage.cmd
