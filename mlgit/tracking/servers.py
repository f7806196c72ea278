"""The Jupyter servers of this machine, asked what they call the notebook that this process is the kernel of."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlgit import web

_SECONDS = 2.0
"""That a server has to answer, for a run waits for it to begin."""


def notebook() -> str | None:
    """The notebook's path; None where no server that can be asked knows this kernel."""
    try:
        connection = Path(sys.modules["ipykernel"].get_connection_file())
    except (KeyError, AttributeError, OSError, RuntimeError):  # a kernel of another kind
        return None
    found = (_named(server, connection.stem.removeprefix("kernel-")) for server in _running(connection.parent))
    return next((path for path in found if path), None)


def _running(folder: Path) -> Iterator[dict[str, Any]]:
    """What each server has written of itself into Jupyter's runtime *folder*, where the kernels' files lie too.

    Its fields: https://github.com/jupyter-server/jupyter_server/blob/main/jupyter_server/serverapp.py, `server_info`.
    """
    for path in sorted([*folder.glob("jpserver-*.json"), *folder.glob("nbserver-*.json")]):
        try:
            server = json.loads(path.read_bytes())
        except (OSError, ValueError):  # it is just ending
            continue
        if isinstance(server, dict) and "url" in server:
            yield server


def _named(server: dict[str, Any], kernel: str) -> str | None:
    """The path of the notebook of *kernel*, as *server* knows it; None where it does not, or does not answer."""
    token = {"Authorization": f"token {server.get('token', '')}"}
    try:  # without proxies: it is a server of this machine, and the request bears its token
        with web.opened(f"{server['url']}api/sessions", headers=token, seconds=_SECONDS, by_proxy=False) as answer:
            sessions = json.load(answer)
        paths = [one["path"] for one in sessions if one["kernel"]["id"] == kernel and one["type"] == "notebook"]
    except (OSError, ValueError, TypeError, KeyError):  # gone, behind a password, or no Jupyter
        return None
    return str(Path(server.get("root_dir") or server.get("notebook_dir") or "", paths[0])) if paths else None
