"""A Slurm cluster of the tests' own: one machine, this one, everything in one folder and on loopback."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

# cred_expire is also how long a job that is begun again waits for that, which is two minutes otherwise.
_CONF = """
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld}
SlurmdPort={slurmd}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.sock,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/ctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=1000
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
PropagateResourceLimits=NONE
KillWait=2
GresTypes=gpu
NodeName=here NodeHostname={host} NodeAddr=127.0.0.1 CPUs=8 RealMemory=2000 Gres=gpu:2 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def is_here() -> bool:
    """Whether this machine can run one."""
    return os.geteuid() == 0 and all(map(shutil.which, ("slurmctld", "slurmd", "munged", "sbatch")))


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Path]:
    """The configuration of a cluster that is up."""
    for name in ("state", "spool"):
        (folder / name).mkdir()
    folder.chmod(0o755)  # munge's daemon asks for it
    (folder / "key").write_bytes(os.urandom(1024))
    (folder / "key").chmod(0o400)
    conf = configured(folder)
    env = {**os.environ, "SLURM_CONF": str(conf)}
    own = {"socket": "munge.sock", "key-file": "key", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
    munged = ("munged", "--foreground", "--force", *(f"--{name}={folder}/{file}" for name, file in own.items()))
    with contextlib.ExitStack() as stack:
        for words in (munged, ("slurmctld", "-D", "-i", "-f", conf), ("slurmd", "-D", "-f", conf, "-N", "here")):
            log = stack.enter_context((folder / f"{words[0]}.out").open("wb"))
            process = stack.enter_context(subprocess.Popen(words, stdout=log, stderr=log, env=env))
            stack.callback(process.terminate)
        _wait(folder, env)
        yield conf
        _end_jobs(env)


def configured(folder: Path) -> Path:
    """The configuration of a cluster in *folder*, on ports that are free."""
    ctld, slurmd = _ports()
    conf = folder / "slurm.conf"
    conf.write_text(_CONF.format(folder=folder, host=socket.gethostname(), ctld=ctld, slurmd=slurmd))
    (folder / "gres.conf").write_text("Name=gpu File=/dev/null\nName=gpu File=/dev/zero\n")
    return conf


def _ports() -> tuple[int, int]:
    """Two that nobody listens at."""
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]


def _wait(folder: Path, env: Mapping[str, str]) -> None:
    until = time.monotonic() + 60
    while "idle" not in _said(("sinfo", "--noheader", "--format=%t"), env):
        assert time.monotonic() < until, "\n".join(path.read_text()[-3000:] for path in folder.glob("*.out"))
        time.sleep(0.1)


def _end_jobs(env: Mapping[str, str]) -> None:
    """End what still runs: the process that looks after a job outlives the daemon."""
    _said(("scancel", "--user=root"), env)
    until = time.monotonic() + 30
    while _said(("squeue", "--noheader"), env).strip() and time.monotonic() < until:
        time.sleep(0.2)


def _said(words: tuple[str, ...], env: Mapping[str, str]) -> str:
    return subprocess.run(words, env=env, capture_output=True, text=True, timeout=60, check=False).stdout
