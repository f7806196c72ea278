"""Whose turn it is at a daemon: containers wait, made but not begun, until there is room for them.

docker has no queue. Who submits begins what there is room for; where something has to wait, a process of ours
(`python -m mlgit.launch.docker.slots`) begins it later, and ends when nothing waits. All that it knows stands in the
daemon: where it was killed, whoever submits or asks next starts another one.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import sys
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from mlgit import containers
from mlgit.errors import MlgitError
from mlgit.launch import outliving
from mlgit.launch.docker import daemon
from mlgit.launch.docker.container import CANCELLED, JOB, SLOTS, TASK, Settings
from mlgit.store import locks

_PAUSE = 0.25
"""Seconds between two looks at what has ended."""


def begin(client: Any, settings: Settings, ours: Collection[str] = ()) -> None:
    """Begin the containers that wait, as far as there is room, and see to it that the others are later.

    Raises what docker says where it refuses one of *ours*, by id.
    """
    refused: dict[str, Exception] = {}
    while (lock := _taken(client)) is not None:  # else somebody is at it, and will look once more
        with contextlib.ExitStack() as held:
            held.callback(locks.let_go, lock)
            waits = _begin(client, refused)
            if mine := [refused[one] for one in ours if one in refused]:
                raise mine[0]
            if waits:
                outliving.start(__name__, settings.host or "", lock=lock)
                held.pop_all()
                return
        if not _waiting(client, refused):
            return


def main(address: str, lock: str) -> None:
    """Begin what waits at the daemon of *address*; *lock* is the descriptor of its lock, which we inherited.

    Whoever called us is back at once: we are nobody's child, so that nobody has to wait for us.
    """
    if os.fork() == 0:
        client, refused = containers.daemon(address or None), dict[str, Exception]()
        held: int | None = int(lock)
        while held is not None:
            while _begin(client, refused):
                time.sleep(_PAUSE)
            locks.let_go(held)
            held = _taken(client) if _waiting(client, refused) else None
    os._exit(0)


def _begin(client: Any, refused: dict[str, Exception]) -> bool:
    """Begin what there is room for, in the order in which it was made; whether something still waits.

    What docker *refused* to begin is put down there, and does not wait any more.
    """
    from docker.errors import APIError

    waiting = _waiting(client, refused)
    room = len(waiting) and int(client.info()["NCPU"])
    going = len(client.api.containers(filters={"label": JOB})) if waiting else 0
    for one in waiting:
        if going >= int(one["Labels"].get(SLOTS) or room):
            return True
        about = daemon.inspected(client, one)
        if about is None or about["State"]["Status"] != "created":
            continue
        if about["State"]["Error"]:
            refused[one["Id"]] = MlgitError(about["State"]["Error"])
            continue
        try:
            daemon.start(client, one["Id"])
        except (APIError, MlgitError) as exc:
            refused[one["Id"]] = exc
            continue
        going += 1
        _end_if_cancelled(client, one)
    return False


def _end_if_cancelled(client: Any, one: Mapping[str, Any]) -> None:
    """End *one* that was cancelled as we began it: whoever did that may have found nothing to end."""
    from docker.errors import APIError

    about = daemon.inspected(client, one)
    if about is not None and about["Name"].endswith(CANCELLED):
        with contextlib.suppress(APIError):  # it has ended
            client.api.kill(one["Id"])


def _waiting(client: Any, refused: Collection[str]) -> list[dict[str, Any]]:
    """The containers that are made and not begun, but those that docker has *refused*: the oldest first."""
    found = client.api.containers(all=True, filters={"label": JOB, "status": "created"})
    waiting = [one for one in found if one["Id"] not in refused and not one["Names"][0].endswith(CANCELLED)]
    return sorted(waiting, key=lambda one: (one["Created"], one["Labels"][JOB], int(one["Labels"][TASK])))


def _taken(client: Any) -> int | None:
    """The lock of whoever begins what waits at this daemon, as a descriptor; None where somebody has it.

    Raises `MlgitError` where this user can keep none.
    """
    from platformdirs import user_data_path

    daemons = hashlib.sha256(str(client.info()["ID"]).encode()).hexdigest()[:16]
    path = Path(user_data_path("mlgit", appauthor=False)) / "docker" / f"{daemons}.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        fix = "make that folder writable, or say another one by XDG_DATA_HOME"
        raise MlgitError("docker's jobs cannot take turns.", why=f"{path.parent}: {exc.strerror}", fix=fix) from exc
    if locks.lock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB) is False:
        os.close(fd)
        return None
    return fd


if __name__ == "__main__":
    main(*sys.argv[1:])
