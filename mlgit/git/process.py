"""Start git, sealed off from whatever environment we were started in."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlgit.errors import GitError

# What `git rev-parse --local-env-vars` lists: inside a hook they would point us at another repository or index.
_LOCAL = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_CONFIG", "GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT",
    "GIT_OBJECT_DIRECTORY", "GIT_DIR", "GIT_WORK_TREE", "GIT_IMPLICIT_WORK_TREE", "GIT_GRAFT_FILE", "GIT_INDEX_FILE",
    "GIT_NO_REPLACE_OBJECTS", "GIT_REPLACE_REF_BASE", "GIT_PREFIX", "GIT_SHALLOW_FILE", "GIT_COMMON_DIR",
    "GIT_INTERNAL_SUPER_PREFIX", "GIT_NAMESPACE",
)  # fmt: skip

# Plumbing runs nobody's hooks, is durable when it returns, and starts no collection behind our back.
_HOOKLESS = ("-c", "core.hooksPath=/dev/null")
_SAFE = ("-c", "core.fsync=all", "-c", "core.fsmonitor=false", "-c", "gc.auto=0", "-c", "maintenance.auto=false")


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Our environment without what ties git to another repository; messages in English, so that we can read them."""
    env = {name: value for name, value in os.environ.items() if name not in _LOCAL}
    return env | {"LC_ALL": "C.UTF-8", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"} | dict(extra or {})


def start(
    args: Sequence[str], *, folder: Path, env: Mapping[str, str] | None = None, stdin: int = subprocess.DEVNULL,
    hooks: bool = False,
) -> subprocess.Popen[bytes]:  # fmt: skip
    """A git process with pipes on its outputs; the user's *hooks* run only where it does what a person would.

    Raises `GitError` where there is no git.
    """
    try:
        return subprocess.Popen(
            ("git", *(() if hooks else _HOOKLESS), *_SAFE, *args), cwd=folder, env=environment(env), stdin=stdin,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
    except FileNotFoundError as exc:
        if exc.filename != "git" and not Path(folder).is_dir():
            raise GitError(f"The folder {folder} does not exist.") from None
        raise GitError("git is not installed, or not on PATH.", fix="install git 2.38 or newer") from None


def run(
    *args: str,
    folder: Path,
    stdin: bytes | None = None,
    env: Mapping[str, str] | None = None,
    ok: tuple[int, ...] = (0,),
) -> bytes:
    """What git printed. Raises `GitError`, with git's own words, when it ends in anything but *ok*."""
    process = start(args, folder=folder, env=env, stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE)
    out, err = process.communicate(stdin)
    if process.returncode not in ok:
        raise failure(args[0], folder, err)
    return out


def failure(verb: str, folder: Path, stderr: bytes) -> GitError:
    """The error for a git that ended badly."""
    words = stderr.decode(errors="replace").strip()
    for line in words.splitlines():
        if "dubious ownership" in line:
            fix = f"git config --global --add safe.directory {folder}, if you trust it"
            return GitError(f"{folder} belongs to somebody else; git does not read it.", why=line, fix=fix)
        if "No space left" in line or "Read-only file system" in line or "ermission denied" in line:
            return GitError(f"git {verb} could not write in {folder}.", why=line, fix="make room or give the right")
    return GitError(f"git {verb} failed in {folder}.", why=words[-2000:])
