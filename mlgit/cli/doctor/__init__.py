"""`mlgit doctor`: what this machine and this repository lack, and how to mend it. Looks, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from mlgit.cli import output
from mlgit.cli.doctor import data, machine, repository
from mlgit.cli.doctor.finding import Finding, Health
from mlgit.errors import GitError
from mlgit.git.repo import Repo


@click.command(short_help="Check this machine and this repository.")
@click.option("--remote", "asks", is_flag=True, help="Send a few bytes to each DVC remote, too, and take them away.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(asks: bool, as_json: bool) -> None:
    """Check this machine and this repository; exit code 1 when something fails. Nothing is changed.

    \b
    Examples:
      mlgit doctor
      mlgit doctor --remote
      mlgit doctor --json
    """
    findings = [*_diagnose(Path.cwd()), *(data.reached(Path.cwd()) if asks else ())]
    if as_json:
        output.as_json([{"what": f.what, "health": f.health.value, "says": f.says, "fix": f.fix} for f in findings])
    elif output.is_terminal():
        _print(findings)
    else:
        output.table(("what", "health", "says", "fix"), [[f.what, f.health.value, f.says, f.fix] for f in findings])
    if any(finding.health is Health.FAIL for finding in findings):
        click.get_current_context().exit(1)


def _print(findings: list[Finding]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from mlgit.core import escape

    marks = {Health.OK: ("✓", "green"), Health.WARN: ("!", "yellow"), Health.FAIL: ("✗", "red")}
    grid = Table.grid(padding=(0, 2, 0, 0))
    for finding in findings:
        mark, colour = marks[finding.health]
        says = [Text(escape.line(finding.says, 500))]
        if finding.fix:
            says.append(Text(f"→ {escape.line(finding.fix, 500)}", style="dim"))
        grid.add_row(Text.assemble((f"{mark} ", colour), (finding.what, "bold")), Text("\n").join(says))
    Console().print(grid)


def _diagnose(folder: Path) -> Iterator[Finding]:
    yield machine.python()
    git = machine.git(folder)
    yield git
    yield machine.libraries()
    yield machine.docker()
    if git.health is Health.FAIL:
        return
    try:
        repo = Repo.find(folder)
    except GitError as exc:
        says = " ".join((exc.what, *exc.why.split()))
        yield Finding("repository", Health.FAIL, says, exc.fix or "a newer git may be able to read it")
        return
    if repo is None:
        says = f"{folder} is in no git repository; runs go to the scratch repository of this user"
        yield Finding("repository", Health.WARN, says, "git init, then mlgit init")
        return
    yield from repository.kind(repo)
    yield repository.identity(repo)
    yield repository.disk(repo)
    yield repository.options(repo, folder)
    yield data.dvc(repo, folder)
    yield repository.dead_runs(repo)
    yield from repository.stages(repo)
    yield from repository.keys(repo)
