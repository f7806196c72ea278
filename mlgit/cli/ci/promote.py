"""`mlgit ci promote`: what CI has trained, proposed for a stage where it is better than what that serves."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.choose import MODEL
from mlgit.cli.ci import job
from mlgit.core import escape
from mlgit.errors import MlgitError

if TYPE_CHECKING:
    from mlgit.ci.plan import Plan
    from mlgit.core.run import Run
    from mlgit.registry.moving.challenge import Challenge
    from mlgit.registry.moving.propose import Promotion
    from mlgit.store.place import Place


@click.command(short_help="Propose what was trained for a stage, where it is better.")
@click.option("--plan", "plan_file", required=True, metavar="FILE", type=click.Path(path_type=Path, exists=True),
              help="What `mlgit ci plan -o FILE` wrote; its runs are here.")  # fmt: skip
@click.option("--sha256", metavar="DIGEST", help="What FILE has to have: the plan's output `digest`.")
@click.option("--stage", default="production", show_default=True, help="The stage.")
@click.option("--name", type=MODEL, metavar="MODEL", help="The model's name.  [default: the project's]")
@click.option("--artifact", metavar="NAME", help="Which artifact it is, where the run logged several models.")
@click.option("--base", metavar="BRANCH", help="The branch to promote on.  [default: the job's, or main]")
@click.option("--json", "as_json", is_flag=True, help="Print what decided it, and the pull request, as JSON.")
def command(
    plan_file: Path, sha256: str | None, stage: str, name: str | None, artifact: str | None, base: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Compare what the runs of a plan made with what STAGE serves; open the promotion's pull request if it is better.

    Better: no metric is worse that a gate of registry/policy.yaml compares with the champion, and one is better, by
    more than the gate's tolerance; without such gates, by the goals of mlgit.yaml. All gates have to pass, and an open
    pull request that proposes something as good for the stage is not joined by another. The model is registered where
    it is proposed, and only then. That it is not better is no error: it is said, and in the job's summary.

    What is proposed is on the remote by then, with the bytes on the DVC remote. The report and the status of the gates
    are posted here, for GitHub starts no workflow by a pull request that a job's own token opens.

    \b
    Examples:
      mlgit ci promote --plan plan.json
      mlgit ci promote --plan plan.json --stage staging --name digits
    """
    from mlgit.registry.moving.challenge import Wish
    from mlgit.store import registry
    from mlgit.wiring import challenging, judging, reporting

    place = wiring.place()
    plan = job.plan(plan_file, sha256)
    into = registry.base_name(place.repo, base or os.environ.get("GITHUB_REF_NAME"))
    remote = wiring.remote(place)
    sources = judging.sources(place, remote=remote if remote.is_known else None)
    wish = Wish(model=name or plan.project, stage=stage, base=into, sources=sources, artifact=artifact)
    seen, made = challenging.challenge(place, _finished(place, plan), wish)
    job.summarize(_markdown(seen, made, stage))
    if made and (found := wiring.on_github(place)) and found[0].capabilities.writable:
        reporting.report_on(place, made.pull.number)
    if as_json:
        output.as_json(_plain(seen, made))
        return
    output.say(_said(seen, made, stage))
    for line in _notes(seen):
        output.note(line)


def _finished(place: Place, plan: Plan) -> list[Run]:
    """The runs of *plan* that have finished. Raises `MlgitError` where none has."""
    from mlgit.core.run import State
    from mlgit.index import query

    found = query.of_ids(place.repo, [trial.id for trial in plan.trials])
    finished = [run for run in found if run.state is State.FINISHED]
    if not finished:
        what = ", ".join(f"{run.name} {run.state.value}" for run in found) or "none of them is here"
        raise MlgitError(
            "No run of the plan has finished, so there is nothing to propose.", why=f"{what[:200]}.",
            fix="mlgit ci collect first, or look into what the trials say",
        )  # fmt: skip
    return finished


def _said(seen: Challenge, made: Promotion | None, stage: str) -> str:
    if made is None:
        return f"{seen.run.name} is not proposed for {stage}: {seen.why}."
    how = "proposes" if made.opened else "proposes already"
    return f"#{made.pull.number} {how} {seen.candidate.model} {seen.candidate.version} for {stage}: {seen.why}."


def _notes(seen: Challenge) -> list[str]:
    if not seen.changed or seen.champion is None:
        return []
    names, served = output.some(seen.changed), seen.champion.version
    how = f"mlgit model register {seen.run.name}, then mlgit promote, proposes it all the same"
    return [f"{served} was trained on other {names}: what it scored there may not compare. {how}."]


def _markdown(seen: Challenge, made: Promotion | None, stage: str) -> str:
    lines = [escape.markdown(_said(seen, made, stage), 2_000), *(escape.markdown(one, 2_000) for one in _notes(seen))]
    if made and made.pull.url:
        lines.append(f"[Pull request #{made.pull.number}]({made.pull.url})")
    return "\n\n".join(lines)


def _plain(seen: Challenge, made: Promotion | None) -> dict[str, Any]:
    return {
        "run": seen.run.id, "model": seen.candidate.model,
        "version": seen.candidate.version if seen.is_registered or made else None,
        "champion": seen.champion.version if seen.champion else None, "better": seen.is_won, "why": seen.why,
        "changed_data": list(seen.changed), "pull": made.pull.number if made else None,
        "opened": bool(made and made.opened),
    }  # fmt: skip
