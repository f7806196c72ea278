"""Real git, sealed off: no user config, no network, a known identity."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from mlgit.git.objects import Reader
from mlgit.git.repo import Repo
from mlgit.store import runs
from mlgit.tracking import session
from tests.warm import Warm

# At home every run looks for new examples; where a landing hangs on it, it is the same ones each time.
hypothesis.settings.register_profile("home", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=3000)
hypothesis.settings.load_profile("ci" if "MLGIT_REQUIRE" in os.environ else "home")

# In the background, or by nohup, these are ignored, and would be by all that tests start and then send them to.
for _number, _usual in (
    (signal.SIGINT, signal.default_int_handler), (signal.SIGQUIT, signal.SIG_DFL), (signal.SIGHUP, signal.SIG_DFL),
):  # fmt: skip
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _usual)

_OF_THE_MACHINE = frozenset(os.environ)
"""What was set before any fixture of a whole module set something."""


@pytest.fixture(autouse=True)
def sealed(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of its own for every test; what the machine or CI has set does not reach in."""
    home = tmp_path_factory.mktemp("home")
    for name in _OF_THE_MACHINE & set(os.environ):
        is_ours = name == "MLGIT_REQUIRE" or name.startswith("MLGIT_TEST_")
        if (
            name.startswith(("GIT_", "GH_", "GITHUB_", "MLGIT_", "WANDB_", "DVC_", "XDG_", "PIP_", "UV_"))
            and not is_ours
        ):
            monkeypatch.delenv(name)
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)  # every process would compile mlgit anew
    for name, value in {
        "HOME": home, "XDG_CONFIG_HOME": home / ".config", "XDG_DATA_HOME": home / ".local/share",
        "XDG_CACHE_HOME": home / ".cache", "GIT_CONFIG_NOSYSTEM": 1, "GIT_TERMINAL_PROMPT": 0, "GIT_EDITOR": "false",
        "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.com",
        "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.com",
        "DVC_NO_ANALYTICS": 1, "COLUMNS": 120, "NO_COLOR": 1,
    }.items():  # fmt: skip
        monkeypatch.setenv(name, str(value))
    return home


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """A repository with one commit on main."""
    return make_repo(tmp_path / "repo")


@pytest.fixture
def inside(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> Repo:
    """The same, as the current folder."""
    assert repo.work_tree
    monkeypatch.chdir(repo.work_tree)
    return repo


@pytest.fixture
def ended(inside: Repo) -> Iterator[None]:
    """No run of this process survives its test."""
    yield
    session.finish()


WHO = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
"""For repositories that several tests share, made before any of them has its environment."""


def make_repo(folder: Path, *, commit: bool = True, bare: bool = False) -> Repo:
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "init", "-q", "-b", "main", *(["--bare"] if bare else []), str(folder)], check=True)
    if commit:
        subprocess.run(["git", *WHO, "commit", "-q", "--allow-empty", "-m", "start"], cwd=folder, check=True)
    found = Repo.find(folder)
    assert found
    return found


@pytest.fixture
def records_read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The refs of the runs whose records are read from git, as they are: the index tells which, and no others."""
    real, read = runs._told, list[str]()

    def told(reader: Reader, tips: Iterable[tuple[str, str]], **how: bool) -> Iterator[Any]:
        some = list(tips)
        read.extend(ref for ref, _ in some)
        yield from real(reader, some, **how)

    monkeypatch.setattr(runs, "_told", told)
    return read


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    def check(text: str, name: str) -> None:
        path = Path(__file__).parent / "golden" / name
        if request.config.getoption("--golden-update"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        assert text == path.read_text(), f"{name} changed; if you meant it: pytest --golden-update"

    return check


@pytest.fixture
def python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a Python program in a fresh process: `python("-c", code, cwd=…, env=…)`."""

    def call(*args: str, check: bool = True, **kwargs: object) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([sys.executable, *args], capture_output=True, text=True, **kwargs)
        assert not check or done.returncode == 0, f"{args} → {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    return call


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    """One for each worker, for all of its tests."""
    found = Warm(tmp_path_factory.mktemp("warm"))
    yield found
    found.close()


@pytest.fixture
def mlgit(
    python: Callable[..., subprocess.CompletedProcess[str]], warm: Warm
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the real command line in a process of its own: `mlgit("ls", cwd=…)`.

    What begins runs, and so records what its process has loaded, starts with nothing loaded; so does who asks for more.
    """

    def call(
        *args: str,
        check: bool = True,
        cwd: str | Path | None = None,
        env: Mapping[str, str] = os.environ,
        **more: object,
    ) -> subprocess.CompletedProcess[str]:
        if more or args[:1] in {("demo",), ("reproduce",), ("rerun",), ("run",), ("sweep",)} or not warm.fits(env):
            return python("-m", "mlgit", *args, check=check, cwd=cwd, env=env, **more)
        done = warm.run(*args, cwd=cwd, env=env)
        assert not check or done.returncode == 0, f"{args} → {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    return call


@pytest.fixture
def terminal() -> Callable[..., tuple[int, str]]:
    """What the real command line shows on a terminal, without colours: `terminal("ls")` is (exit code, text)."""

    def call(*args: str) -> tuple[int, str]:
        ours, theirs = pty.openpty()
        words = [sys.executable, "-m", "mlgit", *args]
        with subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs) as process:
            os.close(theirs)
            shown = b""
            with suppress(OSError):  # nobody is at the other end any more
                while block := os.read(ours, 1 << 16):
                    shown += block
        os.close(ours)
        return process.returncode, re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode()).replace("\r\n", "\n")

    return call


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--golden-update", action="store_true", help="rewrite tests/golden/")


def need(part: str, present: bool) -> None:
    """Skip a test that needs *part* where the machine lacks it; fail it where `MLGIT_REQUIRE` names it, or `all`."""
    required = os.environ.get("MLGIT_REQUIRE", "").split(",")
    if not present and ("all" in required or part in required):
        pytest.fail(f"this machine lacks {part}, which MLGIT_REQUIRE asks for")
    if not present:
        pytest.skip(f"this machine lacks {part}")
