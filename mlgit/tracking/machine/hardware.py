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
        **_cpu(),
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


_FEATURES = frozenset(("sse4_2", "avx", "avx2", "fma", "f16c", "avx_vnni", "asimd"))
"""What numerical libraries look for when they choose their instructions, besides AVX-512, AMX and SVE."""


def _cpu() -> dict[str, str]:
    """`cpu`, the processor's name, and `features`, what it can do that matters; the architecture alone elsewhere."""
    try:
        with Path("/proc/cpuinfo").open("rb") as file:
            first = file.read(4096).decode(errors="replace")  # of the first of maybe hundreds
    except OSError:
        return {"cpu": os.uname().machine}
    lines = (line.partition(":") for line in reversed(first.splitlines()))  # the first one's are whole
    told = {key.strip(): value.strip() for key, _, value in lines}
    flags = (told.get("flags") or told.get("Features") or "").split()
    features = sorted(one for one in flags if one in _FEATURES or one.startswith(("avx512", "amx_", "sve")))
    return {"cpu": told.get("model name", ""), "features": " ".join(features)}


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
