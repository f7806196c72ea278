"""The model's bytes are of a format that is wanted, or of any that runs no code when it is loaded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from mlgit.registry.policy.evidence import Evidence
from mlgit.registry.policy.kind import Finding, Kind, outcome

_RUNNING = {"pickle"}
"""The formats in which code is expected: where one may be, an unsafe file is no surprise."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a model may be stored as."""

    format: Literal["safe"] | tuple[str, ...] = field(
        metadata={"help": "safe: no code runs when it is loaded; or the formats that may be: [safetensors, onnx]"}
    )


def problem(asked: Settings) -> str:
    """Why *asked* cannot be meant."""
    if asked.format == "safe":
        return ""
    if not asked.format or not all(asked.format):
        return "the gate asks nothing; give safe, or formats"
    return "safe is no format; write `format: safe` by itself" if "safe" in asked.format else ""


def judge(asked: Settings, seen: Evidence) -> Finding:
    """Whether it is known what the bytes are, and that is one of what may be."""
    card = seen.candidate.card
    unsafe, found = seen.candidate.unsafe, card.format if card else ""
    inputs = {"format": found or None, "unsafe": unsafe or None}
    if asked.format == "safe":
        return Finding(
            gate="no code runs when it is loaded", outcome=outcome(card is not None and not unsafe),
            observed="nobody has looked" if card is None else unsafe or f"{found or 'its files'}: nothing found",
            said=f"loading it may run code ({unsafe})" if unsafe else "nobody has looked into its bytes",
            asks="that none runs", fix="log it in a safe format: mlgit.log_model does, of most libraries' models",
            inputs=inputs,
        )  # fmt: skip
    named = " or ".join(asked.format)
    hidden = unsafe if found in asked.format and not _RUNNING & set(asked.format) else ""
    return Finding(
        gate=f"stored as {named}", outcome=outcome(found in asked.format and not hidden),
        observed=f"{found}, and {hidden}" if hidden else found or "not known",
        said=(f"besides {found} there is {hidden}" if hidden else f"it is stored as {found}") if found
        else "what it is stored as is not known",
        asks=named, fix=f"log it as {named}, and register that run", inputs=inputs,
    )  # fmt: skip


KIND = Kind(settings=Settings, judge=judge, problem=problem)
