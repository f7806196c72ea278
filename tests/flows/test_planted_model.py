"""A model whose loading would run code: commands tell of it, bring it, register and promote it; none loads it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import mlgit as wandb
from mlgit.errors import UsageError
from mlgit.git.repo import Repo
from tests.formats.test_scanning import UNSAFE

Mlgit = Callable[..., subprocess.CompletedProcess[str]]
COMMANDS = [
    "ls", "show last", "show last --json", "data ls", "data history net",
    "model register last --name digits", "model ls",
    "model show digits",
    "promote digits@v1.0.0 production", "pr show 1", "report 1", "pr merge 1", "registry reconcile",
    "model get digits@production -o brought", "model verify digits", "lineage digits@production", "data verify net:v0",
    "data checkout net:v0 again", "fsck", "doctor", "gc",
]  # fmt: skip
MARKED = (
    "show last",
    "data history net",
    "model ls",
    "model show digits",
    "promote digits@v1.0.0 production",
    "pr show 1",
)


def test_no_command_loads_a_model(inside: Repo, mlgit: Mlgit):
    Path("planted").mkdir()
    for name, content in UNSAFE.items():
        Path("planted", name).write_bytes(content)
    with wandb.init(project="digits", name="last") as run:
        run.log({"accuracy": 0.9})
        run.log_model("planted", name="net")
        run.use_model("net:latest")
        run.use_artifact("net:latest").verify("artifacts/net:v0")
        run.use_artifact("net:latest").get_entry("torch").download("one")
    wandb.Api().artifact("net:latest").download("all")
    wandb.model_card("net:latest").check_input([1.0])
    with pytest.raises(UsageError, match="The model is unsafe"):
        wandb.load_model("net:latest")

    said = {command: mlgit(*command.split(), check=False) for command in COMMANDS}
    with pytest.raises(UsageError, match="The model is unsafe"):
        wandb.load_model("digits@production")

    assert not Path("loaded").exists()
    assert not list(Path.cwd().rglob("loaded"))
    assert {command: done.stderr for command, done in said.items() if done.returncode} == {}
    for command in MARKED:
        assert "unsafe" in (said[command].stdout + said[command].stderr).lower(), command
    assert json.loads(said["show last --json"].stdout)["artifacts"][0]["card"]["unsafe"]
    assert "UNSAFE to load" in said["model get digits@production -o brought"].stderr
    assert {path.name: path.read_bytes() for path in Path("brought").iterdir()} == UNSAFE
