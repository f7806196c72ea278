"""A run's branch is exactly what the design says, and stock tools read it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import mlgit
from mlgit.core.run import LATEST, Run
from mlgit.documents.reader import plain
from mlgit.errors import MlgitError
from mlgit.git.repo import Move, Repo, message_trailer
from mlgit.index import query
from mlgit.store import records, runs
from tests.conftest import make_repo

Script = Callable[..., "subprocess.CompletedProcess[str]"]

TRAIN = """
import mlgit, sys
lr = float(sys.argv[1])
config = {"lr": lr, "opt": {"name": "no"}}
run = mlgit.init(project="digits", name="radiant glade", config=config, tags=["a"], notes="why")
for step in range(5):
    mlgit.log({"loss": 1 / (step + 1) / lr, "val/acc": step * lr, "nan": float("nan")})
print("done")
"""


@pytest.fixture
def train(repo: Repo, python: Script) -> Callable[[float], Run]:
    (repo.folder / "train.py").write_text(TRAIN)

    def call(lr: float) -> Run:
        python("train.py", str(lr), cwd=repo.folder)
        return query.runs(repo)[0]

    return call


def test_a_run_is_a_branch_of_source_and_result(repo: Repo, train: Callable[[float], Run]):
    head = repo.resolve("HEAD")
    run = train(0.5)
    commits = repo.git("log", "--format=%H", run.branch).split("\n")
    changed = repo.git("diff", "--name-only", f"{run.commit}^", run.commit).split("\n")

    assert run.branch == f"exp/digits/radiant-glade-{run.id[:6]}"
    assert commits == [run.commit, run.source, head]
    assert changed == [
        "experiment/dvc.yaml",
        "experiment/history/loss.tsv",
        "experiment/history/nan.tsv",
        "experiment/history/val/acc.tsv",
        "experiment/metrics.yaml",
        "experiment/output.log",
        "experiment/params.yaml",
        "experiment/requirements.txt",
        "experiment/run.yaml",
    ]
    assert repo.git("ls-tree", "--name-only", run.source or "") == "train.py"
    assert repo.read(run.commit, "experiment/params.yaml") == b'lr: 0.5\nopt:\n  name: "no"\n'
    assert repo.read(run.commit, "experiment/metrics.yaml") == b"loss: 0.4\nnan: .nan\nval/acc: 2.0\n"
    assert repo.read(run.commit, "experiment/output.log") == b"done\n"
    assert repo.read(run.commit, "experiment/dvc.yaml") == (
        b"# Read by stock DVC: dvc metrics diff, dvc params diff, dvc plots diff between two run branches.\n"
        b"params: [params.yaml]\nmetrics: [metrics.yaml]\nplots:\n  - history: {x: step}\n"
    )
    table = (repo.read(run.commit, "experiment/history/val/acc.tsv") or b"").decode().splitlines()
    assert table[0] == "step\t_runtime\t_timestamp\tval/acc"
    assert [(line.split("\t")[0], line.split("\t")[3]) for line in table[1:]] == [
        (str(n), str(n / 2)) for n in range(5)
    ]
    assert (repo.read(run.commit, "experiment/history/nan.tsv") or b"").splitlines()[1].endswith(b"\tnan")
    assert repo.refs("refs/mlgit/live/") == {}


def test_its_message_is_its_index(repo: Repo, train: Callable[[float], Run]):
    run = train(0.5)
    message = repo.git("log", "-1", "--format=%B", run.branch)
    record = json.loads(message_trailer(message, "Mlgit-Result") or "")

    assert message.splitlines()[0] == "radiant glade: val/acc 2, loss 0.4"
    assert len([line for line in message.splitlines() if line.startswith("Mlgit-Result: ")]) == 1
    assert repo.git("log", "-1", "--format=%(trailers:key=Mlgit-Result,valueonly)", run.branch).strip() == records.line(
        run
    )
    assert record["params"] == {"lr": 0.5, "opt": {"name": "no"}}
    assert record["metrics"] == {"loss": 0.4, "val/acc": 2.0, "nan": {"$float": "nan"}}
    assert (record["state"], record["tags"], record["source"]) == ("finished", ["a"], run.source)


def test_its_yaml_says_where_and_how(repo: Repo, train: Callable[[float], Run]):
    run = train(0.5)
    about = runs.provenance(repo, run)

    assert about["command"] == ["python", "train.py", "0.5"]
    assert about["code"]["dirty"] is True
    assert about["python"] == ".".join(map(str, sys.version_info[:3]))
    assert b"\nnumpy==" in (repo.read(run.commit, "experiment/requirements.txt") or b"")
    assert set(about) >= {
        "id",
        "name",
        "project",
        "state",
        "created",
        "finished",
        "duration",
        "source",
        "system",
        "cwd",
    }
    assert "HOME" not in str(about)


def test_a_run_of_committed_code_has_head_as_its_source(repo: Repo, train: Callable[[float], Run]):
    repo.git("add", "-A")
    repo.git("commit", "-qm", "code")
    run = train(0.5)

    assert run.source == repo.resolve("HEAD")
    assert not run.dirty
    assert run.tree == repo.git("rev-parse", "HEAD^{tree}")


def test_an_experiment_folder_that_was_committed_is_replaced(repo: Repo, train: Callable[[float], Run]):
    (repo.folder / "experiment").mkdir()
    (repo.folder / "experiment/old").write_text("old")
    repo.git("add", "-A")
    repo.git("commit", "-qm", "code")
    run = train(0.5)

    assert repo.read(run.commit, "experiment/old") is None
    assert repo.read(run.commit, "experiment/metrics.yaml")


def test_stock_dvc_compares_two_runs(repo: Repo, train: Callable[[float], Run]):
    repo.git("config", "core.hooksPath", "/dev/null")
    dvc = [sys.executable, "-m", "dvc"]
    subprocess.run([*dvc, "init", "-q"], cwd=repo.folder, check=True)
    one, two = train(0.5), train(0.25)

    def ask(*args: str) -> str:
        done = subprocess.run([*dvc, *args], cwd=repo.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    metrics = json.loads(ask("metrics", "diff", "--json", one.branch, two.branch))
    params = json.loads(ask("params", "diff", "--json", one.branch, two.branch))
    plots = json.loads(ask("plots", "diff", "--json", "--out", "plots", one.branch, two.branch))

    assert metrics["experiment/metrics.yaml"]["val/acc"] == {"old": 2.0, "new": 1.0, "diff": -1.0}
    assert (
        params["experiment/params.yaml"]["lr"] == {"old": 0.5, "new": 0.25, "diff": -0.25}
        or params["experiment/params.yaml"]["lr"]["new"] == 0.25
    )
    assert {key.rpartition("::")[2].split("/", 2)[-1] for key in plots["data"]} >= {
        "loss.tsv",
        "val/acc.tsv",
    } or "loss" in str(plots)
    assert not plots.get("errors")


def test_a_long_series_is_thinned_and_says_so(repo: Repo, python: Script, mlgit: Script):
    python(
        "-c", "import mlgit\nmlgit.init()\nfor n in range(3000): mlgit.log({'loss': float(n == 1234)})", cwd=repo.folder
    )
    (run,) = query.runs(repo)
    series = runs.history(repo, run)["loss"]

    assert len(series) <= 1000
    assert (max(series.values), series.steps[-1]) == (1.0, 2999)
    assert runs.provenance(repo, run)["thinned"] == {"loss": 3000}
    assert "3,000 rows logged, at most 1,000 a metric kept" in mlgit("show", cwd=repo.folder).stdout


def test_a_record_too_big_for_a_message_is_read_from_its_files(repo: Repo, python: Script):
    config = "{'text': 'x' * 70_000, 'n': float('inf')}"
    code = f"import mlgit\nmlgit.init(name='big', config={config}, tags=['t'])\nmlgit.log({{'a': 1}})"
    python("-c", code, cwd=repo.folder)
    (run,) = query.runs(repo)

    assert len(repo.git("log", "-1", "--format=%B", run.branch)) < 200
    assert run.params == {"text": "x" * 70_000, "n": float("inf")}
    assert (run.name, run.metrics, run.tags) == ("big", {"a": 1}, ("t",))


def test_a_run_with_more_metrics_than_are_read_is_still_a_run(repo: Repo, python: Script):
    code = "import mlgit\nmlgit.init(name='wide', config={'lr': 1})\nmlgit.log({f'k{i}': i for i in range(120_000)})"
    python("-c", code, cwd=repo.folder)
    (run,) = query.runs(repo)

    assert (run.name, run.params) == ("wide", {"lr": 1})


@pytest.mark.parametrize(
    "trailer",
    [
        "{}",
        "not json",
        "[1]",
        "3",
        "null",
        '"x"',
        '{"id": 1}',
        '{"id": "x", "big": true}',
        "[" * 50_000,
        '{"big": true}',
        '{"id":"a","name":null,"project":"p","state":"finished","created":0}',
        '{"id":"a","name":"n","project":"p","state":"odd","created":0}',
        '{"id":"a","name":"n","project":"p","state":"finished","created":"x"}',
        '{"id":"a","name":"n","project":"p","state":"finished","created":0,"params":3}',
        '{"id":"a","name":"n","project":"p","state":"finished","created":0,"logged":[{"x":1}]}',
    ],
)
def test_a_branch_that_is_no_run_is_passed_over(repo: Repo, train: Callable[[float], Run], mlgit: Script, trailer: str):
    run = train(0.5)
    files = {"experiment/run.yaml": b"id: x\nname: [", "experiment/params.yaml": b"\xff"}
    repo.commit_on("refs/heads/exp/digits/foreign", files, f"foreign\n\nMlgit-Result: {trailer}", expect=None)
    repo.git("branch", "exp/digits/plain")

    assert [found.id for found in query.runs(repo)] == [run.id]
    assert run.branch.rpartition("/")[2] in mlgit("ls", cwd=repo.folder).stdout


@pytest.mark.parametrize("field", ["created", "finished", "paused", "seen"])
@pytest.mark.parametrize("moment", ["1e300", "-1e300", "1e999", f"1{'0' * 400}", '{"$float":"nan"}'])
def test_a_run_of_a_time_that_no_calendar_has_is_listed_shown_and_gone_on_with(
    repo: Repo, mlgit: Script, field: str, moment: str
):
    times = f'"created":5,"finished":6,"{field}":{moment}'  # of a name that stands twice the last counts
    record = f'{{"id":"odd","name":"odd","project":"repo","state":"finished",{times}}}'
    files = {
        "experiment/run.yaml": b"id: odd\nname: odd\nproject: repo\nstate: finished\ncreated: 2026-01-01T00:00:00Z\n"
    }
    repo.commit_on("refs/heads/exp/repo/odd-odd", files, f"odd\n\nMlgit-Result: {record}", expect=None)

    assert "odd" in mlgit("ls", cwd=repo.folder).stdout
    assert "(odd)" in mlgit("show", "odd", cwd=repo.folder).stdout
    mlgit("run", "--resume", "odd", "--", "true", cwd=repo.folder)


def test_a_killed_run_ends_when_its_files_do_though_its_rows_tell_of_another_time(
    repo: Repo, python: Script, mlgit: Script
):
    code = "import mlgit, os\nmlgit.init()\nmlgit.log({'loss': 1, '_timestamp': 1e300})\nos.kill(os.getpid(), 9)"
    python("-c", code, cwd=repo.folder, check=False)
    mlgit("recover", cwd=repo.folder)

    (run,) = query.runs(repo)
    assert run.duration is not None
    assert run.duration < 600


def test_hostile_words_of_a_foreign_run_do_no_harm_to_a_terminal(repo: Repo, mlgit: Script):
    name = "\x1b]0;pwned\x07\x1b[2Jevil\u202e\ud800"
    record = {
        "id": "abcdefgh",
        "name": name,
        "project": "repo",
        "state": "finished",
        "created": 1,
        "tags": [3, name],
        "params": {name: name},
        "metrics": {name: 1, "deep": {"a": [name]}},
    }
    files = {
        "experiment/run.yaml": b"id: abcdefgh\n",
        "experiment/output.log": b"\x1b]0;pwned\x07done\n",
        "experiment/history/x.tsv": b"step\t_runtime\t_timestamp\t\x1b]0;pwned\x07x\n0\t0\t0\t1\n",
    }
    repo.commit_on("refs/heads/exp/repo/x", files, f"x\n\nMlgit-Result: {json.dumps(record)}", expect=None)
    for words in (
        ("ls",), ("ls", "--json"), ("show", "abcdefgh"), ("diff", "abcdefgh", "abcdefgh"), ("show", "no\x1bsuch"),
        ("show", "pwnedevil"), ("show", "abcdefgh", "--log"), ("show", "abcdefgh", "--history"),
    ):  # fmt: skip
        done = mlgit(*words, cwd=repo.folder, check=False)

        assert "Traceback" not in done.stderr
        assert "\x1b" not in done.stdout + done.stderr


def test_edits_and_other_commits_on_top_leave_the_run_readable(repo: Repo, train: Callable[[float], Run]):
    run = train(0.5)
    repo.commit_on(run.ref, {"README": b"by hand"}, "A word of mine", expect=run.commit)

    assert [found.id for found in query.runs(repo)] == [run.id]
    assert runs.history(repo, query.runs(repo)[0])["loss"].values[-1] == pytest.approx(0.4)


def test_a_series_that_somebody_spoiled_is_passed_over(repo: Repo, train: Callable[[float], Run]):
    run = train(0.5)
    spoiled = {
        "experiment/history/loss.tsv": b"no table\n",
        "experiment/history/nan.tsv": b"\xff",
        "experiment/history/x.tsv": b"step\t_runtime\t_timestamp\tx\n1\t2\n",
    }
    repo.commit_on(run.ref, spoiled, f"edited\n\n{records.TRAILER}: {records.trailer(run)}", expect=run.commit)

    assert list(runs.history(repo, query.runs(repo)[0])) == ["val/acc"]


# -- hidden runs


def test_a_hidden_run_comes_back(repo: Repo, train: Callable[[float], Run], mlgit: Script):
    one, two = train(0.5), train(0.25)
    label = one.branch.rpartition("/")[2]
    assert mlgit("rm", one.id, one.branch, "--dry-run", cwd=repo.folder).stdout == f"{one.branch} would be hidden\n"
    said = mlgit("rm", one.id, one.branch, cwd=repo.folder)

    assert (said.stdout, said.stderr) == (f"{one.branch} is hidden\n", f"undo: mlgit restore {label}\n")
    assert [run.id for run in query.runs(repo)] == [two.id]
    assert label in mlgit("restore", "--list", cwd=repo.folder).stdout
    assert json.loads(mlgit("restore", "--list", "--json", cwd=repo.folder).stdout)[0]["branch"] == one.branch
    assert mlgit("rm", one.id, cwd=repo.folder, check=False).returncode == 1
    mlgit("restore", one.id, cwd=repo.folder)
    assert {run.id for run in query.runs(repo)} == {one.id, two.id}
    assert repo.resolve(one.branch) == one.commit
    assert mlgit("restore", one.id, cwd=repo.folder, check=False).returncode == 1


def test_all_runs_of_which_a_condition_holds_are_hidden_and_come_back(
    repo: Repo, train: Callable[[float], Run], mlgit: Script
):
    one, two = train(0.5), train(0.25)
    assert mlgit("rm", cwd=repo.folder, check=False).returncode == 2

    (told,) = json.loads(mlgit("rm", "--where", "lr > 0.4", "--json", cwd=repo.folder).stdout)

    assert told["id"] == one.id
    assert [run.id for run in query.runs(repo)] == [two.id]
    assert mlgit("restore", cwd=repo.folder, check=False).returncode == 2
    assert mlgit("restore", "--all", cwd=repo.folder).stdout == f"{one.branch} is back\n"
    assert mlgit("restore", "--all", cwd=repo.folder).stderr == "Nothing is hidden.\n"


def test_a_hidden_run_is_brought_back_with_edits_that_are_no_results(repo: Repo, train: Callable[[float], Run]):
    run = train(0.5)
    tip = repo.commit_on(run.ref, {"a.txt": b"by hand"}, "by hand", expect=run.commit)

    runs.hide(repo, query.runs(repo))
    runs.restore(repo, runs.hidden(repo))

    assert repo.resolve(run.branch) == tip


def test_hidden_runs_are_completed(repo: Repo, train: Callable[[float], Run], mlgit: Script):
    one, _ = train(0.5), train(0.25)
    mlgit("rm", one.id, cwd=repo.folder)
    env = os.environ | {"_MLGIT_COMPLETE": "fish_complete", "COMP_WORDS": "mlgit restore", "COMP_CWORD": one.name[:3]}

    assert mlgit(env=env, cwd=repo.folder).stdout == f"plain,{one.branch.rpartition('/')[2]}\t{one.name}\n"


def test_a_hidden_run_with_an_id_of_its_own_comes_back_as_it_was_said(repo: Repo, python: Script, mlgit: Script):
    python("-c", "import mlgit; mlgit.init(id='my-run.1', name='abc')", cwd=repo.folder)
    said = mlgit("rm", "my-run.1", cwd=repo.folder).stderr
    mlgit(*said.removeprefix("undo: mlgit ").split(), cwd=repo.folder)

    assert [run.id for run in query.runs(repo)] == ["my-run.1"]


def test_a_hidden_run_stays_hidden_where_a_remote_still_has_it(
    repo: Repo, train: Callable[[float], Run], mlgit: Script, tmp_path: Path
):
    run = train(0.5)
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "far.git")], check=True)
    repo.git("remote", "add", "origin", str(tmp_path / "far.git"))
    mlgit("sync", cwd=repo.folder)
    repo.git("fetch", "-q")
    assert [found.ref for found in query.runs(repo)] == [run.ref]
    mlgit("rm", run.id, cwd=repo.folder)

    assert query.runs(repo) == []
    mlgit("restore", run.id, cwd=repo.folder)
    assert [found.ref for found in query.runs(repo)] == [run.ref]


def test_a_run_that_only_a_remote_has_is_hidden_here_and_stays_there(repo: Repo, train: Callable[[float], Run]):
    run = train(0.5)
    far = f"refs/remotes/origin/{run.branch}"
    repo.move([Move(far, None, run.commit), Move(run.ref, run.commit, None)], why="test")

    runs.hide(repo, query.runs(repo))

    assert query.runs(repo) == []
    assert repo.resolve(far) == run.commit
    runs.restore(repo, runs.hidden(repo))
    assert [found.ref for found in query.runs(repo)] == [run.ref]


def test_a_branch_that_is_checked_out_is_not_hidden(repo: Repo, train: Callable[[float], Run]):
    run = train(0.5)
    repo.git("worktree", "add", "-q", "../out", run.branch)

    with pytest.raises(MlgitError, match="is checked out"):
        runs.hide(repo, [run])


# -- sync


def test_very_many_runs_go_in_one_push(repo: Repo, tmp_path: Path, mlgit: Script):
    far = make_repo(tmp_path / "far", commit=False, bare=True)
    head = repo.resolve("HEAD")
    moves = [Move(f"refs/heads/exp/p/run-{number}-aaaaaa", None, head) for number in range(300)]
    repo.move(moves, why="test")

    done = mlgit("sync", "--to", str(far.folder), cwd=repo.folder)

    assert "300 runs are pushed" in done.stdout
    assert far.refs() == repo.refs("refs/heads/exp/")


def test_runs_go_to_a_bare_repository_and_nothing_is_overwritten(
    repo: Repo, train: Callable[[float], Run], mlgit: Script, tmp_path: Path
):
    one = train(0.5)
    far_path = tmp_path / "far away.git"
    subprocess.run(["git", "init", "-q", "--bare", str(far_path)], check=True)
    far = Repo.find(far_path)
    assert far
    assert "1 run would be" in mlgit("sync", "--dry-run", "--to", str(far_path), cwd=repo.folder).stdout
    assert far.refs() == {}
    assert mlgit("sync", "--to", str(far_path), cwd=repo.folder).stdout == f"1 run is pushed to {far_path}\n"
    assert mlgit("sync", "--to", str(far_path), cwd=repo.folder).stdout == "Nothing to push or pull.\n"

    far.commit_on(one.ref, {"theirs": b"x"}, "theirs", expect=one.commit)
    theirs = far.resolve(one.ref)
    repo.commit_on(one.ref, {"ours": b"x"}, "ours", expect=one.commit)
    two = train(0.25)
    ours = repo.resolve(one.ref)
    done = mlgit("sync", "--to", str(far_path), cwd=repo.folder)

    assert far.refs().keys() == {one.ref, two.ref}
    assert far.is_ancestor(ours or "", one.ref)
    assert far.is_ancestor(theirs or "", one.ref)
    assert (far.read(one.ref, "ours"), far.read(one.ref, "theirs")) == (b"x", b"x")
    assert "with both edits now" in done.stderr


@pytest.mark.parametrize(
    "to",
    [
        "nowhere",
        "/nonexistent/x.git",
        "--upload-pack=touch pwned",
        "ext::touch pwned",
        "https://ada:hunter2@localhost:1/x",
    ],
)
def test_an_address_that_cannot_be_reached_is_an_error_of_git(
    repo: Repo, train: Callable[[float], Run], mlgit: Script, to: str
):
    train(0.5)
    done = mlgit("sync", "--to", to, cwd=repo.folder, check=False)

    assert done.returncode in (2, 3)
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr
    assert not (repo.folder / "pwned").exists()


def test_objects_have_a_file_of_their_own_a_line_each(inside: Repo):
    with mlgit.init() as run:
        run.log({"loss": 0.5, "spread": mlgit.Histogram([1, 2, 2.5]), "t": mlgit.Table(columns=["a"], data=[[1]])})
    (found,) = query.runs(inside)
    place = f"{found.commit}:experiment"
    lines = inside.git("show", f"{place}/objects.yaml").splitlines()

    assert inside.git("show", f"{place}/metrics.yaml") == "loss: 0.5"
    assert [line.partition(":")[0] for line in lines] == ["spread", "t"]
    assert plain("\n".join(lines).encode(), source="objects.yaml") == runs.complete(inside, found).objects
    assert found.scalars == {"loss": 0.5}
    assert mlgit.Api().run(run.id).summary["spread"]["_type"] == "histogram"


def test_a_listing_and_a_commits_message_only_say_that_there_are_objects(inside: Repo):
    with mlgit.init(id="abcdefgh") as run:
        run.log({"loss": 0.5, "spread": mlgit.Histogram([1, 2, 2.5])})
    (found,) = query.runs(inside)
    run = mlgit.Api().run("abcdefgh")
    run.summary["best"] = 0.4
    run.update()
    (edited,) = query.runs(inside)

    assert dict(found.metrics) == {"loss": 0.5, "spread": {"_type": "histogram"}}
    assert '"spread":{"_type":"histogram"}' in inside.git("log", "-1", "--format=%B", found.commit)
    assert runs.complete(inside, edited).metrics == {**runs.complete(inside, found).metrics, "best": 0.4}


@pytest.mark.parametrize(
    "seconds", [0.0, 0.9996, 1_700_000_000.1239, 1_700_000_000.0005, 1_795_669_504.999_999, LATEST]
)
def test_a_run_s_yaml_says_the_same_time_as_its_message(seconds: float):
    assert records.seconds_of(records.moment(seconds)) == round(seconds, 3)
