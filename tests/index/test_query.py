"""Whatever happens to the index, the answers are git's."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import mlgit
from mlgit.core.language import parse
from mlgit.core.run import State
from mlgit.errors import MlgitError
from mlgit.git.repo import Repo
from mlgit.index import build, query
from mlgit.store import edit, folding, recover, runs

Script = Callable[..., "subprocess.CompletedProcess[str]"]

TWO_RUNS = """
import mlgit
for loss in (0.5, 0.25):
    with mlgit.init(project="digits", name="radiant glade") as run:
        run.log({"loss": loss})
"""


@pytest.fixture
def index(repo: Repo, python: Script) -> Path:
    """The index of a repository with two runs of one name."""
    python("-c", TWO_RUNS, cwd=repo.folder)
    query.runs(repo)
    return build.file(repo)


def told(repo: Repo) -> list[tuple[str, str, str]]:
    return [(run.id, run.ref, run.commit) for run in query.runs(repo)]


@pytest.mark.parametrize(
    "damage", ["deleted", "empty", "garbage", "truncated", "middle", "version", "table", "folder", "wal"]
)
def test_a_damaged_index_gives_the_right_answers(repo: Repo, index: Path, damage: str):
    before = told(repo)
    content = index.read_bytes()
    if damage == "deleted":
        index.unlink()
    elif damage == "empty":
        index.write_bytes(b"")
    elif damage == "garbage":
        index.write_bytes(os.urandom(8192))
    elif damage == "truncated":
        index.write_bytes(content[:5000])
    elif damage == "middle":
        index.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    elif damage == "folder":
        index.unlink()
        index.mkdir()
    elif damage == "wal":
        index.with_name(f"{index.name}-wal").write_bytes(os.urandom(5000))
        index.with_name(f"{index.name}-shm").write_bytes(os.urandom(5000))
    else:
        with sqlite3.connect(index) as connection:
            connection.execute("PRAGMA user_version = 99" if damage == "version" else "DROP TABLE runs")
        connection.close()

    assert told(repo) == before
    assert told(repo) == before
    assert len(before) == 2


def test_an_index_of_another_version_stays_until_nobody_uses_it(repo: Repo, index: Path):
    old, used = (index.with_name(f"index-{name}.db") for name in ("0", "1"))
    for path in (old, used):
        path.write_bytes(b"theirs")
    os.utime(old, (0, 0))
    index.unlink()

    told(repo)
    assert (old.exists(), used.read_bytes()) == (False, b"theirs")

    build.forget(repo)
    assert not list(repo.own.glob("index*.db*"))


def test_a_locked_index_is_waited_for(repo: Repo, index: Path):
    other = sqlite3.connect(index, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    timer = threading.Timer(0.3, other.execute, ["COMMIT"])
    timer.start()
    repo.git("branch", "-D", query.runs(repo)[0].branch)
    found = query.runs(repo)
    timer.join()
    other.close()

    assert len(found) == 1


def test_branches_that_move_or_go_are_noticed(repo: Repo, index: Path):
    newest, oldest = query.runs(repo)
    repo.git("branch", "-D", oldest.branch)
    repo.git("branch", "-m", newest.branch, "exp/digits/renamed")

    assert [run.branch for run in query.runs(repo)] == ["exp/digits/renamed"]


def test_a_run_here_and_on_a_remote_counts_once(repo: Repo, index: Path):
    for run in query.runs(repo):
        repo.git("update-ref", run.ref.replace("refs/heads/", "refs/remotes/origin/"), run.commit)
    one, two = query.runs(repo)
    repo.git("branch", "-D", one.branch)

    assert {run.id: run.ref for run in query.runs(repo)} == {
        one.id: one.ref.replace("refs/heads/", "refs/remotes/origin/"),
        two.id: two.ref,
    }


def test_a_run_of_somebody_else_is_listed_and_left_to_them(inside: Repo, monkeypatch: pytest.MonkeyPatch):
    """In a shared repository: its lock cannot be opened by us."""
    real = os.open
    with mlgit.init() as run:

        def refuse(path: Path, flags: int, *args: int) -> int:
            if Path(path).name == "lock":
                raise PermissionError(13, "Permission denied", str(path))
            return real(path, flags, *args)

        with monkeypatch.context() as patch:
            patch.setattr(os, "open", refuse)
            told: list[str] = []

            assert recover.recover_all(inside, told.append) == []
            assert told == []
            assert [(one.id, one.state) for one in query.runs(inside)] == [(run.id, State.RUNNING)]


def test_a_run_is_found_by_every_name_it_has(repo: Repo, index: Path):
    newest, oldest = query.runs(repo)

    for text in (
        oldest.id,
        oldest.branch,
        oldest.ref,
        oldest.commit,
        oldest.id[:5],
        oldest.commit[:12],
        oldest.branch.rpartition("/")[2],
    ):
        assert query.find(repo, text).id == oldest.id
    assert query.find(repo, "latest").id == newest.id
    with pytest.raises(MlgitError, match="names 2 runs"):
        query.find(repo, "radiant glade")
    with pytest.raises(MlgitError, match="There is no run 'radiantglade'") as caught:
        query.find(repo, "radiantglade")
    assert caught.value.fix == "did you mean radiant glade?"


def test_a_hidden_run_is_said_to_be_hidden(repo: Repo, index: Path):
    runs.hide(repo, query.runs(repo))

    for text in ("radiant glade", "radiant gla"):
        with pytest.raises(MlgitError, match=f"The run '{text}' is hidden") as caught:
            query.find(repo, text)
        assert caught.value.fix == f"mlgit restore '{text}'"


PLAIN_QUESTIONS = """
import sys
from pathlib import Path
from mlgit.git.repo import Repo
from mlgit.index import query
repo = Repo.find(Path("."))
found = query.search(repo, limit=1, besides=["loss", "metrics.loss"]).runs
found += [query.find(repo, "latest"), *query.told(repo, "model")]
print(len(found), "loss" in query.keys(repo), "numpy" in sys.modules)
"""


def test_the_newest_runs_and_one_by_its_name_are_found_without_numpy(repo: Repo, index: Path, python: Script):
    assert python("-c", PLAIN_QUESTIONS, cwd=repo.folder).stdout.split() == ["2", "True", "False"]


def test_a_run_of_another_project_is_found_where_this_one_has_none_of_the_name(inside: Repo):
    for project in ("own", "other"):
        with mlgit.init(project=project, name=f"run of {project}"):
            pass

    assert query.find(inside, "run of other", project="own").project == "other"
    assert query.find(inside, "latest", project="own").project == "own"


def test_what_is_edited_again_and_again_does_not_fill_the_index(
    repo: Repo, index: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(build, "_SPARE", 4)
    run = query.runs(repo)[0]
    rows = []
    for number in range(12):
        run = edit.edit(repo, run, lambda one, number=number: replace(one, notes=f"note {number}"))
        assert [one.notes for one in query.runs(repo) if one.id == run.id] == [f"note {number}"]
        with sqlite3.connect(index) as connection:
            rows += connection.execute("SELECT max(row) + 1 FROM runs").fetchone()
        connection.close()

    assert max(rows) <= 2 * 2 + 4 + 1
    assert len(query.search(repo, parse("notes is not null")).runs) == 1


def test_an_index_that_says_otherwise_than_git_is_told(repo: Repo, index: Path):
    assert build.check(repo) == []
    one, two = query.runs(repo)
    with sqlite3.connect(index) as connection:
        connection.execute("UPDATE runs SET name = 'another' WHERE id = ?", (one.id,))
        connection.execute("UPDATE cells SET numbers = zeroblob(length(numbers)) WHERE key = 'metrics.loss'")
        connection.execute("DELETE FROM runs WHERE id = ?", (two.id,))
    connection.close()

    assert build.check(repo) == [f"{two.ref}: the index lacks it", f"{one.ref}: the index says otherwise"]
    build.forget(repo)
    assert build.check(repo) == []


DIES = """
import os, sys
from pathlib import Path
from mlgit.git.repo import Repo
from mlgit.index import build, query, rows
left = int(sys.argv[1])
real = build.transaction
def dies(connection):
    global left
    left -= 1
    if not left: os.kill(os.getpid(), 9)
    return real(connection)
build.transaction = rows.transaction = dies
query.runs(Repo.find(Path(".")))
"""


def test_an_index_whose_making_is_killed_at_any_step_answers_rightly(repo: Repo, index: Path, python: Script):
    one, two = query.runs(repo)
    steps = 0
    for is_new in (True, False):
        for step in range(1, 20):
            for ref in repo.refs("refs/heads/exp/", "refs/mlgit/trash/", "refs/remotes/"):
                repo.git("update-ref", "-d", ref)
            build.forget(repo)
            repo.git("update-ref", "refs/remotes/origin/exp/digits/one", one.commit)
            repo.git("update-ref", "refs/heads/exp/digits/one", one.commit)
            repo.git("update-ref", "refs/heads/exp/digits/two", two.commit)
            if not is_new:
                query.runs(repo)
            repo.git("update-ref", "-d", "refs/heads/exp/digits/one")
            repo.git("update-ref", "refs/mlgit/trash/exp/digits/two", two.commit)
            repo.git("update-ref", "-d", "refs/heads/exp/digits/two")
            died = python("-c", DIES, str(step), cwd=repo.folder, check=False).returncode == -9
            steps += died

            assert told(repo) == [(one.id, "refs/remotes/origin/exp/digits/one", one.commit)]
            assert build.check(repo) == []
            if not died:
                break
    assert steps >= 8


def record(repo: Repo, ref: str, trailer: str) -> None:
    commit = repo.commit(repo.resolve("HEAD"), {}, f"x\n\nMlgit-Result: {trailer}\n")
    repo.git("update-ref", f"refs/heads/exp/hostile/{ref}", commit)


PLAIN = '"id":"x","name":"n","project":"p","state":"finished","created":1'


@pytest.mark.parametrize(
    "trailer",
    [
        "", "{", "[]", "null", "5", '"text"', "{}", '{"id":"x"}', '{"id":"x","big":true}', '{"id":{},"big":true}',
        PLAIN.replace("1", "null"), f"{{{PLAIN.replace('1', 'true')}}}", f'{{{PLAIN},"state":[]}}',
        f'{{{PLAIN},"params":[]}}', f'{{{PLAIN},"metrics":"x"}}', f'{{{PLAIN},"used":[1]}}', f'{{{PLAIN},"tags":{{}}}}',
        f'{{{PLAIN},"logged":[{{"name":"a"}}]}}', f'{{{PLAIN},"define_metric":{{"a":5}}}}',
        f'{{{PLAIN},"params":{{"a":' + "[" * 900 + "]" * 900 + "}}",
        f'{{{PLAIN},"metrics":' + '{"a":' * 800 + "1" + "}" * 800 + "}",
        f'{{{PLAIN},"paused":1{"0" * 400}}}', f'{{{PLAIN},"metrics":{{"a":"\\ud83d"}}}}', f"{{{PLAIN}}}" + "\x00",
    ],
)  # fmt: skip
def test_a_hostile_branch_costs_no_other_run_its_place(repo: Repo, index: Path, trailer: str):
    record(repo, "one", trailer)

    found = query.runs(repo)

    assert [run.project for run in found if run.project != "p"] == ["digits", "digits"]
    assert query.search(repo, parse("loss > 0")).total == 2
    assert query.projects(repo).total() == len(found) == query.search(repo, parse("name is not null")).total


def test_a_record_that_would_lead_out_of_the_repository_is_no_run_s(repo: Repo, index: Path):
    version = '"logged":[{"name":"a","type":"t","size":1,"path":"a","hash":"ab/etc/passwd"}]'
    fields = (
        '"project":"../../p"',
        '"project":"/p"',
        '"folder":"../a"',
        '"folder":"/etc"',
        '"held":{"a":"ab/etc/passwd"}',
        version,
    )
    for number, more in enumerate(fields):
        record(repo, str(number), f"{{{PLAIN},{more}}}")

    assert {run.project for run in query.runs(repo)} == {"digits"}


def test_what_a_record_may_lack_may_be_null(repo: Repo, index: Path):
    nothing = ",".join(f'"{name}":null' for name in ("given", "used", "tags", "params", "metrics", "finished", "group"))
    record(repo, "one", f"{{{PLAIN},{nothing}}}")

    assert query.of_id(repo, "x") is not None
    assert len(query.runs(repo)) == 3


def test_a_branch_that_somebody_puts_on_a_run_is_not_the_run_s(repo: Repo, index: Path):
    one = query.runs(repo)[0]
    repo.git("branch", "exp/a-fix", one.branch)
    record(repo, "another", f'{{"id":"{one.id}","name":"taken","project":"digits","state":"failed","created":1}}')

    assert [(run.ref, run.name) for run in query.runs(repo) if run.id == one.id] == [(one.ref, one.name)]
    assert query.branches(repo)[0] == (one.branch, one.name)
    repo.git("branch", "-D", one.branch)
    assert query.of_id(repo, one.id) is not None


def test_a_run_that_is_hidden_or_archived_keeps_its_row(repo: Repo, index: Path):
    one, two = query.runs(repo)
    folding.fold(repo, [one])
    runs.hide(repo, [two])

    found = query.search(repo, parse("loss > 0")).runs

    assert [(run.id, run.ref, bool(run.archive)) for run in found] == [(one.id, one.ref, True)]
    assert query.unfolded(repo) == []
    with sqlite3.connect(index) as connection:
        rows = connection.execute("SELECT id FROM runs ORDER BY row").fetchall()
    connection.close()
    assert sorted(rows[:2]) == sorted([(one.id,), (two.id,)])
    assert rows[2:] == [(None,)]  # the month
    assert build.check(repo) == []
    runs.restore(repo, runs.hidden(repo))
    folding.unfold(repo, found)
    assert {run.ref for run in query.runs(repo)} == {one.ref, two.ref}
    assert query.unfolded(repo) == query.runs(repo)
    assert query.unfolded(repo, project="another") == []
    assert build.check(repo) == []
