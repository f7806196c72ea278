from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import pytest

from mlgit.errors import NotFoundError
from mlgit.git.repo import Repo
from mlgit.registry import programs


def run(code: str, folder: Path, *, seconds: float = 30, content: bytes = b"") -> programs.Ended:
    return programs.run([sys.executable, "-c", code], folder, seconds=seconds, content=content)


def is_ended(pid: int) -> bool:
    """Whether a process that was killed is gone, once the kernel has seen to it."""
    for _ in range(500):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().split()[2]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state in "ZX":
            return True
        time.sleep(0.01)
    return False


def test_a_program_has_its_input_and_says_how_it_ended(tmp_path: Path):
    found = run("import sys; print(sys.stdin.read()); sys.exit(3)", tmp_path, content="ä{}".encode())

    assert (found.code, found.last) == (3, "ä{}")


def test_a_flood_of_output_neither_blocks_it_nor_is_kept(tmp_path: Path):
    found = run("import os\nfor _ in range(2000): os.write(1, b'x' * 65536)\nprint('\\nend')", tmp_path)

    assert (found.code, found.last) == (0, "end")
    assert len(found.printed) <= 8 << 10


def test_what_hangs_is_ended_with_all_that_it_started(tmp_path: Path):
    code = (
        "import subprocess, sys, time, signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(child.pid, flush=True); time.sleep(600)"
    )
    found = programs.run([sys.executable, "-c", code], tmp_path, seconds=1, grace=0.2)

    assert found.code is None
    assert is_ended(int(found.last))


def test_what_a_signal_ends_says_so(tmp_path: Path):
    assert run("import os; os.kill(os.getpid(), 9)", tmp_path).code == -signal.SIGKILL


def test_it_sees_no_secret_of_ours_and_no_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GH_TOKEN", "sesame")
    monkeypatch.setenv("GIT_DIR", "/somewhere")

    found = run("import os; print(sorted(name for name in os.environ if name in ('GH_TOKEN', 'GIT_DIR')))", tmp_path)

    assert found.last == "[]"


def test_a_program_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(NotFoundError, match="nowhere-to-be-found cannot be started"):
        programs.run(["nowhere-to-be-found"], tmp_path, seconds=1)


def test_a_copy_has_the_files_of_a_commit_and_goes(repo: Repo):
    commit = repo.commit(
        repo.resolve("HEAD"), {"check.py": b"print(1)", "registry/policy.yaml": b"stages: {}"}, "files"
    )

    with programs.copy(repo, commit) as folder:
        assert (folder / "check.py").read_bytes() == b"print(1)"
        assert not (folder / ".git").exists()
        (folder / "check.py").write_text("changed")

    assert not folder.exists()
    assert repo.read(commit, "check.py") == b"print(1)"


def test_a_copy_whose_program_is_not_done_with_it_goes_as_far_as_it_can(repo: Repo, tmp_path: Path):
    (tmp_path / "kept").write_text("ours")

    with programs.copy(repo, repo.resolve("HEAD") or "") as top:
        top.parent.rename(tmp_path / "moved")
        top.parent.symlink_to(tmp_path)

    assert (tmp_path / "kept").exists()
