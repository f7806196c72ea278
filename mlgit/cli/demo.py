"""`mlgit demo`: the whole story, with every command run for real."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from mlgit.cli import output
from mlgit.errors import MlgitError

_CHARTS = ".git/mlgit/forge/assets"
_PAGE = "pull-request.html"
_ELSEWHERE = "elsewhere"
"""What would lie on other machines."""
_STORAGE, _CLONE = f"{_ELSEWHERE}/storage", f"{_ELSEWHERE}/clone"


@click.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--trials", default=8, show_default=True, help="Trials of the sweep.")
@click.option("--agents", default=2, show_default=True, help="Trials side by side.")
def command(folder: Path | None, trials: int, agents: int) -> None:
    """One experiment from train.py to a promoted model, in a scratch repository: about a minute, offline.

    Real trainings on scikit-learn's digits become branches, a sweep searches for better params, a pull request shows
    what the best one did, the model goes to production through a gate, and a fresh clone makes its run again, bit for
    bit. FOLDER must not exist yet; without one, a temporary folder is made. It stays, to be looked at.

    \b
    Examples:
      mlgit demo
      mlgit demo ~/mlgit-demo --trials 12
    """
    began = time.monotonic()
    show = Stage(_folder(folder))

    show.title("A project: code, data under DVC, a policy for models")
    show.run("git", "init", "--quiet", "--initial-branch=main")
    _write_project(show.folder)
    show.mlgit("init")
    show.run("python", "prepare.py")
    show.run("dvc", "remote", "add", "--quiet", "--default", "storage", str(show.folder / _STORAGE))
    show.mlgit("data", "add", "data/train.npz", "data/test.npz")
    show.run("git", "add", ".")
    show.run("git", "commit", "--quiet", "-m", "Train on the digits")

    show.title("A baseline: the training becomes a branch")
    show.mlgit("run", "--name", "baseline", "--", "python", "train.py")

    show.title(f"A search: {trials} trials of a Bayesian sweep, {agents} side by side")
    show.mlgit("sweep", "run", "sweeps/digits.yaml", "--trials", str(trials), "--agents", str(agents), "--seed", "1")
    best = show.ask("sweep", "show", "latest", "--json")["best"]
    if best is None:
        raise MlgitError("No trial of the sweep succeeded.", fix=f"cd {show.folder} && mlgit sweep show latest")
    show.run("git", "branch", "--list", "exp/*")

    show.title("A pull request: what the best run did, against main's")
    show.mlgit("diff", "baseline", best["run"])
    show.mlgit("pr", "open", best["run"])
    show.mlgit("pr", "show", show.newest_pull(), "--html", _PAGE)
    show.mlgit("pr", "merge", show.newest_pull())

    show.title("A model: registered, then promoted by pull requests")
    show.mlgit("model", "register", best["run"], "--name", "digits")
    for stage in ("staging", "production"):
        show.mlgit("promote", "digits@v1.0.0", stage)
        show.mlgit("pr", "merge", show.newest_pull())

    show.title("A candidate that the gate refuses")
    show.mlgit("model", "register", "baseline", "--name", "digits")
    show.mlgit("promote", "digits@v1.1.0", "production", expect=4)

    show.title("Which data made the model in production?")
    show.mlgit("lineage", "digits@production")

    show.title("And can we make it again? On another machine, from a fresh clone, bit for bit")
    show.mlgit("data", "push")
    show.run("git", "clone", "--quiet", ".", _CLONE)
    there = show.inside(_CLONE)
    there.mlgit("pull")
    there.mlgit("reproduce", best["run"])

    show.title("Where to look")
    show.mlgit("model", "ls")
    show.run("git", "log", "--oneline", "--no-decorate", "-n", "5", "--", "registry/")
    (baseline,) = show.ask("ls", "--where", "name = baseline", "--json")
    _where(show.folder, best["branch"], baseline["branch"])
    output.say(f"\nDone in {time.monotonic() - began:.0f} s.")


def _folder(wanted: Path | None) -> Path:
    if wanted is None:
        return Path(tempfile.mkdtemp(prefix="mlgit-demo-"))
    if wanted.exists() and (not wanted.is_dir() or any(wanted.iterdir())):
        raise MlgitError(f"{wanted} is there already.", fix="name a folder that does not exist yet")
    wanted.mkdir(parents=True, exist_ok=True)
    return wanted.resolve()


def _write_project(folder: Path) -> None:
    from mlgit import resources

    shutil.copytree(resources.templates() / "demo", folder, dirs_exist_ok=True)
    (folder / ".gitignore").write_text(f"/{_PAGE}\n/{_ELSEWHERE}/\n")


def _where(folder: Path, best: str, baseline: str) -> None:
    charts = list((folder / _CHARTS).rglob("*.png"))
    facts = {
        "the repository": f"cd {folder}",
        "the best run": f"git show {best}",
        "in plain git": f"git diff {baseline} {best} -- experiment/metrics.yaml",
        "the comment": f"{folder / _PAGE}",
        "its charts": f"{len(charts)} pictures in {_CHARTS}, and on the branch mlgit-assets",
    }
    output.say()
    for name, fact in facts.items():
        output.say(f"  {name:<16}{fact}")


@dataclass(frozen=True)
class Stage:
    """Runs commands in the demo's folder, showing each as a person would type it."""

    folder: Path

    def title(self, text: str) -> None:
        """A heading."""
        click.echo(f"\n{click.style(text, bold=True)}")

    def inside(self, path: str) -> Stage:
        """The same in the folder *path* of this one."""
        self._show(("cd", path))
        return Stage(self.folder / path)

    def mlgit(self, *words: str, expect: int = 0) -> None:
        """An mlgit command."""
        self._call(("mlgit", *words), (sys.executable, "-m", "mlgit", *words), expect)

    def run(self, program: str, *words: str) -> None:
        """Any other command; Python and DVC are those of this environment."""
        known = {"python": (sys.executable,), "dvc": (sys.executable, "-m", "dvc")}
        self._call((program, *words), (*known.get(program, (program,)), *words), 0)

    def ask(self, *words: str) -> Any:
        """The JSON answer of an mlgit command, which the story goes on with."""
        call = (sys.executable, "-m", "mlgit", *words)
        done = subprocess.run(call, cwd=self.folder, env=self._env(), stdout=subprocess.PIPE, check=False)
        if done.returncode:
            raise MlgitError(f"`mlgit {' '.join(words)}` ended with {done.returncode}.", fix="mlgit doctor")
        return json.loads(done.stdout)

    def newest_pull(self) -> str:
        """The number of the pull request that was opened last."""
        return str(self.ask("pr", "ls", "--json")[0]["number"])

    def _call(self, shown: Sequence[str], words: Sequence[str], expect: int) -> None:
        self._show(shown)
        done = subprocess.run(words, cwd=self.folder, env=self._env(), check=False)
        if done.returncode != expect:
            raise MlgitError(
                f"`{shlex.join(shown)}` ended with {done.returncode} in {self.folder}.", fix="mlgit doctor"
            )
        if expect:
            output.say(f"(exit code {expect})")

    def _show(self, words: Sequence[str]) -> None:
        click.echo(click.style(f"$ {shlex.join(words)}", fg="cyan"))
        sys.stdout.flush()

    def _env(self) -> dict[str, str]:
        """This environment, with an identity for machines that have none, and its Python first on the path."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        names = {"GIT_AUTHOR_NAME": "Demo", "GIT_AUTHOR_EMAIL": "demo@example.com",
                 "GIT_COMMITTER_NAME": "Demo", "GIT_COMMITTER_EMAIL": "demo@example.com"}  # fmt: skip
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("MLGIT_")}
        return names | inherited | {"PATH": path, "DVC_NO_ANALYTICS": "1", "PYTHONWARNINGS": "ignore"}
