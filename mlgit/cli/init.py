"""`mlgit init`: make a folder an mlgit project."""

from __future__ import annotations

from pathlib import Path

import click

from mlgit.cli import output


@click.command()
@click.option("--project", help="The project's name, under which its runs are kept.  [default: the folder's]")
@click.option("--dvc/--no-dvc", default=True, help="Set DVC up as well, for data and models.", show_default=True)
@click.option(
    "--github",
    is_flag=True,
    help="Write the workflow, too, that runs jobs on GitHub's runners: mlgit launch --on actions.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the names of the files that were written, as JSON.")
def command(project: str | None, dvc: bool, github: bool, as_json: bool) -> None:
    """Make the current folder an mlgit project: a commented mlgit.yaml, and DVC's set-up.

    What is there stays as it is, so it may be run again. Nothing is committed: the files are yours to look at.

    \b
    Examples:
      mlgit init
      mlgit init --project churn
      mlgit init --github
    """
    from mlgit import wiring

    folder = Path.cwd()
    written = wiring.init_project(folder, project=project, dvc=dvc, github=github)
    if as_json:
        output.as_json({"written": written})
        return
    files = [name for name in written if name != ".git"]
    if files != written:
        output.say("made a git repository here")
    for name in files:
        output.say(f"wrote {name}")
    if not written:
        output.say("Everything is there already.")
    else:
        output.say(f"\nNext: git add {' '.join(files)} && git commit -m 'Use mlgit', then mlgit run -- python train.py")
        _tell_of_scratch(folder)


def _tell_of_scratch(folder: Path) -> None:
    """Who ran something here before there was a repository may look for it."""
    import shlex

    from mlgit.index import query
    from mlgit.store import scratch

    if (repo := scratch.existing()) and (count := query.projects(repo).total()):
        runs = "a run" if count == 1 else f"{count} runs"
        there, here = shlex.quote(str(repo.folder)), shlex.quote(str(folder))
        output.note(f"outside of any repository you made {runs}; to take along: cd {there} && mlgit push --to {here}")
