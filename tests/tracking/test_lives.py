"""A run that goes on: resumed, rewound, forked; by its id, by what stopped last, on another machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import mlgit as wandb
from mlgit.core.run import Run, State
from mlgit.errors import NotFoundError, UsageError
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import live, recover, runs

pytestmark = pytest.mark.usefixtures("ended")

Script = Callable[..., "subprocess.CompletedProcess[str]"]


def one(repo: Repo, run_id: str = "abcdefgh") -> Run:
    wandb.finish()
    assert not live.folders(repo)
    repo.git("fsck", "--strict", "--no-dangling")
    return next(run for run in query.runs(repo) if run.id == run_id)


def first(*losses: float, exit_code: int = 1, **wanted: object) -> Run:
    """A run of the id `abcdefgh` that logged *losses*, as its branch holds it."""
    run = wandb.init(**{"id": "abcdefgh", "name": "first", "config": {"lr": 0.1}, **wanted})
    for loss in losses:
        run.log({"loss": loss})
    run.finish(exit_code)
    repo = Repo.find(Path.cwd())
    assert repo
    return one(repo)


def steps(repo: Repo, run: Run, name: str = "loss") -> list[tuple[int, float]]:
    series = runs.history(repo, run)[name]
    return list(zip(series.steps, series.values, strict=True))


# -- resume


@pytest.mark.parametrize("resume", ["allow", "must", "auto", True])
def test_a_resumed_run_goes_on_where_it_stopped_on_the_same_branch(inside: Repo, resume: str | bool):
    before = first(3.0, 2.0, tags=["a"], notes="why", group="g")
    run = wandb.init(id="abcdefgh", resume=resume)
    told = (run.resumed, run.step, run.starting_step, dict(run.config), dict(run.summary), run.name, run.tags)
    run.log({"loss": 1.0, "acc": 0.5})
    after = one(inside)

    assert told == (True, 2, 2, {"lr": 0.1}, {"loss": 2.0}, "first", ("a",))
    assert (after.ref, after.state, after.created) == (before.ref, State.FINISHED, before.created)
    assert (after.group, after.notes, after.tags) == ("g", "why", ("a",))
    assert steps(inside, after) == [(0, 3.0), (1, 2.0), (2, 1.0)]
    assert dict(after.metrics) == {"loss": 1.0, "acc": 0.5}
    assert inside.is_ancestor(before.commit, after.commit)
    about = runs.provenance(inside, after)
    assert about["earlier"]["commit"] == before.commit
    assert (about["earlier"]["how"], about["earlier"]["step"]) == ("resume", 1)


def test_the_work_tree_follows_a_run_that_goes_on_where_it_is_checked_out(inside: Repo):
    inside.git("switch", "-q", first(3.0).branch)
    run = wandb.init(id="abcdefgh", resume="must")
    run.log({"loss": 1.0})
    one(inside)

    assert inside.git("status", "--porcelain") == ""
    assert (inside.folder / "experiment" / "metrics.yaml").read_text() == "loss: 1.0\n"


def test_what_a_resumed_run_takes_out_of_its_summary_is_gone(inside: Repo):
    run = wandb.init(id="abcdefgh")
    run.define_metric("best", summary="max")
    run.log({"loss": 1, "gone": 2, "back": 3, "best": 4})
    run.finish()
    run = wandb.init(id="abcdefgh", resume="must")
    for name in ("gone", "back", "best"):
        del run.summary[name]
    run.log({"back": 5})
    run.finish()
    with wandb.init(id="abcdefgh", resume="must") as run:
        told = {name: value for name, value in run.summary.items() if not name.startswith("_")}

    assert dict(one(inside).metrics) == told == {"loss": 1, "back": 5}


def test_what_is_given_anew_is_taken(inside: Repo):
    first(1.0, tags=["a"])
    wandb.init(id="abcdefgh", resume="must", name="second", tags=["b"], config={"lr": 0.2, "depth": 3})
    run = one(inside)

    assert (run.name, run.tags, dict(run.params)) == ("second", ("b",), {"lr": 0.2, "depth": 3})
    assert run.branch == "exp/repo/first-abcdef"


def test_the_time_in_between_is_no_time_of_the_run(inside: Repo, monkeypatch: pytest.MonkeyPatch):
    import time

    real = time.time
    first(1.0)
    monkeypatch.setattr(time, "time", lambda: real() + 3600)
    wandb.init(id="abcdefgh", resume="must").log({"loss": 2.0})
    run = one(inside)
    series = runs.history(inside, run)["loss"]

    assert run.duration is not None
    assert run.finished is not None
    assert run.duration < 600 < 3600 < run.finished - run.created
    assert 0 <= series.runtimes[0] <= series.runtimes[1] < 600
    assert series.timestamps[1] - series.timestamps[0] > 3500


def test_the_step_rules_hold_over_the_seam(inside: Repo, capsys: pytest.CaptureFixture[str]):
    first(3.0, 2.0)
    run = wandb.init(id="abcdefgh", resume="must")
    run.log({"loss": 9.0}, step=1)
    run.log({"loss": 1.0}, step=7)
    after = one(inside)

    assert "step 1 is behind the current step 2" in capsys.readouterr().err
    assert steps(inside, after) == [(0, 3.0), (1, 2.0), (7, 1.0)]


def test_a_run_is_resumed_as_often_as_need_be(inside: Repo):
    first(0.0)
    for number in range(1, 4):
        wandb.init(id="abcdefgh", resume="must").log({"loss": float(number)})
        wandb.finish()
    run = one(inside)

    assert steps(inside, run) == [(0, 0.0), (1, 1.0), (2, 2.0), (3, 3.0)]
    assert len(inside.ancestors(run.commit)) == 5


def test_code_that_changed_in_between_is_an_ancestor_too(inside: Repo):
    before = first(1.0)
    (inside.folder / "train.py").write_text("print(2)\n")
    wandb.init(id="abcdefgh", resume="must").log({"loss": 2.0})
    after = one(inside)

    assert after.source
    assert after.source != before.source
    assert inside.is_ancestor(after.source, after.commit)
    assert inside.read(after.commit, "train.py") == b"print(2)\n"
    assert runs.read(inside, after.commit) == Run(**{**vars(after), "ref": ""})


def test_the_console_media_and_artifacts_of_every_life_are_kept(inside: Repo):
    (inside.folder / "data.txt").write_text("x")
    run = wandb.init(id="abcdefgh", name="first")
    run.log({"table": wandb.Table(columns=["a"], data=[[1]])})
    print("said in the first life")
    run.log_artifact("data.txt", name="data", type="dataset")
    run.finish()
    run = wandb.init(id="abcdefgh", resume="must")
    print("said in the second life")
    run.log({"table": wandb.Table(columns=["a"], data=[[2]])})
    after = one(inside)
    said = runs.output(inside, after)

    assert said.index("first life") < said.index("second life")
    assert [version.name for version in after.logged] == ["data"]
    tables = runs.objects(inside, after)["table"]
    assert [table.step for table in tables] == [0, 1]
    for table in tables:
        assert inside.read(after.commit, f"experiment/{table.value['path']}")


def test_a_resumed_run_finds_the_checkpoint_that_it_logged_before(inside: Repo):
    run = wandb.init(id="abcdefgh")
    for text in ("one", "two"):
        Path("state").write_text(text)
        run.log_artifact("state", name="ckpt", type="model")
    run.finish(1)
    Path("state").unlink()

    again = wandb.init(id="abcdefgh", resume="must")
    Path("state").write_text("three")
    found = Path(again.use_artifact("ckpt:latest").download()) / "state"
    told = (found.read_text(), again.use_artifact("ckpt:v0").version)
    again.log_artifact("state", name="ckpt", type="model")
    newest = again.use_artifact("ckpt:latest").version

    assert (*told, newest) == ("two", "v0", "v2")
    assert len(one(inside).logged) == 3


def test_never_refuses_an_id_that_exists_and_takes_one_that_does_not(inside: Repo):
    first(1.0)

    with pytest.raises(UsageError, match="There is a run with the id 'abcdefgh'"):
        wandb.init(id="abcdefgh", resume="never")
    assert not wandb.init(id="another1", resume="never").resumed


def test_without_resume_an_id_that_exists_is_refused(inside: Repo):
    first(1.0)

    with pytest.raises(UsageError, match="resume='allow'"):
        wandb.init(id="abcdefgh")


def test_allow_begins_a_run_that_does_not_exist(inside: Repo):
    run = wandb.init(id="abcdefgh", resume="allow")

    assert not run.resumed
    assert run.id == "abcdefgh"


def test_must_names_what_is_close(inside: Repo):
    first(1.0)

    with pytest.raises(NotFoundError, match=r"did you mean abcdefgh \(first\)"):
        wandb.init(id="abcdefgx", resume="must")
    with pytest.raises(UsageError, match="needs to know which run"):
        wandb.init(resume="must")


def test_the_environment_says_so_too(inside: Repo, monkeypatch: pytest.MonkeyPatch):
    first(1.0)
    monkeypatch.setenv("WANDB_RUN_ID", "abcdefgh")
    monkeypatch.setenv("WANDB_RESUME", "must")

    assert wandb.init().resumed


def test_a_run_that_is_still_alive_is_not_resumed(inside: Repo, python: Script):
    code = "import os, mlgit\nmlgit.init(id='abcdefgh', name='first')\nprint(os.getpid(), flush=True)\ninput()"
    other = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout
    pid = int(other.stdout.readline())
    with pytest.raises(UsageError, match="still under way") as caught:
        wandb.init(id="abcdefgh", resume="allow")
    other.communicate("\n")

    assert f"kill {pid}" in str(caught.value)


def test_a_killed_run_is_recovered_and_then_resumed(inside: Repo, python: Script):
    code = (
        "import os, mlgit\nmlgit.init(id='abcdefgh', name='first')\nmlgit.log({'loss': 3.0})\nos.kill(os.getpid(), 9)"
    )
    python("-c", code, check=False)
    wandb.init(id="abcdefgh", resume="must").log({"loss": 2.0})
    run = one(inside)

    assert steps(inside, run) == [(0, 3.0), (1, 2.0)]
    assert [runs.read(inside, oid).state for oid, _ in inside.ancestors(run.commit)[:2]] == [
        State.FINISHED,
        State.CRASHED,
    ]


def test_a_resumed_run_that_is_killed_is_crashed_on_the_same_branch(inside: Repo, python: Script):
    first(3.0)
    code = (
        "import os, mlgit\nmlgit.init(id='abcdefgh', resume='must')\nmlgit.log({'loss': 2.0})\nos.kill(os.getpid(), 9)"
    )
    python("-c", code, check=False)
    recover.recover_all(inside, lambda _text: None)
    run = one(inside)

    assert run.state is State.CRASHED
    assert steps(inside, run) == [(0, 3.0), (1, 2.0)]
    assert len(query.runs(inside)) == 1


def test_a_run_that_is_only_on_a_remote_goes_on_here(inside: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    before = first(3.0, 2.0)
    there = tmp_path / "there"
    subprocess.run(["git", "clone", "-q", str(inside.folder), str(there)], check=True)
    monkeypatch.chdir(there)
    clone = Repo.find(there)
    assert clone
    wandb.init(id="abcdefgh", resume="must").log({"loss": 1.0})
    after = one(clone)

    assert after.ref == before.ref
    assert steps(clone, after) == [(0, 3.0), (1, 2.0), (2, 1.0)]
    assert clone.is_ancestor(before.commit, after.commit)


# -- resume="auto"


def test_auto_goes_on_with_the_last_run_that_did_not_end_well(inside: Repo, python: Script):
    code = "import mlgit\nrun = mlgit.init(resume='auto')\nmlgit.log({'loss': 1.0})\nprint(run.id, run.resumed)\n"
    died = python("-c", f"{code}import os, sys; sys.stdout.flush(); os.kill(os.getpid(), 9)", check=False)
    failed = python("-c", f"{code}raise ValueError", check=False)
    well = python("-c", code)
    anew = python("-c", code)
    ids = [done.stdout.split()[0] for done in (died, failed, well, anew)]

    assert [done.stdout.split()[1] for done in (died, failed, well, anew)] == ["False", "True", "True", "False"]
    assert ids[0] == ids[1] == ids[2] != ids[3]
    assert steps(inside, one(inside, ids[0])) == [(0, 1.0), (1, 1.0), (2, 1.0)]


def test_auto_beside_a_run_that_is_under_way_begins_another(inside: Repo, capsys: pytest.CaptureFixture[str]):
    run = wandb.init(resume="auto")
    second = wandb.init(resume="auto", reinit="create_new")

    assert not second.resumed
    assert second.id != run.id
    assert "still under way" in capsys.readouterr().err
    second.finish()


# -- fork and rewind


def test_a_fork_is_another_run_with_the_history_up_to_the_step(inside: Repo):
    parent = first(3.0, 2.0, 1.0)
    run = wandb.init(fork_from="abcdefgh?_step=1", config={"depth": 2})
    told = (run.resumed, run.step, dict(run.config), dict(run.summary))
    run.log({"loss": 9.0})
    after = one(inside, run.id)

    assert told == (False, 2, {"lr": 0.1, "depth": 2}, {"loss": 2.0})
    assert after.parent == "abcdefgh"
    assert after.ref != parent.ref
    assert steps(inside, after) == [(0, 3.0), (1, 2.0), (2, 9.0)]
    assert steps(inside, one(inside)) == [(0, 3.0), (1, 2.0), (2, 1.0)]
    assert inside.is_ancestor(parent.commit, after.commit)


def test_a_run_that_is_under_way_can_be_forked(inside: Repo):
    parent = wandb.init(id="abcdefgh")
    for loss in (3.0, 2.0, 1.0):
        parent.log({"loss": loss})
    with wandb.init(fork_from="abcdefgh?_step=1", reinit="create_new") as fork:
        fork.log({"loss": 9.0})
    parent.log({"loss": 0.0})
    parent.finish()

    assert steps(inside, one(inside, fork.id)) == [(0, 3.0), (1, 2.0), (2, 9.0)]
    assert steps(inside, one(inside)) == [(0, 3.0), (1, 2.0), (2, 1.0), (3, 0.0)]


def test_a_rewound_run_drops_what_came_later_and_git_keeps_it(inside: Repo):
    before = first(3.0, 2.0, 1.0)
    run = wandb.init(resume_from="abcdefgh?_step=0")
    run.log({"acc": 9.0})
    after = one(inside)

    assert after.ref == before.ref
    assert steps(inside, after) == [(0, 3.0)]
    assert dict(after.metrics) == {"loss": 3.0, "acc": 9.0}
    assert steps(inside, before) == [(0, 3.0), (1, 2.0), (2, 1.0)]
    assert inside.is_ancestor(before.commit, after.commit)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"fork_from": "abcdefgh?_step=3"}, "has no step 3. Its last step is 2"),
        ({"fork_from": "abcdefgh?_step=-1"}, "has no step -1"),
        ({"resume_from": "abcdefgh?_step=99"}, "has no step 99"),
        ({"fork_from": "abcdefgh"}, "names no step of a run"),
        ({"resume_from": "abcdefgh?_step=x"}, "names no step of a run"),
        ({"fork_from": "?_step=1"}, "names no step of a run"),
        ({"fork_from": "nothing1?_step=1"}, "no run with the id 'nothing1'"),
        ({"fork_from": "abcdefgh?_step=1", "id": "abcdefgh"}, "cannot have its parent's id"),
        ({"resume_from": "abcdefgh?_step=1", "id": "another1"}, "resume_from names the run abcdefgh"),
        ({"fork_from": "abcdefgh?_step=1", "resume": "must"}, "leave resume out"),
        ({"fork_from": "abcdefgh?_step=1", "resume_from": "abcdefgh?_step=1"}, "both be forked and rewound"),
    ],
)
def test_a_point_that_cannot_be_is_said(inside: Repo, wanted: dict[str, str], said: str):
    first(3.0, 2.0, 1.0)

    with pytest.raises((UsageError, NotFoundError)) as caught:
        wandb.init(**wanted)
    assert said in " ".join(str(caught.value).split())
    assert not live.folders(inside)


DIES = """
import os, mlgit
from mlgit.store import result
result._leave = lambda *_: os._exit(9)  # its branch has moved, and its live folder is still there
mlgit.init(id="abcdefgh", name="n", resume="allow").log({"loss": 2})
"""


@pytest.mark.parametrize("edited", [False, True])
def test_a_death_after_the_branch_has_moved_makes_no_second_run(inside: Repo, python: Script, edited: bool):
    python("-c", "import mlgit; mlgit.init(id='abcdefgh', name='n').log({'loss': 1})", cwd=inside.folder)
    (inside.folder / "new.py").write_text("x = 1")  # so that its code is held by a ref until it has a branch
    assert python("-c", DIES, cwd=inside.folder, check=False).returncode == 9
    if edited:
        run = wandb.Api().run("abcdefgh")
        run.tags = ["later"]
        run.update()
    recover.recover_all(inside, lambda _text: None)
    (run,) = query.runs(inside)

    assert (run.id, run.state, run.metrics) == ("abcdefgh", State.FINISHED, {"loss": 2})
    assert run.tags == (("later",) if edited else ())
    assert not inside.refs("refs/mlgit/live")
    assert not live.folders(inside)


def test_what_is_left_of_a_run_by_a_death_in_removing_it_goes(inside: Repo, python: Script):
    code = "import os, mlgit\nfrom mlgit.store import live\nlive.remove = lambda folder: os._exit(9)\nmlgit.init()"
    assert python("-c", code, cwd=inside.folder, check=False).returncode == 9
    recover.recover_all(inside, lambda _text: None)

    assert [run.state for run in query.runs(inside)] == [State.FINISHED]
    assert list((inside.own / "live").iterdir()) == []
