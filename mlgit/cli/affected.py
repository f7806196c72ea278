"""`mlgit affected`: what a dataset has reached."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from mlgit.cli import output
from mlgit.cli.choose import THING

if TYPE_CHECKING:
    from mlgit.lineage.affected import Affected, Bundle
    from mlgit.lineage.graph import Key


@click.command()
@click.argument("data", type=THING, metavar="DATA")
@click.option("--stages", "only_stages", is_flag=True, help="Only the stages that serve something made of it.")
@click.option("-n", "--limit", default=20, type=click.IntRange(min=0), show_default=True,
              help="List so many versions, artifacts and runs at the most; 0 for all.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON, with all runs and artifacts.")
@click.option("--base", metavar="BRANCH", help="The branch whose stages count.  [default: main]")
def command(data: str, only_stages: bool, limit: int, as_json: bool, base: str | None) -> None:
    """List all that DATA has reached, however indirectly: stages first, then versions, artifacts and runs.

    For the day on which a dataset turns out to be poisoned, leaked or wrong. DATA is an artifact's version (digits:v2,
    digits@v2), a content's hash, a path that DVC tracks, or the hash of one file in a folder that DVC holds, as far as
    the folder's listing is in the cache.

    \b
    Examples:
      mlgit affected digits@v2
      mlgit affected data/train.csv --stages
      mlgit affected digits:v2 --json | jq -r '.stages[].stage'
    """
    from mlgit import wiring
    from mlgit.wiring import tracing

    found = tracing.affected(wiring.place(), data, base=base, most=0 if as_json else limit or None)
    if as_json:
        output.as_json(_document(found))
        return
    named = ", ".join(found.nodes[key].label for key in found.start)
    times = sum(found.again.values())
    counts = (_count(len(found.stages), "stage"), _count(len(found.versions), "version"),
              _count(len(found.contents), "artifact"), _count(len(found.runs) - times, "run"),
              *([f"made again {_times(times)}"] if times else ()))  # fmt: skip
    output.fitted(f"{named} reached {', '.join(counts)}")
    _ways("stages", found, found.stages, len(found.stages))
    if not only_stages:
        rest = ("mlgit", "affected", data, "--limit", "0")
        _ways("versions", found, found.versions, limit or len(found.versions))
        _rest(len(found.versions), limit, rest)
        _some("artifacts", [_line(found, key) for key in found.contents[: limit or None]])
        _rest(len(found.contents), limit, rest)
        _some("runs", [_bundle(found, one) for one in found.bundles[: limit or None]])
        _rest(len(found.bundles), limit, rest)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _times(number: int) -> str:
    return f"{number:,} times" if number > 1 else "once"


def _ways(title: str, found: Affected, ways: Mapping[str, Sequence[Key]], most: int) -> None:
    """What is affected, each with the end of the way to it."""
    if ways:
        output.say(f"\n{title}")
    for name, way in list(ways.items())[:most]:
        known = [found.nodes[key].label for key in way[-4:-1] if key in found.nodes]
        output.fitted(f"  {name}  by {' > '.join(known)}")


def _some(title: str, lines: Sequence[str]) -> None:
    if lines:
        output.say(f"\n{title}")
    for line in lines:
        output.fitted(f"  {line}")


def _line(found: Affected, key: Key) -> str:
    """An artifact, or a run with how often it was made again."""
    node, times = found.nodes[key], found.again.get(key, 0)
    again = f"made again {_times(times)}" if times else ""
    return f"{node.label}  {', '.join(filter(None, (*node.about, again)))}"


def _bundle(found: Affected, bundle: Bundle) -> str:
    """Runs that belong together, or a run that stands alone."""
    newest = bundle.runs[0]
    if not bundle.name:
        return _line(found, newest)
    return f"{bundle.name}  {len(bundle.runs):,} runs, the newest {found.nodes[newest].label}"


def _rest(count: int, limit: int, rest: Sequence[str]) -> None:
    """How to see what is not listed."""
    if limit and count > limit:
        output.say(f"  … and {count - limit:,} more: {shlex.join(rest)}")


def _document(found: Affected) -> dict[str, Any]:
    stages = {stage: way[-2].name for stage, way in found.stages.items()}
    return {
        "data": [found.nodes[key].data for key in found.start],
        "stages": [
            {"stage": stage, "version": version, "by": [key.name for key in found.stages[stage][:-1]]}
            for stage, version in stages.items()
        ],
        "versions": [{"version": name, "by": [key.name for key in way[:-1]]} for name, way in found.versions.items()],
        "artifacts": [key.name for key in found.contents],
        "runs": [key.name for key in found.runs],
        "again": {key.name: times for key, times in found.again.items()},
    }  # fmt: skip
