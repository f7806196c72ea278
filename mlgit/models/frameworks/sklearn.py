"""scikit-learn: skops, which makes no object of a class that nobody trusts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlgit.core.model_card import ANY, ModelCard, Port
from mlgit.errors import UsageError
from mlgit.models import frameworks
from mlgit.models.frameworks import Trust

FORMAT = "skops"
_FILE = "model.skops"


def takes(files: Mapping[str, Path]) -> bool:
    """Whether one of *files* is of skops."""
    return bool(frameworks.with_suffix(files, ".skops"))


def save(model: Any, folder: Path) -> ModelCard:
    """Store an estimator or a pipeline; how many columns it takes, it says itself."""
    frameworks.library("skops.io", "skops").dump(model, folder / _FILE)
    return ModelCard(format=FORMAT, load=f'skops.io.load("{_FILE}")', inputs=_inputs(model))


def _inputs(model: Any) -> tuple[Port, ...]:
    names = getattr(model, "feature_names_in_", None)
    if names is not None:
        return tuple(Port(name=str(name), shape=(ANY,)) for name in names)
    count = getattr(model, "n_features_in_", None)
    return () if count is None else (Port(shape=(ANY, int(count))),)


def load(files: Mapping[str, Path], card: ModelCard, trust: Trust) -> Any:
    """The estimator. Raises `UsageError` for classes that neither skops nor the caller trusts; none of them is made."""
    skops = frameworks.library("skops.io", "skops")
    path = frameworks.only(frameworks.with_suffix(files, ".skops"))
    unknown = sorted(set(skops.get_untrusted_types(file=path)) - set(trust.types))
    if unknown:
        raise UsageError(
            f"The model holds {', '.join(unknown)[:300]}, which nobody trusts yet.",
            fix=f"look at that code; then load_model(…, trusted={unknown!r})",
        )
    return skops.load(path, trusted=list(trust.types))


def predict(model: Any, example: Any) -> Any:
    """What it predicts, or makes of *example*."""
    return model.predict(example) if hasattr(model, "predict") else model.transform(example)
