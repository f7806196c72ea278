"""The functions of W&B's `util` and `sdk.lib` that scripts and libraries call."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from mlgit.core import values
from mlgit.errors import UsageError
from mlgit.public import notebook
from mlgit.tracking import names, session
from mlgit.tracking.configs import as_params, chosen
from mlgit.tracking.media import drawing
from mlgit.tracking.notice import notify, say_once

__all__ = [
    "WandBJSONEncoder", "ensure_matplotlib_figure", "from_human_size", "generate_id", "get_full_typename", "get_module",
    "is_numpy_array", "is_pandas_data_frame", "is_pytorch_tensor", "json_dumps_safer", "json_friendly",
    "json_friendly_val", "load_yaml", "make_artifact_name_safe", "make_json_if_not_number", "random_string",
    "to_human_size",
]  # fmt: skip

StrPath = str | os.PathLike[str]
"""W&B's word for a path."""
GlobStr = str
"""Its word for a pattern of paths."""
PolicyName = Literal["now", "live", "end"]
"""When `save()` is to take a file."""


def generate_id(length: int = 8) -> str:
    """An id for a run: *length* characters of base 36."""
    found = ""
    while len(found) < length:
        found += names.run_id()
    return found[:length]


def get_module(name: str, required: str | bool | None = None, lazy: bool = True) -> ModuleType | None:
    """The module *name*, or None where it is not installed; with *required*, an error that says so. *lazy* is W&B's."""
    try:
        return importlib.import_module(name)
    except ImportError:
        if required:
            raise UsageError(required if isinstance(required, str) else f"{name} is not installed.") from None
        return None


def from_human_size(size: str, units: Any = None) -> int:
    """The bytes that `20GB` or `20GiB` mean. *units* are W&B's. Raises `ValueError`."""
    if not (found := re.fullmatch(r"\s*([\d.]+)\s*([KMGTP]?)(i?)B?\s*", size, re.IGNORECASE)):
        raise ValueError(f"{size!r:.40} is no size: 20GB, 512KiB")
    return int(float(found[1]) * (1024 if found[3] else 1000) ** " KMGTP".index(found[2].upper() or " "))


def to_human_size(size: float, units: Any = None) -> str:
    """*size* bytes as people say it: `1.5KB`. *units* are W&B's."""
    power = next((power for power in range(5, 0, -1) if size >= 1000**power), 0)
    return f"{size / 1000**power:.1f}{' KMGTP'[power].strip()}B"


def make_artifact_name_safe(name: str) -> str:
    """*name* with everything that an artifact's name cannot hold replaced by `_`; at most 128 characters."""
    safe = re.sub(r"[^a-zA-Z0-9_\-.]", "_", name)
    return safe if len(safe) <= 128 else f"{safe[:63]}..{safe[-63:]}"


class WandBJSONEncoder(json.JSONEncoder):
    """JSON of whatever `log()` takes: NumPy's numbers, tensors, dates, dataclasses."""

    def default(self, o: Any) -> Any:
        """*o* made plain. Raises `TypeError` for what cannot be stored."""
        return values.plain(o)


def json_dumps_safer(obj: Any, **kwargs: Any) -> str:
    """*obj* as JSON; *kwargs* are those of `json.dumps`. Raises `TypeError` where `log()` would."""
    return json.dumps(obj, cls=WandBJSONEncoder, **kwargs)


def make_json_if_not_number(v: Any) -> Any:
    """*v* if it is a number, else its JSON."""
    return v if isinstance(v, int | float) else json_dumps_safer(v)


def json_friendly(obj: Any, *, preserve_numpy_nan: bool = False) -> tuple[Any, bool]:
    """*obj* made plain, and True; *obj* and False, if it is so already or cannot be. *preserve_numpy_nan* is W&B's."""
    try:
        plain = values.plain(obj)
    except TypeError:
        return obj, False
    return (obj, False) if type(plain) is type(obj) else (plain, True)


def json_friendly_val(val: Any) -> Any:
    """*val* made plain; what cannot be is its text."""
    if isinstance(val, Mapping):
        return {key: json_friendly_val(item) for key, item in val.items()}
    try:
        return values.plain(val)
    except TypeError:
        return str(val)


def random_string(length: int = 12) -> str:
    """*length* characters of base 36."""
    return generate_id(length)


def load_yaml(file: Any) -> Any:
    """What stands in a *file* of YAML, or in its text."""
    import yaml

    return yaml.safe_load(file)


def mkdir_exists_ok(dir_name: StrPath) -> None:
    """Make a folder, and those above it; nothing where it is there."""
    Path(dir_name).mkdir(parents=True, exist_ok=True)


def get_full_typename(o: Any) -> str:
    """The module and the name of what *o* is: `torch.Tensor`."""
    kind = type(o)
    return kind.__name__ if kind.__module__ in ("builtins", "__builtin__") else f"{kind.__module__}.{kind.__name__}"


def is_numpy_array(obj: Any) -> bool:
    """Whether it is an array of NumPy, which is not loaded for it."""
    return get_full_typename(obj) == "numpy.ndarray"


def is_pandas_data_frame(obj: Any) -> bool:
    """Whether it is a DataFrame of pandas, which is not loaded for it."""
    return bool(re.fullmatch(r"pandas\..*DataFrame", get_full_typename(obj)))


def is_pytorch_tensor(obj: Any) -> bool:
    """Whether it is a tensor of PyTorch, which is not loaded for it."""
    return bool(re.fullmatch(r"torch\..*(Tensor|Variable|Parameter)", get_full_typename(obj)))


def ensure_matplotlib_figure(obj: Any) -> Any:
    """The figure that *obj* is or belongs to: `pyplot`, axes, a line. Raises `ValueError` where it has none."""
    if (figure := drawing.figure_of(obj)) is None:
        raise ValueError(f"matplotlib's pyplot, or a figure, is asked for, not {get_full_typename(obj)}")
    return figure


def torch_trace_handler() -> Any:
    """What PyTorch's profiler calls with a trace, `on_trace_ready=`: it becomes a file of the run."""
    from torch import profiler

    return profiler.tensorboard_trace_handler(str(Path(session.active().dir, "pytorch_traces")))


def sagemaker_auth(overrides: Mapping[str, str] | None = None, path: StrPath = ".", api_key: str | None = None) -> None:
    """Nothing: it writes W&B's key down for SageMaker, and nobody has to log in here."""


def parse_config(params: Any, exclude: Sequence[str] | None = None, include: Sequence[str] | None = None) -> Any:
    """A config as a mapping, without the keys *exclude*, or with the keys *include* alone."""
    return chosen(as_params(params), include, exclude)


def require(requirement: str | list[str] | None = None, experiment: Any = None) -> None:
    """Nothing: what W&B lets scripts ask for (`service`, `core`, …) is how its own process works."""


def mark_preempting() -> None:
    """Say of the run that is under way that its machine is about to be taken away."""
    session.active().mark_preempting()


def python_type() -> str:
    """Where this Python runs, in W&B's words: `jupyter` or `python`."""
    return "jupyter" if notebook.is_notebook() else "python"


def termlog(string: str = "", newline: bool = True, repeat: bool = True, prefix: bool = True) -> None:
    """A word at the terminal; with *repeat* off, once. *newline* and *prefix* are W&B's."""
    (notify if repeat else say_once)(string)


def termwarn(string: str, newline: bool = True, repeat: bool = True, prefix: bool = True) -> None:
    """The same, as a warning."""
    termlog(f"WARNING {string}", repeat=repeat)


def termerror(string: str, newline: bool = True, repeat: bool = True, prefix: bool = True) -> None:
    """The same, as an error."""
    termlog(f"ERROR {string}", repeat=repeat)


class _Takes:
    """Takes whatever is set on it."""

    def __getattr__(self, name: str) -> Any:
        return _Takes()


@contextlib.contextmanager
def telemetry(*_args: Any, **_kwargs: Any) -> Iterator[_Takes]:
    """Where libraries tell W&B that they are in use. mlgit tells nobody."""
    yield _Takes()
