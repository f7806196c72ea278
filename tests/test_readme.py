"""The README's blocks, run as they stand, in a new repository."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from mlgit.git.repo import Repo

ROOT = Path(__file__).parent.parent


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)


def test_every_block_of_the_readme_runs(repo: Repo):
    assert repo.work_tree
    (script,) = blocks("python")
    (repo.work_tree / "train.py").write_text(script)
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}

    subprocess.run([sys.executable, "train.py"], cwd=repo.work_tree, env=env, check=True)
    done = subprocess.run(
        ["bash", "-euo", "pipefail"], input="\n".join(blocks("bash")),
        cwd=repo.work_tree, env=env, capture_output=True, text=True,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert len(repo.refs("refs/heads/exp/digits/")) == 3
    assert "+accuracy: 0.96875" in done.stdout
    assert (repo.work_tree / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_every_link_to_a_file_leads_somewhere():
    for page in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text()):
            assert target.startswith("https://") or (ROOT / target).exists(), f"{page}: {target}"


def test_the_two_commands_are_in_the_makefile():
    text = (ROOT / "README.md").read_text()
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for command in re.findall(r"`?make (\w+)`?", text):
        assert command in targets
