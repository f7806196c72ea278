"""The pages below docs/: every block runs as it stands, in a new repository, and every link leads somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mlgit.git.repo import Repo
from mlgit.tracking import wish

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_of_a_page_runs(page: Path, repo: Repo):
    assert repo.work_tree
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for language, block in re.findall(r"^```(python|bash)\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE):
        if named := re.match(r"# (\w+\.py)\n", block):  # a file that a later block runs
            (repo.work_tree / named[1]).write_text(block)
            continue
        words = [sys.executable, "-W", "error", "-c", block] if language == "python" else ["bash", "-euc", block]
        done = subprocess.run(words, cwd=repo.work_tree, env=env, capture_output=True, text=True)

        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        assert "warning: " not in done.stderr, f"{block}\n{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_of_a_page_leads_somewhere(page: Path):
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        assert target.startswith("https://") or (page.parent / target).exists(), target


def test_every_row_of_coming_from_w_b_is_held_by_a_test():
    text = (ROOT / "docs/coming-from-wandb.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| W&B")]
    for row in rows:
        found = re.search(r'\| \[(same|better|meaningless)\]\(\.\./(tests/\S+\.py) "(test_\w+)"\) \|', row)
        assert found, row
        assert re.search(rf"^(    )?def {found[3]}\(", (ROOT / found[2]).read_text(), re.MULTILINE), row
    assert len(rows) > 100


def test_every_variable_of_a_run_stands_in_the_page_on_tracking():
    rows = re.findall(r"^\| `MLGIT_(\w+)` \| `WANDB_\1` \| ", (ROOT / "docs/tracking.md").read_text(), re.MULTILINE)

    assert set(wish._VARIABLES) | {"DISABLED", "DISABLE_CODE", "NOTEBOOK_NAME"} == set(rows)
