"""A program of the base branch lets the version pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mlgit.core import figures
from mlgit.core.verdict import Outcome
from mlgit.registry.policy.evidence import Evidence, Need, Ran
from mlgit.registry.policy.kind import Finding, Kind

_SHOWN = 120
"""Characters of a command that are repeated."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A program, and what it is given."""

    command: tuple[str, ...] = field(metadata={"help": "the program and its words: [python, checks/bias.py]"})
    timeout: str = field(
        default="10m", metadata={"help": "how long it may take", "pattern": figures.SECONDS, "like": "10m"}
    )
    model: bool = field(default=False, metadata={"help": "whether it is given the model's bytes, in MLGIT_MODEL_DIR"})


def problem(asked: Settings) -> str:
    """Why *asked* cannot be meant."""
    if not asked.command or not asked.command[0]:
        return "the gate asks nothing; give a program and its words"
    return "" if figures.seconds(asked.timeout) else "timeout: it would have no time; write it like 10m"


def judge(asked: Settings, seen: Evidence) -> Finding:
    """Exit code 0 passes, 1 fails, and whatever else it did is an error."""
    lacking = seen.lacking.get(Need.COMMANDS, "")
    ran = seen.ran.get(asked) or Ran(problem=lacking or "it was not run")
    outcome = {0: Outcome.PASSED, 1: Outcome.FAILED}.get(-1 if ran.code is None or ran.problem else ran.code)
    how = ran.problem or (f"not at its end after {asked.timeout}" if ran.code is None else f"exit code {ran.code}")
    words = " ".join(asked.command)
    name = words if len(words) <= _SHOWN else f"{words[:_SHOWN]}…"
    return Finding(
        gate=f"`{name}` lets it pass", outcome=outcome or Outcome.ERROR,
        observed=f"{how}: {ran.last}" if ran.last else how,
        said=f"`{name}` says {ran.last or 'no'}" if outcome else f"`{name}` could not judge it ({how})",
        asks="exit code 0", fix=_fix(asked, seen, is_run=not lacking) if outcome is None else "",
        inputs={"command": list(asked.command), "code": ran.code, "last": ran.last, "problem": ran.problem or None},
    )  # fmt: skip


def _fix(asked: Settings, seen: Evidence, *, is_run: bool) -> str:
    one = seen.candidate
    if is_run:
        return f"see what ails {asked.command[0]}, on the base branch"
    return f"mlgit policy explain {one.model}@{one.version} {seen.stage} --run runs it"


def again(asked: Settings, seen: Evidence, inputs: Mapping[str, Any]) -> Evidence:
    """*seen*, with how the program is recorded to have ended, if it was this one."""
    if inputs["command"] != list(asked.command):
        return seen
    ran = Ran(code=inputs["code"], last=str(inputs["last"]), problem=inputs["problem"] or "")
    return replace(seen, ran={asked: ran})


KIND = Kind(settings=Settings, judge=judge, problem=problem, needs=lambda _: frozenset({Need.COMMANDS}), again=again)
