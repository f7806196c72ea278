"""Commits of a run that is under way, so that others see it: made by a child process, never by the training's own.

The child hears on its standard input that the run has ended. Where that closes without a word, the run's process has
been killed: then the child makes its branch at once.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlgit.errors import MlgitError, NotFoundError
from mlgit.git.remote import Remote
from mlgit.git.repo import Repo
from mlgit.store import live, locks, meeting, own, recover, result, sync
from mlgit.store.place import Place
from mlgit.tracking.notice import notify
from mlgit.tracking.options import RunOptions
from mlgit.tracking.together import sharing
from mlgit.tracking.wish import Wish

_OVER = b"over\n"
_DYING = 5.0
"""Seconds that a process may take to die."""
_PATIENCE = 60
"""Seconds that the end of a run waits for its last push."""


def start(home: Place, opened: live.Live, wish: Wish) -> Callable[[], None]:
    """Commit the run of *opened* as often as is asked for, from now on; what is returned is to be called at its end."""
    wanted = home.settings.section("run", RunOptions).under(wish)
    if not wanted.checkpoint_seconds and not wanted.push:
        return _nothing
    every = f"{wanted.checkpoint_seconds or 0:f}s"
    words = ["checkpoint", opened.folder.name, "--every", every, *(["--push"] if wanted.push else [])]
    package = str(Path(__file__).parents[2])
    env = {name: value for name, value in os.environ.items() if name not in ("MLGIT_RUN_ID", "WANDB_RUN_ID")}
    try:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "mlgit", *words], cwd=home.repo.folder, stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, start_new_session=True,
            env=env | {"PYTHONPATH": os.pathsep.join(filter(None, (package, env.get("PYTHONPATH"))))},
        )  # fmt: skip
    except OSError as exc:
        notify(f"no checkpoints are made: {exc}")
        return _nothing

    def stop() -> None:
        if child.stdin:
            with contextlib.suppress(BrokenPipeError), child.stdin as pipe:
                pipe.write(_OVER)  # a forked worker may hold the other end open
        try:
            child.wait(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            notify("the last push is not through yet; mlgit sync pushes what is left")
            child.kill()
            child.wait()

    return stop


def _nothing() -> None:
    """Nothing was started."""


def follow(repo: Repo, run_id: str, every: float, *, to: Callable[[], Remote] | None) -> None:
    """Commit the run every so many seconds (0: not before its end), until it or standard input ends.

    Then see to its branch. Each commit is pushed to the remote *to*, if there is one. What git or the network refuses
    is said once and tried again next time.
    """
    folder = live.folder_of(repo, run_id)
    said: set[str] = set()

    def tried(what: str, act: Callable[..., object], *args: Any) -> None:
        try:
            act(*args)
        except (MlgitError, OSError) as exc:
            if isinstance(exc, NotFoundError) or what in said:
                return
            said.add(what)
            notify(f"{what}: {exc} (said once; the training goes on)")

    ref = ""
    while folder.exists() and not _has_ended(every):
        if sharing.is_around_others(folder):
            continue  # those have checkpoints of their own, and at its end nobody may miss this one
        tried("no checkpoint could be made", result.checkpoint, repo, folder, time.time())
        ref = _ref_of(folder) or ref
        if to and ref:
            tried("the checkpoint could not be pushed", push, to, ref)
    until = time.monotonic() + _DYING
    while locks.is_alive(folder) and time.monotonic() < until:  # a killed process lets go of one file after the other
        time.sleep(0.02)
    if (folder / "run.yaml").exists():
        ref = _ref_of(folder) or ref
        tried("it could not be recovered", recover.recover_all, repo, notify)
    if to:
        tried("the run could not be pushed", push, to, _last_ref(repo, run_id) or ref)


def _has_ended(every: float) -> bool:
    """Wait so long; whether the run has ended meanwhile."""
    ready, _, _ = select.select([0], [], [], every or None)
    return bool(ready) and os.read(0, 4096) in (b"", _OVER)


def _ref_of(folder: Path) -> str:
    with contextlib.suppress(OSError):
        if known := own.of(folder):
            return known.ref
    return ""


def _last_ref(repo: Repo, run_id: str) -> str:
    from mlgit.index import query

    return run.ref if (run := query.of_id(repo, run_id)) else ""


def push(to: Callable[[], Remote], ref: str) -> None:
    """Push the branch *ref*. Raises `MlgitError` where there is no remote, it cannot be reached, or it refuses."""
    remote = to()
    if not remote.is_known:
        raise MlgitError(f"There is no remote {remote.name!r}.", fix=f"git remote add {remote.name} URL")
    if ref:
        from mlgit.index import query

        wish = meeting.Wish(
            pulls=False, only=frozenset({ref}), telling=lambda names: query.told(remote.repo, *names)
        )  # fmt: skip
        if sync.exchange(remote, wish).clashing:
            raise MlgitError(f"{ref} was edited here and on {remote.name}, each otherwise.", fix="mlgit sync")
