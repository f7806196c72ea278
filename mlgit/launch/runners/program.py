"""The runner's program, which is the user's, as a job: how it is begun, and what of this machine's it may see."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from mlgit.core import secrets
from mlgit.errors import NotFoundError, UsageError
from mlgit.forge.github.runners import SELF_HOSTED
from mlgit.launch import asked
from mlgit.launch.asked import Asked
from mlgit.launch.queues import IN_IMAGE, Queue

CONFIG = "ACTIONS_RUNNER_INPUT_JITCONFIG"
"""The variable in which the program looks for what `--jitconfig` would say, where every process could read it."""
PREFIX = "runner/"
"""What the key of a runner's job begins with; its name follows."""
_TRAPS = "RUNNER_MANUALLY_TRAP_SIG"
"""The variable that lets run.sh hand on a SIGTERM, so that the runner says goodbye."""
_LABEL = re.compile(r"[\w.:/+@-]{1,256}")
# A runner writes into the folder of its program, so each has a copy, unless it has an image to itself. A file
# _diag/Worker_* appears as it gets its job (https://docs.github.com/actions/how-tos/manage-runners/self-hosted-runners/monitor-and-troubleshoot).
# Who looks for that is no child of run.sh's: bash, told to end in the wrong moment, would wait for all of its children.
_SCRIPT = """\
seconds=$1 program=$3 home=${3%/*} own=
has_job() { for log in _diag/Worker_*; do test -e "$log" && return; done; return 1; }
if [ ! -x "$program" ]; then echo "mlgit: there is no runner program $program here" >&2; exit 127; fi
if [ "$2" = copied ] || [ ! -w "$home" ]; then
  own=$(mktemp -d "$PWD/runner.XXXXXX" 2>/dev/null || mktemp -d) && cp -Rp "$home/." "$own" || exit 1
  home=$own
fi
cd "$home" && rm -rf _work _diag .runner .credentials .credentials_rsaparams || exit 1
( (
  trap '' HUP INT TERM
  waited=0
  while kill -0 $$ 2>/dev/null && ! has_job && [ "$waited" -le $((seconds + 60)) ]; do
    if [ "$waited" = "$seconds" ]; then
      echo "mlgit: no job came in $seconds seconds"
      kill -TERM $$
    fi
    waited=$((waited + 1))
    sleep 1
  done
  [ "$own" ] || exit
  while kill -0 $$ 2>/dev/null; do sleep 1; done
  cd / && rm -rf "$own"
) & )
exec "./${program##*/}"
"""


def labelled(queue: Queue, labels: Sequence[str]) -> tuple[str, ...]:
    """The labels of a runner of *queue*: those given, else the queue's own. Raises `UsageError` for what is none."""
    given = [part for text in labels for part in text.split(",")] or list(queue.runner.labels)
    if wrong := [one for one in given if not _LABEL.fullmatch(one)]:
        raise UsageError(f"{wrong[0][:80]!r} is no label of a runner.", fix="one word each: --labels gpu,a100")
    return tuple({one.lower(): one for one in (SELF_HOSTED, *given)}.values())


def wish(queue: Queue, name: str, *, idle_minutes: float, kept: Sequence[str] = ()) -> Asked:
    """The job that is the runner *name* in *queue*; with those variables of ours *kept*.

    Raises `UsageError`, `NotFoundError` where nothing says where its program lies, or there is none.
    """
    if queue.kind == "actions":
        fix = "--on a queue of local, docker, slurm or kubernetes"
        raise UsageError(f"The queue {queue.name} is GitHub's own runners, and starts none.", fix=fix)
    if getattr(queue.settings, "build", None):
        what = f"The queue {queue.name} builds its image of a job's folder, and a runner's is empty."
        raise UsageError(what, fix="a queue with image:, one that has the runner's program")
    is_image = asked.has_image(queue)
    path = queue.runner.program or (IN_IMAGE if is_image else None)
    get = "https://github.com/OWNER/NAME/settings/actions/runners/new shows how to get it; it need not be configured"
    if path is None:
        fix = f"queues: {queue.name}: runner: {{program: /opt/actions-runner/run.sh}} in mlgit.yaml"
        raise UsageError(f"Nothing says where the runner's program lies for {queue.name}.", why=get, fix=fix)
    if not is_image and not (path := str(Path(path).expanduser())).startswith("/"):
        fix = f"queues.{queue.name}.runner.program: /opt/actions-runner/run.sh"
        raise UsageError(f"The runner's program {path} needs its whole path: a job starts elsewhere.", fix=fix)
    if queue.kind == "local" and not os.access(path, os.X_OK):
        what = f"There is no runner program {path}."
        raise NotFoundError(
            what, why=get, fix=f"unpack it there, or say where it is: queues.{queue.name}.runner.program"
        )
    seconds = max(1, round(idle_minutes * 60))
    return Asked(
        name=name, command=(path,), key=f"{PREFIX}{name}", is_bare=True, env={_TRAPS: "1"}, secrets=(CONFIG, *kept),
        apart=("sh", "-c", _SCRIPT, "mlgit-runner", str(seconds), "" if is_image else "copied"),
    )  # fmt: skip


@contextlib.contextmanager
def handed(queue: Queue, config: str, kept: Sequence[str]) -> Iterator[None]:
    """Let *config* be what a job that is submitted meanwhile gets, as a secret.

    Where it would have our other variables, too, it gets none that looks like a secret, but those *kept*: what people
    write into a workflow runs there.
    """
    before = dict(os.environ)
    if not asked.has_image(queue):
        safe = secrets.redact_params(before)
        for name in [name for name, value in before.items() if safe[name] != value and name not in kept]:
            del os.environ[name]
    os.environ[CONFIG] = config
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)
