"""Processor, memory, disks and network, by psutil; what a run uses of them means all of its process tree."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from mlgit.tracking.machine import cgroup

MIB = 1 << 20


class Host:
    """This machine, as far as the process *pid* and all that it starts may use it, from now on.

    *since* is when the run began, by the monotonic clock; *spent* the seconds of processor time used by then.
    """

    def __init__(self, pid: int, *, since: float, spent: float, disk_paths: Sequence[str]) -> None:
        self._pid = pid
        self._paths = [path for path in disk_paths if Path(path).exists()]
        self._group = cgroup.own()
        self._cpus = cgroup.usable_cpus(self._group)
        self._spent, self._at = spent, since
        began = time.time() - (time.monotonic() - since)
        self._spent += sum(_cpu_seconds(process) for process in self._tree()[1:] if _created(process) < began)
        self._disks, self._network = _disks(self._paths), _network()
        self._periods = self._group.throttled()
        self._pids: frozenset[int] = frozenset()

    @property
    def pids(self) -> frozenset[int]:
        """The tree's processes at the last look."""
        return self._pids

    def look(self) -> dict[str, float]:
        """What it is doing, under W&B's names."""
        tree = self._tree()
        self._pids = frozenset(process.pid for process in tree)
        return self._processor(tree) | self._memory(tree) | self._storage() | self._traffic() | self._limits()

    def _tree(self) -> list[psutil.Process]:
        """The process and all below it; nothing once it has ended."""
        try:
            root = psutil.Process(self._pid)
            return [root, *root.children(recursive=True)]
        except psutil.Error:
            return []

    def _processor(self, tree: Sequence[psutil.Process]) -> dict[str, float]:
        if not tree:
            return {}
        spent, now = sum(_cpu_seconds(process) for process in tree), time.monotonic()
        passed, used = now - self._at, spent - self._spent
        self._at, self._spent = now, spent
        threads = sum(_threads(process) for process in tree)
        share = {"cpu": 100 * max(0.0, used) / passed / self._cpus} if passed > 0 else {}
        return share | {"proc.cpu.threads": threads}

    def _memory(self, tree: Sequence[psutil.Process]) -> dict[str, float]:
        memory = psutil.virtual_memory()
        limit, used = self._group.memory_limit(), self._group.memory_used()
        total, available = memory.total, memory.available
        if limit and limit < total:
            total, available = limit, max(0, min(available, limit - (used or 0)))
        resident = sum(_resident(process) for process in tree)
        own = {"proc.memory.rssMB": resident / MIB, "proc.memory.percent": 100 * resident / total} if tree else {}
        return own | {
            "memory_percent": 100 * (total - available) / total,
            "proc.memory.availableMB": available / MIB,
        }

    def _storage(self) -> dict[str, float]:
        seen: dict[str, float] = {}
        for path in self._paths:
            try:
                usage = psutil.disk_usage(path)
            except OSError:  # unmounted meanwhile
                continue
            seen[f"disk.{path}.usagePercent"] = 100 * usage.used / max(1, usage.used + usage.free)
            seen[f"disk.{path}.usageGB"] = usage.used / 2**30
        for name, (read, written) in _disks(self._paths).items():
            first = self._disks.setdefault(name, (read, written))
            seen[f"disk.{name}.in"], seen[f"disk.{name}.out"] = (read - first[0]) / MIB, (written - first[1]) / MIB
        return seen

    def _traffic(self) -> dict[str, float]:
        return {f"network.{name}": max(0, now - self._network.get(name, now)) for name, now in _network().items()}

    def _limits(self) -> dict[str, float]:
        seen: dict[str, float] = {}
        if (now := self._group.throttled()) and self._periods:
            periods, waited = now[0] - self._periods[0], now[1] - self._periods[1]
            seen["proc.cpu.throttledPercent"] = 100 * waited / periods if periods > 0 else 0.0
        self._periods = now
        if (kills := self._group.oom_kills()) is not None:
            seen["proc.memory.oomKills"] = kills
        return seen


def _cpu_seconds(process: psutil.Process) -> float:
    """Of the process and of those of its children that have ended and been waited for."""
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)


def _created(process: psutil.Process) -> float:
    try:
        return float(process.create_time())
    except psutil.Error:
        return 0.0


def _threads(process: psutil.Process) -> int:
    try:
        return int(process.num_threads())
    except psutil.Error:
        return 0


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def _disks(paths: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Bytes read and written so far, of the disks that hold *paths*; of every whole disk where none is known."""
    every = psutil.disk_io_counters(perdisk=True) or {}
    names = {name for path in paths if (name := _device(path)) in every}
    if not names:
        names = {name for name in every if Path(f"/sys/block/{name}/device").exists()}
    return {name: (every[name].read_bytes, every[name].write_bytes) for name in sorted(names)}


def _device(path: str) -> str:
    """The name of the disk or partition that holds *path*, as the kernel has it; nothing for overlays and the like."""
    try:
        number = Path(path).stat().st_dev
        return Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}").readlink().name
    except OSError:
        return ""


def _network() -> dict[str, int]:
    """Bytes and retransmissions so far: no talk of the machine with itself, and nothing twice that crosses a bridge."""
    ports = [
        counted for name, counted in psutil.net_io_counters(pernic=True).items()
        if not name.startswith("lo") and not Path(f"/sys/class/net/{name}/master").exists()
    ]  # fmt: skip
    seen = {"sent": sum(port.bytes_sent for port in ports), "recv": sum(port.bytes_recv for port in ports)}
    return seen | _retransmitted(Path("/proc/net/snmp"))


def _retransmitted(table: Path) -> dict[str, int]:
    """TCP's, from the kernel's table: a line of names, a line of numbers (proc_pid_net(5))."""
    try:
        lines = [line.split() for line in table.read_text().splitlines() if line.startswith("Tcp:")]
        return {"tcpRetransmits": int(lines[1][lines[0].index("RetransSegs")])}
    except (OSError, IndexError, ValueError):
        return {}
