import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlgit.core.run import Run
from mlgit.documents import reader
from mlgit.git.repo import Repo

FILE = Path(__file__).parents[2] / "actions/report/action.yml"


def steps() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = reader.plain(FILE.read_text(), source=FILE.name)["runs"]["steps"]
    return found


def test_the_action_takes_values_only_through_the_environment() -> None:
    for step in steps():
        assert "${{" not in step["run"]
        assert step["run"].count("\n") == 0


def test_the_action_appends_the_report_to_the_jobs_summary(
    inside: Repo, train: Callable[..., Run], tmp_path: Path
) -> None:
    train("noble-river-3", {"accuracy": [0.9]})
    base = inside.resolve("HEAD") or ""
    Path("train.py").write_text("x")
    inside.git("add", "-A")
    inside.git("commit", "-q", "-m", "An idea")
    train("radiant-glade-12", {"accuracy": [0.95]})
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    env = os.environ | {
        "BASE": base, "HEAD": inside.resolve("HEAD") or "", "GITHUB_STEP_SUMMARY": str(summary),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }  # fmt: skip

    (step,) = steps()
    subprocess.run(["bash", "-e", "-o", "pipefail", "-c", step["run"]], cwd=inside.folder, env=env, check=True)

    lines = summary.read_text().splitlines()
    assert lines[:2] == ["before", f"### accuracy 0.95, \\+0.05 better than {base[:10]}'s noble-river-3."]
