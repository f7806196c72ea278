"""A registry of 2,000 models of 20 versions and 3 stages: whole commands, the index being up to date, and cold.

python -m benchmarks.registry /tmp/registry
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import ROOT, Line, at_most, figure, process
from benchmarks.start import repository
from mlgit.core.model import ModelVersion, Stage
from mlgit.core.model_card import ModelCard
from mlgit.git.objects import Writer
from mlgit.git.repo import Repo
from mlgit.store import registry

MODELS, VERSIONS = 2_000, 20
STAGES = {"dev": 10, "staging": 4, "production": 2}
"""Each with the versions that it has served, the newest ones, one after the other."""
_BEGIN, _DAY = 1_700_000_000, 86_400
_POLICY = b"""\
stages:
  dev:
  staging:
  production:
    gates:
      - metric: accuracy
        min: 0.5
      - metric: loss
        not_worse_than: champion
        tolerance: 0.1
"""


def build(folder: Path) -> Repo:
    """The repository: a tag a version on a commit of its own, a tag a promotion, and the files of both on main.

    Of what a stage has served, main's own history has the last.
    """
    repository(folder)
    repo = Repo.find(folder)
    assert repo
    start = repo.resolve("HEAD")
    assert start
    writer, packed = repo.writer(), {"refs/heads/main": start}
    empty = writer.folder({"experiment/run.yaml": b"id: x\n"})
    files: dict[str, bytes] = {registry.POLICY: _POLICY}
    promotions: list[tuple[float, str, bytes]] = []
    peeled: dict[str, str] = {}
    for number in range(MODELS):
        model = f"{_KINDS[number % len(_KINDS)]}-{number:04d}"
        made = [_version(writer, empty, start, model, number, one) for one in range(VERSIONS)]
        for version in made:
            name = f"{model}@{version.version}"
            packed[f"refs/tags/{name}"] = _tag(writer, name, version, version.registered, registry.message(version))
            peeled[f"refs/tags/{name}"] = version.commit
        count = 0
        for stage, some in STAGES.items():
            for version in made[-some:]:
                count += 1
                name = f"{model}#{stage}#{count}"
                said = f"{model} {version.version} is {stage}\n\nMerged by {start}\nMlgit-Promotion: {_RECORD}"
                packed[f"refs/tags/{name}"] = _tag(writer, name, version, version.registered + 60 + count, said)
                peeled[f"refs/tags/{name}"] = version.commit
                files[registry.version_path(model, version.version)] = registry.version_text(version).encode()
            text = registry.stage_text(Stage(model=model, stage=stage, version=made[-1].version))
            promotions.append((made[-1].registered + 60 + count, registry.stage_path(model, stage), text.encode()))
        files[registry.card_path(model)] = registry.card_text(registry.Card(project=model)).encode()
    tree = writer.folder(files)
    packed["refs/heads/main"] = repo.write_commit(writer, tree, [start], "registry", when=_BEGIN)
    writer.flush()
    lines = "".join(
        f"{oid} {ref}\n" + (f"^{peeled[ref]}\n" if ref in peeled else "") for ref, oid in sorted(packed.items())
    )
    (repo.git_dir / "packed-refs").write_text(f"# pack-refs with: peeled fully-peeled sorted \n{lines}")
    (repo.git_dir / "refs" / "heads" / "main").unlink()
    _promote(repo, sorted(promotions))
    repo.git("read-tree", "HEAD")
    repo.git("checkout-index", "-aq")
    repo.git("commit-graph", "write")
    os.utime(repo.common_dir / "packed-refs", (0, 0))
    return repo


def _promote(repo: Repo, promotions: list[tuple[float, str, bytes]]) -> None:
    """A commit on main for each: when, the stage's file, what it says."""
    words = ("git", "fast-import", "--quiet")
    with subprocess.Popen(words, cwd=repo.folder, stdin=subprocess.PIPE) as importing:
        assert importing.stdin
        for number, (when, path, text) in enumerate(promotions):
            start = b"from refs/heads/main^0\n" if number == 0 else b""
            head = f"commit refs/heads/main\ncommitter Ada <ada@example.com> {int(when)} +0000\ndata 7\npromote\n"
            importing.stdin.write(head.encode() + start + f"M 100644 inline {path}\ndata {len(text)}\n".encode() + text)
        importing.stdin.close()
    if importing.returncode:
        raise SystemExit("git fast-import failed")


_KINDS = ("churn", "ranking", "speech", "vision", "fraud")
_GATE = {"kind": "metric", "where": "registry/policy.yaml:4", "outcome": "pass", "observed": "0.91"}
_RECORD = json.dumps({"policy": "a" * 40, "gates": [_GATE] * 4, "author": "ada", "approvers": ["grace"], "pull": 7})


def _version(writer: Writer, tree: str, parent: str, model: str, number: int, one: int) -> ModelVersion:
    made = _BEGIN + (number * 7919 % MODELS) * 60 + one * 7 * _DAY
    who = f"Ada <ada@example.com> {made} +0000"
    text = f"tree {tree}\nparent {parent}\nauthor {who}\ncommitter {who}\n\n{model} {one}\n"
    sum_ = hashlib.sha256(text.encode()).hexdigest()
    return ModelVersion(
        model=model, version=f"v1.{one}.0", project=model, run=sum_[:12], commit=writer.add("commit", text.encode()),
        artifact=f"{model}-model", hash=sum_[:32], sha256=dict.fromkeys(("config.json", "model.safetensors"), sum_),
        size=1 << 20, registered=float(made), description="Trained by the nightly job.",
        metrics={"accuracy": 0.8 + one / 200, "loss": 0.4 - one / 100, "auc": 0.9, "latency_ms": 12.5},
        params={"lr": 0.001, "epochs": 20, "optimizer": "adam", "depth": 6, "seed": one},
        data={"data/train.csv": sum_[:32], "data/test.csv": sum_[32:]}, changed_data={},
        card=ModelCard(framework="pytorch", version="2.4.0", format="safetensors", made="torch.nn.Module",
                       parameters=1_000_000, dtype="float32"),
    )  # fmt: skip


def _tag(writer: Writer, name: str, version: ModelVersion, when: float, message: str) -> str:
    text = f"object {version.commit}\ntype commit\ntag {name}\ntagger Ada <ada@example.com> {int(when)} +0000\n\n"
    return writer.add("tag", f"{text}{message}\n".encode())


def lines() -> Iterator[Line]:
    """Wall time of whole commands; what is said again cold is without an index, which the command then makes."""
    with tempfile.TemporaryDirectory() as scratch:
        repo = build(Path(scratch) / "repo")
        for what, (words, most) in _ASKED.items():
            cost = process((*_MLGIT, *words), folder=repo.folder, runs=5, env=_ENV).wall
            yield at_most(what, cost, most, "ms") if most else figure(what, cost, "ms")
        yield figure("mlgit model ls, cold", statistics.median(_cold(repo) for _ in range(3)), "ms")


_MLGIT = (sys.executable, "-m", "mlgit")
_ENV = {"MLGIT_SILENT": "1", "PYTHONPATH": str(ROOT)}
_ONE = f"{_KINDS[0]}-1000"
_ASKED = {
    "mlgit model ls": (("model", "ls"), 500),
    "mlgit registry log of one, by main's 6,000 promotions too": (("registry", "log", "--model", _ONE), 300),
    "mlgit model history": (("model", "history", _ONE), 300),
    f"mlgit model ls of one ({VERSIONS} versions)": (("model", "ls", _ONE), 300),
    "mlgit model show": (("model", "show", f"{_ONE}@production"), 300),
    "mlgit promote --dry-run": (("promote", f"{_ONE}@v1.18.0", "production", "--dry-run"), 1000),
    "mlgit registry reconcile --dry-run": (("registry", "reconcile", "--dry-run"), 1000),
    "mlgit registry log, the last 50 things": (("registry", "log"), 1000),
    "mlgit registry log --at": (("registry", "log", "--at", "2026-03-01"), 1000),
    "mlgit registry status": (("registry", "status", "--json"), 1000),
    "mlgit lineage of a version": (("lineage", f"{_ONE}@v1.7.0"), 0),
    "mlgit doctor": (("doctor",), 0),
    f"mlgit model ls --json of 100 models, {100 * VERSIONS:,} versions": (("model", "ls", "--json", "-n", "100"), 0),
}


def _cold(repo: Repo) -> float:
    shutil.rmtree(repo.own, ignore_errors=True)
    began = time.perf_counter()
    subprocess.run((*_MLGIT, "model", "ls"), cwd=repo.folder, env=os.environ | _ENV, check=True, capture_output=True)
    return (time.perf_counter() - began) * 1e3


if __name__ == "__main__":
    build(Path(sys.argv[1]))
