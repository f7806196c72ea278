"""`mlgit reproduce`: a run, made again, with a verdict."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlgit.cli import output
from mlgit.cli.choose import RUN
from mlgit.core import escape
from mlgit.core.compare import MISSING
from mlgit.errors import UsageError

if TYPE_CHECKING:
    from mlgit.core.run import Run
    from mlgit.reproduce.judged import Outcome
    from mlgit.reproduce.needs import Needs
    from mlgit.reproduce.recipe import Missing
    from mlgit.reproduce.verdict import Difference

_FEW = 8
_CODES = {"bitwise": 0, "within tolerance": 0, "differs": 1, "cannot": 2}


@click.command()
@click.argument("run", type=RUN)
@click.option("--to", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
              help="Make it again in this folder, which must not exist yet, and let it stay.")  # fmt: skip
@click.option("--env", "wanted", type=click.Choice(("auto", "none", "uv", "docker")), default="auto", show_default=True,
              help="auto: this Python if it has just what the run had installed, else one that uv makes; a container "
                   "if the run had one. none: this Python, whatever it has.")  # fmt: skip
@click.option("--image", metavar="NAME", default="",
              help="The container's image.  [default: the run's, else python:<its version>]")  # fmt: skip
@click.option("--check", is_flag=True, help="Say whether it could be made again, and what is missing; run nothing.")
@click.option("--tolerance", metavar="REL[/ABS]", help="How far numbers may be apart: 1e-6, or 1e-6/1e-9.")
@click.option("--keep", is_flag=True, help="Let the folder in which it is made again stay.")
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
def command(
    run: str, to: Path | None, wanted: str, image: str, check: bool, tolerance: str | None, keep: bool, as_json: bool
) -> None:  # fmt: skip
    """Make RUN again, and say whether it came out the same.

    Its code, data, artifacts, params and environment are brought to a folder aside, where its command runs once more;
    your work tree, index and HEAD are not touched. It becomes a run of its own, which says which one it reproduces.

    The verdict is `bitwise`: every param and metric, every step of the histories, every logged artifact and its
    metadata are the same to the last bit, but for what tells of time; `within tolerance`; `differs`, with the first
    difference and what was otherwise around it; or `cannot`, with every missing input. Exit code 0 for the first two,
    1 and 2 for the others.

    \b
    Examples:
      mlgit reproduce radiant-glade-12
      mlgit reproduce radiant-glade-12 --check
      mlgit reproduce latest --tolerance 1e-6 --env uv
      mlgit reproduce latest --env docker --image registry.example.com/train:3
      mlgit reproduce latest --to ../as-it-ran
    """
    from mlgit import wiring
    from mlgit.index import query
    from mlgit.integrations import shim
    from mlgit.reproduce import attempt, needs, recipe, verdict
    from mlgit.store import runs
    from mlgit.tracking import ending

    if image and wanted not in ("auto", "docker"):
        raise UsageError(f"--image is for a container, and --env says {wanted}.", fix="--env docker")
    limit = verdict.tolerance(tolerance) if tolerance is not None else None
    place = wiring.place()
    found = query.find(place.repo, run, project=place.meant)
    told = recipe.of(found, runs.surroundings(place.repo, found) if found.commit else {})
    wanted = "docker" if image else wanted
    needed = needs.look(place.repo, told, wanted=wanted, is_scratch=place.is_scratch, image=image)
    if check:
        _print_check(found, needed, as_json=as_json)
        sys.exit(2 if needed.missing else 0)
    into = None if to is None else Path(os.path.abspath(to))  # noqa: PTH100  (a link that the user names stays)
    how = attempt.Wanted(to=into, keep=keep, tolerance=limit)
    with output.kept_for_us() if as_json else contextlib.nullcontext():
        outcome = attempt.make(place.repo, told, needed, how, shim=shim.variables)
    if outcome.ended_by == signal.SIGINT:
        ending.by_interrupt()
    if outcome.ended_by:
        sys.exit(128 + outcome.ended_by)
    if as_json:
        output.as_json(_document(found, needed, outcome))
    else:
        _print(found, needed, outcome)
    sys.exit(_CODES[outcome.verdict.kind.value])


def _print_check(run: Run, needed: Needs, *, as_json: bool) -> None:
    if as_json:
        output.as_json({"run": run.id, "can": not needed.missing, "environment": needed.plan.kind,
                        "missing": _missing(needed.missing), "doubts": _missing(needed.doubts)})  # fmt: skip
        return
    if needed.missing:
        output.say(f"{escape.line(run.name)} cannot be made again here:")
    else:
        output.say(f"{escape.line(run.name)} can be made again, in {_KINDS[needed.plan.kind]}.")
    print_missing(needed.missing, needed.doubts)


_KINDS = {
    "current": "the Python that is here", "uv": "an environment that uv makes", "docker": "a container",
}  # fmt: skip


def print_missing(missing: Sequence[Missing], doubts: Sequence[Missing]) -> None:
    """Each thing that is missing, and what may be."""
    for one in missing:
        told = f"{one.name}: {one.why}" + (f"; to fix: {one.fix}" if one.fix else "")
        output.say(f"  {one.kind:<9} {escape.line(told, 1000)}")
    if doubts:
        output.say("Not taken along when it ran; whether it needs them, nobody can tell:")
    for one in doubts:
        output.say(f"  {one.kind:<9} {escape.line(one.name)}")


def _print(run: Run, needed: Needs, outcome: Outcome) -> None:
    result = outcome.verdict
    if result.kind.value == "cannot":
        output.say(f"cannot: {escape.line(run.name)} cannot be made again here")
        print_missing(outcome.missing, needed.doubts)
        return
    stated = f" ({result.tolerance})" if result.kind.value == "within tolerance" else ""
    output.say(f"{result.kind.value}{stated}: {escape.line(run.name)}, made again")
    if run.state.value != "finished" and not any(one.kind == "end" for one in result.differences):
        output.say(f"  it ended as it did then: {run.state.value}")
    if result.same or result.differences:
        output.say(f"  the same to the last bit: {_counted(result.same)}")
    else:
        output.say("  but for its end nothing was compared: it logged nothing, then and now")
    for one in result.differences[:_FEW]:
        output.say(f"  {'near' if one.allowed else 'differs'}: {_told(one)}")
    if (more := len(result.differences) - _FEW) > 0:
        output.say(f"  … and {more} more")
    if result.clocks:
        output.say(f"  left aside, for they tell of time: {output.some(result.clocks)}")
    if outcome.skipped_then:
        output.say(
            f"  skipped then, and run now: {output.some(outcome.skipped_then)}; what only these log is left aside"
        )
    if outcome.skipped_now:
        output.say(f"  not run again, for frozen: {output.some(outcome.skipped_now)}")
    if outcome.untouched:
        output.say(f"  not made again: {output.some(outcome.untouched)}; what lay there is taken as it was then")
    if outcome.saved:
        output.say(f"  saved with it, of other bytes, and no part of the verdict: {output.some(outcome.saved)}")
    if not outcome.is_whole:
        output.say("  of the history only what the run's branch holds: the whole is not here")
    if outcome.suspects:
        output.say("Otherwise than then:")
        for suspect in outcome.suspects[:20]:
            both = " → ".join(dict.fromkeys((suspect.before, suspect.after)))  # once, where it is no better known now
            output.say(f"  {escape.line(f'{suspect.name}: {both}', 1000)}")
    if outcome.again:
        output.note(f"recorded as {outcome.again.branch}")
    if outcome.folder:
        output.note(f"its code is in {outcome.folder}; git worktree remove --force takes it away")


_COUNTED = {
    "params": ("param", "params"), "metrics": ("metric", "metrics"), "series": ("series", "series"),
    "objects": ("object", "objects"), "artifacts": ("artifact", "artifacts"),
    "metadata": ("word of metadata", "words of metadata"),
}  # fmt: skip


def _counted(same: Mapping[str, int]) -> str:
    points = f" ({same['points']:,} point{'s' * (same['points'] != 1)})" if same.get("points") else ""
    told = [
        f"{count:,} {(one, several)[count != 1]}{points if name == 'series' else ''}"
        for name, (one, several) in _COUNTED.items()
        if (count := same.get(name))
    ]
    return ", ".join(told) or "nothing"


def _told(one: Difference) -> str:
    at = "" if one.step is None else f" at step {one.step}"
    before, after = (
        "nothing" if value is MISSING else output.shortened(escape.line(str(value), 1000), 80)
        for value in (one.before, one.after)
    )
    return f"{one.kind} {escape.line(one.name)}{at}: {before} → {after}"


def _missing(missing: Sequence[Missing]) -> list[dict[str, str]]:
    return [{"kind": one.kind, "name": one.name, "why": one.why, "fix": one.fix} for one in missing]


def _document(run: Run, needed: Needs, outcome: Outcome) -> dict[str, Any]:
    result = outcome.verdict

    def side(value: Any) -> Any:
        return None if value is MISSING else value

    return {
        "run": run.id, "verdict": result.kind.value, "environment": needed.plan.kind,
        "again": outcome.again.id if outcome.again else None,
        "branch": outcome.again.branch if outcome.again else None,
        "folder": str(outcome.folder) if outcome.folder else None,
        "same": dict(result.same),
        "tolerance": {"relative": result.tolerance.relative, "absolute": result.tolerance.absolute},
        "differences": [
            {"kind": one.kind, "name": one.name, "step": one.step, "before": side(one.before),
             "after": side(one.after), "allowed": one.allowed}
            for one in result.differences
        ],
        "left_aside": list(result.clocks), "whole_history": outcome.is_whole,
        "skipped_then": list(outcome.skipped_then), "skipped_now": list(outcome.skipped_now),
        "not_made_again": list(outcome.untouched),
        "saved_otherwise": list(outcome.saved),
        "suspects": [{"name": one.name, "before": one.before, "after": one.after} for one in outcome.suspects],
        "missing": _missing(outcome.missing), "doubts": _missing(needed.doubts),
    }  # fmt: skip
