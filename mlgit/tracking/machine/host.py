"""Processor, memory, disks and network, by psutil; what a run uses of them means all of its process tree."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from mlgit.tracking.machine import cgroup, tree

MIB = 1 << 20


class Host:
    """This machine, as far as the process *pid* and all that it starts may use it, from now on.

    *since* is when the run began, by the monotonic clock; *spent* the seconds of processor time used by then.
    """

    def __init__(self, pid: int, *, since: float, spent: float, disk_paths: Sequence[str]) -> None:
        self._pid = pid
        self._paths = [path for path in disk_paths if Path(path).exists()]
        self._group = cgroup.own()
        self._cpus, self._limit = cgroup.usable_cpus(self._group), self._group.memory_limit()
        began = time.time() - (time.monotonic() - since)
        from_before = (process for process in tree.of(pid) if process.pid != pid and process.created < began)
        self._spent, self._at = spent + sum(process.cpu_seconds for process in from_before), since
        self._disk_names = _disk_names(self._paths)
        self._disks, self._network = self._read_and_written(), _network()
        self._periods = self._group.throttled()
        self._pids: frozenset[int] = frozenset()

    @property
    def pids(self) -> frozenset[int]:
        """The tree's processes at the last look."""
        return self._pids

    def look(self) -> dict[str, float]:
        """What it is doing, under W&B's names."""
        processes = tree.of(self._pid)
        self._pids = frozenset(process.pid for process in processes)
        own = self._processor(processes) if processes else {}
        return own | self._memory(processes) | self._storage() | self._traffic() | self._limits()

    def _processor(self, processes: Sequence[tree.Process]) -> dict[str, float]:
        spent, now = sum(process.cpu_seconds for process in processes), time.monotonic()
        passed, used = now - self._at, spent - self._spent
        self._at, self._spent = now, spent
        share = {"cpu": 100 * max(0.0, used) / passed / self._cpus} if passed > 0 else {}
        return share | {"proc.cpu.threads": sum(process.threads for process in processes)}

    def _memory(self, processes: Sequence[tree.Process]) -> dict[str, float]:
        memory = psutil.virtual_memory()
        total, available = memory.total, memory.available
        if self._limit and self._limit < total:
            total = self._limit
            available = max(0, min(available, total - (self._group.memory_used() or 0)))
        resident = sum(process.resident for process in processes)
        own = {"proc.memory.rssMB": resident / MIB, "proc.memory.percent": 100 * resident / total} if processes else {}
        return own | {"memory_percent": 100 * (total - available) / total, "proc.memory.availableMB": available / MIB}

    def _storage(self) -> dict[str, float]:
        seen: dict[str, float] = {}
        for path in self._paths:
            try:
                usage = psutil.disk_usage(path)
            except OSError:  # unmounted meanwhile
                continue
            seen[f"disk.{path}.usagePercent"] = 100 * usage.used / max(1, usage.used + usage.free)
            seen[f"disk.{path}.usageGB"] = usage.used / 2**30
        for name, (read, written) in self._read_and_written().items():
            first = self._disks.setdefault(name, (read, written))
            seen[f"disk.{name}.in"], seen[f"disk.{name}.out"] = (read - first[0]) / MIB, (written - first[1]) / MIB
        return seen

    def _read_and_written(self) -> dict[str, tuple[int, int]]:
        """Bytes read and written so far, of each disk."""
        every = psutil.disk_io_counters(perdisk=True) or {}
        return {name: (every[name].read_bytes, every[name].write_bytes) for name in self._disk_names if name in every}

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


def _disk_names(paths: Sequence[str]) -> list[str]:
    """The disks that hold *paths*; every whole disk where none is known."""
    every = psutil.disk_io_counters(perdisk=True) or {}
    named = {name for path in paths if (name := _device(path)) in every}
    return sorted(named or {name for name in every if Path(f"/sys/block/{name}/device").exists()})


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
