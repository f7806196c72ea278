from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

Mlgit = Callable[..., subprocess.CompletedProcess[str]]


def test_runs_made_outside_of_any_repository_move_to_one_by_a_path_as_it_is_seen_from_here(
    tmp_path: Path, mlgit: Mlgit
):
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "far.git")], check=True)
    (tmp_path / "here").mkdir()
    mlgit("run", "--", "true", cwd=tmp_path / "here")

    nowhere = mlgit("sync", cwd=tmp_path / "here", check=False)
    moved = mlgit("sync", "--to", "../far.git", cwd=tmp_path / "here")

    assert nowhere.returncode == 2
    assert "There is no remote 'origin'." in nowhere.stderr
    assert "remote add origin URL, or mlgit sync --to URL" in nowhere.stderr
    assert moved.stdout == f"1 run is pushed to {tmp_path / 'far.git'}\n"
