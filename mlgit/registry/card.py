"""What a promotion's pull request says (pure): candidate against champion, the gates, and where it all comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlgit.core import compare, escape, figures
from mlgit.core.compare import Goal
from mlgit.core.model import Hold, ModelVersion, Stage
from mlgit.core.verdict import Outcome, Verdict
from mlgit.forge.base import StatusState
from mlgit.registry import measured
from mlgit.registry.policy.evidence import NO_SEEDS, Seeded, Sides

MARKER = "promotion"
_OUTCOMES = {
    Outcome.PASSED: "✅ passed",
    Outcome.FAILED: "❌ failed",
    Outcome.INCONCLUSIVE: "❔ inconclusive",
    Outcome.ERROR: "⚠️ error",
}


@dataclass(frozen=True, kw_only=True)
class Beside:
    """What is shown besides what the two versions say themselves."""

    seeds: Sides[Sequence[Seeded]] = NO_SEEDS
    """The runs of either's setting."""
    code: Sequence[tuple[str, str]] | None = None
    """The files of their code that differ, each with how: `+3 −1`; None where that is not known."""


def title(wanted: Stage) -> str:
    """The pull request's title, which is also its commit's subject."""
    if wanted.emergency:
        return f"EMERGENCY: promote {wanted.model} {wanted.version} to {wanted.stage}"
    if is_back(wanted):
        return f"Roll {wanted.stage} back to {wanted.model} {wanted.version}"
    return f"Promote {wanted.model} {wanted.version} to {wanted.stage}"


def is_back(wanted: Stage) -> bool:
    """Whether it is the way back to a version that was served before."""
    return bool(wanted.hold and wanted.hold.instead)


def body(wanted: Stage, champion: ModelVersion | None, lifted: Hold | None = None) -> str:
    """The pull request's first words."""
    instead = f" in place of {champion.version}" if champion else ", which serves nothing yet"
    what = escape.code(f"{wanted.model} {wanted.version}")
    again = " again" if is_back(wanted) else ""
    parts = [
        _mark(wanted),
        f"Merging this lets **{wanted.stage}** serve {what}{again}{instead}.",
        f"It lifts the hold of {_said(lifted.by, lifted.why)}." if lifted else "",
        "" if _mark(wanted) else "The gates are evaluated again on what was merged; the stage moves only if they pass.",
    ]
    return "\n\n".join((parts[0], " ".join(filter(None, parts[1:])))).strip() + "\n"


def brief(wanted: Stage, verdicts: Sequence[Verdict]) -> str:
    """How the gates stand, for a status: all that are asked have passed."""
    over = [verdict.gate for verdict in verdicts if verdict.told and not verdict.passed]
    count = len(verdicts) - len(over)
    passed = f"{count} gate{'' if count == 1 else 's'} passed" if count else "no gate is asked"
    past = f"passes over {', '.join(over)}; " if over else ""
    word = "EMERGENCY: " if wanted.emergency else "the way back: " if is_back(wanted) else ""
    return f"{word}{past}{passed}"


def _mark(wanted: Stage) -> str:
    """What stands above all else of a promotion that is not asked by its gates."""
    if wanted.emergency:
        said = _said(wanted.emergency.by, wanted.emergency.why)
        return f"🚨 **EMERGENCY**, declared by {said}. Gates are told and not asked; the stage's tag says so for ever."
    if wanted.hold and wanted.hold.instead:
        said = _said(wanted.hold.by, wanted.hold.why)
        lift = f"`mlgit hold {wanted.model} {wanted.stage} --lift`"
        held = f"The stage is held then: no automation moves it until {lift}."
        return f"⏪ **The way back** from {escape.markdown(wanted.hold.instead, 100)}, by {said}. {held}"
    return ""


def _said(by: str, why: str) -> str:
    return f"{escape.markdown(by, 100)}: {escape.markdown(why, 500)}" if why else escape.markdown(by, 100)


def comment(
    candidate: ModelVersion, champion: ModelVersion | None, wanted: Stage, verdicts: Sequence[Verdict],
    goals: Mapping[str, Goal], beside: Beside,
) -> str:  # fmt: skip
    """The one comment, as Markdown."""
    stage = wanted.stage
    against = f"{champion.version}, now in {stage}" if champion else f"nothing: {stage} is empty"
    parts = [
        f"### {escape.markdown(candidate.model)} {candidate.version} → {escape.markdown(stage)}",
        _mark(wanted),
        f"Candidate {candidate.version} against {against}.",
        _unsafe(candidate),
        _drifted(candidate),
        _gates(verdicts),
        *measured.tables(candidate, champion, goals, beside.seeds),
        _changes("Param", champion.params, candidate.params) if champion else "",
        _changes("Data", champion.data, candidate.data) if champion else "",
        _code(beside.code),
        _origin(candidate),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def status(wanted: Stage, verdicts: Sequence[Verdict]) -> tuple[StatusState, str]:
    """How the status of the gates stands, and what it says."""
    bars = sorted((one for one in verdicts if one.bars), key=lambda one: bool(one.waits))
    if not bars:
        return StatusState.SUCCESS, brief(wanted, verdicts)
    said = f"{bars[0].gate}: {bars[0].observed}"
    if not bars[0].waits:
        return StatusState.FAILURE, said
    return StatusState.PENDING, f"waits for {said}" + (f", and {len(bars) - 1} more" if len(bars) > 1 else "")


def _outcome(verdict: Verdict) -> str:
    if verdict.told and not verdict.passed:
        return f"{_OUTCOMES[verdict.outcome]}, passed over"
    return "⏳ waits" if verdict.waits else _OUTCOMES[verdict.outcome]


def _unsafe(candidate: ModelVersion) -> str:
    """A warning where loading the candidate may run code that came with it."""
    if not candidate.unsafe:
        return ""
    return f"⚠️ **Unsafe:** {escape.markdown(candidate.unsafe)}. Whoever loads this model runs the code that is in it."


def _drifted(candidate: ModelVersion) -> str:
    """A warning where the candidate's run did not see the data that its code names."""
    if not candidate.drifted:
        return ""
    return (
        f"⚠️ **Other data than its code names, or perhaps:** {escape.markdown(candidate.drifted)}. "
        f"Who makes this model again from its commit may get another one."
    )


def _gates(verdicts: Sequence[Verdict]) -> str:
    if not verdicts:
        return "**No gate was asked.** `registry/policy.yaml` on the base branch lists none for this stage."
    rows = [
        (
            _outcome(verdict),
            escape.markdown(verdict.gate),
            escape.markdown(verdict.observed),
            escape.code(verdict.where),
        )
        for verdict in verdicts
    ]
    return measured.table(("Gate", "asks", "seen", "written in"), rows)


def _changes(what: str, before: Mapping[str, object], after: Mapping[str, object]) -> str:
    changed = compare.changes(before, after)
    if not changed:
        return ""
    rows = [
        (escape.code(change.key), measured.value(change.base), measured.value(change.head))
        for change in changed[: measured.ROWS]
    ]
    return measured.table((what, "champion", "candidate"), rows)


def _code(files: Sequence[tuple[str, str]] | None) -> str:
    """What differs in the code, folded away: it may be much."""
    if files is None:
        return ""
    if not files:
        return "The code is the same."
    rows = [(escape.code(path), told) for path, told in files[: measured.ROWS]]
    if more := len(files) - measured.ROWS:
        rows += [(f"… and {more} more", "")] if more > 0 else []
    count = f"{len(files)} file{'' if len(files) == 1 else 's'} of the code differ{'s' if len(files) == 1 else ''}"
    return f"<details><summary>{count}</summary>\n\n{measured.table(('Code', 'lines'), rows)}\n\n</details>"


def _origin(candidate: ModelVersion) -> str:
    brief = candidate.card.brief if candidate.card and not candidate.unsafe else ""
    what = f"{escape.markdown(brief)}, " if brief else ""
    return (
        f"Made by run {escape.code(candidate.run)} of {escape.code(candidate.project)}, "
        f"result commit {candidate.commit[:10]}; {what}{figures.size(candidate.size)}, "
        f"DVC hash {escape.code(candidate.hash)}. "
        f"`mlgit model get {candidate.model}@{candidate.version}` brings the bytes."
    )
