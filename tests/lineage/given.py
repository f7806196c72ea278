"""A small world of runs that read, made and went on from one another, as branches and tags tell of it."""

from __future__ import annotations

import hashlib
from typing import Any

from mlgit.core.artifact import ArtifactVersion
from mlgit.core.model import ModelVersion, Stage
from mlgit.core.run import Run
from mlgit.git.repo import Move, Repo
from mlgit.lineage import gather
from mlgit.lineage.gather import Wish
from mlgit.lineage.graph import Graph, Way
from mlgit.store import registry
from mlgit.wiring import place
from mlgit.wiring.promoting import registered
from tests.recorded import record


def content(name: str) -> str:
    """A content hash, the same for the same *name*."""
    return hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()


def version(name: str, what: str, *, type: str = "dataset", **more: Any) -> ArtifactVersion:
    """A version of the artifact *name*, whose content is *what*."""
    about = {"size": 1 << 20, "path": name, "files": 2} | more
    return ArtifactVersion(name=name, type=type, hash=content(what), **about)


D0, D1 = version("digits", "d0", created=1e9), version("digits", "d1", created=1e9 + 1)
MODEL = version("churn-model", "m1", type="model", created=1e9 + 2)
OTHER = version("churn-model", "m2", type="model", created=1e9 + 3)
TRAIN = content("train.csv")


def world(repo: Repo) -> dict[str, Run]:
    """prepare → digits:v0, v1 → train (and data/train.csv) → churn-model:v0 → evaluate; tune goes on from train."""
    runs = [
        record(repo, "prepare1", name="prepare", logged=(D0,), created=1e9),
        record(repo, "prepare2", name="prepare-2", logged=(D1,), created=1e9 + 1),
        record(
            repo, "trained1", name="train", used=(D1,), logged=(MODEL,), data={"data/train.csv": TRAIN},
            metrics={"accuracy": 0.98, "loss": 0.07}, created=1e9 + 2,
        ),
        record(repo, "tuned111", name="tune", parent="trained1", used=(D1,), logged=(OTHER,), created=1e9 + 3),
        record(repo, "evaluate", name="evaluate", used=(MODEL,), created=1e9 + 4),
        record(repo, "apart111", name="apart", used=(D0,), created=1e9 + 5, sweep="lr-1"),
    ]  # fmt: skip
    return {run.id: run for run in runs}


def register(repo: Repo, run: Run, *, model: str = "churn", number: str = "v1.2.0", stage: str = "") -> None:
    """Let the first artifact of *run* be a version of a model; let a *stage* serve it, by file and by tag."""
    made = run.logged[0]
    one = ModelVersion(
        model=model, version=number, project=run.project, run=run.id, commit=run.commit, artifact=made.name,
        hash=made.hash, size=made.size, registered=run.created, metrics={"accuracy": 0.98},
    )  # fmt: skip
    tag(repo, f"{model}@{number}", run.commit, registry.message(one), int(run.created))
    if stage:
        tag(repo, f"{model}#{stage}#1", run.commit, stage, int(run.created) + 1)
        assert repo.work_tree
        path = repo.work_tree / registry.stage_path(model, stage)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(registry.stage_text(Stage(model=model, stage=stage, version=number)))
        repo.git("add", "--", str(path))
        repo.git("commit", "-qm", f"serve {number}")


def tag(repo: Repo, name: str, commit: str, message: str, when: int) -> None:
    """An annotated tag."""
    writer = repo.writer()
    head = f"object {commit}\ntype commit\ntag {name}\ntagger Ada <ada@example.com> {when} +0000"
    oid = writer.add("tag", f"{head}\n\n{message}\n".encode())
    writer.flush()
    repo.move([Move(f"refs/tags/{name}", None, oid)], why="test")


def lineage(repo: Repo, text: str, *ways: Way, **wish: Any) -> Graph:
    """The lineage of what *text* names; both ways unless said."""
    here = place(repo.folder)
    wanted = Wish(ways=ways or (Way.UP, Way.DOWN), **wish)
    return gather.gather(repo, text, registered(here), wanted, project=None, folder=repo.folder)


def edges(graph: Graph) -> set[tuple[str, str, str]]:
    """Its edges by the labels of their ends, without ids."""
    names = {key: node.label.partition(" (")[0] for key, node in graph.nodes.items()}
    return {(names[edge.source], edge.what, names[edge.target]) for edge in graph.edges}
