"""Transformers: the folder that `save_pretrained` writes, weights as safetensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlgit.core.model_card import ModelCard
from mlgit.errors import UsageError
from mlgit.formats import frameworks
from mlgit.formats.frameworks import Trust
from mlgit.formats.frameworks import torch as modules

FORMAT = "transformers"


def takes(files: Mapping[str, Path]) -> bool:
    """Whether *files* are what `save_pretrained` writes."""
    return "config.json" in files and modules.takes(files)


def save(model: Any, folder: Path) -> ModelCard:
    """Store a model, or a tokenizer, as its own library does."""
    model.save_pretrained(folder)
    name = type(model).__name__
    is_model = hasattr(model, "num_parameters")
    return ModelCard(
        format=FORMAT, load=f"transformers.{name}.from_pretrained(folder)",
        parameters=model.num_parameters() if is_model else None,
        dtype=str(model.dtype).removeprefix("torch.") if is_model else "",
    )  # fmt: skip


def load(files: Mapping[str, Path], card: ModelCard, trust: Trust) -> Any:
    """A model of a class of the library's own: no code of the folder runs. Raises `UsageError` for another class."""
    transformers = frameworks.library("transformers")
    folder = min(files.values(), key=lambda path: len(path.parts)).parent
    made = card.made or _architecture(folder / "config.json")
    kind: Any = getattr(transformers, made.rpartition(".")[2], None)
    if not made.startswith("transformers.") or not hasattr(kind, "from_pretrained"):
        raise UsageError(f"{made[:120]} is no class of transformers.", fix="use_model(), and its from_pretrained")
    return kind.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def _architecture(config: Path) -> str:
    """The class that a folder says it was saved by."""
    told = json.loads(config.read_bytes()) if config.exists() else {}
    return f"transformers.{next(iter(told.get('architectures') or ()), 'AutoModel')}"


predict = modules.predict
