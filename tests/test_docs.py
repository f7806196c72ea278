"""The pages below docs/: every block runs as it stands, in a new repository, and every link leads somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from mlgit.git.repo import Repo
from mlgit.registry.policy import gates
from mlgit.tracking import wish

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs").glob("*.md"))
POLICY, GATES = ROOT / "docs/policy.md", ROOT / "docs/models.md"
ON_GITHUB = "first-experiment"
"""What `tests/flows/test_first_experiment.py` plays."""


@pytest.mark.parametrize("page", [page for page in PAGES if page.stem != ON_GITHUB], ids=lambda page: page.stem)
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
    for target in re.findall(r"(?:\]\(|src=\"|srcset=\")([^)\"#\s]+)", page.read_text()):
        assert target.startswith("https://") or (page.parent / target).exists(), target


def test_every_page_is_listed_in_the_readme():
    readme = (ROOT / "README.md").read_text()

    assert [page.name for page in PAGES if f"(docs/{page.name}" not in readme] == []


def test_pictures_are_small_and_shown_on_a_page():
    text = "".join(page.read_text() for page in [*PAGES, ROOT / "README.md"])
    sizes = {one.name: one.stat().st_size for one in (ROOT / "docs/pictures").glob("*.png")}

    assert [name for name in sizes if f"pictures/{name}" not in text] == []
    assert max(sizes.values()) < 60_000
    assert sum(sizes.values()) < 400_000


def test_every_row_of_coming_from_w_b_is_held_by_a_test():
    text = (ROOT / "docs/coming-from-wandb.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| W&B")]
    for row in rows:
        found = re.search(r'\| \[(same|better|meaningless)\]\(\.\./(tests/\S+\.py) "(test_\w+)"\) \|', row)
        assert found, row
        assert re.search(rf"^(    )?def {found[3]}\(", (ROOT / found[2]).read_text(), re.MULTILINE), row
    assert len(rows) > 100


def test_every_kind_of_gate_and_each_of_its_settings_stands_in_the_page_on_policies():
    text = POLICY.read_text()
    (table,) = re.findall(r"^\| gate .*?\n\n", text, re.DOTALL | re.MULTILINE)
    kinds = [[field.name for field in fields(settings)] for settings in gates.KINDS]

    assert [first for first, *_ in kinds if f"`{first}: " not in table] == []
    assert [name for kind in kinds for name in kind if f"{name}:" not in text + GATES.read_text()] == []


def test_every_variable_of_a_run_stands_in_the_page_on_tracking():
    rows = re.findall(r"^\| `MLGIT_(\w+)` \| `WANDB_\1` \| ", (ROOT / "docs/tracking.md").read_text(), re.MULTILINE)

    assert set(wish._VARIABLES) | {"DISABLED", "DISABLE_CODE", "NOTEBOOK_NAME"} == set(rows)
