"""W&B's modules, each a list of names of ours: `from wandb.sdk.wandb_run import Run` is a lookup in the table here."""

from __future__ import annotations

import functools
import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

VERSION = "0.31.0"
"""W&B's, whose names these are: libraries ask for `wandb>=…` before they use it."""
_DOOR = "mlgit"
_HERE = "mlgit.integrations"

_ERRORS = (
    "Error CommError UsageError AuthenticationError=mlgit.errors:MlgitError UnsupportedError=mlgit.errors:UsageError "
    "UnsupportedFeatureError=mlgit.errors:UsageError"
)
_CONFIG_ERROR = "ConfigError=mlgit.errors:UsageError"
_DISABLED = "RunDisabled=mlgit.tracking.disabled:DisabledRun"
_PUBLIC = "Api"

# A module of W&B's → the module of ours that it is, or its names: `Name` is the door's, `Name=module:attribute` any.
_MODULES: Mapping[str, str] = {
    "apis": "", "apis.public": _PUBLIC,
    "data_types": "module mlgit.tracking.media.data_types",
    "env": f"module {_HERE}.environment",
    "errors": _ERRORS, "errors.errors": _ERRORS, "errors.term": "termlog termwarn termerror",
    "integration": "",
    "integration.keras": f"module {_HERE}.keras", "integration.keras.callbacks": f"module {_HERE}.keras",
    "integration.keras.keras": f"module {_HERE}.keras",
    "integration.lightgbm": f"module {_HERE}.lightgbm",
    "integration.lightning": "", "integration.lightning.fabric": f"module {_HERE}.lightning",
    "integration.sklearn": f"module {_HERE}.sklearn",
    "integration.tensorboard": "", "integration.torch": "", "integration.torch.wandb_torch": "watch unwatch",
    "integration.xgboost": f"module {_HERE}.xgboost", "integration.xgboost.xgboost": f"module {_HERE}.xgboost",
    "keras": f"module {_HERE}.keras", "lightgbm": f"module {_HERE}.lightgbm",
    "plot": "module mlgit.tracking.media.plot",
    "sklearn": f"module {_HERE}.sklearn", "xgboost": f"module {_HERE}.xgboost",
    "sdk": "AlertLevel Artifact Config Settings agent finish init login require setup sweep teardown",
    "sdk.artifacts": "", "sdk.artifacts.artifact": "Artifact", "sdk.wandb_artifacts": "Artifact",
    "sdk.data_types": "", "sdk.data_types.base_types": "",
    "sdk.data_types.base_types.wb_value": "WBValue=mlgit.tracking.media.shelf:Media",
    "sdk.data_types.base_types.media": "Media=mlgit.tracking.media.shelf:Media",
    "sdk.data_types.image": "Image", "sdk.data_types.table": "Table", "sdk.data_types.histogram": "Histogram",
    "sdk.data_types.html": "Html", "sdk.data_types.video": "Video", "sdk.data_types.plotly": "Plotly",
    "sdk.interface": "", "sdk.interface.artifacts": "Artifact",
    "sdk.lib": f"{_CONFIG_ERROR} {_DISABLED}", "sdk.lib.config_util": _CONFIG_ERROR, "sdk.lib.disabled": _DISABLED,
    "sdk.lib.runid": f"generate_id={_HERE}.loose:generate_id", "sdk.lib.telemetry": f"context={_HERE}.loose:telemetry",
    "sdk.lib.paths": f"StrPath={_HERE}.loose:StrPath",
    "sdk.wandb_alerts": "AlertLevel", "sdk.wandb_config": "Config", "sdk.wandb_init": "init",
    "sdk.wandb_login": "login", "sdk.wandb_run": "Run", "sdk.wandb_settings": "Settings", "sdk.wandb_setup": "setup",
    "sdk.wandb_summary": "Summary=mlgit.tracking.summary:Summary", "sdk.wandb_sweep": "sweep controller",
    "sdk.wandb_watch": "watch unwatch",
    "util": f"module {_HERE}.loose",
    "wandb_agent": "agent", "wandb_run": "Run", "wandb_torch": "watch unwatch",
}  # fmt: skip

_NOT_HERE: Mapping[str, str] = {
    "catboost": "log what CatBoost's callbacks give with mlgit.log()",
    "docker": "mlgit launches no containers behind W&B's name",
    "fastai": "log from a callback of your own with mlgit.log()",
    "gym": "log videos with mlgit.Video",
    "sb3": "init(sync_tensorboard=True) takes along what Stable-Baselines3 writes for TensorBoard",
    "tensorflow": "init(sync_tensorboard=True) takes along what TensorFlow writes for TensorBoard",
    "ultralytics": "init(sync_tensorboard=True) takes along what it writes for TensorBoard",
}
"""Modules of W&B's without a counterpart, by their last name, and what serves instead."""

_OTHER_WORDS: Mapping[str, str] = {"join": "finish", "wandb_sdk": "sdk", "wandb_lib": "sdk.lib"}
"""Old names at W&B's top → today's."""


class Module(ModuleType):
    """A module of W&B's whose names are looked up when they are used."""

    def __getattr__(self, name: str) -> Any:
        return attribute(self.__name__, name)

    def __dir__(self) -> list[str]:
        return listed(self.__name__)


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the submodules of *package* that are lines in the table; Python asks it when it has found no file."""

    def __init__(self, package: str) -> None:
        self._package = package

    def find_spec(self, fullname: str, *_where: Any) -> importlib.machinery.ModuleSpec | None:
        """The module, to be made from the table; None for a name that is no line of it."""
        package, _, module = fullname.partition(".")
        if package != self._package or not (module in _MODULES or _last(module) in _NOT_HERE):
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """An empty one."""
        return Module(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Load what stands behind it, so that a library that is missing is missed here."""
        behind = _behind(module.__name__)
        if hasattr(behind, "__all__"):
            vars(module)["__all__"] = list(behind.__all__)


def _last(module: str) -> str:
    return module.rpartition(".")[2]


def _behind(fullname: str) -> Any:
    """What stands behind the module *fullname*: another module, or a table of names."""
    module = fullname.partition(".")[2]
    if module not in _MODULES:
        raise ImportError(
            f"{fullname} has no counterpart in mlgit.\nInstead: {_NOT_HERE[_last(module)]}.", name=fullname
        )
    kind, _, rest = _MODULES[module].partition(" ")
    if kind == "module":
        return importlib.import_module(rest)
    return _table(_MODULES[module])


@functools.cache
def _table(line: str) -> Mapping[str, tuple[str, str]]:
    """Name → (module, attribute) for the words of a line."""
    found = {}
    for word in line.split():
        name, _, place = word.partition("=")
        module, _, own = place.partition(":")
        found[name] = (module or _DOOR, own or name)
    return found


def attribute(fullname: str, name: str) -> Any:
    """What `<fullname>.<name>` is. Raises `AttributeError`, saying what there is instead."""
    if name.startswith("__"):
        raise AttributeError(name)
    package, _, module = fullname.partition(".")
    found = _of_module(fullname, name) if module else _of_package(package, name)
    if found is _NOTHING and (f"{module}.{name}" if module else name) in _MODULES:
        return importlib.import_module(f"{fullname}.{name}")
    if found is _NOTHING:
        raise AttributeError(_said(fullname, name), name=name, obj=sys.modules[fullname])
    if name != "run":  # changes with every init() and finish()
        setattr(sys.modules[fullname], name, found)
    return found


_NOTHING = object()


def _of_package(package: str, name: str) -> Any:
    if name in _OTHER_WORDS:
        first, *rest = _OTHER_WORDS[name].split(".")
        return functools.reduce(getattr, rest, getattr(sys.modules[package], first))
    door = importlib.import_module(_DOOR)
    if package == _DOOR or name in _MODULES or name not in door.__all__:
        return _NOTHING
    return getattr(door, name)


def _of_module(fullname: str, name: str) -> Any:
    behind = _behind(fullname)
    if not isinstance(behind, Mapping):
        return getattr(behind, name, _NOTHING)
    if name not in behind:
        return _NOTHING
    where, own = behind[name]
    return getattr(importlib.import_module(where), own)


def listed(fullname: str) -> list[str]:
    """The names in the module *fullname*."""
    module = fullname.partition(".")[2]
    below = f"{module}." if module else ""
    modules = {name[len(below) :].partition(".")[0] for name in _MODULES if name.startswith(below) and name != module}
    if not module:
        return sorted({*modules, *dir(importlib.import_module(_DOOR))})
    behind = _behind(fullname)
    return sorted({*modules, *(behind if isinstance(behind, Mapping) else dir(behind))})


def _said(fullname: str, name: str) -> str:
    """Why there is no `<fullname>.<name>`, and what there is instead."""
    import difflib

    if name in _NOT_HERE:
        return f"{fullname}.{name} has no counterpart in mlgit. Instead: {_NOT_HERE[name]}."
    close = difflib.get_close_matches(name, listed(fullname), 3, 0.7)
    instead = f"Did you mean {' or '.join(close)}?" if close else f"There are: {', '.join(listed(fullname)[:40])}."
    return f"module {fullname!r} has no attribute {name!r}. {instead}"
