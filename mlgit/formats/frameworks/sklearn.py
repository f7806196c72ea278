"""scikit-learn: skops, which makes no object of a class that nobody trusts."""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

import numpy as np

from mlgit.core.model_card import ModelCard, Port
from mlgit.errors import UsageError
from mlgit.formats import frameworks, steady
from mlgit.formats.frameworks import Trust

FORMAT = "skops"
_FILE = "model.skops"
_SCHEMA = "schema.json"
_BY_NAME = ("ObjectNode", "TypeNode", "FunctionNode")
"""What is told by its module and its name there alone."""
_DEEP = 8
"""So far it is looked into a model for what is wrong with it: a step of a pipeline of a search is at six."""
_ADDRESS = "_stop_words_id"
"""Where a text vectoriser has noted in what place of memory its words lay when it last looked at them."""


def takes(files: Mapping[str, Path]) -> bool:
    """Whether one of *files* is of skops."""
    return bool(frameworks.with_suffix(files, ".skops"))


def save(model: Any, folder: Path) -> ModelCard:
    """Store an estimator or a pipeline; how many columns it takes, it says itself."""
    skops = frameworks.library("skops.io", "skops")
    try:
        skops.dump(model, folder / _FILE)
        if not (lost := _settle(folder / _FILE)):
            _made_again(skops, folder / _FILE)
    except Exception as exc:  # of classes of anybody's, which are asked, and made again: they raise what they like
        path, part = _culprit(skops, model)
        of = f"its {path} is a {frameworks.made(part)}" if path else type(exc).__name__
        raise UsageError(
            f"skops does not hold this {frameworks.made(model)}.", why=f"{of}: {exc}",
            fix='leave that out, or log it as framework="pickle", allow_pickle=True, which is unsafe',
        ) from exc  # fmt: skip
    if lost:
        raise UsageError(
            f"The model holds {', '.join(sorted(lost))[:300]}, which nobody could find by that name to load it.",
            fix="define it by `def` or `class` in a module, within no function",
        )
    weights = _weights(model)
    return ModelCard(
        format=FORMAT, load=f'skops.io.load("{_FILE}", trusted=[…])', inputs=_columns(model),
        parameters=sum(one.size for one in weights) if weights else None,
        dtype=", ".join(sorted({str(one.dtype) for one in weights})),
    )  # fmt: skip


def _made_again(skops: ModuleType, path: Path) -> None:
    """Raise whatever it takes where skops cannot read what it wrote of an object that is here, and so trusted."""
    skops.load(path, trusted=skops.get_untrusted_types(file=path))


def _culprit(skops: ModuleType, model: Any) -> tuple[str, Any]:
    """(where in *model* the smallest part is that skops does not hold, as Python says it, or ""; that part)."""
    path, part = "", model
    for _ in range(_DEEP):
        inner = next((one for one in _parts(part) if not _holds(skops, one[1])), None)
        if inner is None:
            break
        path, part = f"{path}{inner[0]}", inner[1]
    return path.removeprefix("."), part


def _parts(whole: Any) -> Iterable[tuple[str, Any]]:
    """What an estimator or a collection is made of; of nothing else, for its parts say nothing to its user."""
    if isinstance(whole, Mapping):
        return [(f"[{key!r}]", one) for key, one in whole.items()]
    if isinstance(whole, list | tuple):
        return [(f"[{index}]", one) for index, one in enumerate(whole)]
    return [(f".{name}", one) for name, one in vars(whole).items()] if hasattr(whole, "get_params") else []


def _holds(skops: ModuleType, part: Any) -> bool:
    with suppress(Exception):  # as above
        written = skops.dumps(part)
        skops.loads(written, trusted=skops.get_untrusted_types(data=written))
        return True
    return False


def _columns(model: Any) -> tuple[Port, ...]:
    return frameworks.columns(getattr(model, "feature_names_in_", None), getattr(model, "n_features_in_", None))


def _weights(model: Any) -> list[Any]:
    """What a linear model or a network has learned to multiply with and to add, of each step of a pipeline."""
    steps = [step for _, step in getattr(model, "steps", ())] or [model]
    learned = [
        getattr(step, name)
        for step in steps
        for name in ("coef_", "intercept_", "coefs_", "intercepts_")
        if hasattr(step, name)
    ]
    return [_dense(one) for several in learned for one in (several if isinstance(several, list) else [several])]


def _dense(weights: Any) -> Any:
    """As an array, with its zeros: `sparsify()` leaves a matrix without them."""
    return weights.toarray() if hasattr(weights, "toarray") else np.asarray(weights)


def _settle(path: Path) -> set[str]:
    """Number the objects of a file and its members, which are called by where in memory they lay, or at random.

    Returns the classes and functions that are none of the module that they name.
    """
    names: dict[str, str] = {}
    lost: set[str] = set()
    numbered = steady.numbered("__id__")

    def named(node: steady.Node) -> steady.Node:
        if isinstance(name := node.get("file"), str):
            node["file"] = names.setdefault(name, f"{len(names) + 1}{PurePosixPath(name).suffix}")
        if node.get("__loader__") == "ObjectNode":
            _forget_address(node)
        if node.get("__loader__") in _BY_NAME and _lost(node["__module__"], node["__class__"]):
            lost.add(f"{node['__module__']}.{node['__class__']}")
        return numbered(node)

    with zipfile.ZipFile(path) as archive:
        schema = json.loads(archive.read(_SCHEMA), object_hook=named)
    steady.repack(path, {_SCHEMA: json.dumps(schema, indent=2)}, names)
    return lost


def _lost(module: str, name: str) -> bool:
    return module in sys.modules and not hasattr(sys.modules[module], name)


def _forget_address(node: steady.Node) -> None:
    """Of an object alone: a word of a vocabulary, or a key of somebody's, may be called so too."""
    state = node.get("content")
    if state and state["__loader__"] == "DictNode" and _ADDRESS in state["content"]:
        state["content"][_ADDRESS]["content"] = "0"


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
