"""What a container may use of its machine: control groups, version 1 and 2 (cgroups(7)).

Nothing here on systems without them, where files are missing or where they set no limit.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_NO_LIMIT = 1 << 60
"""Version 1 says "none" by a number near this, a multiple of the page."""


@dataclass(frozen=True)
class Group:
    """The folders of a process's group and of those around it, for each controller, the innermost first."""

    folders: dict[str, list[Path]]

    def cpus(self) -> float | None:
        """How many processors' worth of time it may use; None where there is no limit."""
        return min(self._quotas(), default=None)

    def _quotas(self) -> Iterator[float]:
        for folder in self.folders.get("cpu", ()):
            limit = _text(folder / "cpu.max") or _both(folder / "cpu.cfs_quota_us", folder / "cpu.cfs_period_us")
            quota, period = [*map(_whole, limit.split()), None, None][:2]
            if quota and period and quota > 0:
                yield quota / period

    def memory_limit(self) -> int | None:
        """The bytes of memory that it may use; None where there is no limit."""
        names = ("memory.max", "memory.limit_in_bytes")
        found = [_number(folder / name) for folder in self.folders.get("memory", ()) for name in names]
        return min((limit for limit in found if limit and limit < _NO_LIMIT), default=None)

    def memory_used(self) -> int | None:
        """The bytes of memory that it uses, without file pages that would be given up at once."""
        for folder in self.folders.get("memory", ()):
            for name, idle in (("memory.current", "inactive_file"), ("memory.usage_in_bytes", "total_inactive_file")):
                if (used := _number(folder / name)) is not None:
                    return max(0, used - _table(folder / "memory.stat").get(idle, 0))
        return None

    def throttled(self) -> tuple[int, int] | None:
        """(scheduling periods so far, those of them in which it had to wait); None where nobody counts."""
        for folder in self.folders.get("cpu", ()):
            found = _table(folder / "cpu.stat")
            if "nr_periods" in found:
                return found["nr_periods"], found.get("nr_throttled", 0)
        return None

    def oom_kills(self) -> int | None:
        """How often something in it was killed for want of memory; None where nobody counts."""
        for folder in self.folders.get("memory", ()):
            for name in ("memory.events", "memory.oom_control"):
                if (found := _table(folder / name).get("oom_kill")) is not None:
                    return found
        return None


def own(proc: Path = Path("/proc/self")) -> Group:
    """The group of the process that *proc* tells of."""
    mounts = {name: mount for mount in _mounts(_text(proc / "mountinfo")) for name in mount.controllers}
    folders: dict[str, list[Path]] = {}
    for line in _text(proc / "cgroup").splitlines():
        number, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        for name in names.split(","):
            if (mount := mounts.get(name)) is None:
                continue
            chain = mount.chain(path)
            for controller in ("cpu", "memory") if number == "0" else (name,):
                folders.setdefault(controller, []).extend(chain)
    return Group(folders)


@dataclass(frozen=True)
class _Mount:
    root: str
    point: Path
    controllers: tuple[str, ...]
    """`""` stands for all of them, in version 2."""

    def chain(self, path: str) -> list[Path]:
        """The folder of the group *path*, and those above it as far as they are to be seen here."""
        inside = path.removeprefix(self.root.rstrip("/")).strip("/")
        parts = [] if ".." in inside.split("/") else [part for part in inside.split("/") if part]
        if not (self.point / "/".join(parts)).is_dir():
            parts = []  # a container that sees its host's names, but not its folders
        return [self.point.joinpath(*parts[:depth]) for depth in range(len(parts), -1, -1)]


def _mounts(text: str) -> Iterator[_Mount]:
    """The mounted hierarchies: proc_pid_mountinfo(5)."""
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields, (kind, *rest) = before.split(), after.split() or [""]
        if len(fields) >= 5 and kind in ("cgroup", "cgroup2"):
            controllers = tuple(rest[-1].split(",")) if kind == "cgroup" and rest else ("",)
            yield _Mount(fields[3], Path(fields[4]), controllers)


def usable_cpus(group: Group) -> float:
    """How many processors' worth of time this process may use: affinity, and the limit of its group."""
    try:
        count: float = len(os.sched_getaffinity(0))
    except (AttributeError, OSError):  # not on this system
        count = os.cpu_count() or 1
    limit = group.cpus()
    return count if limit is None else min(count, limit)


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _both(first: Path, second: Path) -> str:
    return f"{_text(first)} {_text(second)}"


def _whole(word: str) -> int | None:
    return int(word) if word.removeprefix("-").isdecimal() else None


def _number(path: Path) -> int | None:
    return _whole(_text(path))


def _table(path: Path) -> dict[str, int]:
    rows = (line.split() for line in _text(path).splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdecimal()}
