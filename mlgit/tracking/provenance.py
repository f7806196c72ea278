"""Where and how a run happened: command, machine, Python, packages. By allow-list: nothing else is taken along."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlgit.core import secrets
from mlgit.errors import MlgitError
from mlgit.git.repo import Repo
from mlgit.store import live, scratch
from mlgit.tracking import installed, libraries
from mlgit.tracking.machine import hardware

# Variables that change what a training does; none that could hold a secret. A `*` stands for any end.
ENVIRONMENT = (
    "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_LAUNCH_BLOCKING", "CUBLAS_WORKSPACE_CONFIG", "HF_HUB_OFFLINE",
    "HIP_VISIBLE_DEVICES", "JAX_PLATFORMS", "KERAS_BACKEND", "LOCAL_RANK", "MKL_NUM_THREADS", "NCCL_*",
    "NVIDIA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PL_GLOBAL_SEED", "PYTHONHASHSEED",
    "PYTORCH_*", "RANK", "SLURM_ARRAY_TASK_ID", "SLURM_JOB_ID", "TF_DETERMINISTIC_OPS", "TF_ENABLE_ONEDNN_OPTS",
    "TF_FORCE_GPU_ALLOW_GROWTH", "WORLD_SIZE", "XLA_FLAGS", "GITHUB_RUN_ID", "GITHUB_REPOSITORY",
)  # fmt: skip
_LOCKS = ("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "constraints.txt", "requirements.txt", "conda-lock.yml")
_MOST_WORD = 4000
"""Characters of one word of a command line, which may be a whole program after `-c`."""


def gather(command: Sequence[str], folder: Path, *, repo: Repo, environment: Sequence[str] = ()) -> dict[str, Any]:
    """What `run.yaml` says beside the run itself.

    *folder* is where the command runs, *repo* the repository that records it; *environment* names variables to take
    along besides `ENVIRONMENT`.
    """
    words = (word if len(word) <= _MOST_WORD else f"{word[:_MOST_WORD]}…" for word in command)
    return {
        "command": list(secrets.redact_command(tuple(words))),
        "cwd": _relative(folder, repo.work_tree),
        "program": program(command, folder, repo.work_tree),
        "git": origin(repo),
        **installed.interpreter(),
        **hardware.quick(),
        "environment": variables((*ENVIRONMENT, *environment)),
        "lock": lock(folder),
        "seeds": seeds(),
        "image": image(),
    }


# -- the command


def command_line() -> list[str]:
    """The command line of this process, as a person would give it: `python -m pkg.mod`, `python -c …`, options too."""
    words = [*sys.orig_argv[1:]] if len(sys.orig_argv) > 1 else [*sys.argv]
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    if main and "-m" not in words:
        for number, word in enumerate(words):
            if word.endswith(Path(main).name) and Path(main).is_absolute() and _is_same(Path(word), Path(main)):
                words[number] = near(Path(main))
                break
    return ["python", *(word for word in words if word)]


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # given from another folder, which the script has left
        return one.name == other.name


def near(path: Path) -> str:
    """*path* as it is given in the current folder, where it lies below that."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def program(command: Sequence[str], folder: Path, top: Path | None) -> str:
    """The source file that runs, as the repository at *top* knows it; nothing where that cannot be told."""
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    if list(command) != command_line():  # it is another process that runs
        main = next((word for word in command if word.endswith(scratch.CODE) and (folder / word).is_file()), None)
    return _relative(folder / main, top) if main else ""


# -- where its code comes from


def origin(repo: Repo) -> dict[str, str]:
    """`remote`, the address that the repository was cloned from, without credentials, and the `branch` checked out."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        _, is_ref, branch = (repo.git_dir / "HEAD").read_text().strip().partition("ref: refs/heads/")
        config = repo.config
        remote = config.get(f"branch.{branch.lower()}.remote", "origin") if is_ref else "origin"
        remote_url = secrets.address(config.get(f"remote.{remote.lower()}.url", ""))
        about = {"remote": remote_url, "branch": branch if branch != ".invalid" else ""}  # reftable's stand-in
        return {name: secrets.redact(value) for name, value in about.items() if value}
    return {}


# -- what it ran with


def variables(names: Sequence[str], env: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables of *env* that *names* allow and that are set; what looks like a secret is hidden."""
    exact = {name for name in names if not name.endswith("*")}
    starts = tuple(name[:-1] for name in names if name.endswith("*") and len(name) > 1)
    allowed = {name: value for name, value in env.items() if name in exact or (starts and name.startswith(starts))}
    return dict(sorted(secrets.redact_params(allowed).items()))


def image(env: Mapping[str, str] = os.environ) -> str:
    """The image of the container that this runs in, where somebody has said it: none can tell by itself."""
    return secrets.redact(env.get("MLGIT_IMAGE") or env.get("WANDB_DOCKER") or "")


def _relative(folder: Path, top: Path | None) -> str:
    try:
        return str(folder.resolve().relative_to((top or folder).resolve()))
    except ValueError:
        return folder.name  # outside the repository: where exactly is nobody's business


def lock(folder: Path) -> dict[str, str]:
    """The lock file beside the command and its digest; nothing where there is none."""
    import hashlib

    for name in _LOCKS:
        if (folder / name).is_file():
            return {"file": name, "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest()}
    return {}


# -- seeds


def _of_numpy(numpy: Any) -> int | None:
    """What `numpy.random.seed` was given, as long as nothing was drawn since (Matsumoto's and Nishimura's init)."""
    kind, words, drawn, *_ = numpy.get_state()
    first = int(words[0])
    following = (1812433253 * (first ^ (first >> 30)) + 1) & 0xFFFFFFFF
    return first if kind == "MT19937" and drawn == 624 and int(words[1]) == following else None


# Module → (the seed's name, how to ask the module). Only those that the script has loaded are asked.
_SEEDS: Mapping[str, tuple[str, Callable[[Any], int | None]]] = {
    "numpy.random": ("numpy", _of_numpy),
    "torch": ("torch", lambda torch: torch.initial_seed()),
    "keras.utils": ("keras", lambda utils: utils.get_random_seed() if hasattr(utils, "get_random_seed") else None),
}


def seeds() -> dict[str, int | str]:
    """The seeds that can be told now, by whose they are."""
    found: dict[str, int | str] = (
        {"python_hash": os.environ["PYTHONHASHSEED"]} if "PYTHONHASHSEED" in os.environ else {}
    )
    return found | {name: seed for name, seed in libraries.asked(_SEEDS).items() if seed is not None}


def say_rest(opened: live.Live, known: Mapping[str, Any], top: Path | None) -> None:
    """Tell *opened*, as it ends, what takes longer to find out, or could not be *known* when it began.

    Its seeds; what its libraries compute with; where those packages come from that no index has, relative to the
    repository at *top*; and, where it was `mlgit run` that began it in a Python of its own, the Python of the script.
    """
    from mlgit.tracking import indexes  # what it loads nobody shall wait for as a run begins

    told = {"libraries": libraries.loaded(), "sources": installed.sources(top), **installed.interpreter()}
    told["indexes"] = indexes.known(top or Path())
    told["seeds"] = {**(known.get("seeds") or {}), **seeds()}
    about = {name: value for name, value in told.items() if value and value != known.get(name)}
    if about:
        with contextlib.suppress(OSError, MlgitError):
            opened.event(about=about)
