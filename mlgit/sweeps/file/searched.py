"""What a sweep file has searched: its parameters, the conditions that they are under, what all points have to meet."""

from __future__ import annotations

import difflib
import graphlib
from collections.abc import Iterator, Mapping

from mlgit.documents.reader import Document
from mlgit.errors import UsageError
from mlgit.sweeps import rule as rules
from mlgit.sweeps.file import written
from mlgit.sweeps.file.drawn import Drawing
from mlgit.sweeps.parameter import Choice, Parameter
from mlgit.sweeps.rule import Rule
from mlgit.sweeps.space import MOST_COUNTED, Method, Space, in_order

MOST_TRIED = 5_000
"""Combinations of values of which the reading of a file tries each, to say at once that none is allowed."""


def space(document: Document, file: written.File, method: Method) -> Space:
    """The space of *file*, which *document* holds, for *method*. Raises `ConfigError`."""
    if file.parameters is None:
        if file.scheduler and file.scheduler.search_space:
            what = "a space made by a function is not read; write parameters"
            document.fail(("scheduler", "search_space"), what)
        document.fail(("parameters",), "required, but missing")
    parameters = tuple(Drawing(document, method).parameters(file.parameters))
    if not parameters:
        document.fail(("parameters",), "there is nothing to search")
    names = [parameter.name for parameter in parameters]
    for name in names:
        if names.count(name) > 1:
            document.fail(("parameters",), f"two parameters are called {name!r}, one of them nested")
    when: dict[str, Rule] = {}
    for path, text, own in _conditions(file.parameters, ("parameters",), ()):
        rule = _rule(document, text, path, parameters)
        for name in own:
            if name in rule.names:
                document.fail(path, f"{name} cannot depend on itself")
            when[name] = rules.both(when[name], rule) if name in when else rule
    try:
        in_order(names, when)
    except graphlib.CycleError as exc:
        circle = " → ".join(reversed(exc.args[1]))
        document.fail(("parameters",), f"these conditions depend on one another in a circle: {circle}")
    constraints = tuple(
        _rule(document, text, ("constraints", str(index)), parameters)
        for index, text in enumerate(file.constraints or ())
    )
    return _searchable(document, Space(method=method, parameters=parameters, when=when, constraints=constraints))


def _rule(document: Document, text: str, path: tuple[str, ...], parameters: tuple[Parameter, ...]) -> Rule:
    """A condition on the parameters."""
    try:
        rule = rules.parse(text, [parameter.name for parameter in parameters])
    except UsageError as exc:
        what = exc.what.removeprefix("The condition ").rstrip(".")
        document.fail(path, f"{text!r} {what}; {exc.fix}")
    choices = {one.name: one.values for one in parameters if isinstance(one, Choice)}
    if alien := rule.alien(choices):
        name, value = alien
        close = difflib.get_close_matches(value, [one for one in choices[name] if isinstance(one, str)], 1)
        document.fail(path, f"{name} is never {value!r}" + (f"; did you mean {close[0]!r}?" if close else ""))
    return rule


def _searchable(document: Document, space: Space) -> Space:
    """*space*, if there is a point in it."""
    combinations = space.combinations
    if space.method is Method.GRID and space.is_ruled and combinations is not None and combinations > MOST_COUNTED:
        document.fail(
            ("parameters",),
            f"a grid with conditions or constraints has at most {MOST_COUNTED:,} combinations of values, and these "
            f"are {combinations:,}; take random, or fewer values",
        )
    if combinations is not None and combinations <= MOST_TRIED and space.size == 0:
        document.fail(("constraints",), "no point meets all of them")
    return space


def _conditions(
    group: Mapping[str, written.Parameter], path: tuple[str, ...], above: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], str, list[str]]]:
    """Where each condition stands, what it says, and the parameters that it is of: those of a group share one."""
    for name, parameter in group.items():
        here, names = (*path, name), (*above, name)
        if parameter.when is not None:
            own = [dotted for dotted, _ in nested(parameter.parameters, names)] if parameter.parameters else None
            yield (*here, "when"), parameter.when, own or [".".join(names)]
        if parameter.parameters:
            yield from _conditions(parameter.parameters, (*here, "parameters"), names)


def nested(
    group: Mapping[str, written.Parameter], above: tuple[str, ...] = ()
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each parameter of *group* that lies below another, by its dotted name, and the names on the way to it."""
    for name, parameter in group.items():
        if parameter.parameters is not None:
            yield from nested(parameter.parameters, (*above, name))
        elif above:
            yield ".".join((*above, name)), (*above, name)
