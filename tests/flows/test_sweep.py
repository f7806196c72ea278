"""A sweep from its file to a best run, by the real command line."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.git.repo import Repo

Mlgit = Callable[..., "subprocess.CompletedProcess[str]"]

SDK = """
import argparse, mlgit
parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float)
parser.add_argument("--kind")
args = parser.parse_args()
run = mlgit.init(config=vars(args))
for step in range(3):
    run.log({"loss": (args.x - 0.3) ** 2 + 1 / (step + 1)})
"""


@pytest.fixture
def project(inside: Repo) -> Path:
    assert inside.work_tree
    (inside.work_tree / "train.py").write_text(SDK)
    (inside.work_tree / "bayes.yaml").write_text(
        "method: bayes\nname: search\nprogram: train.py\nmetric: {name: loss}\n"
        "parameters:\n  x: {min: 0.0, max: 1.0}\n  kind: {values: ['1e-3', 'no']}\n"
    )
    (inside.work_tree / "grid.yaml").write_text(
        "method: grid\nname: rungs\nprogram: train.py\nmetric: {name: loss}\n"
        "parameters:\n  x: {values: [1, 2, 3]}\n  kind: {value: a}\n"
    )
    inside.git("add", ".")
    inside.git("commit", "-q", "-m", "train")
    return inside.work_tree


def test_a_bayes_sweep_makes_a_branch_a_trial_and_names_the_best(project: Path, inside: Repo, mlgit: Mlgit) -> None:
    done = mlgit("sweep", "run", "bayes.yaml", "--trials", "7", "--agents", "2", "--json", cwd=project)

    sweep = json.loads(done.stdout)
    assert sweep["ended"] == "done"
    assert len(sweep["trials"]) == 7
    assert sweep["best"] == sweep["trials"][0]
    assert abs(sweep["best"]["params"]["x"] - 0.3) < 0.2
    assert {trial["params"]["kind"] for trial in sweep["trials"]} <= {"1e-3", "no"}
    branches = inside.refs("refs/heads/exp/")
    assert {f"refs/heads/{trial['branch']}" for trial in sweep["trials"]} == set(branches)
    assert inside.git("status", "--porcelain") == ""

    listed = json.loads(mlgit("sweep", "ls", "--json", cwd=project).stdout)
    shown = json.loads(mlgit("sweep", "show", "latest", "--json", cwd=project).stdout)
    assert listed == [shown]
    assert shown["best"] == sweep["best"]
    assert shown["trials"] == sweep["trials"]


@pytest.mark.parametrize(
    ("config", "seen"),
    [
        ("", {"net": {"depth": 3, "act": {"name": "relu"}}, "lr": 0.1, "a.b": 1}),
        (
            "config={'net': {'depth': 0, 'width': 8}, 'lr': 1}",
            {"net": {"depth": 3, "act": {"name": "relu"}, "width": 8}, "lr": 0.1, "a.b": 1},
        ),
    ],
    ids=["of the sweep alone", "beside the script's own"],
)
def test_a_script_finds_nested_params_nested_as_in_w_and_b(
    project: Path, mlgit: Mlgit, config: str, seen: dict[str, object]
) -> None:
    (project / "train.py").write_text(
        f"import json, mlgit\nrun = mlgit.init({config})\n"
        "print('config', json.dumps(run.config.as_dict()))\n"
        "run.config.update({'net': {**run.config['net'], 'more': 1}})\n"
        "run.log({'loss': 1})\n"
    )
    (project / "nested.yaml").write_text(
        "method: grid\nprogram: train.py\ncommand: ['${interpreter}', '${program}']\nmetric: {name: loss}\n"
        "parameters:\n  net: {parameters: {depth: {value: 3}, act: {parameters: {name: {value: relu}}}}}\n"
        "  lr: {value: 0.1}\n  a.b: {value: 1}\n"
    )

    done = json.loads(mlgit("sweep", "run", "nested.yaml", "--json", cwd=project).stdout)

    (trial,) = done["trials"]
    assert trial["params"] == {"net.depth": 3, "net.act.name": "relu", "lr": 0.1, "a.b": 1}
    log = subprocess.run(
        ["git", "show", f"{trial['branch']}:experiment/output.log"],
        cwd=project,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert json.loads(log.partition("config ")[2].splitlines()[0]) == seen
    assert ("net.depth=3 was given from outside: the script's 0 is not used" in log) is bool(config)


def test_a_program_that_is_not_there_is_said_before_a_trial_begins(
    project: Path, inside: Repo, mlgit: Mlgit
) -> None:  # fmt: skip
    (project / "grid.yaml").write_text((project / "grid.yaml").read_text().replace("train.py", "tarin.py"))

    done = mlgit("sweep", "run", "grid.yaml", cwd=project, check=False)
    checked = mlgit("sweep", "check", "grid.yaml", cwd=project)

    assert (done.returncode, inside.refs("refs/mlgit/sweeps/")) == (2, {})
    assert "There is no tarin.py here for a trial to run." in done.stderr
    assert "tarin.py is not in this folder" in checked.stderr


def test_a_sweep_goes_on_where_it_was_left(project: Path, mlgit: Mlgit) -> None:
    first = mlgit("sweep", "run", "grid.yaml", "--count", "2", cwd=project)
    sweep = json.loads(mlgit("sweep", "show", "rungs", "--json", cwd=project).stdout)["id"]
    again = mlgit("sweep", "run", "--resume", sweep, cwd=project)
    (suggested,) = [line for line in first.stderr.splitlines() if line.startswith("For more trials: mlgit ")]
    second = json.loads(mlgit(*suggested.split()[4:], "--json", cwd=project).stdout)

    assert "rungs-1: 0.8233 (x=1, kind=a)" in first.stdout
    assert "Best: rungs-1, loss 0.8233" in first.stdout
    assert suggested in again.stderr  # it has the trials that were asked for: nothing ran
    assert "rungs-3" not in again.stdout
    assert second["ended"] == "done"
    assert sorted((t["number"], t["params"]["x"]) for t in second["trials"]) == [(1, 1), (2, 2), (3, 3)]


def test_of_a_sweep_without_an_end_an_agent_does_what_it_is_asked_for(project: Path, mlgit: Mlgit) -> None:
    made = mlgit("sweep", "create", "bayes.yaml", cwd=project).stdout.strip()

    done = json.loads(mlgit("sweep", "agent", made, "--count", "2", "--json", cwd=project).stdout)

    assert (done["ended"], len(done["trials"])) == ("done", 2)
    assert "has no end of its own" in mlgit("sweep", "run", "bayes.yaml", cwd=project, check=False).stderr


def test_a_sweep_of_a_project_that_a_script_has_named_is_found(project: Path, mlgit: Mlgit) -> None:
    code = "import mlgit; mlgit.sweep({'method': 'grid', 'parameters': {'x': {'value': 1}}}, project='first-sweep')"
    subprocess.run([sys.executable, "-c", code], cwd=project, check=True)

    (listed,) = json.loads(mlgit("sweep", "ls", "--json", cwd=project).stdout)
    assert listed["project"] == "first-sweep"
    assert listed["id"] in mlgit("sweep", "show", "latest", cwd=project).stdout
    (project / "mlgit.yaml").write_text("project: other\n")
    there = mlgit("sweep", "ls", cwd=project)
    assert "No sweeps of the project other yet, but 1 in first-sweep" in there.stderr
    assert "in the project other" in mlgit("sweep", "show", "latest", cwd=project, check=False).stderr
    assert listed["id"] in mlgit("sweep", "show", listed["id"], cwd=project).stdout


def test_what_is_recorded_does_not_depend_on_where_the_interpreter_lies(
    project: Path, inside: Repo, mlgit: Mlgit
) -> None:
    git = shutil.which("git")
    assert git
    env = os.environ | {"PATH": f"{Path(git).parent}:/usr/bin:/bin"}  # the virtual environment is not activated

    done = mlgit("sweep", "run", "grid.yaml", "--count", "1", "--json", cwd=project, env=env)

    (trial,) = json.loads(done.stdout)["trials"]
    assert trial["state"] == "finished"  # it imports mlgit, so this was the right interpreter
    recorded = inside.git("show", f"{trial['branch']}:experiment/run.yaml")
    assert 'command: [/usr/bin/env, python, train.py, "--x=1", "--kind=a"]\n' in recorded


def test_what_a_dry_run_prints_is_what_would_run(project: Path, inside: Repo, mlgit: Mlgit) -> None:
    lines = mlgit("sweep", "run", "grid.yaml", "--dry-run", cwd=project).stdout.splitlines()

    assert len(lines) == 3
    assert "--name rungs-2 -p x=2 -p kind=a -- /usr/bin/env" in lines[1]
    assert not inside.refs("refs/mlgit/sweeps/", "refs/heads/exp/")


def test_a_param_that_is_not_there_is_given_to_no_trial(project: Path, mlgit: Mlgit) -> None:
    (project / "ruled.yaml").write_text(
        "method: grid\nparameters:\n  kind: {values: [b, a]}\n  x: {values: [1, 2], when: kind = a}\n  z: {value: 3}\n"
        "constraints: [x < 2]\ncommand: [echo, '${args}']\n"
    )

    done = json.loads(mlgit("sweep", "run", "ruled.yaml", "--json", cwd=project).stdout)

    assert done["ended"] == "nothing left"
    assert [trial["params"] for trial in done["trials"]] == [{"kind": "b", "z": 3}, {"kind": "a", "x": 1, "z": 3}]
    shown = mlgit("sweep", "show", done["id"], cwd=project).stdout
    assert "trial\tstate\tkind\tx\tz\ttime\n" in shown
    again = json.loads(mlgit("sweep", "run", "--resume", done["id"], "--json", cwd=project).stdout)
    assert len(again["trials"]) == 2


def test_a_command_on_the_line_replaces_the_files(project: Path, mlgit: Mlgit) -> None:
    code = "import sys; print('x is', sys.argv[1]); open('out.json', 'w').write('{\"loss\": %s}' % sys.argv[1])"
    (project / "mlgit.yaml").write_text("project: digits\nrun: {metrics: [out.json]}\n")

    done = mlgit("sweep", "run", "grid.yaml", "--json", "--", sys.executable, "-c", code, "{x}", cwd=project)

    sweep = json.loads(done.stdout)
    assert [trial["value"] for trial in sweep["trials"]] == [1, 2, 3]
    assert sweep["project"] == "digits"


def test_ctrl_c_stops_the_trials_and_keeps_what_finished(project: Path, mlgit: Mlgit) -> None:
    slow = "import sys, time; (print('up', flush=True), time.sleep(60)) if sys.argv[1] == '2' else None"
    words = (sys.executable, "-m", "mlgit", "sweep", "run", "grid.yaml", "--", sys.executable, "-c", slow, "{x}")
    (project / "grid.yaml").write_text((project / "grid.yaml").read_text().replace("metric: {name: loss}\n", ""))
    process = subprocess.Popen(words, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    logs = project / ".git/mlgit/sweeps"
    end = time.monotonic() + 120
    while not any("up" in log.read_text().splitlines() for log in logs.rglob("*-2.log")):
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.02)

    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=120)

    assert process.returncode == 130, err
    assert "Interrupted; what finished stays" in out
    sweep = json.loads(mlgit("sweep", "show", "rungs", "--json", cwd=project).stdout)
    assert {trial["name"]: trial["state"] for trial in sweep["trials"]} == {
        "rungs-1": "finished", "rungs-2": "preempted",
    }  # fmt: skip


def test_a_search_without_an_end_goes_on_to_the_trials_that_were_asked_for(
    project: Path, inside: Repo, mlgit: Mlgit
) -> None:
    slow = "import sys, time; (print('up', flush=True), time.sleep(60)) if len(sys.argv) > 1 else None"
    (project / "bayes.yaml").write_text((project / "bayes.yaml").read_text().replace("train.py", "slow.py"))
    (project / "slow.py").write_text(slow)
    words = (sys.executable, "-m", "mlgit", "sweep", "run", "bayes.yaml", "--trials", "3", "--agents", "2")
    process = subprocess.Popen(words, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 120
    while not any("up" in log.read_text().splitlines() for log in (project / ".git/mlgit/sweeps").rglob("*-1.log")):
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=120)
    (told,) = [line for line in err.splitlines() if line.startswith("Go on: mlgit ")]
    (project / "slow.py").write_text(SDK)

    done = mlgit("sweep", "run", "--resume", told.split()[6], cwd=project)

    assert told.endswith(" --trials 3")
    assert "2 agents" in done.stdout
    sweep = json.loads(mlgit("sweep", "show", "latest", "--json", cwd=project).stdout)
    assert sum(trial["state"] == "finished" for trial in sweep["trials"]) == 3


def test_who_goes_on_with_a_sweep_that_runs_takes_part_in_it(project: Path, inside: Repo, mlgit: Mlgit) -> None:
    (project / "grid.yaml").write_text((project / "grid.yaml").read_text().replace("metric: {name: loss}\n", ""))
    waiting = "import pathlib, time\nwhile not pathlib.Path('go').exists(): time.sleep(0.01)"
    words = (sys.executable, "-m", "mlgit", "sweep", "run")
    first = subprocess.Popen(
        (*words, "grid.yaml", "--", sys.executable, "-c", waiting, "{x}"),
        cwd=project,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert first.stdout
    running = first.stdout.readline().partition("(")[2].partition(")")[0]
    second = subprocess.Popen((*words, "--resume", running), cwd=project, stdout=subprocess.PIPE, text=True)
    end = time.monotonic() + 120
    while len(list((inside.common_dir / "mlgit/sweeps" / running).glob("*.log"))) < 2:
        assert time.monotonic() < end
        time.sleep(0.02)

    (project / "go").touch()
    ended = [one.communicate(timeout=120)[0] for one in (first, second)]

    sweep = json.loads(mlgit("sweep", "show", running, "--json", cwd=project).stdout)
    assert sorted((t["number"], t["params"]["x"]) for t in sweep["trials"]) == [(1, 1), (2, 2), (3, 3)]
    assert ["Every point of the space was tried." in out for out in ended] == [True, True]


def test_trials_that_all_fail_stop_the_sweep_with_the_programs_own_words(project: Path, mlgit: Mlgit) -> None:
    done = mlgit("sweep", "run", "grid.yaml", "--", "sh", "-c", "echo no such thing; exit 3", cwd=project, check=False)

    assert done.returncode == 1
    assert "all failed; it was stopped" in done.stderr
    assert "no such thing" in done.stderr
    assert "--resume" in done.stderr


def test_a_failed_trial_is_told_by_its_error_not_by_what_it_printed_last(project: Path, mlgit: Mlgit) -> None:
    code = "import sys, os; os.write(2, b'no memory\\n'); print('epoch 3'); sys.exit(sys.argv[1] == '2')"
    (project / "grid.yaml").write_text((project / "grid.yaml").read_text().replace("metric: {name: loss}\n", ""))

    done = mlgit("sweep", "run", "grid.yaml", "--", sys.executable, "-c", code, "{x}", cwd=project)

    assert "rungs-2: failed (x=2, kind=a): no memory\n" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("sweep", "run", "none.yaml"), "There is no sweep file none.yaml"),
        (("sweep", "run"), "Which sweep?"),
        (("sweep", "run", "bayes.yaml"), "has no end of its own"),
        (("sweep", "run", "bad.yaml"), "bad.yaml:2: metod: unknown key; did you mean 'method'?"),
        (("sweep", "run", "--resume", "zzz"), "There is no sweep 'zzz'"),
        (("sweep", "run", "bayes.yaml", "--resume", "zzz"), "keeps its file, command and seed"),
        (("sweep", "show", "zzz"), "There is no sweep 'zzz'"),
    ],
)
def test_what_cannot_be_is_said(project: Path, mlgit: Mlgit, words: tuple[str, ...], said: str) -> None:
    (project / "bad.yaml").write_text("name: a\nmetod: grid\nparameters: {x: {value: 1}}\n")

    done = mlgit(*words, cwd=project, check=False)

    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert "Traceback" not in done.stderr
