"""A sweep file in W&B's own words, read into records.

What is written (`written`) is checked; what cannot be is refused by name and line. Keys of W&B's that mean nothing here
are said (`SweepFile.aside`): nothing is skipped in silence.
"""

from __future__ import annotations

import json
import math
import shlex
from dataclasses import dataclass, field, replace

from mlgit.documents.older import reread
from mlgit.documents.reader import Document, parse
from mlgit.sweeps import command as commands
from mlgit.sweeps.file import searched, written
from mlgit.sweeps.parameter import Number
from mlgit.sweeps.space import (
    SEED,
    Budget,
    Halving,
    Hyperband,
    Method,
    Metric,
    Space,
    SweepFile,
)


def read(text: str | bytes, *, source: str) -> SweepFile:
    """The sweep file *text*; *source* names it in errors. Raises `ConfigError`."""
    document = as_w_and_b_reads(parse(text, source=source))
    file = document.read(written.File)
    return _Checks(document, file).checked()


def as_w_and_b_reads(document: Document) -> Document:
    """*document* with the params' values as PyYAML, and so W&B, reads them: there `no` is false, `1_000` a number."""
    root = document.root
    if root.kind != "mapping":
        return document
    pairs = [(key, reread(value) if key.value == "parameters" else value) for key, value in root.value]
    return replace(document, root=replace(root, value=pairs))


@dataclass(frozen=True)
class _Checks:
    """Makes of a file as it is written what it means; each method reads what it is called after."""

    document: Document
    file: written.File
    aside: list[str] = field(default_factory=list)

    def checked(self) -> SweepFile:
        """All of it."""
        file = self.file
        metrics = self.metrics()
        method = self.method(metrics)
        self.others()
        budget = self.budget()
        caps = [cap for cap in (self.whole(file.run_cap, ("run_cap",)), budget.trials) if cap is not None]
        space = searched.space(self.document, file, method)
        return SweepFile(
            space=space,
            metrics=metrics,
            seeds=self.seeds(space),
            budget=budget,
            name=file.name,
            description=file.description,
            project=file.project,
            entity=file.entity,
            program=file.program,
            command=self.command(),
            run_cap=min(caps, default=None),
            early_terminate=self.stopping(file.early_terminate) if file.early_terminate else None,
            paths=dict(searched.nested(file.parameters or {})),
            aside=tuple(self.aside),
        )

    def method(self, metrics: tuple[Metric, ...]) -> Method:
        """The method that is used here; W&B's `custom` leaves it to a program of the user's."""
        if self.file.method is written.Method.CUSTOM:
            method = Method.BAYES if metrics else Method.RANDOM
            who = (
                f"W&B's scheduler ({self.file.scheduler.engine.value})" if self.file.scheduler else "a program of yours"
            )
            self.aside.append(f"method custom leaves the choice of points to {who}; here it is {method.value}")
            return method
        method = Method(self.file.method.value)
        if method is Method.BAYES and not metrics:
            self.document.fail(("method",), "bayes needs a metric to search for: `metric: {name: …, goal: minimize}`")
        return method

    def others(self) -> None:
        """W&B's keys that say where and by whom the sweep is run there."""
        file = self.file
        if scheduler := file.scheduler:
            self.scheduler(scheduler)
        if file.entity:
            self.aside.append(
                f"entity: {file.entity!r} is an account of W&B's; whose the runs are, the repository says"
            )
        if file.controller and file.controller.type is written.Place.CLOUD:
            self.aside.append("controller: points are chosen where the sweep runs, not by W&B")
        if file.job is not None or file.image_uri is not None:
            key = "job" if file.job is not None else "image_uri"
            self.aside.append(f"{key}: a launch job of W&B's cannot be run here; program or command say what is run")

    def scheduler(self, scheduler: written.Scheduler) -> None:
        """W&B's rules for its scheduler, and what of it means nothing here."""
        is_wandb, is_custom = scheduler.engine is written.Engine.WANDB, self.file.method is written.Method.CUSTOM
        if is_wandb is is_custom or self.file.method is written.Method.SOBOL:
            fits = "grid, random or bayes" if is_wandb else "custom"
            self.document.fail(("scheduler", "engine"), f"{scheduler.engine.value} goes with the method {fits}")
        if scheduler.source is None:
            for key in ("optimizer", "search_space"):
                if getattr(scheduler, key) is not None:
                    self.document.fail(("scheduler", key), "it is a function of source, which is not said")
        if self.file.early_terminate:
            self.document.fail(("early_terminate",), "a scheduler stops trials by itself; take one of the two out")
        if self.file.controller and self.file.controller.type is written.Place.LOCAL:
            self.document.fail(("controller",), "a scheduler takes the place of a local controller; take one out")
        if scheduler.source is not None:
            self.aside.append(f"scheduler: nothing of {scheduler.source} is run here")

    def metrics(self) -> tuple[Metric, ...]:
        """The metric, or the several."""
        if self.file.metric and self.file.metrics is not None:
            self.document.fail(("metrics",), "a sweep has metric or metrics, not both")
        if self.file.metric:
            return (self.metric(self.file.metric, ("metric",)),)
        several = self.file.metrics
        if several is None:
            return ()
        if len(several) < 2:
            self.document.fail(("metrics",), "expected two or more; one is written as metric")
        found = tuple(self.metric(one, ("metrics", str(index))) for index, one in enumerate(several))
        names = [metric.name for metric in found]
        for index, name in enumerate(names):
            if name in names[:index]:
                self.document.fail(("metrics", str(index)), f"{name!r} is there twice")
        return found

    def metric(self, it: written.Metric, path: tuple[str, ...]) -> Metric:
        """One metric."""
        if not it.name:
            self.document.fail((*path, "name"), "a metric has a name")
        if it.target is not None and not math.isfinite(it.target):
            self.document.fail((*path, "target"), "expected a finite number")
        if it.impute_while_running != "false":
            self.aside.append(f"{path[0]}.impute_while_running: a trial counts once it has ended")
        return Metric(name=it.name, goal=it.goal, target=it.target, impute=it.impute)

    def stopping(self, it: written.EarlyTerminate) -> Hyperband | Halving:
        """The rule by which trials are stopped."""
        here = "early_terminate"
        if self.file.metric is None:
            few = "takes one metric, not several" if self.file.metrics else "compares trials by the metric; name one"
            self.document.fail((here,), f"it {few}")
        min_iter, max_iter, s = (self.whole(getattr(it, key), (here, key)) for key in ("min_iter", "max_iter", "s"))
        if not 1 < it.eta < math.inf:
            self.document.fail((here, "eta"), "expected a number above 1")
        is_asha = it.type is written.Stopping.ASHA
        if is_asha:
            for key in ("s", "strict"):
                if getattr(it, key) is not None:
                    self.document.fail((here, key), "it is hyperband's; asha has none")
            if min_iter is None:
                self.document.fail((here,), "asha needs min_iter")
        if min_iter is None and (s is None or max_iter is None):
            self.document.fail((here,), "hyperband needs min_iter, or max_iter and s")
        if s is not None and max_iter is None:
            self.aside.append(f"{here}.s: it counts back from max_iter, which is not said; min_iter counts")
            s = None
        if max_iter is not None and max_iter < (it.eta if s is not None else min_iter or 0):
            self.document.fail((here, "max_iter"), "no trial would be compared before it has come so far")
        if is_asha and min_iter is not None:
            return Halving(min_iter=min_iter, max_iter=max_iter, eta=it.eta)
        return Hyperband(min_iter=min_iter, max_iter=max_iter, s=s, eta=it.eta, strict=it.strict is not False)

    def whole(self, value: Number | None, path: tuple[str, ...]) -> int | None:
        """*value*, which W&B lets be written as 3.0 as well as 3."""
        if value is None:
            return None
        if not 1 <= value < math.inf or value % 1:
            self.document.fail(path, "expected a whole number of at least 1")
        return int(value)

    def command(self) -> tuple[str, ...] | None:
        """The words of the command, or None where the file has neither command nor program."""
        file = self.file
        if file.command is None or file.command == ():
            return commands.DEFAULT if file.program is not None else None
        try:
            words = shlex.split(file.command) if isinstance(file.command, str) else [_word(w) for w in file.command]
            commands.check(words, program=file.program)
        except ValueError as exc:
            self.document.fail(("command",), str(exc).rstrip("."))
        return tuple(words)

    def budget(self) -> Budget:
        """How much the sweep may use."""
        it = self.file.budget
        if it is None:
            return Budget()
        if it.trials is None and it.minutes is None and it.cost is None:
            self.document.fail(("budget",), "expected trials, minutes or cost")
        if it.trials is not None and it.trials < 1:
            self.document.fail(("budget", "trials"), "expected at least 1")
        self.above_0(it.minutes, ("budget", "minutes"))
        if it.cost is None:
            return Budget(trials=it.trials, minutes=it.minutes)
        self.above_0(it.cost.most, ("budget", "cost", "most"))
        self.above_0(it.cost.per_hour, ("budget", "cost", "per_hour"))
        if (it.cost.metric is None) == (it.cost.per_hour is None):
            self.document.fail(("budget", "cost"), "what a trial costs is said by metric or by per_hour, one of them")
        return Budget(
            trials=it.trials, minutes=it.minutes, cost=it.cost.most, cost_metric=it.cost.metric,
            price_per_hour=it.cost.per_hour,
        )  # fmt: skip

    def above_0(self, value: float | None, path: tuple[str, ...]) -> None:
        if value is not None and not 0 < value < math.inf:
            self.document.fail(path, "expected a number above 0")

    def seeds(self, space: Space) -> tuple[int, ...]:
        """The seeds of each point: so many from 0, or those of a list."""
        it = self.file.seeds
        if it is None:
            return ()
        if isinstance(it, int) and it < 1:
            self.document.fail(("seeds",), "expected at least 1, or a list of seeds")
        if isinstance(it, int) and it > 1000:
            self.document.fail(("seeds",), "expected at most 1,000")
        seeds = tuple(range(it)) if isinstance(it, int) else it
        if not seeds or len(set(seeds)) < len(seeds):
            self.document.fail(("seeds",), "expected seeds that differ" if seeds else "expected at least one seed")
        if any(parameter.name == SEED for parameter in space.parameters):
            self.document.fail(("seeds",), f"the param {SEED!r} has the seed of a trial; take it out of parameters")
        return seeds


def _word(value: Number | bool | str) -> str:
    return value if isinstance(value, str) else json.dumps(value)
