"""Runs in processes of their own, ended in every way a process ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlgit.core.run import Run, State
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import live, recover, runs
from tests.conftest import need

Script = Callable[..., "subprocess.CompletedProcess[str]"]

ENDLESS = """
import os, mlgit
run = mlgit.init(name="victim", config={"lr": 0.1})
mlgit.config.depth = 3
for step in range(10_000_000):
    mlgit.log({"loss": step / 2, "acc": step})
    os.write(1, b"%d\\n" % step)
"""


def start(code: str, repo: Repo, **env: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=repo.folder,
        env={**os.environ, **env},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


@pytest.fixture
def script(repo: Repo) -> Script:
    def run(code: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", f"import mlgit\n{code}"],
            cwd=repo.folder,
            env={**os.environ, **env},
            text=True,
            capture_output=True,
            check=False,
            timeout=120,
        )

    return run


def kill_when(process: subprocess.Popen[bytes], lines: int) -> int:
    """Kill *process* once it has said so many lines; return the last step that it acknowledged."""
    assert process.stdout
    said = [process.stdout.readline() for _ in range(lines)]
    process.kill()
    said += process.stdout.read().splitlines(keepends=True)
    process.communicate()
    return int([line for line in said if line.endswith(b"\n")][-1])


def recovered(repo: Repo) -> list[Run]:
    recover.recover_all(repo, lambda _text: None)
    assert not live.folders(repo)
    repo.git("fsck", "--strict", "--no-dangling")
    return query.runs(repo)


@pytest.mark.parametrize("lines", [1, 300, 2000])
def test_a_killed_run_keeps_every_acknowledged_point(repo: Repo, mlgit: Script, lines: int):
    process = start(ENDLESS, repo)
    last = kill_when(process, lines)

    done = mlgit("ls", cwd=repo.folder)
    (run,) = query.runs(repo)

    assert "victim had died" in done.stderr
    assert run.state is State.CRASHED
    assert run.params == {"lr": 0.1, "depth": 3}
    assert last <= run.metrics["acc"] <= last + 1
    series = runs.history(repo, run)["loss"]
    assert series.steps[-1] >= last
    assert series.values[-1] == series.steps[-1] / 2
    if series.steps[-1] < 999:
        assert list(series.steps) == list(range(len(series)))


def test_a_torn_last_line_is_passed_over(repo: Repo):
    kill_when(start(ENDLESS, repo), 10)
    (folder,) = live.folders(repo)
    for name, torn in (("history.jsonl", b'{"loss": 12'), ("events.jsonl", b'{"params": {"lr"')):
        with (folder / name).open("ab") as file:
            file.write(torn)
    (run,) = recovered(repo)

    assert run.metrics["acc"] >= 9
    assert run.params["depth"] == 3


@pytest.mark.parametrize("name", ["history.jsonl", "events.jsonl"])
@pytest.mark.parametrize(
    "garbage",
    [
        b"\0" * 100,
        b"\xff\xfe\n",
        b"[1]\n3\nnull\n",
        b'{"_summary": 3}\n{"params": [1], "end": 3, "set": 1}\n',
        b'{"_step": "x", "a": 1}\n',
        b'{"_timestamp": "x"}\n{"logged": [{"name": 3}]}\n',
        b'{"end": {"state": "odd"}}\n',
        b'{"set": {"project": "../x"}}\n',
    ],
)
def test_a_damaged_live_folder_harms_no_other_run_and_no_command(repo: Repo, mlgit: Script, name: str, garbage: bytes):
    kill_when(start(ENDLESS, repo), 3)
    (folder,) = live.folders(repo)
    with (folder / name).open("ab") as file:
        file.write(garbage)
    done = mlgit("ls", "--json", cwd=repo.folder)

    assert '"name": "victim"' in done.stdout or "cannot be recovered yet" in done.stderr


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"id": 3}', b"\xff"])
def test_a_damaged_beginning_is_said_and_harms_nothing(repo: Repo, mlgit: Script, content: bytes):
    kill_when(start(ENDLESS, repo), 3)
    (folder,) = live.folders(repo)
    (folder / "run.yaml").write_bytes(content)
    done = mlgit("ls", cwd=repo.folder)

    assert "damaged" in done.stderr
    assert (folder / "history.jsonl").exists()


def test_processes_that_finish_at_once_all_become_branches(repo: Repo):
    code = "import sys, mlgit\nmlgit.init(name='same')\nfor n in range(5): mlgit.log({'n': n})\nsys.stdin.read()"
    every = [start(code, repo) for _ in range(5)]
    while len(live.folders(repo)) < 5:
        assert all(process.poll() is None for process in every)
    for process in every:
        assert process.stdin
        process.stdin.write(b"go")
        process.stdin.flush()
    for process in every:
        process.communicate(timeout=120)

    assert [process.returncode for process in every] == [0] * 5
    found = recovered(repo)
    assert [run.metrics["n"] for run in found] == [4] * 5
    assert {run.state for run in found} == {State.FINISHED}


def test_recovering_at_once_makes_one_branch_each(repo: Repo):
    every = [start(ENDLESS, repo) for _ in range(4)]
    for process in every:
        assert process.stdout
        process.stdout.readline()  # all have begun: none of them recovers another
    for process in every:
        kill_when(process, 20)
    ask = (
        "import sys; from pathlib import Path; from mlgit.git.repo import Repo; from mlgit.store import recover\n"
        "say = lambda text: sys.exit(text) if 'cannot' in text else None\n"
        "print(len(recover.recover_all(Repo.find(Path('.')), say)))"
    )
    done = [subprocess.Popen([sys.executable, "-c", ask], cwd=repo.folder, stdout=subprocess.PIPE) for _ in range(4)]

    assert sum(int(one.communicate()[0]) for one in done) == 4
    assert [one.returncode for one in done] == [0] * 4
    assert len(recovered(repo)) == 4


def test_finishing_while_others_look_and_recover_loses_nothing(repo: Repo):
    look = "import mlgit.wiring as w\nfrom mlgit.index import query\nfor _ in range(40): query.runs(w.place().repo)"
    work = "import mlgit\nfor n in range(8):\n  with mlgit.init(name='w') as run: run.log({'n': n})"
    workers = [start(work, repo), start(work, repo)]
    looker = subprocess.run([sys.executable, "-c", look], cwd=repo.folder, capture_output=True, text=True, check=False)

    for worker in workers:
        worker.communicate(timeout=120)

    assert [worker.returncode for worker in workers] == [0, 0]
    assert (looker.returncode, looker.stderr) == (0, "")
    found = recovered(repo)
    assert sorted(run.metrics["n"] for run in found) == sorted([*range(8), *range(8)])
    assert {run.state for run in found} == {State.FINISHED}


def test_a_run_that_is_alive_is_left_alone_and_listed(repo: Repo, mlgit: Script):
    process = start(
        "import sys, mlgit\nmlgit.init(name='alive')\nmlgit.log({'a': 1})\nprint(1, flush=True)\nsys.stdin.read()", repo
    )
    assert process.stdout
    process.stdout.readline()
    listed = mlgit("ls", cwd=repo.folder).stdout
    nothing = mlgit("recover", cwd=repo.folder).stdout
    refused = mlgit("rm", "alive", cwd=repo.folder, check=False)
    shown = mlgit("show", "alive", cwd=repo.folder).stdout
    process.communicate(b"")

    assert "alive" in listed
    assert "running" in listed
    assert nothing == "Nothing to recover.\n"
    assert "still running" in refused.stderr
    assert "running" in shown
    assert [run.state for run in query.runs(repo)] == [State.FINISHED]


@pytest.mark.parametrize("way", ["fork", "spawn", "popen"])
def test_a_worker_that_outlives_its_killed_parent_does_not_hide_the_death(repo: Repo, way: str, tmp_path: Path):
    (repo.folder / "main.py").write_text(f"""
import multiprocessing, os, signal, subprocess, sys, time
import mlgit

def linger():
    open({str(tmp_path / "pid")!r}, "w").write(str(os.getpid()))
    time.sleep(60)

if __name__ == "__main__":
    mlgit.init(name="parent")
    mlgit.log({{"a": 1}})
    if {way!r} == "popen":
        child = subprocess.Popen(["sleep", "60"])
        open({str(tmp_path / "pid")!r}, "w").write(str(child.pid))
    else:
        multiprocessing.get_context({way!r}).Process(target=linger).start()
    while not os.path.exists({str(tmp_path / "pid")!r}) or not open({str(tmp_path / "pid")!r}).read(): time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)
""")
    subprocess.run([sys.executable, "main.py"], cwd=repo.folder, check=False, stderr=subprocess.DEVNULL)
    try:
        assert [run.state for run in recovered(repo)] == [State.CRASHED]
    finally:
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_a_forked_child_neither_ends_nor_blocks_the_run(repo: Repo, script: Script):
    done = script("""
import os, threading
run = mlgit.init()
run.log({"a": 1})
run._journal.lock.acquire()   # as another thread would hold it at the moment of the fork
pid = os.fork()
if pid == 0:
    mlgit.log({"child": 1})
    mlgit.finish()
    os._exit(0)
run._journal.lock.release()
assert os.waitpid(pid, 0)[1] == 0
run.log({"a": 2})
""")
    (run,) = query.runs(repo)

    assert done.returncode == 0, done.stderr
    assert run.metrics == {"a": 2, "child": 1}


@pytest.mark.parametrize(
    ("code", "state", "exit_code"),
    [
        ("", State.FINISHED, 0),
        ("raise ValueError('oh')", State.FAILED, 1),
        ("import sys; sys.exit(3)", State.FAILED, 3),
        ("import sys; sys.exit()", State.FINISHED, 0),
        ("import sys; sys.exit('bye')", State.FAILED, 1),
        ("raise KeyboardInterrupt", State.CRASHED, -signal.SIGINT),
        ("import atexit; atexit.register(print, 'tidied'); raise KeyboardInterrupt", State.CRASHED, -signal.SIGINT),
        ("import os; os._exit(0)", State.CRASHED, 0),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", State.PREEMPTED, -15),
        ("mlgit.finish(exit_code=2)", State.FAILED, 0),
        ("mlgit.finish()\nraise ValueError", State.FINISHED, 1),
        ("mlgit.log({'b': object()})", State.FAILED, 1),
        ("import os; os.abort()", State.CRASHED, -6),
    ],
)
def test_the_end_of_the_process_is_the_end_of_the_run(
    repo: Repo, script: Script, code: str, state: State, exit_code: int
):
    done = script(f"mlgit.init()\nmlgit.log({{'a': 1}})\n{code}")
    (run,) = recovered(repo)

    assert done.returncode == exit_code
    assert run.state is state
    assert run.metrics == {"a": 1}
    if code == "raise ValueError('oh')":
        assert runs.provenance(repo, run)["error"].endswith("ValueError: oh\n")
    if "atexit" in code:
        assert "tidied" in done.stdout
    if "exit(3)" in code:
        assert runs.provenance(repo, run)["exit_code"] == 3


# -- places


def test_outside_of_every_repository_runs_go_to_a_scratch_repository_said_once(
    tmp_path: Path, sealed: Path, mlgit: Script
):
    (tmp_path / "train.py").write_text("import mlgit\nfor _ in range(2): mlgit.init().log({'a': 1}); mlgit.finish()\n")
    alone = subprocess.run([sys.executable, "train.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    around = mlgit("run", "--", sys.executable, "-c", "import mlgit; mlgit.init()", cwd=tmp_path)

    assert alone.stderr.count("no git repository here") == 1
    assert around.stderr.count("no git repository here") == 1
    assert not (tmp_path / ".git").exists()
    assert mlgit("ls", cwd=tmp_path).stdout.count("finished") == 3
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "far.git")], check=True)
    mlgit("sync", "--to", str(tmp_path / "far.git"), cwd=tmp_path)
    far = Repo.find(tmp_path / "far.git")
    assert far
    assert len(query.runs(far)) == 3


def test_a_home_that_cannot_be_written_still_gets_a_run(tmp_path: Path, sealed: Path):
    for name in ("HOME", "XDG_DATA_HOME"):
        (tmp_path / name).write_text("a file, not a folder")
    env = {
        **os.environ,
        "HOME": str(tmp_path / "HOME"),
        "XDG_DATA_HOME": str(tmp_path / "XDG_DATA_HOME"),
        "TMPDIR": str(sealed),
    }
    (tmp_path / "empty").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", "import mlgit\nmlgit.init()\nmlgit.log({'a': 1})"],
        cwd=tmp_path / "empty",
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )

    assert "exp/uncategorized/" in done.stderr


def test_a_scratch_folder_that_git_cannot_use_still_gets_a_run(tmp_path: Path, sealed: Path):
    (tmp_path / "scratch").mkdir()
    (tmp_path / "scratch/.git").symlink_to("/dev/null/nowhere")
    (tmp_path / "empty").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", "import mlgit\nmlgit.init()\nmlgit.log({'a': 1})"],
        cwd=tmp_path / "empty",
        env={**os.environ, "MLGIT_SCRATCH": str(tmp_path / "scratch"), "TMPDIR": str(sealed)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "exp/uncategorized/" in done.stderr


@pytest.mark.parametrize("kind", ["empty", "detached", "bare", "shallow", "sha256", "linked", "merge", "mono"])
def test_a_run_is_recorded_in_every_kind_of_repository(repo: Repo, tmp_path: Path, kind: str):
    def git(*args: str, folder: Path = repo.folder, check: bool = True) -> None:
        subprocess.run(["git", *args], cwd=folder, check=check, capture_output=True)

    (repo.folder / "a").write_text("a")
    git("add", "-A")
    git("commit", "-qm", "a")
    folder = tmp_path / "place"
    if kind == "empty":
        git("init", "-q", str(folder))
    elif kind == "sha256":
        git("init", "-q", "--object-format=sha256", str(folder))
    elif kind in ("bare", "shallow"):
        git("clone", "-q", "--bare" if kind == "bare" else "--depth=1", f"file://{repo.folder}", str(folder))
    elif kind == "linked":
        git("worktree", "add", "-q", str(folder))
    else:
        folder = repo.folder
        if kind == "detached":
            git("switch", "-q", "--detach")
        elif kind == "merge":
            git("switch", "-qc", "other")
            (folder / "a").write_text("theirs")
            git("commit", "-qam", "b")
            git("switch", "-q", "main")
            (folder / "a").write_text("ours")
            git("commit", "-qam", "c")
            git("merge", "other", check=False)
        elif kind == "mono":
            folder = folder / "projects/one"
            folder.mkdir(parents=True)
            (folder / "mlgit.yaml").write_text("project: one\n")
    subprocess.run(
        [sys.executable, "-c", "import mlgit\nmlgit.init(name='n')\nmlgit.log({'a': 1})"], cwd=folder, check=True
    )
    found = Repo.find(folder)
    assert found
    (run,) = query.runs(found)
    found.git("fsck", "--strict", "--no-dangling")

    assert run.metrics == {"a": 1}
    assert run.state is State.FINISHED
    assert runs.provenance(found, run)["name"] == "n"
    if kind == "mono":
        assert run.project == "one"
        assert repo.read(run.commit, "projects/one/experiment/metrics.yaml") == b"a: 1\n"


@pytest.mark.parametrize("name", ["exp", "exp/repo", "exp/repo/n-abcdef"])
def test_a_branch_in_the_way_is_named_and_the_run_is_kept(repo: Repo, script: Script, name: str):
    repo.git("branch", name)
    done = script("mlgit.init(name='n', id='abcdefgh')\nmlgit.log({'a': 1})")

    if name == "exp/repo/n-abcdef":
        assert [run.branch for run in query.runs(repo)] == ["exp/repo/n-abcdefgh"]
        return
    assert done.returncode == 0
    assert f"The branch '{name}' is in the way" in done.stderr
    assert f"git branch -m {name} old-" in done.stderr
    repo.git("branch", "-m", name, "old-exp")
    (run,) = recovered(repo)
    assert run.state is State.FINISHED
    assert run.metrics == {"a": 1}


def test_a_name_that_git_cannot_write_next_to_keeps_the_source(repo: Repo, script: Script):
    """A file name that is no UTF-8 lies beside experiment/ in the tree."""
    Path(os.fsdecode(os.fsencode(repo.folder) + b"/odd-\xff")).write_bytes(b"x")
    Path(os.fsdecode(os.fsencode(repo.folder) + b"/big-\xff")).write_bytes(b"x" * (11 << 20))
    done = script("mlgit.init()\nmlgit.log({'a': 1})")
    (run,) = recovered(repo)

    assert done.returncode == 0, done.stderr
    assert run.state is State.FINISHED
    assert runs.provenance(repo, run)["left_out"] == ["big-?: larger than 10 MiB"]


# -- a full disk


FULL = """
import mlgit, os, sys
mlgit.init(name="full")
mlgit.config.lr = 0.1
kept, step = 0, 0
while step < 200_000:
    mlgit.log({"n": step, "text": "x" * 200})
    with open(mlgit.run.dir + "/../history.jsonl", "rb") as file:
        file.seek(-280, 2)
        tail = file.read()
    if b'"_step":%d,' % step not in tail or not tail.endswith(b"}\\n"):
        break
    kept, step = step, step + 1
mlgit.summary["s"] = 1
mlgit.config.late = 1
mlgit.run.name = mlgit.run.notes = "late"
mlgit.run.tags = ("late",)
open("train.py", "w").close()
mlgit.run.log_code()
mlgit.log({"more": 1})
print("training went on", kept)
"""


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)], capture_output=True, check=False
    )
    need("the right to mount a small disk", mounted.returncode == 0)
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_stops_no_training_and_loses_nothing_acknowledged(small: Path):
    subprocess.run(["git", "init", "-q", str(small)], check=True)
    subprocess.run(["git", "commit", "-q", "--allow-empty", "-m", "x"], cwd=small, check=True)
    (small / ".git/info/exclude").write_text("filler\n")
    (small / "filler").write_bytes(b"x" * (3 << 20))  # recording needs room for the full history too
    done = subprocess.run([sys.executable, "-c", FULL], cwd=small, capture_output=True, text=True, check=False)
    repo = Repo.find(small)
    assert repo
    assert done.returncode == 0, done.stderr
    assert "a row could not be stored" in done.stderr
    kept = int(done.stdout.split()[-1])
    (small / "filler").unlink()
    (run,) = recovered(repo)

    assert kept > 1000
    assert run.params["lr"] == 0.1
    assert runs.history(repo, run)["n"].values[-1] >= kept


CROWDED = """
import mlgit, os
run = mlgit.init(settings={"console": "off", "x_disable_stats": True})
for size in range(1, 300):  # what there is no room for ends somewhere else in its line each time
    with open("filler", "ab", buffering=0) as file:
        try:
            while True: file.write(b"x" * 64)
        except OSError: pass
    run.log({"lost": "x" * size})
    run.config.update({"lost": "x" * size}, allow_val_change=True)
    os.truncate("filler", 0)
    run.log({"n": size})
    run.config[f"p{size}"] = size
os.unlink("filler")
"""


def test_what_follows_a_line_that_had_no_room_is_kept(small: Path):
    subprocess.run(["git", "init", "-q", str(small)], check=True)
    subprocess.run(["git", "commit", "-q", "--allow-empty", "-m", "x"], cwd=small, check=True)
    (small / ".git/info/exclude").write_text("filler\n")
    done = subprocess.run([sys.executable, "-c", CROWDED], cwd=small, capture_output=True, text=True, check=False)
    repo = Repo.find(small)
    assert repo
    assert done.returncode == 0, done.stderr
    (run,) = query.runs(repo)

    assert list(runs.history(repo, run)["n"].values) == list(range(1, 300))
    assert {f"p{size}": size for size in range(1, 300)}.items() <= run.params.items()


def test_a_disk_that_is_full_at_the_end_keeps_the_run_for_later(small: Path):
    subprocess.run(["git", "init", "-q", str(small)], check=True)
    subprocess.run(["git", "commit", "-q", "--allow-empty", "-m", "x"], cwd=small, check=True)
    (small / ".git/info/exclude").write_text("filler\n")
    code = """
import mlgit
mlgit.init()
mlgit.log({"a": 1})
with open("filler", "wb", buffering=0) as file:
    try:
        while True: file.write(b"x" * 512)
    except OSError: pass
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=small, capture_output=True, text=True, check=False)
    repo = Repo.find(small)
    assert repo
    assert done.returncode == 0, done.stderr
    assert "is not a branch yet" in done.stderr
    (small / "filler").unlink()
    (run,) = recovered(repo)

    assert run.metrics == {"a": 1}


def test_a_run_that_finds_no_room_leaves_nothing_behind(small: Path):
    subprocess.run(["git", "init", "-q", str(small)], check=True)
    subprocess.run(["git", "commit", "-q", "--allow-empty", "-m", "x"], cwd=small, check=True)
    (small / ".git/info/exclude").write_text("filler\n")
    (small / "filler").touch()
    live_folder = small / ".git/mlgit/live"
    live_folder.mkdir(parents=True)
    with contextlib.suppress(OSError), (small / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 512)
    code = "import mlgit; mlgit.init()"
    done = subprocess.run([sys.executable, "-c", code], cwd=small, capture_output=True, text=True, check=False)

    assert "No run can be recorded below" in done.stderr
    assert not list(live_folder.iterdir())


def test_a_read_only_disk_is_a_clear_error(small: Path, mlgit: Script):
    subprocess.run(["git", "init", "-q", str(small)], check=True)
    subprocess.run(["git", "commit", "-q", "--allow-empty", "-m", "x"], cwd=small, check=True)
    subprocess.run([sys.executable, "-c", "import mlgit\nmlgit.init(name='old')"], cwd=small, check=True)
    subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
    done = subprocess.run(
        [sys.executable, "-c", "import mlgit\nmlgit.init()"], cwd=small, capture_output=True, text=True, check=False
    )
    listed = mlgit("ls", cwd=small)

    assert "GitError: No run can be recorded below" in done.stderr
    assert "make room, or the folder writable" in done.stderr
    assert "old" in listed.stdout


def test_a_service_without_streams_makes_a_run(repo: Repo, script: Script):
    script("import sys\nsys.stdout = sys.stderr = None\nmlgit.init()\nprint('x')\nmlgit.log({'a': 1})")
    (run,) = recovered(repo)

    assert run.metrics == {"a": 1}
    assert run.state is State.FINISHED


def test_a_terminal_of_few_characters_is_no_obstacle(repo: Repo, script: Script, mlgit: Script):
    script("mlgit.init(name='é 🦊')\nmlgit.log({'日本': 1})", PYTHONIOENCODING="ascii")
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}

    assert recovered(repo)[0].metrics == {"日本": 1}
    for words in (("ls",), ("show",), ("ls", "--json")):
        assert "finished" in mlgit(*words, cwd=repo.folder, env=env).stdout


def test_a_run_waits_for_no_clock(repo: Repo, script: Script):
    """A clock that goes back makes no negative durations and no lost rows."""
    done = script("""
import time
real = time.time
run = mlgit.init()
time.time = lambda: real() - 3600
mlgit.log({"a": 1})
mlgit.log({"a": 2})
""")
    (run,) = recovered(repo)

    assert done.returncode == 0
    assert run.duration == 0
    assert list(runs.history(repo, run)["a"].values) == [1, 2]


def test_time_is_told_in_seconds_since_the_beginning(repo: Repo, script: Script):
    before = time.time()
    script("mlgit.init()\nmlgit.log({'a': 1})")
    (run,) = recovered(repo)
    series = runs.history(repo, run)["a"]

    assert before - 1 < run.created <= series.timestamps[0] + 0.001 <= (run.finished or 0) + 0.002
    assert 0 <= series.runtimes[0] < 30
