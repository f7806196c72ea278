"""`mlgit run`: record a command as a branch."""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlgit.cli import choose
from mlgit.cli.sections import Sectioned
from mlgit.errors import UsageError

if TYPE_CHECKING:
    from mlgit.ci.page import Page
    from mlgit.core.run import Run
    from mlgit.store.place import Place

_SECTIONS = {
    "Stages of dvc.yaml": (
        "stages",
        "force",
        "downstream",
        "single_item",
        "all_pipelines",
        "keep_going",
        "pull",
        "dry_run",
        "as_json",
    ),
    "What goes in, and what comes out": ("params", "metrics", "wandb"),
    "What the run is called": ("name", "group", "tags", "notes", "job_type", "project", "sweep"),
    "What it goes on from": ("run_id", "resume", "fork", "rewind"),
    "While it is under way": ("system_seconds", "checkpoint_seconds", "push"),
}


@click.command(cls=Sectioned, sections=_SECTIONS, context_settings={"allow_interspersed_args": False})
@click.option("-p", "--param", "params", multiple=True, metavar="NAME=VALUE",
              help="Set a param, its value read as YAML (0.1, true, [1, 2]); may be repeated. "
                   "FILE:NAME=VALUE sets it in another params file, YAML, JSON, TOML or Python.")  # fmt: skip
@click.option("--inner", multiple=True, metavar="NAME", hidden=True,
              help="This param of -p stands in a mapping: a.b is b of a.")  # fmt: skip
@click.option("-s", "--stage", "stages", multiple=True, metavar="STAGE", type=choose.StageName(),
              help="This stage of dvc.yaml, and what it depends on; may be repeated.")  # fmt: skip
@click.option("-f", "--force", is_flag=True, help="Run stages that are unchanged, too.")
@click.option("--downstream", is_flag=True, help="Run what depends on the stages asked for, and not what they need.")
@click.option("--single-item", is_flag=True, help="Run the stages asked for alone, not what they depend on.")
@click.option("--all-pipelines", is_flag=True, help="Run the stages of every dvc.yaml of the project.")
@click.option("--keep-going", is_flag=True, help="When a stage fails, run those that do not depend on it.")
@click.option("--pull", is_flag=True, help="Fetch from the DVC remote what is missing here, the run cache too.")
@click.option("--dry-run", is_flag=True, help="Only say which stages would run, and why; with -p, would run then.")
@click.option("--json", "as_json", is_flag=True, help="Print what --dry-run says as JSON.")
@click.option("-n", "--name", help="The run's name for people.  [default: two words and a number]")
@click.option("-g", "--group", help="File it under a group.")
@click.option("-t", "--tag", "tags", multiple=True, help="Tag it; may be repeated.")
@click.option("--notes", help="A word about why.")
@click.option("--job-type", help="What kind of job it is: train, eval, …")
@click.option("--project", help="Another project than mlgit.yaml's.")
@click.option("--sweep", metavar="ID", help="The sweep that this is a trial of.")
@click.option("-m", "--metrics", "metrics", multiple=True, metavar="FILE",
              help="A metrics file that the command writes, YAML, JSON or CSV; may be repeated.")  # fmt: skip
@click.option(
    "--system-seconds",
    type=click.FloatRange(min=0),
    metavar="S",
    help="Look at the machine every S seconds; 0: never.  [default: run.system_seconds in mlgit.yaml, or 15]",
)
@click.option("--wandb", is_flag=True,
              help="`import wandb` means mlgit in the command and in all that it starts, also inside of libraries; "
                   "a Python with -I or -E cannot be reached.")  # fmt: skip
@click.option("--id", "run_id", metavar="ID",
              help="The run of this id: goes on with it if it is there, else begins it. So a job that is begun again "
                   "goes on.")  # fmt: skip
@click.option(
    "--resume", type=choose.RUN, metavar="RUN", help="Go on with RUN; 'auto': with the last one that did not end well."
)
@click.option(
    "--fork", type=choose.RUN, metavar="RUN@STEP", help="Begin where RUN stood after STEP, as a run of its own."
)
@click.option(
    "--rewind", type=choose.RUN, metavar="RUN@STEP", help="Go on with RUN from STEP; what came later is taken back."
)
@click.option("--checkpoint", "checkpoint_seconds", metavar="TIME",
              help="Commit it at this interval while it runs (30s, 5m, 1h), for others to see.")  # fmt: skip
@click.option("--push", is_flag=True, default=None, help="Push these commits, and the last one, to the remote origin.")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND...]")
def command(
    words: tuple[str, ...], params: tuple[str, ...], inner: tuple[str, ...], metrics: tuple[str, ...], wandb: bool,
    run_id: str | None, resume: str | None, fork: str | None, rewind: str | None, stages: tuple[str, ...],
    force: bool, downstream: bool, single_item: bool, all_pipelines: bool, keep_going: bool, pull: bool, dry_run: bool,
    as_json: bool, **wishes: Any,
) -> None:  # fmt: skip
    """Run COMMAND and record it: its code, params, metrics and output become the branch exp/<project>/<name>-<id>.

    Any program in any language will do. It finds its params in the project's params file (`run.params` in mlgit.yaml),
    in the environment (MLGIT_PARAM_lr, MLGIT_PARAMS as JSON) or in its own command line, where {lr} stands for the
    value. Its metrics come from mlgit.log(), or from a file that it writes. Work tree, index and HEAD are not touched.
    Ends with COMMAND's own exit code.

    Without a COMMAND the stages of the project's dvc.yaml are run as `dvc repro` runs them: what is unchanged is
    skipped or comes from DVC's run cache, and what the stages made becomes the run's artifacts, metrics and series.
    With -p dvc.lock and the outputs are given back afterwards.

    \b
    Examples:
      mlgit run -- python train.py
      mlgit run -p lr=0.1 -p model.depth=3 -n baseline -- python train.py
      mlgit run -p lr=0.1 -m metrics.json -- ./train --rate {lr}
      mlgit run --wandb -- python train.py
      mlgit run -p lr=0.1 -p net.toml:depth=3 --stage train
      mlgit run --resume auto --checkpoint 5m --push -- python train.py
    """
    from mlgit.cli import output
    from mlgit.integrations import shim
    from mlgit.store import place
    from mlgit.tracking import begin, ending, files, lives, notice
    from mlgit.tracking.command import run as execution
    from mlgit.tracking.run import active
    from mlgit.tracking.wish import settle

    folder = place.here()
    home = begin.place_for(folder)
    flags = {
        "--force": force, "--downstream": downstream, "--single-item": single_item, "--all-pipelines": all_pipelines,
        "--keep-going": keep_going, "--pull": pull,
    }  # fmt: skip
    options = [name for name, is_on in flags.items() if is_on]
    folder, words = _meant(home, folder, words, stages, options, dry_run=dry_run)
    if as_json and not dry_run:
        raise UsageError("--json is for what --dry-run says.", fix="mlgit show --json prints a run")
    if dry_run:
        _plan(home, folder, words, params, as_json=as_json)
        return
    said = {name: value for name, value in wishes.items() if value not in (None, ())}
    goes_on = lives.asked(home.repo, run_id=run_id, resume=resume, fork=fork, rewind=rewind)
    page = _page(home, run_id, is_trial="sweep" in said)
    ended = execution.run(
        home,
        settle(said | goes_on),
        execution.Command(
            words=words,
            params=files.parse_assignments(params),
            inner=inner,
            metrics=metrics,
            env=shim.variables(words) if wandb else {},
            takes_wandb=wandb,
            said=tuple(said),
            beside=functools.partial(_beside, page) if page else None,
        ),
        folder,
    )
    if page:
        told = ended.run if ended.run.commit else None
        page.ended(f"Run {ended.run.name}", told, seconds=ended.run.duration or 0.0)
        if told:
            output.hand_on(run=told.id, branch=told.branch)
    if ended.run.commit:
        notice.notify(active.last_words(ended.run, ended.exit_code))
    if ended.exit_code == 128 + signal.SIGINT:
        ending.by_interrupt()
    sys.exit(ended.exit_code)


def _page(home: Place, run_id: str | None, *, is_trial: bool) -> Page | None:
    """Where a job of GitHub's shows the run; None outside of one, and where somebody around it does that."""
    if not os.environ.get("GITHUB_ACTIONS") or is_trial:
        return None
    from mlgit.ci import page, settings
    from mlgit.cli import output
    from mlgit.tracking import wish

    if run_id and os.environ.get(page.TOLD) == run_id:
        return None
    return page.Page(
        repo=home.repo, goals=home.settings.goals, summary=page.of_step(),
        tell=output.note if not wish.is_silent() else lambda _: None,
        seconds=settings.read(home.settings).progress_seconds,
    )  # fmt: skip


def _beside(page: Page, run: Run) -> AbstractContextManager[Mapping[str, str]]:
    """Tell of *run* while it is under way; the steps after ours know it from now on, however it ends."""
    from mlgit.cli import output

    output.hand_on(run=run.id)
    return page.beside(run.id, f"Run {run.name}")


def _meant(
    home: Place, here: Path, words: tuple[str, ...], stages: Sequence[str], options: Sequence[str], *, dry_run: bool
) -> tuple[Path, tuple[str, ...]]:  # fmt: skip
    """What is run, and where: COMMAND, or the stages of dvc.yaml. Raises `UsageError` for what suits neither."""
    if words in ((), ("mlgit", "run")):  # the latter is what a sweep's file may say
        return _stages_folder(home, here, stages), ("dvc", "repro", *options, *(["--"] if stages else []), *stages)
    if said := [*(["--stage"] if stages else []), *options, *(["--dry-run"] if dry_run else [])]:
        _check_no_stage(home, here, words, options)
        raise UsageError(f"{', '.join(said)}: for the stages of dvc.yaml, not for a COMMAND.")
    _check_no_stage(home, here, words)
    return here, words


def _stages_folder(home: Place, here: Path, stages: Sequence[str]) -> Path:
    """Where the project's dvc.yaml with these *stages* is. Raises `UsageError` where it has none."""
    from mlgit.tracking.command import pipeline

    folder = pipeline.folder_of(home, here)
    if folder is None:
        why = f"There is no {pipeline.FILE} either, whose stages could be run."
        raise UsageError("There is no command to run.", why=why, fix="mlgit run -- python train.py")
    pipeline.check(folder, stages)
    return folder


def _check_no_stage(home: Place, folder: Path, words: Sequence[str], options: Sequence[str] = ()) -> None:
    """Raise `UsageError` where the first of *words* is no program, but a stage of the project."""
    import shutil

    from mlgit.tracking.command import pipeline

    if shutil.which(words[0]) or (place := pipeline.folder_of(home, folder)) is None:
        return
    if words[0] in pipeline.names(place):
        asked = " ".join([*options, *(f"--stage {word}" for word in words)])
        raise UsageError(f"There is no program {words[0]!r}; it is a stage of dvc.yaml.", fix=f"mlgit run {asked}")


def _plan(home: Place, folder: Path, words: Sequence[str], params: tuple[str, ...], *, as_json: bool) -> None:
    """Say which stages *words* would run, with these *params*."""
    from mlgit.cli import output
    from mlgit.dvc.pipelines import planning
    from mlgit.tracking import files
    from mlgit.tracking.command import run as execution

    found, instead = execution.foreseen(home, words, files.parse_assignments(params), folder)
    os.chdir(folder)
    planned = planning.plan(found.options, instead=instead)
    if as_json:
        output.as_json([asdict(one) for one in planned])
        return
    for one in planned:
        output.say(f"{one.name}: {f'would run ({output.some(one.why, 4)})' if one.would_run else 'unchanged'}")
