"""W&B's own commands, answered by mlgit: `python -m wandb …` and `wandb …` inside of `mlgit run --wandb`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mlgit.errors import MlgitError, NotFoundError
from mlgit.tracking.notice import notify

_NO_SERVER = {
    "init": "a project is there with its first run; `mlgit init` makes this folder one of mlgit's own",
    "login": "no login is needed: runs are branches of this repository",
    "logout": "nobody is logged in: there is no server",
    "off": "MLGIT_MODE=disabled turns runs off",
    "offline": "runs are branches of this repository: nothing is sent until `mlgit sync`",
    "on": "runs are on unless MLGIT_MODE=disabled turns them off",
    "online": "runs are branches of this repository: `mlgit sync` sends them",
    "pull": "files of runs are here: `mlgit show RUN --media --into DIR`",
    "restore": "`mlgit checkout RUN` brings back the code of a run, or files of it",
    "status": "`mlgit ls` lists runs, `mlgit doctor` checks this machine",
    "verify": "`mlgit doctor` checks this machine",
}
"""What means nothing without a server, or is another command's here, and the word for whoever asks."""
_NO_SERVER |= {"disabled": _NO_SERVER["off"], "enabled": _NO_SERVER["on"]}


class _Group(click.Group):
    """Called from a script of pip's or by `-m`, so it tells problems itself."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except MlgitError as exc:
            click.echo(f"wandb: {exc}", err=True)
            ctx.exit(exc.exit_code)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="wandb", prog_name="wandb", message="%(prog)s, version %(version)s")
def command() -> None:
    """W&B's commands as far as they mean something here: sweep, agent, sync and artifact work, the rest says a word."""


def _says(name: str) -> None:
    @command.command(name, context_settings={"ignore_unknown_options": True, "help_option_names": []})
    @click.argument("words", nargs=-1, type=click.UNPROCESSED)
    def say(**_words: object) -> None:  # whatever W&B takes
        notify(f"wandb {name}: {_NO_SERVER[name]}")


for _name in _NO_SERVER:
    _says(_name)


@command.command("sweep")
@click.option("-p", "--project", help="The sweep's project, instead of the file's.")
@click.option("-e", "--entity", help="W&B's; means nothing here.")
@click.option("--name", help="The sweep's name, instead of the file's.")
@click.option("--program", help="What its trials run, instead of the file's.")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def sweep(file: Path, project: str | None, entity: str | None, name: str | None, program: str | None) -> None:
    """Make the sweep that FILE describes, and say how to run it, in W&B's words: programs read them."""
    from mlgit.documents import reader
    from mlgit.sweeps import calling

    content = reader.plain(file.read_bytes(), source=str(file))
    if isinstance(content, dict):
        content |= {key: value for key, value in (("name", name), ("program", program)) if value}
    made = calling.sweep(content, entity, project)
    notify(f"Creating sweep with ID: {made}")
    notify(f"Run sweep agent with: wandb agent {made}")


@command.command("agent")
@click.option("-p", "--project", help="The sweep's project.")
@click.option("-e", "--entity", help="W&B's; means nothing here.")
@click.option("--count", type=click.IntRange(min=1), help="End after so many trials.")
@click.option("-f", "--forward-signals", is_flag=True, help="W&B's; changes nothing.")
@click.argument("sweep_id")
def agent(sweep_id: str, project: str | None, entity: str | None, count: int | None, forward_signals: bool) -> None:
    """Run trials of a sweep: its program, a process a trial."""
    from mlgit.sweeps import calling

    calling.agent(sweep_id, None, entity, project, count, forward_signals)


@command.command("sync", context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def sync(words: tuple[str, ...]) -> None:
    """Take runs along that W&B itself recorded below the folders that are named; runs of mlgit's need nothing."""
    from mlgit.cli import root
    from mlgit.integrations.importers import wandb as reader

    try:
        found = reader.folders(Path(word) for word in words if not word.startswith("-"))
    except NotFoundError:
        found = []
    if found:
        root.main(["import", "wandb", *map(str, found)], prog_name="mlgit", standalone_mode=False)
    else:
        notify("wandb sync: runs are branches of this repository: `mlgit sync` pushes them")


@command.group("artifact")
def artifact() -> None:
    """Put, get and list artifacts."""


@artifact.command("put")
@click.option("-n", "--name", help="project/name, or name.")
@click.option("-d", "--description", help="A sentence for people.")
@click.option("-t", "--type", default="dataset", show_default=True, help="What kind of artifact it is.")
@click.option("-a", "--alias", "aliases", multiple=True, help="Call the version so, beside latest; may be repeated.")
@click.argument("path", type=click.Path(path_type=Path, exists=True))
def put(path: Path, name: str | None, description: str | None, type: str, aliases: tuple[str, ...]) -> None:
    """Log the file or folder PATH as an artifact, in a run of its own."""
    from mlgit.tracking import session
    from mlgit.tracking.past import Artifact

    project, _, own = (name or path.stem).rpartition("/")
    draft = Artifact(own, type=type, description=description)
    (draft.add_dir if path.is_dir() else draft.add_file)(path)
    with session.init(project=project.rpartition("/")[2] or None, job_type="cli_put") as run:
        logged = run.log_artifact(draft, aliases=aliases).wait()
        click.echo(f"{run.project}/{logged.name}")


@artifact.command("get")
@click.option("--root", type=click.Path(), help="Put it into this folder.  [default: artifacts/NAME:VERSION]")
@click.option("--type", help="Only if it is of this type.")
@click.argument("name")
def get(name: str, root: str | None, type: str | None) -> None:
    """Bring the artifact NAME below ROOT; print where it is."""
    from mlgit.tracking.past import Api

    click.echo(Api().artifact(name, type=type).download(root=root))


@artifact.command("ls")
@click.option("-t", "--type", help="Only those of this type.")
@click.argument("path", required=False)
def ls(path: str | None, type: str | None) -> None:
    """List the artifacts of a project."""
    from mlgit.tracking.past import Api

    for kind in Api().artifact_types(path):
        for collection in kind.collections() if type in (None, kind.name) else ():
            click.echo(f"{kind.name}\t{collection.artifacts()[0].name}")
