"""What changed between two runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from mlgit.git.repo import Move, Repo
from mlgit.index import query
from mlgit.store import records

Mlgit = Callable[..., "subprocess.CompletedProcess[str]"]

TRAIN = """\
import mlgit, sys
with mlgit.init(project="p", name=sys.argv[1], config={"lr": float(sys.argv[2])}) as run:
    run.log({"accuracy": 0.5 + run.config.lr, "same": 1})
    open("data.csv", "w").write(sys.argv[1])
    run.log_artifact("data.csv", name="data", type="dataset")
    run.use_artifact("data:latest")
"""


@pytest.fixture
def two(inside: Repo, python: Mlgit) -> Repo:
    """Runs a and b, the second of changed code, with another command and environment."""
    train = inside.folder / "train.py"
    train.write_text(TRAIN)
    (inside.folder / ".gitignore").write_text("data.csv\n")
    subprocess.run(["git", "add", "."], check=True)
    subprocess.run(["git", "commit", "-qm", "code"], check=True)
    python("train.py", "a", "0.1")
    train.write_text(f"{TRAIN}print(1)\n")
    (inside.folder / "new.bin").write_bytes(b"\0")
    python("-u", "train.py", "b", "0.2", env={**os.environ, "OMP_NUM_THREADS": "3"})
    return inside


def test_metrics_params_data_code_and_environment_stand_side_by_side(two: Repo, mlgit: Mlgit):
    done = mlgit("diff", "a", "b")
    one, other = (query.find(two, name).used[0].hash for name in "ab")

    assert done.stdout.splitlines() == [
        "metric\ta\tb\tchange\t", "accuracy\t0.6\t0.7\t+0.1\tbetter",
        "param\ta\tb", "lr\t0.1\t0.2",
        "data\ta\tb", f"artifact data\t{one}\t{other}",
        "environment\ta\tb", "command\tpython train.py a 0.1\tpython -u train.py b 0.2",
        "environment.OMP_NUM_THREADS\t—\t3",
        "code\tlines", "new.bin\tbinary", "train.py\t+1 −0",
    ]  # fmt: skip
    assert done.stderr == "The code differs: mlgit diff a b --code\n"
    patch = mlgit("diff", "a", "b", "--code").stdout
    assert "\n+print(1)\n" in patch
    assert "experiment/" not in patch
    assert f"{json.loads(mlgit('diff', 'a', 'b', '--code', '--json').stdout)['patch']}\n" == patch
    same = mlgit("diff", "a", "a", "--code")
    assert (same.stdout, same.stderr) == ("", "The code is the same.\n")


def test_a_patch_keeps_the_line_ends_of_windows(inside: Repo, mlgit: Mlgit):
    code = inside.folder / "a.bat"
    for name, text in (("one", b"1\r\n"), ("other", b"2\r\n")):
        code.write_bytes(text)
        mlgit("run", "--name", name, "--", "true")

    patch = subprocess.run(
        (sys.executable, "-m", "mlgit", "diff", "other", "one", "--code"), capture_output=True, check=True
    ).stdout
    subprocess.run(("git", "apply"), input=patch, check=True)

    assert code.read_bytes() == b"1\r\n"


def test_a_script_reads_all_of_it(two: Repo, mlgit: Mlgit):
    told = json.loads(mlgit("diff", "a", "b", "--json").stdout)

    assert {"path": "train.py", "added": 1, "removed": 0} in told["code"]
    assert {"key": "environment.OMP_NUM_THREADS", "base": None, "head": "3"} in told["environment"]
    assert [one["key"] for one in told["params"]] == ["lr"]
    assert told["same_code"] is False


def test_the_first_rows_of_a_long_table_are_shown(two: Repo, mlgit: Mlgit):
    run = query.find(two, "a")
    installed = "".join(f"package-{number}==1\n" for number in range(5000)).encode()
    changes = {"experiment/requirements.txt": installed}
    two.commit_on(run.ref, changes, f"edited\n\n{records.TRAILER}: {records.trailer(run)}", expect=run.commit)

    done = mlgit("diff", "a", "b")

    assert done.stdout.count("packages.") == 18
    assert "more: --all, or --json" in done.stderr
    assert mlgit("diff", "a", "b", "--all").stdout.count("packages.package-") == 5000


def test_runs_of_one_name_are_told_apart(two: Repo, mlgit: Mlgit):
    mlgit("rename", "b", "a")
    names = [run.branch for run in query.runs(two)]

    head = mlgit("diff", *names).stdout.partition("\n")[0]

    assert head == f"metric\t{names[0][6:]}\t{names[1][6:]}\tchange\t"


def test_what_a_clone_lacks_of_the_code_takes_nothing_from_the_rest(two: Repo, mlgit: Mlgit):
    run = query.find(two, "b")
    text = records.trailer(run).replace(str(run.source), "0" * 40)
    other = two.commit(None, {"experiment/run.yaml": b"id: b\n"}, f"alone\n\n{records.TRAILER}: {text}")
    two.move([Move(run.ref, run.commit, other)], why="test")

    done = mlgit("diff", "a", "b")

    assert "accuracy\t0.6\t0.7" in done.stdout
    assert "The code of b, commit 0000000000, is not here." in done.stderr
    assert mlgit("diff", "a", "b", "--code", check=False).returncode == 1


def test_runs_of_long_names_stand_side_by_side_on_a_narrow_terminal(
    two: Repo, mlgit: Mlgit, monkeypatch: pytest.MonkeyPatch, terminal: Callable[..., tuple[int, str]]
):
    monkeypatch.setenv("COLUMNS", "80")
    ids = [query.find(two, name).id for name in "ab"]
    for name, run_id in zip("ab", ids, strict=True):
        mlgit("rename", run_id, f"the training {name} of which there is more to be told than others care to read")

    lines = terminal("diff", *ids)[1].splitlines()

    first, second = (run_id[:6] for run_id in ids)
    assert re.fullmatch(rf"metric +the\S+…\S+-{first} +the\S+…\S+-{second} +change", lines[0].rstrip())
    assert re.fullmatch(r"accuracy +0.6 +0.7 +\+0.1 +better", lines[2].rstrip())
    assert "no room" not in "".join(lines)
