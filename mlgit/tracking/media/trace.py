"""Traces: what chains and agents were asked and answered, step within step."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from mlgit.tracking.media.shelf import Media, Shelf


class StatusCode(StrEnum):
    """How a step ended."""

    SUCCESS = "SUCCESS"
    ERROR = "ERROR"


class SpanKind(StrEnum):
    """What a step was."""

    LLM = "LLM"
    CHAIN = "CHAIN"
    AGENT = "AGENT"
    TOOL = "TOOL"


@dataclass
class Result:
    """What a step was asked, and what it answered."""

    inputs: Mapping[str, Any] | None = None
    outputs: Mapping[str, Any] | None = None


@dataclass
class Span:
    """One step and the steps in it. Times are milliseconds since 1970."""

    span_id: str | None = None
    name: str | None = None
    start_time_ms: int | None = None
    end_time_ms: int | None = None
    status_code: StatusCode | None = None
    status_message: str | None = None
    attributes: dict[str, Any] | None = None
    results: list[Result] | None = None
    child_spans: list[Span] | None = None
    span_kind: SpanKind | None = None

    def add_attribute(self, key: str, value: Any) -> None:
        """Say more of it."""
        self.attributes = {**(self.attributes or {}), key: value}

    def add_named_result(self, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
        """Add a question and its answer."""
        self.results = [*(self.results or ()), Result(inputs, outputs)]

    def add_child_span(self, span: Span) -> None:
        """Put a step into this one."""
        self.child_spans = [*(self.child_spans or ()), span]


class WBTraceTree(Media):
    """A step with all that is in it, and *model_dict*, which describes the model."""

    def __init__(self, root_span: Span, model_dict: Mapping[str, Any] | None = None) -> None:
        self.root_span, self.model_dict = root_span, model_dict

    def store(self, _shelf: Shelf, /) -> dict[str, Any]:
        """Its document, as W&B's: the steps as text, for their form is the script's own."""
        document = {"_type": "wb_trace_tree", "root_span_dumps": _dumped(self.root_span)}
        return document | ({"model_dict_dumps": _dumped(self.model_dict)} if self.model_dict else {})

    @classmethod
    def load(cls, _folder: Path, document: Mapping[str, Any], /) -> Self:
        """The steps that were stored as *document*."""
        return cls(_span(json.loads(document["root_span_dumps"])), json.loads(document.get("model_dict_dumps", "null")))


def _dumped(value: Any) -> str:
    return json.dumps(
        value, skipkeys=True, default=lambda one: vars(one) if isinstance(one, Span | Result) else str(one)
    )


def _span(stored: Mapping[str, Any]) -> Span:
    results = [Result(**one) for one in stored["results"] or ()]
    children = [_span(child) for child in stored["child_spans"] or ()]
    return Span(**{**stored, "results": results, "child_spans": children})
