"""What the libraries that a script has loaded compute with: BLAS, threads, CUDA, whether they are deterministic."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")


def _of_numpy(config: Any) -> Mapping[str, Any]:
    blas = config.CONFIG["Build Dependencies"]["blas"]
    return {"blas": f"{blas['name']} {blas['version']}"}


def _of_threads(control: Any) -> Mapping[str, Any]:
    """The pools of threads that are there, BLAS's and OpenMP's; those of one kind and size count once."""
    return {str(pool["internal_api"]): pool["num_threads"] for pool in control.threadpool_info()}


def _of_torch(torch: Any) -> Mapping[str, Any]:
    cuda = torch.version.cuda
    on_cards = {
        "cuda": cuda, "cudnn": torch.backends.cudnn.version(), "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "cudnn_deterministic": torch.backends.cudnn.deterministic, "tf32": torch.backends.cuda.matmul.allow_tf32,
    } if cuda else {}  # fmt: skip
    return {
        "threads": torch.get_num_threads(), "deterministic": torch.are_deterministic_algorithms_enabled(),
        "precision": torch.get_float32_matmul_precision(), **on_cards,
    }  # fmt: skip


# Module → (what it is called in the record, how to ask it). Only those that the script has loaded are asked.
_LIBRARIES: Mapping[str, tuple[str, Callable[[Any], Mapping[str, Any]]]] = {
    "numpy.__config__": ("numpy", _of_numpy),
    "threadpoolctl": ("threads", _of_threads),
    "torch": ("torch", _of_torch),
}


def loaded() -> dict[str, Mapping[str, Any]]:
    """What can be told of them now, by library."""
    return asked(_LIBRARIES)


def asked(known: Mapping[str, tuple[str, Callable[[Any], T]]]) -> dict[str, T]:
    """What those of *known*, module → (name, how to ask it), say by name that the script has loaded."""
    found: dict[str, T] = {}
    for module, (name, ask) in known.items():
        if (there := sys.modules.get(module)) is not None:
            try:
                found[name] = ask(there)
            except Exception:  # noqa: BLE001, S112  (half loaded, or of another version: a training goes on)
                continue
    return found
