"""All that a script prints is kept with its run, and reaches whom it was meant for as if nobody listened."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import shutil
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

import mlgit
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import recover, runs

Script = Callable[..., "subprocess.CompletedProcess[str]"]


def kept(repo: Repo, name: str | None = None) -> str:
    """The console of the one run, or of the one called *name*."""
    recover.recover_all(repo, lambda _text: None)
    (run,) = [one for one in query.runs(repo) if name in (None, one.name)]
    return runs.output(repo, run)


def at_terminal(repo: Repo, code: str, *, rows: int = 33, columns: int = 77, keys: bytes = b"") -> str:
    """What a Python program shows on a terminal of its own; *keys* are pressed when it says `ready`."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(repo.folder)
        os.execv(sys.executable, [sys.executable, "-c", code])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    shown, pressed = b"", False
    try:
        while said := os.read(terminal, 4096):
            shown += said
            if b"ready" in shown and not pressed:
                pressed = True
                os.write(terminal, keys)
    except OSError:
        pass
    os.waitpid(pid, 0)
    os.close(terminal)
    return shown.decode()


SECRETS = {
    "MLGIT_SECRETS": "MY_TOKEN, MY_KEY,NOT_SET",
    "MY_TOKEN": "hush-hush",
    "MY_KEY": "{\n first line\nsecond line\n}\n",
}


@pytest.mark.parametrize("settings", ["{}", "mlgit.Settings(console='wrap')"])
def test_secrets_of_a_job_are_in_nothing_of_its_run_however_they_are_printed(repo: Repo, python: Script, settings: str):
    python(
        "-c",
        f"""
import os, sys
import mlgit
run = mlgit.init(settings={settings}, config={{"key": os.environ["MY_TOKEN"]}}, notes="a hush-hush note")
print("a", end=" ")
for letter in "hush-hush":
    print(letter, end="", flush=True)
print(" b {{")
print(os.environ["MY_KEY"], "hush")
run.log({{"said": "hush-hush"}})
sys.stdout.write("end")
sys.stdout.flush()
os._exit(1)
""",
        cwd=repo.folder,
        env={**os.environ, **SECRETS},
        check=False,
    )

    assert kept(repo).splitlines() == ["a *** b {", "{", " ***", "***", "}", " hush", "end"]
    held = repo.git("cat-file", "--batch-all-objects", "--batch")
    assert "hush-hush" not in held
    assert "first line" not in held


@pytest.mark.parametrize("reads_all", [True, False])
def test_what_mlgit_run_shows_has_no_secrets_of_a_job_either(repo: Repo, mlgit: Script, reads_all: bool):
    code = "import os; print('start', flush=True); [print(os.environ['MY_TOKEN'], n) for n in range(20_000)]"
    words = [sys.executable, "-m", "mlgit", "run", "--", sys.executable, "-c", code]
    with subprocess.Popen(words, cwd=repo.folder, env={**os.environ, **SECRETS}, stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        shown = run.stdout.read() if reads_all else run.stdout.readline()
        run.stdout.close()

    assert run.returncode == 0
    assert b"hush" not in shown
    assert kept(repo).splitlines()[-1] == "*** 19999"


# -- whatever writes


def test_what_c_code_and_child_processes_write_is_kept_too(repo: Repo, python: Script):
    done = python(
        "-c",
        """
import ctypes, os, subprocess, sys
import mlgit
mlgit.init()
print("python")
sys.stdout.flush()
os.write(1, b"descriptor\\n")
subprocess.run(["sh", "-c", "echo child; echo trouble >&2"])
ctypes.CDLL(None).printf(b"printf\\n")
mlgit.finish()
print("after")
""",
        cwd=repo.folder,
    )

    assert done.stdout.split() == ["python", "descriptor", "child", "printf", "after"]
    assert "trouble" in done.stderr
    assert sorted(kept(repo).split()) == ["child", "descriptor", "printf", "python", "trouble"]


def test_streams_that_go_the_same_way_keep_their_order(repo: Repo):
    code = "import mlgit, os; mlgit.init()\nfor n in range(200): os.write(1 + n % 2, b'%d\\n' % n)\nmlgit.finish()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=repo.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=True,
    )  # fmt: skip

    expected = "".join(f"{number}\n" for number in range(200))
    assert expected in done.stdout
    assert kept(repo) == expected


@pytest.mark.parametrize(
    "end", ["os.kill(os.getpid(), 9)", "os._exit(3)", "faulthandler.enable(); os.kill(os.getpid(), 11)"]
)
def test_the_last_words_of_a_process_that_is_killed_are_kept(repo: Repo, python: Script, end: str):
    code = f"import faulthandler, mlgit, os; mlgit.init(); print('x' * 70_000); print('last', flush=True); {end}"
    done = python("-c", code, cwd=repo.folder, check=False)

    assert done.returncode != 0
    assert done.stdout.endswith("x\nlast\n")
    text = kept(repo)
    assert "last\n" in text
    assert text.replace("Segmentation fault", "").count("x") >= 70_000
    assert ("Segmentation fault" in text) == ("faulthandler" in end)


def test_an_exceptions_traceback_is_kept(repo: Repo, python: Script):
    done = python("-c", "import mlgit; mlgit.init(); print('before'); 1 / 0", cwd=repo.folder, check=False)

    assert "ZeroDivisionError" in done.stderr
    assert "ZeroDivisionError" in kept(repo)


def test_a_token_that_two_writes_tell_is_hidden(repo: Repo, python: Script):
    token = "ghp_" + "a1B2" * 9
    python(
        "-c",
        f"import mlgit, os; mlgit.init(); [os.write(1, c.encode()) for c in {token!r}]; print()\nmlgit.finish()",
        cwd=repo.folder,
    )

    assert kept(repo) == "***\n"


def test_a_child_that_outlives_its_parent_delays_nothing_and_is_heard(repo: Repo, tmp_path: Path):
    code = f"""
import mlgit, subprocess
mlgit.init()
print("parent", flush=True)
subprocess.Popen(["sh", "-c", "read line < {tmp_path}/go; echo child"])
"""
    os.mkfifo(tmp_path / "go")
    script = subprocess.Popen(
        [sys.executable, "-c", code], cwd=repo.folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert script.stdout
    assert script.wait(60) == 0
    text = kept(repo)
    (tmp_path / "go").write_text("\n")
    shown = script.communicate()[0]

    assert text == "parent\n"
    assert shown == "parent\nchild\n"


def test_a_program_that_waits_for_its_children_waits_for_none_of_ours(repo: Repo, python: Script):
    code = """
import mlgit, os
mlgit.init()
try:
    os.wait()
except ChildProcessError:
    print("no children")
"""
    assert python("-c", code, cwd=repo.folder).stdout == "no children\n"
    assert kept(repo) == "no children\n"


def test_a_reader_that_goes_away_ends_the_script_as_it_always_did(repo: Repo):
    code = "import mlgit; mlgit.init()\nfor _ in range(100_000): print('y' * 1000)"
    script = subprocess.Popen(
        [sys.executable, "-c", code], cwd=repo.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert script.stdout
    assert script.stderr
    script.stdout.readline()
    script.stdout.close()

    assert "BrokenPipeError" in script.stderr.read()
    script.stderr.close()
    assert script.wait() != 0
    assert "BrokenPipeError" in kept(repo)


def test_where_there_is_no_tee_what_python_prints_is_kept(repo: Repo, python: Script, tmp_path: Path):
    for name in ("git", "sh"):
        (tmp_path / name).symlink_to(shutil.which(name) or name)
    code = "import mlgit, os; mlgit.init(); print('seen'); os.write(1, b'unseen\\n')"
    done = python("-c", code, cwd=repo.folder, env={**os.environ, "PATH": str(tmp_path)})

    assert sorted(done.stdout.split()) == ["seen", "unseen"]
    assert kept(repo) == "seen\n"


# -- a terminal


def test_a_terminal_stays_a_terminal_of_the_same_size(repo: Repo):
    code = """
import mlgit, os, sys
input("ready")
mlgit.init()
print(sys.stdout.isatty(), sys.stderr.isatty(), tuple(os.get_terminal_size()))
print("\\x1b[32mgreen\\x1b[0m")
print("  0%\\r100%")
mlgit.finish()
"""
    shown = at_terminal(repo, code, keys=b"\n")

    assert "True True (77, 33)\r\n" in shown
    assert "\x1b[32mgreen\x1b[0m\r\n" in shown
    assert kept(repo) == "True True (77, 33)\ngreen\n100%\n"


def test_a_terminal_that_changes_its_size_is_followed(repo: Repo):
    code = """
import fcntl, mlgit, os, signal, struct, sys, termios
mlgit.init()
before = os.get_terminal_size().columns
fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 10, 44, 0, 0))
os.kill(os.getpid(), signal.SIGWINCH)
print(os.get_terminal_size().columns)
mlgit.finish()
print(signal.getsignal(signal.SIGWINCH) is signal.SIG_DFL)
"""
    assert at_terminal(repo, code).count("True") == 1
    assert kept(repo) == "44\n"


def test_the_last_words_after_ctrl_c_are_kept(repo: Repo):
    code = """
import mlgit, time
mlgit.init()
try:
    print("ready", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print("tidied up")
    raise
"""
    shown = at_terminal(repo, code, keys=b"\x03")

    assert "tidied up" in shown
    assert "tidied up\n" in kept(repo)
    assert "KeyboardInterrupt" in kept(repo)


def test_what_is_asked_at_a_terminal_is_answered_there(repo: Repo):
    code = "import mlgit; mlgit.init(); print('name:', input('ready? '))"

    assert "name: Ada" in at_terminal(repo, code, keys=b"Ada\n")
    assert "name: Ada" in kept(repo)


# -- several runs, and other streams than the process's own


@pytest.mark.parametrize("first", ["one", "two"])
def test_of_two_runs_at_once_each_keeps_what_was_printed_during_it(repo: Repo, python: Script, first: str):
    code = f"""
import mlgit
runs = {{"one": mlgit.init(name="one")}}
print("a", flush=True)
runs["two"] = mlgit.init(name="two", reinit="create_new")
print("b", flush=True)
runs.pop({first!r}).finish()
print("c", flush=True)
for run in runs.values(): run.finish()
print("d")
"""
    done = python("-c", code, cwd=repo.folder, env={**os.environ, "MLGIT_SILENT": "1"})

    assert done.stdout == "a\nb\nc\nd\n"
    assert kept(repo, "one") == ("a\nb\n" if first == "one" else "a\nb\nc\n")
    assert kept(repo, "two") == ("b\nc\n" if first == "one" else "b\n")


def test_runs_one_after_another_keep_each_its_own(repo: Repo, python: Script):
    python(
        "-c",
        "import mlgit, os\nfor n in range(5):\n  mlgit.init(name=f'r{n}'); os.write(1, b'%d\\n' % n); mlgit.finish()\n"
        "assert len(os.listdir('/proc/self/fd')) < 20",
        cwd=repo.folder,
    )

    assert [kept(repo, f"r{number}") for number in range(5)] == [f"{number}\n" for number in range(5)]


def test_streams_that_somebody_has_replaced_are_copied_as_they_are(inside: Repo, monkeypatch: pytest.MonkeyPatch):
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    run = mlgit.init()
    print("replaced")
    sys.stdout.writelines(["a\n", "b\n"])
    run.finish()

    assert sys.stdout is out
    assert out.getvalue() == "replaced\na\nb\n"
    assert kept(inside) == "replaced\na\nb\n"


def test_copies_end_in_any_order(inside: Repo, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setenv("MLGIT_SILENT", "1")
    streams = sys.stdout, sys.stderr
    first, second = (mlgit.init(name=name, reinit="create_new") for name in ("first", "second"))
    print("both")
    first.finish()
    print("second")
    second.finish()
    print("none")

    assert (sys.stdout, sys.stderr) == streams
    assert kept(inside, "first") == "both\n"
    assert kept(inside, "second") == "both\nsecond\n"


@pytest.mark.parametrize(
    ("how", "text"), [("MLGIT_CONSOLE", ""), ("WANDB_CONSOLE", ""), ("file", ""), ("settings", ""), ("nothing", "x\n")]
)
def test_nothing_is_kept_where_nobody_wants_it(repo: Repo, python: Script, how: str, text: str):
    settings = ", settings={'console': 'off'}" if how == "settings" else ""
    env = {**os.environ, how: "off"} if how.endswith("CONSOLE") else dict(os.environ)
    if how == "file":
        (repo.folder / "mlgit.yaml").write_text("project: p\nrun:\n  console: 'off'\n")
    python("-c", f"import mlgit; mlgit.init(project='p'{settings}); print('x')", cwd=repo.folder, env=env)

    assert kept(repo) == text


def test_with_wrap_only_what_python_prints_is_kept(repo: Repo, python: Script):
    code = "import mlgit, os; mlgit.init(settings={'console': 'wrap'}); print('python'); os.write(1, b'c\\n')"

    assert sorted(python("-c", code, cwd=repo.folder).stdout.split()) == ["c", "python"]
    assert kept(repo) == "python\n"


def test_a_service_without_streams_has_no_console(inside: Repo, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdout", None)
    run = mlgit.init()
    run.finish()

    assert kept(inside) == ""


def test_a_forked_worker_is_heard_and_does_not_end_its_parents_console(repo: Repo, python: Script):
    code = """
import mlgit, os
mlgit.init()
if (pid := os.fork()) == 0:
    os.write(1, b"worker\\n")
    mlgit.finish()
    os._exit(0)
os.waitpid(pid, 0)
print("parent")
"""
    python("-W", "ignore", "-c", code, cwd=repo.folder)

    assert kept(repo) == "worker\nparent\n"
