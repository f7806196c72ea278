"""`mlgit sweep status`: how a sweep is going."""

from __future__ import annotations

import click

from mlgit import wiring
from mlgit.cli import choose, output
from mlgit.cli.sweep import reaching, shown, standing


@click.command(short_help="Show how a sweep is going: its agents, what they run, how much is left.")
@click.argument("sweep", default="latest", type=choose.SweepName())
@reaching.THROUGH
@click.option("--json", "json_", is_flag=True, help="Print it as JSON.")
def command(sweep: str, through: str | None, json_: bool) -> None:
    """Show how SWEEP (its id, its name; the latest one, if none is given) is going.

    An agent of this repository is `alive` or `dead`, which its lock tells. Of one elsewhere only its last sign of life
    is known, by its own clock; other agents take over what it holds once they hear nothing of it for a minute, or,
    where they agree through a remote, for five.

    \b
    Examples:
      mlgit sweep status
      mlgit sweep status k3f9a2xq --through origin
      mlgit sweep status k3f9a2xq --json
    """
    from mlgit.sweeps import record

    place = wiring.place()
    far = reaching.remote(place, through)
    known = record.find(place.repo, place.meant, sweep)
    found = standing.of(place, known, reaching.board(place, known, far))
    if json_:
        output.as_json(found.document())
        return
    output.say(found.line())
    output.say(found.counts())
    if used := shown.used(found.file, found.trials):
        output.say(used)
    if found.best:
        output.say(f"Best: {found.best.name}, {shown.found(found.file, found.trials)}")
    output.gap()
    output.table(
        ("agent", "host", "process", "is", "slots", "trials"), found.rows(), right=("process", "slots"),
        empty=found.alone(),
    )  # fmt: skip
    if found.twice:
        numbers = ", ".join(map(str, found.twice[:8])) + (", …" if len(found.twice) > 8 else "")
        output.note(f"Given twice, by agents of clones that saw nothing of one another: {numbers}. Both trials count; "
                    "agents that go --through one remote give no number twice")  # fmt: skip
    if found.waiting:
        output.note(f"{len(found.waiting)} of its trials wait for an agent that takes them")
