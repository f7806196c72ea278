"""Lineage in a repository of 100,000 runs: what made a model, and what a dataset reached, as whole commands.

And versions of an artifact there, which very many runs have logged by one name.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks import crowd
from benchmarks.measure import ROOT, Line, at_most, process
from mlgit.core import refs
from mlgit.core.artifact import ArtifactVersion
from mlgit.core.model import ModelVersion, Stage
from mlgit.core.run import Run
from mlgit.git.objects import Writer
from mlgit.git.repo import Move, Repo
from mlgit.store import registry

COUNT = 100_000
_DATASETS = 10
"""Versions of one dataset, each used by a tenth of the runs: 10,000."""
_REGISTERED = 100
"""Versions of each model; the last one is in production."""
_EVERY = 20
"""Of so many runs one reads the model of the one before, and one is forked from it."""
_CHAIN = range(50_000, 51_000)
"""Runs each of which reads the model of the one before."""
_GREEDY, _CIRCLE = 60_000, 70_000
"""The run that reads the models of the thousand before it; the one that reads what it made."""


def content(*words: object) -> str:
    """A content hash, the same for the same *words*."""
    return hashlib.md5(repr(words).encode(), usedforsecurity=False).hexdigest()


def related(some: Iterator[Run]) -> Iterator[Run]:
    """*some* runs, each of which reads a dataset, which the first of ten thousand made, and logs a model.

    A few go on from the run before, and there is the worst of everything.
    """
    before: Run | None = None
    models: deque[ArtifactVersion] = deque(maxlen=1000)
    for number, run in enumerate(some):
        is_first = number % (COUNT // _DATASETS) == 0
        run = replace(run, project="digits") if is_first else run
        dataset = ArtifactVersion(
            name="digits", type="dataset", hash=f"{content('digits', number * _DATASETS // COUNT)}.dir", size=1 << 20,
            path="data/digits", files=60, created=run.created,
        )  # fmt: skip
        model = ArtifactVersion(
            name=f"{run.project}-model", type="model", hash=content("model", number), size=1 << 16, path="model.pt",
            files=1, created=run.created + 1 + number / 1e3, aliases=("latest",),
        )  # fmt: skip
        used = () if is_first else (dataset,)
        if number in _CHAIN or number % _EVERY == 1:
            used = (*used, models[-1])
        if number == _GREEDY:
            used = (*used, *models)
        if number == _CIRCLE:
            used = (*used, model)
        models.append(model)
        parent = before.id if before and number % _EVERY == 2 else None
        run = replace(
            run,
            used=used,
            logged=(dataset, model) if is_first else (model,),
            parent=parent,
            data={"data/train.csv": content("train", number // 5000), "data/words.txt": content("words")},
        )
        yield run
        before = run


def build(folder: Path) -> Repo:
    """The repository, with a hundred registered versions of each model, of which one is in production."""
    repo = crowd.build(folder, COUNT, told=related)
    source = repo.resolve("HEAD")
    assert source
    taken: dict[str, list[Run]] = defaultdict(list)
    for run in related(crowd.runs(COUNT, source)):
        taken[run.project].append(run)
    writer, tips = repo.writer(), repo.refs(refs.RUNS)
    moves: list[Move] = []
    stages: dict[str, bytes] = {}
    for model, runs in taken.items():
        for number, run in enumerate(runs[:: len(runs) // _REGISTERED][:_REGISTERED]):
            commit = tips[refs.run_ref(run.project, run.name, run.id)]
            made = run.logged[-1]
            version = ModelVersion(
                model=model, version=f"v1.{number}.0", project=model, run=run.id, commit=commit, artifact=made.name,
                hash=made.hash, size=made.size, registered=run.created, metrics=run.metrics,
            )  # fmt: skip
            moves.append(_tag(writer, f"{model}@{version.version}", commit, run.created, registry.message(version)))
            stage = Stage(model=model, stage="production", version=version.version)
        moves.append(_tag(writer, f"{model}#production#1", commit, run.created + 60, "production"))
        stages[registry.stage_path(model, "production")] = registry.stage_text(stage).encode()
    writer.flush()
    repo.move(moves, why="bench")
    for path, text in stages.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(text)
    repo.git("add", "-A")
    repo.git("-c", "user.name=bench", "-c", "user.email=bench@example.com", "commit", "-qm", "stages")
    os.utime(repo.common_dir / "packed-refs", (0, 0))
    return repo


def _tag(writer: Writer, name: str, commit: str, when: float, message: str) -> Move:
    text = f"object {commit}\ntype commit\ntag {name}\ntagger Ada <ada@example.com> {int(when)} +0000\n\n{message}\n"
    return Move(f"refs/tags/{name}", None, writer.add("tag", text.encode()))


def lines() -> Iterator[Line]:
    """Wall time of whole commands, the index being up to date."""
    with tempfile.TemporaryDirectory() as scratch:
        repo = build(Path(scratch) / "repo")
        ask = (sys.executable, "-m", "mlgit")
        env = {"MLGIT_SILENT": "1", "PYTHONPATH": str(ROOT)}
        for what, words in _ASKED.items():
            cost = process((*ask, *words), folder=repo.folder, runs=5, env=env).wall
            yield at_most(f"{COUNT:,} runs: {what}", cost, 300, "ms")
        for what, words in _REACHED.items():
            cost = process((*ask, *words), folder=repo.folder, runs=3, env=env).wall
            yield at_most(f"{COUNT:,} runs: {what}", cost, 1500, "ms")
        for what, code in _SCRIPTS.items():
            cost = process((sys.executable, "-c", code), folder=repo.folder, runs=5, env=env).wall
            yield at_most(f"{COUNT:,} runs: {what}", cost, 300, "ms")


_ASKED = {
    "what made the model in production": ("lineage", "digits@production", "--up"),
    "all about a dataset that 10,000 runs used": ("lineage", "digits:v4"),
    "all about one model of 20,000": ("lineage", "digits-model:v15000"),
    "all about the newest run": ("lineage", "latest"),
    "all of data that 5,000 runs read, by its hash": ("lineage", content("train", 7)),
    "a dataset, as a graph for Graphviz": ("lineage", "digits:v4", "--dot"),
    "all of data that all runs read": ("lineage", content("words")),
    "what made the last of a thousand generations": ("lineage", content("model", _CHAIN[-1]), "--up"),
    "a run that reads a thousand models": ("lineage", content("model", _GREEDY), "--up"),
    "a run that reads what it made": ("lineage", content("model", _CIRCLE)),
    "mlgit data ls": ("data", "ls"),
    "mlgit data history of a model that 20,000 runs logged": ("data", "history", "digits/digits-model"),
    "mlgit show of one of these runs": ("show", "latest"),
}
_REACHED = {
    "all that data has reached which all runs read": ("affected", content("words")),
    "the same, every run of it in JSON": ("affected", content("words"), "--json", "--limit", "0"),
}
_SCRIPTS = {
    "Api().artifact(…:latest)": "import mlgit; mlgit.Api().artifact('digits/digits-model:latest').logged_by()",
    "Api().artifacts(…)[0] of 20,000": "import mlgit; mlgit.Api().artifacts('model', 'digits/digits-model')[0].name",
    "Api().artifact_collections()": "import mlgit; mlgit.Api().artifact_collections('digits', 'model')",
    "used_by()": "import mlgit; mlgit.Api().artifact('digits/digits-model:v7').used_by()",
    "logged_artifacts()": "import mlgit; mlgit.Api().runs('digits', order='-created_at')[0].logged_artifacts()",
}


if __name__ == "__main__":
    build(Path(sys.argv[1]))
