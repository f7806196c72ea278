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
    "Error CommError UsageError AuthenticationError=mlgit.errors:AuthenticationError "
    "UnsupportedError=mlgit.errors:UnsupportedError UnsupportedFeatureError=mlgit.errors:UnsupportedError "
    "WandbCoreNotAvailableError=mlgit.errors:WandbCoreNotAvailableError"
)
_CONFIG_ERROR = "ConfigError=mlgit.errors:UsageError"
_DISABLED = "RunDisabled=mlgit.tracking.run.disabled:DisabledRun"
_TERMINAL = " ".join(f"{name}={_HERE}.loose:{name}" for name in ("termerror", "termlog", "termwarn"))
_TOP = (
    "Config=mlgit.tracking.run.config:Config Settings=mlgit.tracking.wish:Settings setup=mlgit.tracking.wish:setup "
    "api=mlgit.tracking.past:api join=finish teardown=mlgit.tracking.session:teardown "
    "attach=mlgit.tracking.session:attach ensure_configured=mlgit.tracking.session:ensure_configured "
    f"mark_preempting={_HERE}.loose:mark_preempting require={_HERE}.loose:require "
    f"sagemaker_auth={_HERE}.loose:sagemaker_auth "
    f"{_TERMINAL}"
)
_PUBLIC = (
    "Api Artifact ArtifactCollection=mlgit.public.collections:ArtifactCollection File=mlgit.artifacts.files:File "
    "ArtifactType=mlgit.public.collections:ArtifactType Project=mlgit.public.api:Project Run=mlgit.public.run:Run "
    "Runs=mlgit.public.runs:Runs Sweep=mlgit.public.sweep:Sweep RunNotFoundError=mlgit.errors:NotFoundError "
    + " ".join(f"{name}=builtins:list" for name in (
        "ArtifactCollections", "ArtifactFiles", "ArtifactTypes", "Artifacts", "Files", "Projects", "RunArtifacts",
        "Sweeps",
    ))
)  # fmt: skip

_TYPES = "mlgit.tracking.media.data_types"
_TYPES_IN = (
    "audio", "base_types.media", "base_types.wb_value", "bokeh", "eval_table", "graph",
    "helper_types.bounding_boxes_2d", "helper_types.classes", "helper_types.image_mask", "histogram", "html",
    "image", "molecule", "object_3d", "plotly", "saved_model", "table", "video",
)  # fmt: skip
"""The modules of W&B's that its types come from, of which any may be asked for any."""
_SAVING = " ".join(f"{name}={_HERE}.loose:{name}" for name in ("GlobStr", "PolicyName"))
_HELPER = f"parse_config={_HERE}.loose:parse_config"
_PROFILER = f"torch_trace_handler={_HERE}.loose:torch_trace_handler"
_PLOTS = ("bar", "confusion_matrix", "histogram", "line", "line_series", "pr_curve", "roc_curve", "scatter")
_GYM = "monitor=mlgit.tracking.session:monitor_gymnasium"
_NOTEBOOK = " ".join(f"{name}=mlgit.public.notebook:is_notebook" for name in ("in_jupyter", "in_notebook"))

# A module of W&B's → the module of ours that it is, or its names: `Name` is the door's, `Name=module:attribute` any.
_MODULES: Mapping[str, str] = {
    "": _TOP,
    "agents": "", "agents.pyagent": "pyagent=agent",
    "apis": "PublicApi=mlgit.tracking.past:Api", "apis.public": _PUBLIC, "apis.public.api": _PUBLIC,
    **{f"apis.public.{name}": _PUBLIC for name in ("artifacts", "files", "projects", "runs", "sweeps")},
    "cli": "", "cli.cli": "cli=mlgit.cli.wandb:command",
    "data_types": f"module {_TYPES}",
    "env": f"module {_HERE}.environment",
    "helper": _HELPER, "sdk.wandb_helper": _HELPER, "profiler": _PROFILER, "sdk.internal.profiler": _PROFILER,
    "errors": _ERRORS, "errors.errors": _ERRORS, "errors.term": _TERMINAL,
    "integration": "",
    "integration.catboost": f"module {_HERE}.catboost", "catboost": f"module {_HERE}.catboost",
    "integration.gym": _GYM, "gym": _GYM,
    "integration.sb3": f"module {_HERE}.sb3", "integration.sb3.sb3": f"module {_HERE}.sb3",
    "sb3": f"module {_HERE}.sb3",
    "integration.tensorflow": f"module {_HERE}.tensorflow", "tensorflow": f"module {_HERE}.tensorflow",
    "integration.ultralytics": f"module {_HERE}.ultralytics",
    "integration.ultralytics.callback": f"module {_HERE}.ultralytics",
    "integration.keras": f"module {_HERE}.keras", "integration.keras.callbacks": f"module {_HERE}.keras",
    "integration.keras.keras": f"module {_HERE}.keras",
    "integration.lightgbm": f"module {_HERE}.lightgbm",
    "integration.lightning": "", "integration.lightning.fabric": f"module {_HERE}.lightning",
    "integration.lightning.fabric.logger": f"module {_HERE}.lightning",
    "integration.sklearn": f"module {_HERE}.sklearn", "integration.sklearn.plot": f"module {_HERE}.sklearn",
    "integration.tensorboard": "module mlgit.tracking.tensorboard",
    "integration.torch": "", "integration.torch.wandb_torch": "watch unwatch",
    "integration.xgboost": f"module {_HERE}.xgboost", "integration.xgboost.xgboost": f"module {_HERE}.xgboost",
    "models": "module mlgit.registry.served.models",
    "keras": f"module {_HERE}.keras", "lightgbm": f"module {_HERE}.lightgbm",
    "plot": "module mlgit.tracking.media.plot",
    **{f"plot.{name}": f"{name}=mlgit.tracking.media.plot:{name}" for name in _PLOTS},
    "plot.custom_chart": "plot_table CustomChart=mlgit.tracking.media.chart:Chart",
    "plot.viz": "visualize CustomChart=mlgit.tracking.media.chart:Chart",
    "sklearn": f"module {_HERE}.sklearn", "xgboost": f"module {_HERE}.xgboost",
    "sdk": "AlertLevel Artifact Config Settings agent finish init login require setup sweep teardown",
    "sdk.artifacts": "", "sdk.artifacts.artifact": "Artifact", "sdk.wandb_artifacts": "Artifact",
    "sdk.artifacts.artifact_ttl": "ArtifactTTL",
    "sdk.artifacts.artifact_manifest": "ArtifactManifest=mlgit.artifacts.manifest:Manifest",
    "sdk.artifacts.artifact_manifest_entry": "ArtifactManifestEntry=mlgit.artifacts.manifest:Entry",
    "sdk.artifacts.exceptions": (
        "ArtifactStatusError=mlgit.errors:ArtifactStateError ArtifactNotLoggedError=mlgit.errors:NotLoggedError "
        "ArtifactFinalizedError=mlgit.errors:FinalizedError WaitTimeoutError=mlgit.errors:MlgitError"
    ),
    "sdk.data_types": "", "sdk.data_types.base_types": "", "sdk.data_types.helper_types": "",
    **{f"sdk.data_types.{name}": f"module {_TYPES}" for name in _TYPES_IN},
    "sdk.data_types.trace_tree": f"module {_HERE}.trace",
    "sdk.internal": "", "sdk.interface": "", "sdk.interface.artifacts": "Artifact", "sdk.interface.interface": _SAVING,
    "sdk.launch": f"module {_HERE}.launch",
    "sdk.lib": f"{_CONFIG_ERROR} {_DISABLED}", "sdk.lib.config_util": _CONFIG_ERROR, "sdk.lib.disabled": _DISABLED,
    "sdk.lib.ipython": f"{_NOTEBOOK} _get_python_type={_HERE}.loose:python_type",
    "sdk.lib.runid": f"generate_id={_HERE}.loose:generate_id", "sdk.lib.telemetry": f"context={_HERE}.loose:telemetry",
    "sdk.lib.filesystem": f"{_SAVING} mkdir_exists_ok={_HERE}.loose:mkdir_exists_ok",
    "sdk.lib.json_util": "module json",
    "sdk.lib.paths": f"StrPath={_HERE}.loose:StrPath",
    "sdk.wandb_alerts": "AlertLevel", "sdk.wandb_config": "Config", "sdk.wandb_init": "init",
    "sdk.wandb_login": "login", "sdk.wandb_metric": "Metric=mlgit.tracking.run.metric:Metric",
    "sdk.wandb_require": f"require={_HERE}.loose:require", "sdk.wandb_run": "Run",
    "sdk.wandb_settings": "Settings", "sdk.wandb_setup": "setup",
    "sdk.wandb_summary": "Summary=mlgit.tracking.run.summary:Summary", "sdk.wandb_sweep": "sweep controller",
    "sdk.wandb_watch": "watch unwatch",
    "tensorboard": "module mlgit.tracking.tensorboard",
    "util": f"module {_HERE}.loose",
    "wandb_agent": "agent", "wandb_run": "Run", "wandb_torch": "watch unwatch",
}  # fmt: skip

_LOGS = "log prompts and answers in a mlgit.Table"
_NOT_HERE: Mapping[str, str] = {
    "apis.reports": "mlgit report says what a change did, on its pull request",
    "apis.workspaces": "mlgit report says what a change did, on its pull request",
    "diffusers": "log the pictures with mlgit.Image",
    "docker": "mlgit launches no containers behind W&B's name",
    "dspy": _LOGS,
    "errors.util": "what is raised is in mlgit.errors",
    "fastai": "fastai has its own: from fastai.callback.wandb import WandbCallback",
    "huggingface": _LOGS,
    "jupyter": "%wandb and %%wandb show a run, run.display() too; the cells go with the run by themselves",
    "kfp": "call mlgit.init() and mlgit.log() in the step of the pipeline",
    "metaflow": "call mlgit.init() and mlgit.log() in the step of the flow",
    "openai": _LOGS,
    "plot.utils": "mlgit.plot looks at what it is given by itself",
    "prodigy": "log what was annotated in a mlgit.Table",
    "proto": "mlgit import wandb DIR reads what W&B has written",
    "sacred": "log from an observer of your own with mlgit.log()",
    "sagemaker": "hand the job's hyperparameters to mlgit.init(config=…)",
    "sdk.artifacts.artifact_file_cache": "what artifacts hold lies in DVC's cache; dvc gc clears it",
    "sdk.data_types._dtypes": "mlgit.Table(dtype=…) takes Python's own types",
    "sdk.data_types.utils": "run.log() makes a value plain; artifact.add() and get() write and read one",
    "sdk.integration_utils": "mlgit.log() in a callback of your own",
    "sdk.internal.datastore": "mlgit import wandb DIR reads what W&B has written",
    "sdk.lib.hashutil": "hashlib",
    "trigger": "call your function beside init() and finish()",
    "util._is_databricks": "nothing is recorded otherwise on Databricks",
    "util.convert_plots": "log the figure as it is",
    "util.guess_data_type": "mlgit.Image says itself which shapes it takes",
    "util.matplotlib_to_plotly": "log the figure as it is: it becomes the picture that it shows",
    "util.parse_artifact_string": "use_artifact() takes a version's name, and artifact.get() what is in it",
    "util.prompt_choices": "input()",
    "weave": _LOGS,
}
"""What W&B, or its `integration`, has without a counterpart here, and what serves instead."""

_OLD_MODULES: Mapping[str, str] = {"wandb_lib": "sdk.lib", "wandb_sdk": "sdk"}
"""Old names at W&B's top → the modules that they are today."""


class Module(ModuleType):
    """A module of W&B's whose names are looked up when they are used."""

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]  # looked up as its names are, when help is asked for
        behind = _behind(self.__name__)
        own = f"`{self.__name__}`: W&B's module of that name, with mlgit's own classes and functions."
        return own if isinstance(behind, Mapping) else behind.__doc__

    def __setattr__(self, name: str, value: Any) -> None:
        """Python hangs a submodule onto its parent; `plot.bar` is a function there, and stays it, as with W&B."""
        if not (isinstance(value, Module) and callable(getattr(self, name, None))):
            super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        return attribute(self.__name__, name)

    def __dir__(self) -> list[str]:
        return listed(self.__name__)


class Package(Module):
    """The package that scripts import as `wandb`. What they assign to its `config` becomes the run's."""

    def __setattr__(self, name: str, value: Any) -> None:
        from mlgit.tracking import session

        run = session.current() if name == "config" and isinstance(value, Mapping) else None
        if run is None:
            super().__setattr__(name, value)
        else:  # an old quickstart of W&B's says so, and W&B itself loses it
            run.config.update(value, allow_val_change=True)


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the submodules of *package* that are lines in the table; Python asks it when it has found no file."""

    def __init__(self, package: str) -> None:
        self._package = package

    def find_spec(self, fullname: str, *_where: Any) -> importlib.machinery.ModuleSpec | None:
        """The module, to be made from the table; None for a name that is no line of it."""
        package, _, module = fullname.partition(".")
        if package != self._package or not (module in _MODULES or _short(module) in _NOT_HERE):
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """An empty one."""
        return Module(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is loaded until a name is used. Raises `ModuleNotFoundError` for what has no counterpart."""
        name = module.__name__.partition(".")[2]
        if name not in _MODULES:
            instead = _NOT_HERE[_short(name)]
            raise ModuleNotFoundError(
                f"{module.__name__} has no counterpart in mlgit.\nInstead: {instead}.", name=module.__name__
            )


def _short(module: str) -> str:
    return module.removeprefix("integration.")


def _behind(fullname: str) -> Any:
    """What stands behind the module *fullname*: another module, or a table of names."""
    line = _MODULES[fullname.partition(".")[2]]
    kind, _, rest = line.partition(" ")
    return importlib.import_module(rest) if kind == "module" else _table(line)


@functools.cache
def _table(line: str) -> Mapping[str, tuple[str, str]]:
    """Name → (module, attribute) for the words of a line."""
    found = {}
    for word in line.split():
        name, _, place = word.partition("=")
        module, colon, own = place.partition(":")
        found[name] = (module, own) if colon else (_DOOR, place or name)
    return found


def attribute(fullname: str, name: str) -> Any:
    """What `<fullname>.<name>` is. Raises `AttributeError`, saying what there is instead."""
    if name == "__all__":
        return _public(fullname)
    if name.startswith("__"):
        raise AttributeError(name)
    package, _, module = fullname.partition(".")
    found = _of_module(fullname, name) if module else _of_package(package, name)
    if found is _NOTHING and (f"{module}.{name}" if module else name) in _MODULES:
        return importlib.import_module(f"{fullname}.{name}")
    if found is _NOTHING:
        raise AttributeError(_said(fullname, name), name=name, obj=sys.modules[fullname])
    if name != "run":  # changes with every init() and finish()
        vars(sys.modules[fullname])[name] = found
    return found


_NOTHING = object()


def _of_package(package: str, name: str) -> Any:
    if name in _OLD_MODULES:
        return importlib.import_module(f"{package}.{_OLD_MODULES[name]}")
    door = importlib.import_module(_DOOR)
    if package != _DOOR and name in door.__all__ and name not in _MODULES:
        return getattr(door, name)
    return _of_table(_table(_MODULES[""]), name)


def _of_module(fullname: str, name: str) -> Any:
    behind = _behind(fullname)
    if not isinstance(behind, Mapping):
        return getattr(behind, name, _NOTHING)
    return _of_table(behind, name)


def _of_table(table: Mapping[str, tuple[str, str]], name: str) -> Any:
    if name not in table:
        return _NOTHING
    module, own = table[name]
    return getattr(importlib.import_module(module), own)


def _public(fullname: str) -> list[str]:
    """What `from <fullname> import *` brings."""
    behind = _behind(fullname) if "." in fullname else importlib.import_module(_DOOR)
    more = () if "." in fullname else ("join", "setup")  # which ours need not have
    return list(behind) if isinstance(behind, Mapping) else [*behind.__all__, *more]


def listed(fullname: str) -> list[str]:
    """The names in the module *fullname*."""
    module = fullname.partition(".")[2]
    below = f"{module}." if module else ""
    modules = {name[len(below) :].partition(".")[0] for name in _MODULES if name.startswith(below) and name != module}
    own = _public(fullname) if module else [*_table(_MODULES[""]), *_public(fullname)]
    return sorted({*modules, *own})


def _said(fullname: str, name: str) -> str:
    """Why there is no `<fullname>.<name>`, and what there is instead."""
    import difflib

    _, _, module = fullname.partition(".")
    if instead := _NOT_HERE.get(_short(f"{module}.{name}" if module else name)):
        return f"{fullname}.{name} has no counterpart in mlgit. Instead: {instead}."
    known = listed(fullname)
    begun = [other for other in known if other.startswith(f"{name}_")]
    close = begun or difflib.get_close_matches(name, known, 3, 0.7)
    instead = f"Did you mean {' or '.join(close)}?" if close else f"There are: {', '.join(known[:40])}."
    return f"module {fullname!r} has no attribute {name!r}. {instead}"
