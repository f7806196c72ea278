"""A version as Hugging Face's model card: a README.md with its fields above (pure, but for the template's file).

https://huggingface.co/docs/hub/model-cards#model-card-metadata
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlgit import resources
from mlgit.core import compare, escape, figures
from mlgit.core.model import Emergency, ModelVersion
from mlgit.documents import writer
from mlgit.errors import ConfigError

_ORDER = (
    "license", "license_name", "license_link", "language", "library_name", "pipeline_tag", "tags", "base_model",
    "datasets", "metrics",
)  # fmt: skip
_LIBRARIES = {"torch": "pytorch", "scikit-learn": "sklearn", "tensorflow": "tf-keras"}
"""What Hugging Face calls a framework otherwise than its package."""
_INDEX = "model-index"


def metadata(version: ModelVersion) -> dict[str, Any]:
    """The fields of the card of *version*: what people said, and beside that what its run tells."""
    made = version.card.framework if version.card else ""
    told: dict[str, Any] = {"library_name": _LIBRARIES.get(made, made)} if made else {}
    if results := _results(version):
        told[_INDEX] = [{"name": f"{version.model}-{version.version}", "results": [results]}]
    told |= version.fields
    first = {name: told[name] for name in _ORDER if name in told}
    return {**first, **{name: value for name, value in told.items() if name not in (*_ORDER, _INDEX)}} | (
        {_INDEX: told[_INDEX]} if _INDEX in told else {}
    )


def _results(version: ModelVersion) -> dict[str, Any]:
    """Its metrics in the form of Papers with Code; nothing without a finite one."""
    metrics = [
        {"type": name, "value": value, "name": name}
        for name, value in version.metrics.items()
        if compare.is_number(value) and not name.startswith("_")
    ]
    if not metrics:
        return {}
    name = ", ".join(version.data) or version.project
    task = version.fields.get("pipeline_tag", "other")
    return {"task": {"type": task}, "dataset": {"type": version.project, "name": name}, "metrics": metrics}


def render(
    version: ModelVersion, *, deprecated: str = "", emergencies: Sequence[tuple[str, Emergency]] = (),
    template: Path | None = None,
) -> str:  # fmt: skip
    """The card of *version* as Markdown, by our template or the user's. Raises `ConfigError` where that is wrong.

    *deprecated*: why it is; *emergencies*: the stages that it came to past their gates.
    """
    from jinja2 import FileSystemLoader, StrictUndefined, TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    theirs = (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) if template else ()
    place = template or resources.templates() / "model/card.md.j2"
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(place.parent), undefined=StrictUndefined, autoescape=False, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters |= {"code": escape.code, "words": escape.markdown, "terminal": escape.terminal}
    try:
        return environment.get_template(place.name).render(
            version=version, metadata=writer.dump(metadata(version)), deprecated=deprecated, about=_about(version),
            emergencies=emergencies,
            metrics=_numbers(version.metrics), params=_numbers(compare.flatten(version.params)),
        )  # fmt: skip
    except theirs as exc:
        raised = [frame.lineno for frame in traceback.extract_tb(exc.__traceback__) if frame.filename == str(place)]
        line = getattr(exc, "lineno", None) or (raised[-1] if raised else 1)
        raise ConfigError(f"{place}:{line}: {escape.line(str(exc))}") from None


def _about(version: ModelVersion) -> list[tuple[str, str]]:
    """What its bytes are, in words."""
    card = version.card
    told = {"size": figures.size(version.size)}
    if card:
        told |= {
            "made by": " ".join(filter(None, (card.framework, card.version))), "class": card.made,
            "format": card.format, "parameters": "" if card.parameters is None else f"{card.parameters:,}",
            "type": card.dtype, "in": "; ".join(map(str, card.inputs)), "out": "; ".join(map(str, card.outputs)),
        }  # fmt: skip
    return [(name, value) for name, value in told.items() if value]


def _numbers(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name, figures.number(value)) for name, value in values.items() if not name.startswith("_")]
