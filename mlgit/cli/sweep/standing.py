"""How a sweep is going: what its runs and its claims tell together."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mlgit.cli.sweep import shown
from mlgit.core import figures
from mlgit.core.job import JobState
from mlgit.core.sweep import Sweep, SweepState

if TYPE_CHECKING:
    from mlgit.store.place import Place
    from mlgit.sweeps.claims import Agent, Claim, Claims
    from mlgit.sweeps.claims.holding import Board
    from mlgit.sweeps.plan import Trial
    from mlgit.sweeps.space import SweepFile


def of(place: Place, sweep: Sweep, board: Board) -> Standing:
    """How *sweep* stands now, as *board* has it. Raises `ConfigError` where this version cannot read its file."""
    from mlgit.sweeps import judging, record
    from mlgit.sweeps.claims import claiming

    sweep, claims = board.look()
    file, trials = record.trials(place.repo, sweep)
    if not isinstance(board, claiming.Board):  # all numbers are of one list then, on which stands what goes on
        held = {one.number for one in claims.open if one.agent}
        trials = [
            replace(one, state=JobState.LOST) if _is_away(one) and one.number not in held else one for one in trials
        ]
    now = time.time()
    known = [trial.number for trial in trials if not trial.interrupted]
    claimed = {one.number for one in claims.open} | {one.number for one in claims.gone}
    begun = len(known) + len(claimed - set(known))
    most = record.bound(file, sweep.trials)
    bounds = [bound for bound in (most, judging.size(file)) if bound is not None]
    return Standing(
        sweep=sweep, file=file, claims=claims, trials=tuple(trials), begun=begun,
        total=max(min(bounds), begun) if bounds else None, best=judging.best(file, trials),
        are={one.id: _is(one, board, now) for one in claims.agents},
    )  # fmt: skip


def _is_away(trial: Trial) -> bool:
    """Whether only a checkpoint says that it is under way."""
    return not trial.state.ended and bool(trial.run and trial.run.commit)


def _is_lost(trial: Trial) -> bool:
    """Whether its run says that it goes on, and nobody runs it."""
    return trial.word == "running" and trial.state is JobState.LOST


def _is(agent: Agent, board: Board, now: float) -> str:
    if (lives := board.lives(agent)) is not None:
        return "alive" if lives else "dead"
    return f"heard {figures.duration(max(0.0, now - agent.heard))} ago"


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a sweep is going."""

    sweep: Sweep
    file: SweepFile
    claims: Claims
    trials: tuple[Trial, ...]
    begun: int
    """Its numbers that ended, are under way or wait."""
    total: int | None
    """How many there will be, where that is known."""
    best: Trial | None
    are: dict[str, str]
    """How each agent is."""

    @property
    def dead(self) -> set[str]:
        """The agents that run nothing any more; no agent: `""`."""
        return {"", *(name for name, word in self.are.items() if word == "dead")}

    @property
    def waiting(self) -> tuple[Claim, ...]:
        """What nobody runs, until an agent takes it."""
        return tuple(one for one in self.claims.open if one.agent in self.dead)

    @property
    def twice(self) -> tuple[int, ...]:
        """The numbers that several trials have, of agents that saw nothing of one another."""
        counted = Counter(trial.number for trial in self.trials)
        return tuple(sorted(number for number, count in counted.items() if count > 1))

    @property
    def words(self) -> Counter[str]:
        """How many trials are in each state."""
        words = [trial.state.value if _is_lost(trial) else trial.word for trial in self.trials]
        found = Counter(word for word in words if word != "running")
        found["failed"] += len(self.claims.gone)
        running = {one.number for one in self.claims.open if one.agent not in self.dead} | {
            trial.number for trial, word in zip(self.trials, words, strict=True) if word == "running"
        }
        found["running"] = len(running)
        return +found

    @property
    def left(self) -> float | None:
        """Seconds until it is done, if it goes on as it did; None where that cannot be said."""
        slots = sum(agent.slots for agent in self.claims.agents if agent.id not in self.dead)
        took = [trial.run.duration for trial in self.trials if trial.counts and trial.run and trial.run.duration]
        if self.total is None or not slots or not took or self.sweep.state is not SweepState.RUNNING:
            return None
        open_ = self.total - self.begun + len(self.claims.open)
        return sum(took) / len(took) * open_ / slots

    def line(self) -> str:
        """What it is, and its state."""
        sweep, aim = self.sweep, shown.aim(self.file)
        return f"{sweep.name} ({sweep.id}): {sweep.method}{f', {aim}' if aim else ''}; {sweep.state.value}"

    def counts(self) -> str:
        """How far it is: `12 of 60 trials: 10 finished, 2 running; about 3m 20s left`."""
        of = f" of {self.total}" if self.total is not None else ""
        words = ", ".join(f"{count} {word}" for word, count in self.words.items())
        left = f"; about {figures.duration(self.left)} left" if self.left is not None and self.left > 0 else ""
        return f"{self.begun}{of} trials{': ' if words else ''}{words}{left}"

    def alone(self) -> str:
        """What to say where it has no agents."""
        if self.sweep.state is SweepState.RUNNING:
            return f"No agents; `mlgit sweep agent {self.sweep.id}` begins one."
        if self.sweep.state is SweepState.FINISHED:
            return "No agents: there is nothing left to do."
        return f"No agents; `mlgit sweep resume {self.sweep.id}` takes back that it is {self.sweep.state.value}."

    def rows(self) -> list[tuple[str, ...]]:
        """Its agents, for a table."""
        return [
            (
                one.id, one.host, str(one.pid), self.are[one.id], str(one.slots),
                ", ".join(str(claim.number) for claim in self.claims.of(one.id)[:8]),
            )
            for one in self.claims.agents
        ]  # fmt: skip

    def document(self) -> dict[str, Any]:
        """All of it as JSON."""
        return {
            "id": self.sweep.id,
            "name": self.sweep.name,
            "project": self.sweep.project,
            "state": self.sweep.state.value,
            "begun": self.begun,
            "total": self.total,
            "trials": dict(self.words),
            "seconds_left": self.left,
            "metric": self.file.metric and self.file.metric.name,
            "used": shown.used_document(self.file, self.trials),
            "best": self.best and {"name": self.best.name, "value": self.best.value, "params": dict(self.best.params)},
            "agents": [
                {
                    "id": one.id, "host": one.host, "process": one.pid, "slots": one.slots, "is": self.are[one.id],
                    "heard": figures.moment(one.heard), "trials": [claim.number for claim in self.claims.of(one.id)],
                }
                for one in self.claims.agents
            ],
            "given_twice": list(self.twice),
            "waiting": [{"number": one.number, "params": dict(one.params)} for one in self.waiting],
            "without_run": [
                {"number": one.number, "params": dict(one.params), "why": one.why} for one in self.claims.gone
            ],
        }  # fmt: skip
