"""mlgit.yaml: found from any folder of the project, and complained about by line."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import field, make_dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mlgit import resources, settings
from mlgit.ci.settings import CiOptions
from mlgit.core.compare import Goal
from mlgit.documents import reader, schema
from mlgit.errors import ConfigError
from mlgit.forge.choice import ForgeOptions
from mlgit.launch import queues
from mlgit.store.archive import ArchiveOptions
from mlgit.tracking.options import RunOptions

# Which record reads which section. A room that begins to read one adds it here, and `pytest --golden-update` writes it.
SECTIONS: Mapping[str, tuple[Any, str]] = {
    "project": (str, "the project's name: its runs are the branches exp/<project>/…"),
    "goals": (Mapping[str, Goal], "metric → which way it is better"),
    "run": (RunOptions, "what `mlgit run` and `mlgit.init()` need to know"),
    "archive": (ArchiveOptions, "when old runs are folded"),
    "forge": (ForgeOptions, "where pull requests live"),
    "queues": (Mapping[str, queues.record()], "where jobs run: a name → a backend and its settings"),
    "ci": (CiOptions, "what CI runs for a commit that asks for it, and where"),
}


def test_the_schema_for_editors_is_what_is_read(request: pytest.FixtureRequest):
    fields = [(name, into, field(default=None, metadata={"help": why})) for name, (into, why) in SECTIONS.items()]
    described = schema.schema(make_dataclass("mlgit", fields), title="mlgit.yaml")
    jsonschema.Draft202012Validator.check_schema(described)
    path = resources.schemas() / "mlgit.json"
    if request.config.getoption("--golden-update"):
        path.write_text(json.dumps(described, indent=2, ensure_ascii=False) + "\n")

    assert json.loads(path.read_text()) == described, "if you meant it: pytest --golden-update"


def test_the_template_fits_the_schema_and_the_reader(tmp_path: Path, mlgit: Callable[..., Any]):
    mlgit("init", "--no-dvc", "--project", "churn", cwd=tmp_path)
    text = (tmp_path / "mlgit.yaml").read_text()
    for commented in ("# params: params.yaml", "# metrics: [metrics.json]"):
        assert commented in text
        text = text.replace(commented, commented[2:])
    jsonschema.validate(reader.plain(text, source="x"), json.loads((resources.schemas() / "mlgit.json").read_text()))
    (tmp_path / "mlgit.yaml").write_text(text)
    found = settings.read(tmp_path)

    assert found.project == "churn"
    assert found.goals == {"accuracy": Goal.MAXIMIZE, "loss": Goal.MINIMIZE}
    assert found.section("run", RunOptions).metrics == ("metrics.json",)


def test_the_nearest_file_counts_and_none_above_the_repository(tmp_path: Path):
    for folder in ("", "top", "top/a", "top/a/b"):
        (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / "mlgit.yaml").write_text("project: outside\n")
    (tmp_path / "top/a/mlgit.yaml").write_text("project: a\n")

    assert settings.find(tmp_path / "top/a/b", tmp_path / "top").project == "a"
    assert settings.find(tmp_path / "top", tmp_path / "top").project == "top"


@pytest.mark.parametrize(
    ("folder", "project"), [("My Project!", "my-project"), ("..x", "x"), ("日本", "project"), ("x" * 200, "x" * 60)]
)
def test_without_a_file_the_folders_name_is_made_to_fit(tmp_path: Path, folder: str, project: str):
    (tmp_path / folder).mkdir()

    assert settings.find(tmp_path / folder, tmp_path / folder).project == project


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("projct: a\n", "mlgit.yaml:1: projct: unknown key; did you mean 'project'?"),
        ("project: 1\n", "mlgit.yaml:1: project: expected text, got 1"),
        ("project:\n", "mlgit.yaml:1: project: expected text, got None"),
        ("\nproject: a b\n", "mlgit.yaml:2: project: 'a b' cannot be the name of a project."),
        ("project: ../x\n", "mlgit.yaml:1: project: '../x' cannot be the name of a project."),
        ("project: a\nproject: b\n", "mlgit.yaml:2: project: the key stands twice, first in line 1"),
        ("goals:\n  acc: max\n", "mlgit.yaml:2: goals.acc: expected one of maximize, minimize; got 'max'"),
        ("goals: [acc]\n", "mlgit.yaml:1: goals: expected a mapping"),
        (
            "run:\n\tparams: x\n",
            "mlgit.yaml:2: found character that cannot start any token; indent with spaces, YAML has no tabs.",
        ),
        ("- project: a\n", "mlgit.yaml:1: expected a mapping"),
        ("just text", "mlgit.yaml:1: expected a mapping, got 'just text'"),
        ("a" * (100 << 20), "mlgit.yaml:1: the file has more than 8,388,608 bytes, the most that is read."),
        (
            "a: &a [x]\nb: [" + "*a," * 300_000 + "]\n",
            "mlgit.yaml:2: more than 200,000 values, repeated aliases counted.",
        ),
    ],
    ids=lambda value: value[:20],
)
def test_a_wrong_file_is_told_by_line(tmp_path: Path, text: str, expected: str):
    (tmp_path / "mlgit.yaml").write_text(text)

    with pytest.raises(ConfigError) as caught:
        settings.find(tmp_path, tmp_path)
    assert caught.value.what == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("run:\n  parms: x\n", "mlgit.yaml:2: run.parms: unknown key; did you mean 'params'?"),
        (
            "run:\n  snapshot:\n    max_file_mb: 1e-4x\n",
            "mlgit.yaml:3: run.snapshot.max_file_mb: expected a number, got '1e-4x'",
        ),
        ("run:\n  metrics: m.json\n", "mlgit.yaml:2: run.metrics: expected a list, got 'm.json'"),
        ("run: 3\n", "mlgit.yaml:1: run: expected a mapping, got '3'"),
    ],
)
def test_a_command_ends_with_the_line_and_exit_code_2(inside: Any, mlgit: Callable[..., Any], text: str, expected: str):
    (inside.folder / "mlgit.yaml").write_text(text)
    done = mlgit("run", "--", "true", check=False)

    assert done.returncode == 2
    assert done.stderr == f"mlgit: {expected}\n"


def test_a_small_number_is_a_number(tmp_path: Path):
    (tmp_path / "mlgit.yaml").write_text("run: {snapshot: {max_file_mb: 1e-4}}\n")

    assert settings.read(tmp_path).section("run", RunOptions).snapshot.limits.file_bytes == 104


def test_init_may_be_run_again_and_changes_nothing(tmp_path: Path, mlgit: Callable[..., Any]):
    (tmp_path / ".gitignore").write_bytes(b"caf\xe9")
    (tmp_path / "params.yaml").write_text("lr: 1\n")
    first = mlgit("init", cwd=tmp_path).stdout
    content = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and ".git/" not in str(path)}
    again = mlgit("init", cwd=tmp_path).stdout

    assert "wrote mlgit.yaml" in first
    assert again == "Everything is there already.\n"
    assert {path: path.read_bytes() for path in content} == content
    assert (tmp_path / ".gitignore").read_bytes().startswith(b"caf\xe9\n__pycache__/\n")
    assert settings.read(tmp_path).section("run", RunOptions).params == "params.yaml"


def test_init_says_what_is_wrong_with_a_file_that_is_there(tmp_path: Path, mlgit: Callable[..., Any]):
    (tmp_path / "mlgit.yaml").write_text("zzz: 1\n")
    done = mlgit("init", cwd=tmp_path, check=False)

    assert done.returncode == 2
    assert (tmp_path / "mlgit.yaml").read_text() == "zzz: 1\n"


def test_init_refuses_a_bare_repository_and_a_name_that_cannot_be(tmp_path: Path, mlgit: Callable[..., Any]):
    import subprocess

    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "b.git")], check=True)

    assert "bare" in mlgit("init", cwd=tmp_path / "b.git", check=False).stderr
    assert mlgit("init", "--project", "a/b", cwd=tmp_path, check=False).returncode == 2
