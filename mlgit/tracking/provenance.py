"""Where and how a run happened: command, machine, Python, packages. By allow-list: nothing else is taken along."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlgit.core import secrets

# Variables that change what a training does; none that could hold a secret.
ENVIRONMENT = (
    "CUDA_VISIBLE_DEVICES", "CUBLAS_WORKSPACE_CONFIG", "HF_HUB_OFFLINE", "LOCAL_RANK", "MKL_NUM_THREADS",
    "NVIDIA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "PYTHONHASHSEED", "RANK", "SLURM_ARRAY_TASK_ID", "SLURM_JOB_ID",
    "WORLD_SIZE", "XLA_FLAGS", "GITHUB_RUN_ID", "GITHUB_REPOSITORY",
)  # fmt: skip
_LOCKS = ("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "constraints.txt", "requirements.txt", "conda-lock.yml")


def gather(command: Sequence[str], folder: Path, *, top: Path | None) -> dict[str, Any]:
    """What `run.yaml` says beside the run itself. *folder* is where the command runs, *top* the repository's."""
    return {
        "command": list(secrets.redact_command(tuple(command))),
        "cwd": _relative(folder, top),
        "python": ".".join(map(str, sys.version_info[:3])),
        "system": _system(),
        "gpu": _gpus(),
        "environment": environment(),
        "lock": _lock(folder),
        "packages": packages(),
    }


def environment() -> dict[str, str]:
    """The allowed variables that are set."""
    return {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}


def packages() -> dict[str, str]:
    """Installed distributions and their versions, read from the names of their folders: a thousandth of an import."""
    found: dict[str, str] = {}
    for place in sys.path:
        try:
            entries = os.listdir(place or ".")  # noqa: PTH208  (names alone; a Path each would cost ten times more)
        except OSError:
            continue
        for entry in entries:
            if entry.endswith(".dist-info"):
                name, _, version = entry.removesuffix(".dist-info").rpartition("-")
                if name:
                    found.setdefault(name.lower().replace("_", "-"), version)
    return dict(sorted(found.items()))


def _relative(folder: Path, top: Path | None) -> str:
    try:
        return str(folder.resolve().relative_to((top or folder).resolve()))
    except ValueError:
        return folder.name  # outside the repository: where exactly is nobody's business


def _system() -> dict[str, Any]:
    about = os.uname()
    return {"os": f"{about.sysname} {about.release}", "machine": about.machine, "cpus": os.cpu_count()}


def _gpus() -> dict[str, Any]:
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


def _lock(folder: Path) -> dict[str, str]:
    """The lock file beside the command and its digest; nothing where there is none."""
    import hashlib

    for name in _LOCKS:
        if (folder / name).is_file():
            return {"file": name, "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest()}
    return {}
