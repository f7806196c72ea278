"""`mlgit import`: runs of other tools become runs of ours."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.options import together
from mlgit.core import escape
from mlgit.errors import MlgitError, UsageError

if TYPE_CHECKING:
    from mlgit.integrations.importers.foreign import Foreign
    from mlgit.integrations.importers.keep import Filing, Kept

_ONE_BY_ONE = 20
"""So many runs are told one by one, more in sum."""
_PROBLEMS = 5
"""So many problems of a run are told."""


class _Group(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except OSError as exc:
            if exc.filename is None:  # it is no file that the other tool left
                raise
            raise MlgitError(f"{exc.filename} cannot be read.", why=exc.strerror or str(exc)) from None


@click.group(cls=_Group)
def command() -> None:
    """Take the runs of another tool along: each becomes a branch, as if it had been recorded here.

    Nothing of the other tool's is changed, and none of it has to be installed. Importing again changes nothing.

    \b
    Examples:
      mlgit import wandb wandb/
      mlgit import tensorboard runs/ --dry-run
      mlgit import mlflow sqlite:///mlflow.db
      mlgit import dvclive dvclive/
    """


_filed = together(
    click.option("--project", metavar="NAME", help="Put all of them into this project, instead of their own."),
    click.option("--group", metavar="NAME", help="Put all of them into this group, instead of their own."),
    click.option("--name", metavar="NAME", help="Call all of them so, instead of by their own names."),
    click.option("--tag", "tags", metavar="TAG", multiple=True, help="Tag them, too; may be repeated."),
    click.option("--dry-run", is_flag=True, help="Read everything, and write nothing."),
    click.option("--json", "json_", is_flag=True, help="Print what became of each as JSON."),
)
"""The options that every tool's command has."""


@command.command("wandb", short_help="Import the runs of W&B on this machine.")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="DIR...")
@_filed
def wandb(folders: tuple[Path, ...], **options: Any) -> None:
    """Import the runs that W&B recorded on this machine: a folder `wandb/`, or run folders in it.

    Runs that were killed come along as far as they were written. Links out of the script's folder are not followed.

    \b
    Examples:
      mlgit import wandb wandb/
      mlgit import wandb wandb/offline-run-20260301_101500-k3f9a2xq
    """
    from mlgit.integrations.importers import wandb as reader

    _import(reader.runs(folders), len(reader.folders(folders)), **options)


@command.command("tensorboard", short_help="Import event files, a run for each folder.")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="DIR...")
@_filed
def tensorboard(folders: tuple[Path, ...], **options: Any) -> None:
    """Import the event files below DIR: one run for each folder that has some.

    Tags keep the folders below their run's: `train/loss`. Scalars, histograms, pictures, sound, texts and
    hyperparameters come along; graphs, traces of steps and embeddings do not.

    \b
    Examples:
      mlgit import tensorboard runs/
      mlgit import tensorboard lightning_logs/version_3 --name resnet
    """
    from mlgit.integrations.importers import tensorboard as reader

    _import(reader.runs(folders), len(reader.folders(folders)), **options)


@command.command("mlflow", short_help="Import MLflow's runs, from SQLite or mlruns/.")
@click.argument("store", metavar="URI|DIR")
@click.option("--artifacts", multiple=True, type=click.Path(path_type=Path), metavar="DIR",
              help="Also take artifacts that lie below DIR, away from the store; may be repeated.")  # fmt: skip
@_filed
def mlflow(store: str, artifacts: tuple[Path, ...], **options: Any) -> None:
    """Import the runs of MLflow from its SQLite database or its folder `mlruns`; runs in its trash stay there.

    Its experiments are projects here; with --project, groups of that project.

    \b
    Examples:
      mlgit import mlflow sqlite:///mlflow.db
      mlgit import mlflow mlruns/ --project churn
    """
    from mlgit.integrations.importers import mlflow as reader
    from mlgit.integrations.importers import mlflow_stores

    found = mlflow_stores.store(store)
    deleted = [record.deleted for record in found.records()]
    runs = reader.runs(found, as_groups=bool(options["project"]), allowed=artifacts)
    _import(runs, len(deleted) - sum(deleted), **options)
    if any(deleted):
        output.note(f"{sum(deleted)} in MLflow's trash left there")


@command.command("dvclive", short_help="Import DVCLive's folders and DVC's experiments.")
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path), metavar="[DIR...]")
@click.option("--experiments", is_flag=True, help="Take the experiments of `dvc exp` in this repository, too.")
@_filed
def dvclive(folders: tuple[Path, ...], experiments: bool, **options: Any) -> None:
    """Import folders that DVCLive wrote, and the experiments that DVC keeps under refs/exps.

    A folder has no id of its own: the same content is the same run, and a new training in it another one.

    \b
    Examples:
      mlgit import dvclive dvclive/
      mlgit import dvclive --experiments
    """
    from itertools import chain

    from mlgit.integrations.importers import dvclive as reader

    repo = wiring.place().repo
    count = len(folders) + (len(reader.experiments(repo)) if experiments else 0)
    if not folders and not experiments:
        raise UsageError("Which folder?", fix="mlgit import dvclive DIR, or --experiments")
    _import(chain(reader.runs(folders), reader.experiment_runs(repo) if experiments else ()), count, **options)


def _import(
    runs: Iterable[Foreign], count: int | None, *, project: str | None, group: str | None, name: str | None,
    tags: tuple[str, ...], dry_run: bool, json_: bool,
) -> None:  # fmt: skip
    """Keep *runs*, about *count* of them, and say what became of each."""
    from mlgit.core import refs
    from mlgit.integrations.importers.keep import Filing, Keeper

    if project:
        refs.component(project, "project")
    filing = Filing(project=project, group=group, name=name, tags=tags)
    keeper = Keeper(wiring.place(), filing, dry_run=dry_run)
    done: list[Kept] = []
    with output.progress("importing", count, quiet=json_) as advance:
        for kept in keeper.keep(runs):
            done.append(kept)
            advance(1, escape.line(kept.run.name if kept.run else kept.foreign.id, 40))
    if json_:
        output.as_json([_document(kept) for kept in done])
    else:
        _say(done, filing)
    if any(kept.outcome == "failed" for kept in done):
        sys.exit(1)


def _say(done: Sequence[Kept], filing: Filing) -> None:
    by_outcome = Counter(kept.outcome for kept in done)
    new = [kept for kept in done if kept.outcome in ("imported", "would be imported")]
    if new and len(new) <= _ONE_BY_ONE:
        rows = [
            (kept.run.name, kept.run.project, kept.run.state.value, f"{kept.rows:,}", kept.run.branch or kept.run.id)
            for kept in new
            if kept.run
        ]
        output.table(("run", "project", "state", "rows", "branch" if new[0].outcome == "imported" else "id"), rows,
                     right=("rows",))  # fmt: skip
    for kept in done:
        name = kept.run.name if kept.run else kept.foreign.name or kept.foreign.id
        for problem in kept.problems[:_PROBLEMS]:
            output.note(f"{name}: {problem}")
        if len(kept.problems) > _PROBLEMS:
            output.note(f"{name}: … {len(kept.problems) - _PROBLEMS} more; --json tells them all")
    rows_ = sum(kept.rows for kept in new)
    told = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(by_outcome.items(), key=_place))
    output.say(f"{told or 'no runs'}{f', {rows_:,} rows of history' if new else ''}")
    if by_outcome["imported"] and not filing.project:
        projects = sorted({kept.run.project for kept in new if kept.run})
        output.note(f"Next: mlgit ls --all{'' if len(projects) > 1 else f' (project {projects[0]})'}")


def _place(item: tuple[str, int]) -> int:
    return ("imported", "would be imported", "already here", "hidden here", "failed").index(item[0])


def _document(kept: Kept) -> dict[str, Any]:
    return {
        "outcome": kept.outcome,
        "from": kept.foreign.tool,
        "id": kept.foreign.id,
        "source": kept.foreign.source,
        "run": kept.run and kept.run.id,
        "name": kept.run and kept.run.name,
        "project": kept.run and kept.run.project,
        "state": kept.run and kept.run.state.value,
        "branch": kept.run and (kept.run.branch or None),
        "rows": kept.rows,
        "problems": list(kept.problems),
    }
