"""`mlgit registry automations`: what follows on what, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.registry.options import BASE, JSON
from mlgit.core import escape, figures

if TYPE_CHECKING:
    from mlgit.registry.automation.file import Automation
    from mlgit.registry.automation.state import Done, Memory

_SHOWN = 20


@click.command(short_help="What follows on what, and what came of it.")
@click.argument("name", required=False)
@BASE
@JSON
def command(name: str | None, base: str | None, as_json: bool) -> None:
    """List what registry/automations.yaml says, and how far each came; of NAME, each event that it followed on.

    The file is read as the base branch has it; what is wrong in it is said with its line.

    \b
    Examples:
      mlgit registry automations
      mlgit registry automations tell-serving
      mlgit registry automations --json
    """
    from mlgit.errors import NotFoundError
    from mlgit.wiring import automating

    place = wiring.place()
    said, memories = automating.file(place, base=base), automating.memories(place)
    rules = {one.name: one for one in said.automations}
    if name is not None and name not in rules and name not in memories:
        raise NotFoundError(f"There is no automation {name[:80]!r}.", fix=f"there are: {', '.join(rules) or 'none'}")
    names = [name] if name is not None else [*rules, *(one for one in memories if one not in rules)]
    if as_json:
        told = [_plain(one, rules.get(one), memories.get(one)) for one in names]
        advance = [{"stage": one.stage, "models": one.models, "by": one.by} for one in said.advance]
        output.as_json({"automations": told, "advance": advance})
    elif name is not None:
        _say_events(name, memories.get(name))
    else:
        rows = [_row(one, rules.get(one), memories.get(one)) for one in names]
        columns = ("automation", "follows on", "does", "done", "failed", "last")
        output.table(columns, rows, empty="Nothing follows on anything: there is no registry/automations.yaml.")
        for one in said.advance:
            output.say(f"{one.models} for {one.stage}: proposes itself, by {one.by}")


def _row(name: str, rule: Automation | None, memory: Memory | None) -> tuple[str, ...]:
    done = memory.done if memory else {}
    last = max(done.values(), key=lambda one: one.at, default=None)
    counts = [sum(one.how.value in how for one in done.values()) for how in (("done",), ("failed", "given up"))]
    return (name, _follows(rule), _does(rule), *map(str, counts), f"{figures.moment(last.at)} {last.how.value}"
            if last else "")  # fmt: skip


def _follows(rule: Automation | None) -> str:
    if rule is None:
        return ""
    events = rule.on if isinstance(rule.on, tuple) else (rule.on,)
    return ", ".join(one.value for one in events) + f" of {rule.models}" + (f" in {rule.stages}" * (rule.stages != "*"))


def _does(rule: Automation | None) -> str:
    """The address, the workflow or the command."""
    if rule is None:
        return "by itself"
    what = next(iter(vars(rule.do).values()))
    return " ".join(what) if isinstance(what, tuple) else str(what)


def _say_events(name: str, memory: Memory | None) -> None:
    done = sorted((memory.done if memory else {}).items(), key=lambda pair: pair[1].at, reverse=True)
    rows = [
        (event, one.how.value, str(one.tries), figures.moment(one.at), escape.line(one.said, 80))
        for event, one in done[:_SHOWN]
    ]
    output.table(("event", "how", "tries", "when", "said"), rows, empty=f"{name} has followed on nothing yet.")
    if len(done) > _SHOWN:
        output.note(f"{len(done) - _SHOWN} more: --json")


def _plain(name: str, rule: Automation | None, memory: Memory | None) -> dict[str, Any]:
    from mlgit.documents import writer

    return {
        "name": name, "rule": writer.as_data(rule) if rule else None,
        "events": {event: _done(one) for event, one in (memory.done if memory else {}).items()},
    }  # fmt: skip


def _done(one: Done) -> dict[str, Any]:
    return {"how": one.how.value, "at": figures.moment(one.at), "tries": one.tries, "said": one.said}
