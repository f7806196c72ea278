"""`mlgit model`: registered models, from the run that made one to its bytes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlgit import wiring
from mlgit.cli import output, signing
from mlgit.cli.choose import MODEL, RUN
from mlgit.core import figures
from mlgit.core.compare import goal_of, is_number
from mlgit.wiring import promoting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlgit.core.compare import Goal
    from mlgit.core.model import ModelVersion
    from mlgit.registry.shelf import Line

_JSON = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
_BASE = click.option("--base", metavar="BRANCH", help="The branch whose stages count.  [default: main]")


@click.group(short_help="Register models and list their versions.")
def command() -> None:
    """Models, their versions and stages.

    A version is an annotated tag on the result of the run that made it, in GTO's format; `mlgit promote` moves
    stages.

    \b
    Examples:
      mlgit model register radiant-glade-12 --name digits
      mlgit model ls digits
      mlgit model get digits@production -o model/
    """


@command.command()
@click.argument("run", type=RUN)
@click.option("--name", type=MODEL, metavar="MODEL", help="The model's name.  [default: the project's]")
@click.option("--version", metavar="vX.Y.Z", help="Its version, instead of the next one.")
@click.option("--bump", type=click.Choice(["major", "minor", "patch"]), default="minor", show_default=True,
              help="Which part of the newest version goes up.")  # fmt: skip
@click.option("--artifact", metavar="NAME", help="Which artifact it is, where the run logged several models.")
@click.option("--description", default="", help="A sentence for people.")
@click.option("--force", is_flag=True, help="Take a run that failed, crashed or was preempted.")
@_JSON
def register(
    run: str, name: str | None, version: str | None, bump: Any, artifact: str | None, description: str, force: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Make the model that RUN logged the next version. The first is v1.0.0; nothing is copied.

    \b
    Examples:
      mlgit model register radiant-glade-12
      mlgit model register radiant-glade-12 --name digits --bump major
    """
    from mlgit.index import query
    from mlgit.registry import registering

    place = wiring.place()
    repo, found = place.repo, query.find(place.repo, run, project=place.meant)
    made = registering.register(
        repo, found, model=name or found.project, version=version, bump=bump, artifact=artifact,
        description=description, force=force,
    )  # fmt: skip
    if as_json:
        output.as_json(_plain(made))
        return
    output.say(f"{made.model} {made.version} is {made.artifact} of run {found.name} ({figures.size(made.size)}).")
    output.note(f"Next: mlgit promote {made.model}@{made.version} STAGE")


@command.command(short_help="List versions, the newest first, with their stages.")
@click.argument("model", required=False)
@_BASE
@_JSON
def ls(model: str | None, base: str | None, as_json: bool) -> None:
    """List versions, the newest first, with the stages that serve them.

    \b
    Examples:
      mlgit model ls
      mlgit model ls digits --json
    """
    from mlgit.registry import shelf
    from mlgit.registry.stages import UNSETTLED
    from mlgit.store import registry as store

    place = wiring.place()
    lines = shelf.lines(place.repo, model, base=store.base_name(place.repo, base))
    if as_json:
        output.as_json([_line(line) for line in lines])
        return
    rows = [
        (line.model, line.version, ", ".join(line.stages), _told(line.record, place.settings.goals),
         _format(line.record), line.record.run if line.record else "", figures.moment(line.tag.when)[:10])
        for line in lines
    ]  # fmt: skip
    columns = ("model", "version", "stages", "metrics", "format", "run", "registered")
    output.table(columns, rows, empty="No model is registered. `mlgit model register RUN` registers one.")
    if any(stage.endswith(UNSETTLED) for line in lines for stage in line.stages):
        output.note("A stage is unsettled where its file and its tag differ. To fix: mlgit model settle")


@command.command(short_help="Show one version: its run, scores and history.")
@click.argument("version", type=MODEL, metavar="MODEL[@VERSION|@STAGE]")
@_BASE
@_JSON
def show(version: str, base: str | None, as_json: bool) -> None:
    """Show one version: where it comes from, what it scored, what happened to it.

    \b
    Examples:
      mlgit model show digits@v1.2.0
      mlgit model show digits@production --json
    """
    from mlgit.documents import writer
    from mlgit.registry import ledger, shelf
    from mlgit.store import registry as store

    repo = wiring.place().repo
    name = store.base_name(repo, base)
    found = shelf.find(repo, version, base=name)
    line = next(item for item in shelf.lines(repo, found.model, base=name) if item.version == found.version)
    events = [event for event in ledger.of(store.tags(repo), found.model).history if event.version == found.version]
    history = [
        {"when": figures.moment(event.tag.when), "what": event.action.value, "stage": event.stage, "by": event.tag.who,
         "tag": event.tag.name}
        for event in events
    ]  # fmt: skip
    if as_json:
        output.as_json(_line(line) | {"history": history})
        return
    output.say(writer.dump(writer.as_data(found) | {"registered": figures.moment(found.registered)}).rstrip())
    output.say(f"stages: {', '.join(line.stages) or 'none'}")
    output.say()
    for event in history:
        what = " ".join(filter(None, (event["what"], event["stage"])))
        output.say(f"{event['when']}  {what} by {event['by']} ({event['tag']})")


@command.command(short_help="Bring the bytes of a version.")
@click.argument("version", type=MODEL, metavar="MODEL[@VERSION|@STAGE]")
@click.option("-o", "--output", "--to", "folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Put it into this folder.  [default: MODEL-VERSION]")  # fmt: skip
@_BASE
@_JSON
def get(version: str, folder: Path | None, base: str | None, as_json: bool) -> None:
    """Bring the bytes of a version, every one of them checked; of MODEL alone, what production serves, or the latest.

    \b
    Examples:
      mlgit model get digits@v1.2.0
      mlgit model get digits@production -o model/
    """
    from mlgit.registry import deliver, shelf, vouching
    from mlgit.store import registry as store

    repo = wiring.place().repo
    name = store.base_name(repo, base)
    found = shelf.find(repo, version, base=name)
    target = deliver.deliver(repo, found, folder or Path(f"{found.model}-{found.version}"))
    checked = vouching.vouched(repo, found, target, name)
    if as_json:
        told = {"model": found.model, "version": found.version, "path": str(target), "unsafe": found.unsafe}
        output.as_json(told | {"sha256": dict(found.sha256), "signatures": [signing.plain(one) for one in checked]})
        return
    output.say(str(target))
    output.note(
        f"{found.model} {found.version}, {figures.size(found.size)}, verified; {'; '.join(signing.told(checked))}."
    )
    if found.unsafe:
        output.note(f"UNSAFE to load: {found.unsafe}.")


@command.command(short_help="Let every stage serve what its file says now.")
@_BASE
@click.option("-n", "--dry-run", is_flag=True, help="Say what would move, and what the gates say; tag nothing.")
@_JSON
def settle(base: str | None, dry_run: bool, as_json: bool) -> None:
    """Let every stage serve what its file says now: after a revert, a merge elsewhere, or an edit by hand.

    The gates are asked again; exits with 4 where one fails. A stage whose file is gone becomes empty. A version that
    the stage served before is not compared with the one that it takes the place of.

    \b
    Examples:
      mlgit model settle --dry-run
      mlgit model settle
    """
    from mlgit.registry import settle as settling

    stages = promoting.settle_stages(wiring.place(), base=base, dry_run=dry_run)
    if as_json:
        output.as_json([settling.plain(one) for one in stages])
    elif not stages:
        output.note("Every stage serves what its file says.")
    for one in stages:
        if one.refusal:
            output.note(settling.sentence(one))
        elif not as_json:
            what = f"{one.model} {one.version}" if one.version else f"no {one.model}"
            output.say(f"{one.stage} would serve {what}." if dry_run else settling.sentence(one))
    refusals = sorted((one.refusal for one in stages if one.refusal), key=lambda refusal: -refusal.exit_code)
    for refusal in refusals[1:]:
        output.note(str(refusal))
    if refusals:
        raise refusals[0]


@command.command()
@click.argument("version", type=MODEL, metavar="MODEL@VERSION")
@_BASE
def unregister(version: str, base: str | None) -> None:
    """Take back a version that was never promoted. The tag that says so stays; the number is not given again.

    \b
    Examples:
      mlgit model unregister digits@v1.2.0
    """
    from mlgit.errors import UsageError
    from mlgit.registry import registering
    from mlgit.store import registry as store

    model, at, number = version.partition("@")
    if not at:
        raise UsageError(f"{version[:120]!r} names no version.", fix="write MODEL@VERSION")
    repo = wiring.place().repo
    tag = registering.unregister(repo, model, number, base=store.base_name(repo, base))
    output.say(f"{model} {number} is taken back (tag {tag}).")


command.add_command(signing.sign)
command.add_command(signing.verify)


def _told(record: ModelVersion | None, goals: Mapping[str, Goal]) -> str:
    """The metrics that matter most, in few words."""
    if record is None:
        return ""
    numbers = {name: value for name, value in record.metrics.items() if is_number(value) and not name.startswith("_")}
    names = sorted(numbers, key=lambda name: (name not in goals, goal_of(name, goals) is None, name))
    return ", ".join(f"{name} {figures.number(numbers[name])}" for name in names[:2])


def _format(record: ModelVersion | None) -> str:
    if record is None or record.card is None:
        return ""
    return f"{record.card.format} UNSAFE".strip() if record.unsafe else record.card.format


def _plain(version: ModelVersion) -> dict[str, Any]:
    from mlgit.documents import writer

    return writer.as_data(version)


def _line(line: Line) -> dict[str, Any]:
    record = _plain(line.record) if line.record else {"model": line.model, "version": line.version}
    return record | {"stages": list(line.stages), "tag": line.tag.name, "by": line.tag.who}
