"""The files that W&B writes beside a run by itself: made of its record when somebody asks for one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from mlgit.core.run import Run
from mlgit.documents.writer import dump
from mlgit.public.files import RunFile


def files(run: Run, summary: Callable[[], Mapping[str, Any]], about: Callable[[], Mapping[str, Any]]) -> list[RunFile]:
    """`config.yaml`, `wandb-summary.json`, `wandb-metadata.json` of *run*, and the others where it has none itself."""

    def config() -> bytes:
        return dump({name: {"value": value} for name, value in run.params.items()}).encode()

    made: dict[str, Callable[[], bytes]] = {
        "config.yaml": config,
        "wandb-summary.json": lambda: _json(summary()),
        "wandb-metadata.json": lambda: _json(about()),
        "output.log": lambda: b"",
        "requirements.txt": lambda: b"",
    }
    return [RunFile(name, read=read, run=run) for name, read in made.items()]


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, default=str).encode()
