"""`mlgit run`: any command is a run; a script that calls init() inside takes part in it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.core.run import State
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import live, recover, runs
from tests.recorded import only

Script = Callable[..., "subprocess.CompletedProcess[str]"]
PARAMS = "# how fast\nlr: 0.1  # not too fast\nmodel: {depth: 3}\n"


@pytest.fixture
def project(repo: Repo) -> Repo:
    """A project with a params file."""
    (repo.folder / "mlgit.yaml").write_text("project: p\nrun:\n  params: params.yaml\n")
    (repo.folder / "params.yaml").write_text(PARAMS)
    repo.git("add", "-A")
    repo.git("commit", "-qm", "project")
    return repo


@pytest.fixture
def run(mlgit: Script, repo: Repo) -> Script:
    def call(*words: str, code: str = "", check: bool = True, **kwargs: object) -> subprocess.CompletedProcess[str]:
        command = [*words, "--", sys.executable, "-c", code] if code else [*words]
        return mlgit("run", *command, cwd=repo.folder, check=check, **kwargs)

    return call


def test_a_script_inside_takes_part_in_one_run(repo: Repo, run: Script):
    done = run(
        "-n",
        "outer",
        "-p",
        "lr=0.5",
        "-p",
        "model.depth=9",
        "-t",
        "x",
        code="""
import mlgit
config = {"lr": 0.1, "epochs": 3, "model": {"depth": 1, "width": 2}}
mlgit.init(project="inner", name="inner", config=config, tags=["y"], notes="n")
print(mlgit.config.lr, mlgit.config.get("model"), mlgit.config.get("model.depth"))
mlgit.log({"a": 1})
""",
    )
    found = only(repo)

    assert (found.name, found.project, found.tags, found.notes) == ("outer", "inner", ("x",), "n")
    assert found.params["lr"] == 0.5
    assert found.params["epochs"] == 3
    assert found.metrics == {"a": 1}
    assert found.given == ("lr", "model.depth")
    assert "0.5 " in done.stdout
    assert "lr=0.5 was given from outside" in done.stderr


def test_a_param_that_a_scripts_config_does_not_know_is_said(run: Script):
    code = "import mlgit\nmlgit.init(config={'learning_rate': 1, 'model': {'depth': 1}})\n"
    given = ("-p", "learnin_rate=2", "-p", "model.depth=2", "-p", "seed=3")

    done = run(*given, code=f"{code}print(mlgit.config.seed)")
    all_read = run(*given, code=f"{code}dict(mlgit.config)")
    of_its_own = run(*given, code="import mlgit\nmlgit.init()")

    said = "learnin_rate was given, but the script's config has no such key; did you mean learning_rate?"
    assert done.stderr.count("no such key") == done.stderr.count(said) == 1
    assert "no such key" not in all_read.stderr + of_its_own.stderr


def test_given_params_stand_against_the_scripts_own_also_when_nested(project: Repo, run: Script):
    run(
        "-p",
        "model.depth=9",
        "-p",
        "lr=0.5",
        code="""
import mlgit
mlgit.init(config={"lr": 0.7, "model": {"depth": 1, "width": 2}})
mlgit.config.update({"model": {"depth": 2, "width": 3}}, allow_val_change=True)
mlgit.log({"depth": mlgit.config.model["depth"]})
""",
    )
    found = only(project)

    assert found.params == {"lr": 0.5, "model": {"depth": 9, "width": 3}}
    assert found.metrics == {"depth": 9}


def test_a_project_that_cannot_be_fails_the_script_and_keeps_the_run(repo: Repo, run: Script):
    done = run(code="import mlgit\nmlgit.init(project='a/b')", check=False)

    assert done.returncode == 1
    assert "cannot be the name of a project" in done.stderr
    assert only(repo).state is State.FAILED


def test_params_reach_the_program_by_file_environment_and_command(project: Repo, run: Script):
    code = (
        "import os, sys, json; print(json.dumps([open('params.yaml').read(), os.environ['MLGIT_PARAM_lr'], "
        "json.loads(os.environ['MLGIT_PARAMS']), json.load(open(os.environ['MLGIT_PARAMS_FILE'])), *sys.argv[1:]]))"
    )
    done = run(
        "-p", "lr=1e-05", "--", sys.executable, "-c", code, "--lr={lr}", "{model.depth}", "{unknown}", "{params_file}"
    )
    text, lr, params, file, *words = json.loads(done.stdout)

    assert text == PARAMS.replace("0.1  #", "1.0e-05 #")
    assert float(lr) == 1e-05
    assert params == file == {"lr": 1e-05, "model": {"depth": 3}}
    assert words[:3] == ["--lr=1e-05", "3", "{unknown}"]
    assert words[3].endswith("given.json")
    assert (project.folder / "params.yaml").read_text() == PARAMS
    assert only(project).params == params
    assert project.git("status", "--porcelain") == ""


def test_a_killed_run_gives_the_params_file_back(project: Repo, mlgit: Script):
    command = [sys.executable, "-m", "mlgit", "run", "-p", "lr=0.9", "--", "sh", "-c", "echo $$; exec sleep 60"]
    process = subprocess.Popen(command, cwd=project.folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout
    child = int(process.stdout.readline())
    during = (project.folder / "params.yaml").read_text()
    process.kill()
    os.kill(child, signal.SIGKILL)
    process.communicate()
    done = mlgit("run", "-p", "lr=0.7", "--", "cat", "params.yaml", cwd=project.folder)

    assert "lr: 0.9" in during
    assert "lr: 0.7" in done.stdout
    assert (project.folder / "params.yaml").read_text() == PARAMS
    assert {run.state: run.params["lr"] for run in query.runs(project)} == {State.CRASHED: 0.9, State.FINISHED: 0.7}


def test_a_params_file_that_was_edited_after_its_run_was_killed_stays_and_that_is_said(project: Repo, mlgit: Script):
    command = [sys.executable, "-m", "mlgit", "run", "-p", "lr=0.9", "--", "sh", "-c", "echo $$; exec sleep 60"]
    process = subprocess.Popen(command, cwd=project.folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout
    child = int(process.stdout.readline())
    process.kill()
    os.kill(child, signal.SIGKILL)
    process.communicate()
    (project.folder / "params.yaml").write_text("lr: 5\n")

    done = mlgit("recover", cwd=project.folder)

    assert "params.yaml was changed during the run and stays as it is; params.yaml.before holds" in done.stderr
    assert (project.folder / "params.yaml").read_text() == "lr: 5\n"
    assert (project.folder / "params.yaml.before").read_text() == PARAMS


def test_runs_that_need_one_params_file_wait_for_one_another(project: Repo):
    command = [sys.executable, "-m", "mlgit", "run"]
    tail = ["--", "sh", "-c", "grep lr params.yaml; sleep 0.3; grep lr params.yaml"]
    every = [
        subprocess.Popen(
            [*command, *given, *tail], cwd=project.folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        for given in (["-p", "lr=0.7"], ["-p", "lr=0.8"], ["-p", "model.depth=4"])
    ]
    said = [[line.split()[1] for line in one.communicate()[0].splitlines()] for one in every]

    assert said == [["0.7", "0.7"], ["0.8", "0.8"], ["0.1", "0.1"]]
    assert sorted(run.params["lr"] for run in query.runs(project)) == [0.1, 0.7, 0.8]
    assert (project.folder / "params.yaml").read_text() == PARAMS


def test_a_params_file_that_the_program_changes_stays_as_it_left_it(project: Repo, run: Script):
    done = run("-p", "lr=0.9", code="open('params.yaml', 'a').write('new: 1\\n')")

    assert "was changed during the run" in done.stderr
    assert (project.folder / "params.yaml.before").read_text() == PARAMS
    assert (project.folder / "params.yaml").read_text().endswith("new: 1\n")


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("m.yaml", "acc: 0.5\nval: {loss: 1e-3}\nok: true\nlist: [1]\n", {"acc": 0.5, "val.loss": 1e-3, "ok": True}),
        (
            "m.json",
            '{"acc": 0.5, "val": {"loss": NaN}, "note": "x"}',
            {"acc": 0.5, "val.loss": float("nan"), "note": "x"},
        ),
        ("m.json", '[{"step": 5, "acc": 1}, {"step": 7, "acc": 2}]', {"acc": 2}),
        ("m.jsonl", '{"acc": 1}\n{"acc": 2}\n', {"acc": 2}),
        ("m.csv", "step,acc,_timestamp,_step\n1,0.5,monday,x\n2,0.75,,\n", {"acc": 0.75}),
        ("m.tsv", "epoch\tacc\n1\t0.5\n2\t0.75\n", {"epoch": 2, "acc": 0.75}),
        ("m.csv", "\ufeffacc\ninf\n", {"acc": float("inf")}),
    ],
)
def test_metrics_come_from_a_file_that_the_program_writes(
    repo: Repo, run: Script, name: str, text: str, expected: dict[str, object]
):
    (repo.folder / "text").write_text(text)
    run("-m", name, "--", "cp", "text", name)

    assert repr(dict(sorted(only(repo).metrics.items()))) == repr(dict(sorted(expected.items())))


def test_the_metrics_files_it_was_told_of_are_remembered(repo: Repo, run: Script):
    run("-m", "m.json", code="open('m.json', 'w').write('{\"acc\": 1}')")

    assert runs.provenance(repo, only(repo))["metrics_files"] == ["m.json"]


def test_rows_of_a_metrics_file_know_nothing_of_a_pause(repo: Repo, run: Script, mlgit: Script):
    code = "open('m.json', 'w').write('{\"acc\": 1}')"
    run("-m", "m.json", code=f"{code}; exit(1)", check=False)
    time.sleep(1)  # the pause
    mlgit("run", "--resume", only(repo).id, "-m", "m.json", "--", sys.executable, "-c", code, cwd=repo.folder)

    found = only(repo)
    assert found.duration
    assert found.paused > 1
    assert runs.history(repo, found)["acc"].runtimes[-1] < found.duration + 0.5


@pytest.mark.parametrize("how", ["itself", "its child"])
def test_a_script_that_leaves_the_repository_records_in_it_all_the_same(
    repo: Repo, run: Script, tmp_path: Path, how: str
):
    code = f"import os, mlgit; os.chdir({str(tmp_path)!r}); mlgit.init(name='left').log({{'a': 1}}); mlgit.finish()"
    if how == "its child":
        code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}], check=True)"
    run(code=code)

    assert (only(repo).name, only(repo).metrics) == ("left", {"a": 1})


def test_steps_in_a_metrics_file_are_the_historys_steps(repo: Repo, run: Script):
    (repo.folder / "text").write_text("step,acc\n10,0.5\n20,0.75\n")
    run("-m", "m.csv", "--", "cp", "text", "m.csv")

    series = runs.history(repo, only(repo))["acc"]
    assert list(zip(series.steps, series.values, strict=True)) == [(10, 0.5), (20, 0.75)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("m.json", b"\xff\xfe"),
        ("m.json", b"{"),
        ("m.json", b"[" * 200_000),
        ("m.json", b"[1, 2]"),
        ("m.yaml", b"\xff"),
        ("m.yaml", b"- 1"),
        ("m.yaml", b"a: b: c"),
        ("m.csv", b'a\n"' + b"x" * 200_000 + b'"\n'),
        ("m.txt", b"x"),
        ("m.jsonl", b'{"a": 1}\n{"a":\n'),
        ("m.json", b"1" * 5000),
        ("m.yaml", b"a: &a [*a]"),
    ],
)
def test_a_metrics_file_that_cannot_be_read_is_said_and_the_run_is_kept(
    repo: Repo, run: Script, name: str, content: bytes
):
    (repo.folder / "content").write_bytes(content)
    done = run("-m", name, "--", "cp", "content", name)

    assert f"the metrics file {name} was not taken" in done.stderr
    assert only(repo).state is State.FINISHED


def test_a_metrics_file_from_before_is_not_taken(repo: Repo, run: Script):
    (repo.folder / "m.json").write_text('{"acc": 1}')
    done = run("-m", "m.json", "-m", "none.json", "--", "true")

    assert "m.json is as it was before the run" in done.stderr
    assert "none.json does not exist" in done.stderr
    assert only(repo).metrics == {}


@pytest.mark.parametrize("given", ["lr", "=1", " lr=1", "lr=@x", "lr=[1", "lr=*a"])
def test_a_param_that_cannot_be_read_is_a_usage_error(repo: Repo, run: Script, given: str):
    done = run("-p", given, "--", "true", check=False)

    assert done.returncode == 2
    assert "-p" in done.stderr
    assert "Traceback" not in done.stderr
    assert query.runs(repo) == []


def test_an_exit_code_is_passed_on(repo: Repo, run: Script):
    assert run("--", "sh", "-c", "exit 7", check=False).returncode == 7
    found = only(repo)
    assert found.state is State.FAILED
    assert runs.provenance(repo, found)["exit_code"] == 7


@pytest.mark.parametrize(
    ("command", "code"), [("nothing-of-this-name", 127), ("./text", 126), ("./empty", 126), (".", 126)]
)
def test_a_command_that_cannot_be_run_is_a_failed_run(repo: Repo, run: Script, command: str, code: int):
    (repo.folder / "text").write_text("x")
    (repo.folder / "empty").write_text("\0\1")
    (repo.folder / "empty").chmod(0o755)
    done = run("--", command, check=False)

    assert done.returncode == code
    assert "cannot be run" in done.stderr
    assert "Traceback" not in done.stderr
    assert only(repo).state is State.FAILED


@pytest.mark.parametrize(
    ("number", "state", "code"),
    [(signal.SIGTERM, State.PREEMPTED, 143), (signal.SIGINT, State.CRASHED, -signal.SIGINT)],
)
def test_a_signal_reaches_the_command_and_the_run_is_kept(repo: Repo, number: int, state: State, code: int):
    command = [sys.executable, "-m", "mlgit", "run", "--", "sh", "-c", "echo ready; exec sleep 60"]
    process = subprocess.Popen(
        command, cwd=repo.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(number)
    process.communicate(timeout=120)

    assert process.returncode == code
    assert only(repo).state is state


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_comes_while_the_command_is_being_started_reaches_it(repo: Repo, number: int):
    script = f"""
import os, subprocess, sys
class Interrupted(subprocess.Popen):
    def __init__(self, words, *args, **kwargs):
        super().__init__(words, *args, **kwargs)
        if words[0] == "sleep":
            os.kill(os.getpid(), {int(number)})
subprocess.Popen = Interrupted
from mlgit.__main__ import main
sys.argv[1:] = ["run", "--", "sleep", "60"]
main()
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=repo.folder, stderr=subprocess.DEVNULL, timeout=120)

    assert done.returncode == {signal.SIGTERM: 143, signal.SIGINT: -signal.SIGINT}[number]
    assert only(repo).state is (State.PREEMPTED if number == signal.SIGTERM else State.CRASHED)


def test_ctrl_c_at_a_terminal_reaches_the_command_once(repo: Repo):
    """The terminal tells the whole foreground group; passing it on would interrupt the command's own clean-up."""
    import pty

    (repo.folder / "count.py").write_text("""
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
print("ready", flush=True)
signal.sigwait([signal.SIGINT])
os.kill(os.getppid(), signal.SIGTERM)  # passed on too, after whatever came before it
signal.sigwait([signal.SIGTERM])
open("again", "w").write(str(signal.SIGINT in signal.sigpending()))
""")
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(repo.folder)
        os.execv(sys.executable, [sys.executable, "-m", "mlgit", "run", "--", sys.executable, "count.py"])
    said = b""
    while b"ready" not in said:
        said += os.read(terminal, 1000)
    os.write(terminal, b"\x03")
    try:
        while os.read(terminal, 1000):
            pass
    except OSError:
        pass
    os.waitpid(pid, 0)
    os.close(terminal)

    assert (repo.folder / "again").read_text() == "False"
    assert only(repo).commit


def test_what_a_command_prints_is_passed_on_and_kept(repo: Repo, run: Script):
    done = run("--", "sh", "-c", "echo out; echo err >&2")

    assert done.stdout == "out\n"
    assert "err\n" in done.stderr
    assert sorted(runs.output(repo, only(repo)).split()) == ["err", "out"]


def test_what_it_is_told_on_its_standard_input_reaches_the_command(repo: Repo, run: Script):
    assert run("--", "cat", input="a\nb\n").stdout == "a\nb\n"


def test_a_reader_that_goes_away_ends_no_command(repo: Repo):
    command = [sys.executable, "-m", "mlgit", "run", "--", "sh", "-c", "seq 50000; seq 50000; echo end"]
    process = subprocess.Popen(command, cwd=repo.folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout
    process.stdout.readline()
    process.stdout.close()

    assert process.wait() == 0
    found = only(repo)
    assert found.state is State.FINISHED
    assert runs.output(repo, found).endswith("50000\nend\n")


def test_what_runs_on_in_the_background_is_not_waited_for(repo: Repo, tmp_path: Path):
    os.mkfifo(tmp_path / "go")
    script = f"echo now; (read line < {tmp_path}/go; echo later) &"
    command = [sys.executable, "-m", "mlgit", "run", "--", "sh", "-c", script]
    process = subprocess.Popen(command, cwd=repo.folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    assert process.wait(60) == 0
    assert runs.output(repo, only(repo)) == "now\n"
    (tmp_path / "go").write_text("\n")
    assert process.communicate()[0] == b"now\nlater\n"


def test_a_run_that_git_refuses_keeps_the_commands_exit_code(repo: Repo, run: Script):
    repo.git("branch", "exp")
    done = run("--", "sh", "-c", "exit 5", check=False)

    assert done.returncode == 5
    assert "is in the way" in done.stderr
    repo.git("branch", "-m", "exp", "old")
    recover.recover_all(repo, lambda _text: None)
    assert only(repo).state is State.FAILED


def test_a_run_inside_a_run_of_another_command_is_a_run_of_its_own(repo: Repo, run: Script):
    run("-n", "outer", "--", sys.executable, "-m", "mlgit", "run", "-n", "inner", "--", "true")

    assert {one.name for one in query.runs(repo)} == {"outer", "inner"}


def test_two_runs_inside_one_another_do_not_wait_for_one_params_file_for_ever(project: Repo, run: Script):
    inner = [sys.executable, "-m", "mlgit", "run"]
    both = run("-p", "lr=2", "--", *inner, "-p", "lr=3", "--", "true", check=False, timeout=120)
    one = run("-p", "lr=2", "--", *inner, "--", "cat", "params.yaml", timeout=120)
    other = run("--", *inner, "-p", "lr=3", "--", "cat", "params.yaml", timeout=120)

    assert both.returncode == 2
    assert "give -p to one of them only" in both.stderr
    assert "lr: 2" in one.stdout
    assert "lr: 3" in other.stdout
    assert (project.folder / "params.yaml").read_text() == PARAMS


def test_a_mistyped_option_is_not_taken_for_the_command(repo: Repo, run: Script):
    done = run("--nmae", "x", "--", "true", check=False)

    assert done.returncode == 2
    assert "--name" in done.stderr
    assert query.runs(repo) == []


def test_the_commands_own_options_stay_its_own(repo: Repo, run: Script):
    assert run("echo", "-n", "name", "--help", "-p").stdout == "name --help -p"
    assert run("-n", "x", "--", "echo", "--", "-n").stdout == "-- -n\n"


def test_a_hostile_run_id_in_the_environment_joins_nothing(repo: Repo, python: Script):
    python("-c", "import mlgit; mlgit.init()", cwd=repo.folder, env={**os.environ, "MLGIT_RUN_ID": "../../hooks"})

    assert not (repo.git_dir / "hooks/lock").exists()
    assert only(repo).state is State.FINISHED


def test_a_killed_mlgit_whose_script_lives_on_is_not_recovered_yet(repo: Repo, tmp_path: Path):
    os.mkfifo(tmp_path / "go")
    code = f"""
import mlgit, sys
mlgit.init()
mlgit.log({{"a": 1}})
print("ready", flush=True)
open({str(tmp_path / "go")!r}).readline()
mlgit.log({{"a": 2}})
print("went on")
"""
    command = [sys.executable, "-m", "mlgit", "run", "--", sys.executable, "-c", code]
    process = subprocess.Popen(command, cwd=repo.folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout
    assert process.stdout.readline() == b"ready\n"
    process.kill()
    process.wait()

    assert recover.recover_all(repo, lambda _text: None) == []
    (tmp_path / "go").write_text("go\n")
    assert process.communicate()[0] == b"went on\n"
    recover.recover_all(repo, lambda _text: None)
    found = only(repo)
    assert found.metrics == {"a": 2}
    assert runs.output(repo, found).endswith("went on\n")
    assert not live.folders(repo)


ENDS: dict[str, tuple[State, int | None]] = {
    "": (State.FINISHED, None),
    "mlgit.finish()": (State.FINISHED, None),
    "sys.exit(3)": (State.FAILED, 3),
    "raise ValueError('mine')": (State.FAILED, 1),
    "os.kill(os.getpid(), signal.SIGTERM)": (State.PREEMPTED, 143),
    "os.kill(os.getpid(), signal.SIGKILL)": (State.CRASHED, None),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_run_whose_mlgit_is_killed_ended_as_the_script_did_that_was_its_command(repo: Repo, end: str):
    code = f"import mlgit, os, signal, sys\nmlgit.init()\nos.kill(os.getppid(), 9)\n{end}"
    words = [sys.executable, "-m", "mlgit", "run", "--", sys.executable, "-c", code]
    subprocess.run(words, cwd=repo.folder, capture_output=True, timeout=120, check=False)  # until both are gone
    recover.recover_all(repo, lambda _text: None)

    found = only(repo)
    assert (found.state, runs.provenance(repo, found).get("exit_code")) == ENDS[end]


def test_a_run_whose_mlgit_is_killed_is_crashed_and_says_so_where_its_script_was_a_part_of_the_command(repo: Repo):
    script = f"{sys.executable} -c 'import mlgit; mlgit.init()'; kill -9 $PPID; exit 3"
    words = [sys.executable, "-m", "mlgit", "run", "--", "sh", "-c", script]
    subprocess.run(words, cwd=repo.folder, capture_output=True, timeout=120, check=False)
    recover.recover_all(repo, lambda _text: None)

    found = only(repo)
    assert found.state is State.CRASHED
    assert "mlgit run was killed" in runs.provenance(repo, found)["error"]


def test_an_error_that_the_script_catches_is_none_of_the_runs(repo: Repo, run: Script):
    run(code="import mlgit\ntry:\n  with mlgit.init(): raise ValueError('caught')\nexcept ValueError: pass")
    found = only(repo)

    assert found.state is State.FINISHED
    assert "error" not in runs.provenance(repo, found)


def test_what_mlgit_says_at_the_end_is_a_line_of_its_own(run: Script):
    amid = run(code="import sys; sys.stderr.write('50 %\\r100 %')").stderr
    ended = run(code="import sys; sys.stderr.write('100 %\\n')").stderr

    assert "50 %\n100 %\nmlgit: " in amid  # read with each kind of line end as one
    assert "100 %\nmlgit: " in ended
