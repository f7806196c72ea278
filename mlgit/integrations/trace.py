"""W&B's `Trace`: what a chain, an agent or a language model was asked and answered, step within step."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from mlgit.tracking import session
from mlgit.tracking.media.shelf import Media, Shelf
from mlgit.tracking.media.trace import Result, Span, SpanKind, StatusCode, WBTraceTree

__all__ = ["Result", "Span", "SpanKind", "StatusCode", "Trace", "WBTraceTree"]


class Trace(Media):
    """One step and the steps in it; `log(key)` logs the whole to the run that is under way.

    Times are milliseconds since 1970. *model_dict* describes the model. Raises `ValueError` for a *kind* that is none
    of `SpanKind`, and for a *status_code* that is none of `StatusCode`.
    """

    def __init__(
        self, name: str, kind: str | None = None, status_code: str | None = None, status_message: str | None = None,
        metadata: Mapping[str, Any] | None = None, start_time_ms: int | None = None, end_time_ms: int | None = None,
        inputs: Mapping[str, Any] | None = None, outputs: Mapping[str, Any] | None = None,
        model_dict: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        self.name, self.status_message = name, status_message
        self.kind = None if kind is None else SpanKind(kind.upper())
        self.status_code = None if status_code is None else StatusCode(status_code.upper())
        self.start_time_ms, self.end_time_ms = start_time_ms, end_time_ms
        self.metadata, self.model_dict = dict(metadata or {}), dict(model_dict or {})
        self.results = [Result(inputs, outputs)] if inputs or outputs else []
        self.children: list[Trace] = []

    @property
    def inputs(self) -> Any:
        """What it was asked first."""
        return self.results[0].inputs if self.results else None

    @property
    def outputs(self) -> Any:
        """What it answered first."""
        return self.results[0].outputs if self.results else None

    def add_child(self, child: Trace) -> Self:
        """Put a step into this one; return this one."""
        self.children.append(child)
        if self.model_dict and child.model_dict:
            self.model_dict[child.name] = child.model_dict
        return self

    def add_inputs_and_outputs(self, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> Self:
        """Add a question and its answer; return this step."""
        self.results.append(Result(inputs, outputs))
        return self

    def add_metadata(self, metadata: Mapping[str, Any]) -> Self:
        """Say more of it; return this step."""
        self.metadata.update(metadata)
        return self

    def log(self, name: str) -> None:
        """Log it as *name*. Raises `UsageError` where no run is under way."""
        session.log({name: self})

    def store(self, shelf: Shelf) -> dict[str, Any]:
        """Its document, as W&B's."""
        return WBTraceTree(self._span(), self.model_dict).store(shelf)

    @classmethod
    def load(cls, folder: Path, document: Mapping[str, Any], /) -> Self:
        """The steps that were stored as *document*."""
        tree = WBTraceTree.load(folder, document)
        return cls._of(tree.root_span, tree.model_dict)

    @classmethod
    def _of(cls, span: Span, model_dict: Mapping[str, Any] | None) -> Self:
        found = cls(
            span.name or "", span.span_kind, span.status_code, span.status_message, span.attributes,
            span.start_time_ms, span.end_time_ms, model_dict=model_dict,
        )  # fmt: skip
        found.results = list(span.results or ())
        found.children = [cls._of(child, None) for child in span.child_spans or ()]
        return found

    def _span(self) -> Span:
        return Span(
            name=self.name, span_kind=self.kind, status_code=self.status_code, status_message=self.status_message,
            attributes=self.metadata, start_time_ms=self.start_time_ms, end_time_ms=self.end_time_ms,
            results=self.results, child_spans=[child._span() for child in self.children],
        )  # fmt: skip
