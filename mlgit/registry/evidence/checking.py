"""The program of a gate, run over a copy of the base branch's files: never over those of a pull request."""

from __future__ import annotations

from dataclasses import dataclass

from mlgit.core import figures
from mlgit.core.model import ModelVersion
from mlgit.documents.writer import as_data
from mlgit.errors import MlgitError
from mlgit.git.repo import Repo
from mlgit.registry import deliver, programs
from mlgit.registry.policy.evidence import Ran
from mlgit.registry.policy.gates.command import Settings
from mlgit.store import records


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What a program judges."""

    repo: Repo
    base: str
    """The commit whose files it is of."""
    stage: str
    candidate: ModelVersion
    champion: ModelVersion | None


def run(trial: Trial, asked: Settings) -> Ran:
    """How the program ended: with what it is about as JSON on its standard input, and as `MLGIT_*` in its environment.

    What it writes into its folder goes with that; there is no git in it.
    """
    one = trial.candidate
    about = {
        "stage": trial.stage, "candidate": as_data(one),
        "champion": as_data(trial.champion) if trial.champion else None,
    }  # fmt: skip
    env = {"MLGIT_MODEL": one.model, "MLGIT_VERSION": one.version, "MLGIT_STAGE": trial.stage}
    try:
        with programs.copy(trial.repo, trial.base) as folder:
            if asked.model:
                place = folder.parent / "model"
                deliver.deliver(trial.repo, one, place)
                env["MLGIT_MODEL_DIR"] = str(place)
            ended = programs.run(
                asked.command, folder, seconds=figures.seconds(asked.timeout) or 0.0, content=records.encode(about),
                env=env,
            )  # fmt: skip
    except MlgitError as exc:
        return Ran(problem=" ".join(filter(None, (exc.what, exc.why))))
    return Ran(code=ended.code, last=ended.last)
