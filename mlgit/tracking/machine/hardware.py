"""What a machine is made of, for a run's record."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlgit.tracking.machine import cgroup

if TYPE_CHECKING:
    from mlgit.tracking.machine.gpu import Gpus


@functools.cache
def quick() -> dict[str, Any]:
    """What can be had at once: `system` and, where NVIDIA's kernel module lists cards, `gpu`."""
    about, group = os.uname(), cgroup.own()
    usable = cgroup.usable_cpus(group)
    memory = _memory()
    limit = group.memory_limit()
    system = {
        "os": f"{about.sysname} {about.release}",
        "machine": about.machine,
        "cpu": _cpu_model(),
        "cpus": int(usable) if usable == int(usable) else round(usable, 2),
        "memory_gb": round(min(memory, limit or memory) / 2**30, 1) if memory else None,
    }
    return {"system": {name: value for name, value in system.items() if value}, "gpu": _cards()}


def thorough(gpus: Gpus | None) -> dict[str, Any]:
    """The same, with what takes longer to find out: physical cores, and *gpus* as their driver describes them."""
    import psutil

    known = quick()
    cores = psutil.cpu_count(logical=False)
    system = known["system"] | ({"cores": cores} if cores else {})
    return {"system": system, "gpu": gpus.about() if gpus else known["gpu"]}


def _cpu_model() -> str:
    """The processor's name, as Linux has it; the architecture elsewhere."""
    try:
        with Path("/proc/cpuinfo").open("rb") as file:
            first = file.read(4096).decode(errors="replace")  # of the first of maybe hundreds
    except OSError:
        return os.uname().machine
    names = (line.partition(":")[2].strip() for line in first.splitlines() if line.startswith("model name"))
    return next(names, "")


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return 0


def _cards() -> dict[str, Any]:
    """NVIDIA's driver and cards, as its kernel module lists them; nothing where there is none."""
    folder = Path("/proc/driver/nvidia")
    if not folder.is_dir():
        return {}
    models = []
    for card in sorted(folder.glob("gpus/*/information")):
        facts = (line.partition(":") for line in card.read_text().splitlines())
        models.append(next((value.strip() for key, _, value in facts if key == "Model"), "unknown"))
    version = (folder / "version").read_text().split("\n")[0] if (folder / "version").exists() else ""
    return {"models": models, "driver": version.removeprefix("NVRM version: ")}
