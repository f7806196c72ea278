"""What an address of ssh's stands for: its user may call a server as they like."""

from __future__ import annotations

import os
import re
import subprocess

from mlgit.git.repo import Repo

_ADDRESS = re.compile(r"(?P<before>ssh://(?:[^/@]*@)?|(?:[^/:@]+@)?)(?P<host>[\w.-]+)(?=(?P<after>[:/].+))")
_SECONDS = 5


def resolved(repo: Repo, address: str) -> str:
    """*address* with the name of its server in the place of an alias; as it is, where it is none of ssh's.

    ssh is asked by the command that git would take, which is the shell's, as git itself does to know which ssh it is
    (`ssh -G`): so what its own configuration runs (`Match exec`) is what it runs for each `git fetch`.
    """
    found = _ADDRESS.match(address)
    if (
        not found
        or found["host"].startswith("-")
        or not (found["before"].startswith("ssh:") or found["after"][0] == ":")
    ):
        return address
    command = os.environ.get("GIT_SSH_COMMAND") or repo.config.get("core.sshcommand")
    ssh = ["sh", "-c", f'{command} "$@"', command] if command else [os.environ.get("GIT_SSH") or "ssh"]
    try:
        asked = [*ssh, "-G", found["host"]]
        done = subprocess.run(asked, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):  # no ssh, or one that tells nothing
        return address
    told = re.search(r"^hostname ([\w.-]+)$", done.stdout.decode(errors="replace"), re.MULTILINE)
    return f"{found['before']}{told[1]}{address[found.end() :]}" if told else address
