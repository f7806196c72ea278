"""How sure one can be that a candidate is better than the champion, or no worse: over seeds, or examples (pure).

A figure alone is no evidence: another seed makes another one. So what is judged is the interval in which the difference
lies, and where that leaves both open, the answer is that nobody knows yet.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from mlgit.core import compare, stats
from mlgit.core.compare import Goal
from mlgit.core.stats import Interval, Summary
from mlgit.core.verdict import Outcome
from mlgit.registry.policy.evidence import Evidence, Examples, Need, Seeded, Sides
from mlgit.registry.policy.kind import Finding, unasked
from mlgit.registry.policy.wording import number, plain, within

Over = Literal["seeds", "examples"]
NEEDS = {"seeds": Need.SEEDS, "examples": Need.EXAMPLES}
LEAST_EXAMPLES = 30
"""Examples that both have scored, below which no interval of theirs is to be trusted."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a gate wants to be sure of."""

    metric: str
    over: Over
    least: Margin
    """The difference, in the better direction, that there has to be; below 0, so much worse is allowed."""
    confidence: float
    goal: Goal | None
    gate: str
    """In words."""


@dataclass(frozen=True)
class Margin:
    """A difference that matters: so much, or such a share of what the champion has."""

    amount: float
    is_share: bool = False

    def of(self, bar: float) -> float:
        """The difference, beside a champion that has *bar*."""
        return self.amount * abs(bar) if self.is_share else self.amount

    def __str__(self) -> str:
        return f"{number(self.amount * 100)} %" if self.is_share else number(self.amount)

    def __neg__(self) -> Margin:
        return Margin(-self.amount, self.is_share)


EXACTLY = Margin(0.0)


def margin(text: float | str) -> Margin | None:
    """`0.005`, or `1%` of the champion's; None for what is neither, or negative."""
    share = isinstance(text, str) and text.strip().endswith("%")
    try:
        amount = float(str(text).strip().removesuffix("%")) / (100 if share else 1)
    except ValueError:
        return None
    is_one = math.isfinite(amount) and amount >= 0 and (share or not isinstance(text, str))
    return Margin(amount, share) if is_one else None


def problem(metric: str, confidence: float) -> str:
    """Why a test cannot be meant."""
    return "" if 0.5 <= confidence < 1 else f"{metric}: confidence is at least 0.5 and below 1, as 0.95 is"


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Both sides, as far as they can be compared; `short` says why they cannot, and `fix` what would help."""

    value: float = math.nan
    bar: float = math.nan
    sizes: str = ""
    between: Interval | None = None
    """candidate - champion."""
    short: str = ""
    is_missing: bool = False
    """Whether there is no evidence at all, which is a failure; else there is too little."""
    fix: str = ""
    sides: tuple[Summary, Summary] | None = None
    """Over seeds, what each has."""


def judge(asked: Question, seen: Evidence) -> Finding:
    """Whether the difference is surely as the gate asks; inconclusive where it may be, and may not."""
    champion = seen.champion
    base = {"metric": asked.metric, "over": asked.over, "confidence": asked.confidence, "least": str(asked.least)}
    if champion is None:
        value = seen.candidate.metrics.get(asked.metric, compare.MISSING)
        is_measured = compare.is_number(value)
        return Finding(
            gate=asked.gate, outcome=Outcome.PASSED if is_measured else Outcome.FAILED,
            observed=f"{number(value)} (no champion yet)" if is_measured else "not measured",
            said=f"{asked.metric} is not measured", asks="a number", inputs={**base, "champion": None},
        )  # fmt: skip
    base["champion"] = champion.version
    if asked.over == "seeds":
        base["seeds"] = {side: _told(asked.metric, getattr(seen.seeds, side)) for side in ("candidate", "champion")}
    asks = f"{asked.gate.removeprefix(asked.metric).strip()}"
    if why := seen.lacking.get(NEEDS[asked.over]):
        return unasked(asked.gate, why)
    if asked.goal is None:
        return Finding(
            gate=asked.gate, outcome=Outcome.FAILED, said=f"nobody says which way {asked.metric} is better",
            observed="nobody says which way it is better", asks=asks, fix="give the gate a goal: maximize or minimize",
            inputs=base,
        )  # fmt: skip
    found = _seeds(asked, seen) if asked.over == "seeds" else _examples(asked, seen)
    if found.between is None:
        return Finding(
            gate=asked.gate, outcome=Outcome.FAILED if found.is_missing else Outcome.INCONCLUSIVE, observed=found.short,
            said=f"what {asked.metric} owes to chance cannot be told", asks=asks, fix=found.fix,
            inputs=base,
        )  # fmt: skip
    return _judged(asked, found, champion.version, base, asks)


def again(over: Over, seen: Evidence, inputs: Mapping[str, Any]) -> Evidence | None:
    """*seen*, with what each seed is recorded to have had; None of examples, which are too many to be recorded."""
    if seen.champion is None:
        return seen
    if over != "seeds":
        return None
    metric, told = str(inputs["metric"]), inputs["seeds"]
    sides = {
        side: [Seeded(run=str(run), seed=str(seed), metrics={metric: value}) for run, seed, value in told[side]]
        for side in ("candidate", "champion")
    }
    return replace(seen, seeds=Sides(**sides))


def _judged(asked: Question, found: Measured, version: str, base: dict[str, Any], asks: str) -> Finding:
    assert found.between
    better = found.between if asked.goal is Goal.MAXIMIZE else found.between.turned()
    least = asked.least.of(found.bar)
    if better.low > least or (least and within(least, better.low)):
        outcome = Outcome.PASSED
    else:
        outcome = Outcome.FAILED if better.high < least or better.high == better.low else Outcome.INCONCLUSIVE
    between, percent = found.between, number(100 * asked.confidence)
    return Finding(
        gate=asked.gate, outcome=outcome,
        observed=f"{number(found.value)} against {number(found.bar)} of {version}: {_signed(between.mean)}, "
        f"{percent} % interval {_signed(between.low)} to {_signed(between.high)} ({between.test}, {found.sizes})",
        said=f"{asked.metric} {number(found.value)} against {number(found.bar)} may be chance"
        if outcome is Outcome.INCONCLUSIVE
        else f"{asked.metric} {number(found.value)} against {number(found.bar)}",
        asks=asks, fix=_more(asked, found, abs(better.mean - least)) if outcome is Outcome.INCONCLUSIVE else "",
        inputs={
            **base, "goal": asked.goal.value if asked.goal else None, "value": found.value, "bar": found.bar,
            "difference": between.mean, "low": between.low, "high": between.high, "test": between.test,
            "sizes": found.sizes,
        },
    )  # fmt: skip


def between_seeds(metric: str, seeds: Sides[Sequence[Seeded]], *, confidence: float = stats.CONFIDENCE) -> Measured:
    """Both sides over their *seeds*; `between` is None where either has too few."""
    sides = seeds.candidate, seeds.champion
    ours, theirs = (_scored(metric, side) for side in sides)
    one, other = (stats.of(list(side.values())) for side in (ours, theirs))
    if all(one.seed for side in sides for one in side) and ours.keys() == theirs.keys():
        pairs = [ours[seed] - theirs[seed] for seed in ours]  # what a seed decides is equal on both sides
        between = stats.apart_in_pairs(pairs, confidence=confidence)
    else:
        between = stats.apart(one, other, confidence=confidence)
    sizes = f"{one.n} and {other.n} seeds"
    return Measured(value=one.mean, bar=other.mean, sizes=sizes, between=between, sides=(one, other))


def _seeds(asked: Question, seen: Evidence) -> Measured:
    found = between_seeds(asked.metric, seen.seeds, confidence=asked.confidence)
    ours = seen.seeds.candidate
    blank = [one.run for one in ours if not compare.is_number(one.metrics.get(asked.metric))]
    if 0 < len(blank) < len(ours):  # one that diverged is a seed as well
        runs = ", ".join(blank[:3]) + (", …" if blank[3:] else "")
        short = (
            f"{_count(len(blank), 'seed')} of the candidate's {len(ours)} without a number for {asked.metric}: {runs}"
        )
        return replace(found, between=None, is_missing=True, short=short)
    if found.between or not found.sides or not seen.champion:
        return found
    versions = (seen.candidate, seen.champion)
    one, other = (side.n for side in found.sides)
    fixes = [
        f"{_count(stats.LEAST - side.n, 'more seed')} of {version.version}: {_rerun(version.run)}"
        for side, version in zip(found.sides, versions, strict=True)
        if side.n < stats.LEAST
    ]
    counts = f"{one} of the candidate, {other} of {seen.champion.version}"
    return replace(
        found, is_missing=not one, fix="; ".join(fixes),
        short=f"too few seeds with {asked.metric}: {counts}; at least {stats.LEAST} each, of one code and setting",
    )  # fmt: skip


def _told(metric: str, side: Sequence[Seeded]) -> list[list[Any]]:
    """Run, seed and value of each, as plain JSON."""
    return [[one.run, one.seed, plain(one.metrics.get(metric, compare.MISSING))] for one in side]


def _scored(metric: str, side: Sequence[Seeded]) -> dict[str, float]:
    values = {one.seed or one.run: one.metrics.get(metric) for one in side}
    return {name: float(value) for name, value in values.items() if compare.is_number(value)}  # type: ignore[arg-type]


def _examples(asked: Question, seen: Evidence) -> Measured:
    sides = seen.examples.candidate, seen.examples.champion
    names = ("the candidate", "the champion")
    for side, name in zip(sides, names, strict=True):
        if why := side.problem or _lacks(side, asked.metric, is_whole=side is seen.examples.candidate):
            return Measured(
                short=f"{name}: {why}",
                is_missing=True,
                fix=f'log what each example scored: mlgit.log({{"examples": mlgit.Table(columns=["id", '
                f'"{asked.metric}"], data=…)}}), and register that run',
            )
    ours, theirs = (side.scores[asked.metric] for side in sides)
    both = sorted(ours.keys() & theirs.keys())
    if both and (left := len(theirs) - len(both)):
        return Measured(
            short=f"the candidate: {_count(left, 'example')} not scored, of the champion's {len(theirs):,}",
            is_missing=True,
            fix="evaluate it on all examples that the champion has scored, and register that run",
        )
    sizes = f"{len(both):,} examples"
    if len(ours) != len(both):
        sizes += f" that both scored, of {len(ours):,} and {len(theirs):,}"
    if len(both) < LEAST_EXAMPLES:
        return Measured(
            short=f"too few: {sizes}; at least {LEAST_EXAMPLES}",
            fix="evaluate both on the same, larger set of examples",
        )
    pairs = [ours[name] - theirs[name] for name in both]
    is_answers = {*ours.values(), *theirs.values()} <= {0.0, 1.0}
    test = stats.apart_in_answers if is_answers else stats.apart_in_pairs
    value, bar = (stats.of([side[name] for name in both]).mean for side in (ours, theirs))
    return Measured(value=value, bar=bar, sizes=sizes, between=test(pairs, confidence=asked.confidence))


def _lacks(side: Examples, metric: str, *, is_whole: bool) -> str:
    """What stands against comparing *side*; with *is_whole*, so does an example without a number."""
    if metric not in side.scores:
        return f"its table of examples has no column {metric} of numbers"
    blank = side.blank.get(metric, 0) if is_whole else 0
    return f"{_count(blank, 'example')} without a number for {metric}" if blank else ""


def _more(asked: Question, found: Measured, distance: float) -> str:
    """How to come to a decision."""
    if found.sides is None:
        return "evaluate both on more examples, or propose another version"
    one, other = found.sides
    if not distance:
        return "more seeds; propose another version if they show no more"
    enough = stats.enough(one.std, other.std, distance, confidence=asked.confidence)
    if enough is None:
        return "the difference is so near to what the gate asks that no thousand seeds would tell: another version"
    more = [max(1, enough - side.n) for side in found.sides]
    return (
        f"about {_count(more[0], 'more seed')} of the candidate and {more[1]} of the champion, if the difference stays "
        f"as it is: {_rerun('RUN')}"
    )


def _rerun(run: str) -> str:
    return f"mlgit rerun {run or 'RUN'} -p seed=N"


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def _signed(value: float) -> str:
    return f"{value:+.4g}"
