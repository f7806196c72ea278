"""`mlgit ci collect`: what jobs have handed over, pushed at once."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.ci import job
from mlgit.core import escape, figures
from mlgit.errors import MlgitError

if TYPE_CHECKING:
    from mlgit.ci.collecting import Collected, Outcome
    from mlgit.ci.plan import Plan
    from mlgit.git.remote import Remote

_FILE = click.Path(path_type=Path, dir_okay=False)
_MOST = 200
"""Trials that the summary has a line for, and notes: GitHub takes 1 MiB of it."""


@click.command(short_help="Judge what jobs have handed over, and push it at once.")
@click.option("--plan", "plan_file", required=True, metavar="FILE", type=click.Path(path_type=Path, exists=True),
              help="What `mlgit ci plan -o FILE` wrote.")  # fmt: skip
@click.option("--sha256", metavar="DIGEST", help="What FILE has to have: the plan's output `digest`.")
@click.option("--to", "remote_name", metavar="REMOTE",
              help="Whereto: a remote's name, a URL or a path.  [default: origin, if there is one]")  # fmt: skip
@click.option("--output", "outputs", type=_FILE, envvar="GITHUB_OUTPUT", metavar="FILE",
              help="Add what a workflow's further jobs need to know.  [default: $GITHUB_OUTPUT]")  # fmt: skip
@click.option("--summary", "summary_file", type=_FILE, envvar="GITHUB_STEP_SUMMARY", metavar="FILE",
              help="Add a table as Markdown.  [default: $GITHUB_STEP_SUMMARY]")  # fmt: skip
@click.option("--json", "json_", is_flag=True, help="Print what has become of each trial, and what is next, as JSON.")
@click.argument("folders", nargs=-1, required=True, metavar="DIR...",
                type=click.Path(path_type=Path, file_okay=False))  # fmt: skip
def command(
    plan_file: Path, sha256: str | None, remote_name: str | None, folders: tuple[Path, ...], outputs: Path | None,
    summary_file: Path | None, json_: bool,
) -> None:  # fmt: skip
    """Take the runs that the jobs of a plan have put into each DIR, or into folders right below it; push all at once.

    Jobs ran code that nobody may have looked at. So every bundle is judged before anything of it is in the repository:
    it brings one run, of the plan, on top of the plan's commit, and git finds every object sound. What is missing or is
    not so is named, and all else is taken; the exit code is 1 then. Done again, it finds what is there already.

    With a sweep, its record is pushed too. The outputs are `runs`, `again` (the numbers of trials that have come to no
    end of their own), `part` and `go`, for a further `mlgit ci plan --part --go`; 0 where nothing follows.

    \b
    Examples:
      mlgit ci collect --plan plan.json handed/
      mlgit ci collect --plan plan.json --json job-0/ job-1/
    """
    from mlgit.wiring import collecting

    place = wiring.place()
    plan = job.plan(plan_file, sha256)
    remote: Remote | None = wiring.remote(place, _address(remote_name or "origin"))
    if remote_name is None and remote and not remote.is_known:
        remote = None
    there = [folder for folder in folders if folder.is_dir()]  # where every job has died, nobody has made it
    for folder in folders:
        if folder not in there:
            output.note(f"{folder} is not there: nothing was handed over in it")
    told = collecting.collect(place, plan, there, remote=remote)
    if summary_file:
        _append(summary_file, summary(plan, told))
    if outputs:
        _append(outputs, "".join(f"{name}={_value(value)}\n" for name, value in _next(plan, told).items()))
    if json_:
        output.as_json(_document(plan, told))
    else:
        _say(told)
    if not told.is_whole:
        sys.exit(1)


def _address(name: str) -> str:
    """*name*; of a folder, as it is seen from elsewhere."""
    return str(Path(name).resolve()) if "/" in name and Path(name).is_dir() else name


def _append(path: Path, text: str) -> None:
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as exc:
        raise MlgitError(f"{path} cannot be written.", why=exc.strerror or str(exc)) from None


def _value(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _next(plan: Plan, told: Collected) -> dict[str, Any]:
    """What the workflow dispatches: a `part` and which `go` of it, or 0; `again`: trials that have not ended."""
    from mlgit.ci.plan import follows

    part, go = follows(plan, told.was_stopped)
    return {
        "runs": sum(one.run is not None for one in told.outcomes),
        "part": part,
        "go": go,
        "again": told.again,
    }


def _document(plan: Plan, told: Collected) -> dict[str, Any]:
    return {
        "commit": plan.commit,
        "sweep": plan.sweep,
        "trials": [
            {
                "trial": one.trial, "name": one.name, "state": one.state, "why": one.why, "seconds": one.seconds,
                "run": one.run and one.run.id, "branch": one.run and one.run.branch,
                "metrics": one.run.scalars if one.run else {},
            }
            for one in told.outcomes
        ],
        "refused": told.refused,
        "problems": told.problems,
        "remote": told.remote,
        "pushed": told.pushed,
        "bytes": {"sent": told.sent, "homeless": told.homeless},
        "next": _next(plan, told),
    }  # fmt: skip


def _say(told: Collected) -> None:
    output.table(
        ("trial", "run", "state", "time", "result"),
        [
            (str(one.trial), one.name, one.state, figures.duration(one.seconds), _result(one))
            for one in told.outcomes
        ],
    )  # fmt: skip
    notes = _notes(told)
    for line in notes[:_MOST]:
        output.note(line)
    if len(notes) > _MOST:
        output.note(f"{len(notes) - _MOST:,} more")
    output.say(_last_line(told))


def _result(one: Outcome) -> str:
    return figures.headlines(one.run) if one.run else one.why


def _last_line(told: Collected) -> str:
    found = figures.count(sum(one.run is not None for one in told.outcomes), "run")
    if told.remote is None:
        return f"Collected {found}, here alone: there is no remote origin."
    if not told.pushed:
        return f"Collected {found}; {told.remote} has them already." if told.is_whole else f"Collected {found}."
    return f"Collected {found}; {figures.count(len(told.pushed), 'ref')} pushed to {told.remote} at once."


def _notes(told: Collected) -> list[str]:
    named = {f"{Path(path).name}: {why}" for path, why in told.refused.items()}
    found = [f"refused {line}" for line in sorted(named)]
    found += told.problems
    if told.homeless:
        found.append(
            f"{figures.count(told.homeless, 'content')} of DVC's stay in this clone alone, since there is no default "
            "DVC remote (dvc remote add -d NAME URL)"
        )
    return found


def summary(plan: Plan, told: Collected) -> str:
    """What has become of the trials, as Markdown."""
    lines = [f"### {escape.markdown(plan.what or plan.sweep_name or 'Trials')}", ""]
    lines += ["| trial | run | state | time | result |", "|--:|:--|:--|--:|:--|"]
    shown = sorted(told.outcomes, key=lambda one: one.run is not None)[:_MOST]  # what went wrong first
    lines += (
        f"| {one.trial} | {escape.markdown(one.name)} | {one.state} | {figures.duration(one.seconds)} "
        f"| {escape.markdown(_result(one))} |"
        for one in sorted(shown, key=lambda one: one.trial)
    )
    if rest := len(told.outcomes) - len(shown):
        lines.append(f"\n{rest} more.")
    notes = _notes(told)
    lines += ["", escape.markdown(_last_line(told)), *(f"- {escape.markdown(note)}" for note in notes[:_MOST])]
    if len(notes) > _MOST:
        lines.append(f"- {len(notes) - _MOST:,} more.")
    return "\n".join(lines) + "\n"
