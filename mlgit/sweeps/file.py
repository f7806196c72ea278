"""A sweep file in W&B's own words, read into records.

What is written (`mlgit.sweeps.written`) is checked; what cannot be is refused by name and line. W&B's keys that mean
nothing here are said (`SweepFile.aside`): nothing is skipped in silence.
"""

from __future__ import annotations

import difflib
import graphlib
import json
import math
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from mlgit.documents.older import reread
from mlgit.documents.reader import Document, parse
from mlgit.errors import UsageError
from mlgit.sweeps import command as commands
from mlgit.sweeps import rule as rules
from mlgit.sweeps import written
from mlgit.sweeps.drawn import Drawing
from mlgit.sweeps.parameter import Choice, Number, Parameter
from mlgit.sweeps.rule import Rule
from mlgit.sweeps.space import (
    MOST_COUNTED,
    SEED,
    Budget,
    Halving,
    Hyperband,
    Method,
    Metric,
    Space,
    SweepFile,
    in_order,
)

MOST_TRIED = 5_000
"""Combinations of values of which the reading of a file tries each, to say at once that none is allowed."""


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
        space = self.space(method)
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
            paths=dict(_nested(file.parameters or {}, ())),
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

    def space(self, method: Method) -> Space:
        """What is searched, and what its points have to meet."""
        file = self.file
        if file.parameters is None:
            if file.scheduler and file.scheduler.search_space:
                self.document.fail(("scheduler", "search_space"), "a space made by a function is not read; write "
                                                                  "parameters")  # fmt: skip
            self.document.fail(("parameters",), "required, but missing")
        parameters = tuple(Drawing(self.document, method).parameters(file.parameters))
        if not parameters:
            self.document.fail(("parameters",), "there is nothing to search")
        names = [parameter.name for parameter in parameters]
        for name in names:
            if names.count(name) > 1:
                self.document.fail(("parameters",), f"two parameters are called {name!r}, one of them nested")
        when: dict[str, Rule] = {}
        for path, text, own in _conditions(file.parameters, ("parameters",), ()):
            rule = self.rule(text, path, parameters)
            for name in own:
                if name in rule.names:
                    self.document.fail(path, f"{name} cannot depend on itself")
                when[name] = rules.both(when[name], rule) if name in when else rule
        try:
            in_order(names, when)
        except graphlib.CycleError as exc:
            circle = " → ".join(reversed(exc.args[1]))
            self.document.fail(("parameters",), f"these conditions depend on one another in a circle: {circle}")
        constraints = tuple(
            self.rule(text, ("constraints", str(index)), parameters)
            for index, text in enumerate(file.constraints or ())
        )
        return self.searchable(Space(method=method, parameters=parameters, when=when, constraints=constraints))

    def rule(self, text: str, path: tuple[str, ...], parameters: tuple[Parameter, ...]) -> Rule:
        """A condition on the parameters."""
        try:
            rule = rules.parse(text, [parameter.name for parameter in parameters])
        except UsageError as exc:
            what = exc.what.removeprefix("The condition ").rstrip(".")
            self.document.fail(path, f"{text!r} {what}; {exc.fix}")
        choices = {one.name: one.values for one in parameters if isinstance(one, Choice)}
        if alien := rule.alien(choices):
            name, value = alien
            close = difflib.get_close_matches(value, [one for one in choices[name] if isinstance(one, str)], 1)
            self.document.fail(path, f"{name} is never {value!r}" + (f"; did you mean {close[0]!r}?" if close else ""))
        return rule

    def searchable(self, space: Space) -> Space:
        """*space*, if there is a point in it."""
        combinations = space.combinations
        if space.method is Method.GRID and space.is_ruled and combinations is not None and combinations > MOST_COUNTED:
            self.document.fail(
                ("parameters",),
                f"a grid with conditions or constraints has at most {MOST_COUNTED:,} combinations of values, and these "
                f"are {combinations:,}; take random, or fewer values",
            )
        if combinations is not None and combinations <= MOST_TRIED and space.size == 0:
            self.document.fail(("constraints",), "no point meets all of them")
        return space


def _conditions(
    group: Mapping[str, written.Parameter], path: tuple[str, ...], above: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], str, list[str]]]:
    """Where each condition stands, what it says, and the parameters that it is of: those of a group share one."""
    for name, parameter in group.items():
        here, names = (*path, name), (*above, name)
        if parameter.when is not None:
            own = [dotted for dotted, _ in _nested(parameter.parameters, names)] if parameter.parameters else None
            yield (*here, "when"), parameter.when, own or [".".join(names)]
        if parameter.parameters:
            yield from _conditions(parameter.parameters, (*here, "parameters"), names)


def _nested(group: Mapping[str, written.Parameter], above: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name, parameter in group.items():
        if parameter.parameters is not None:
            yield from _nested(parameter.parameters, (*above, name))
        elif above:
            yield ".".join((*above, name)), (*above, name)


def _word(value: Number | bool | str) -> str:
    return value if isinstance(value, str) else json.dumps(value)
