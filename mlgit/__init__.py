"""The Python door. `import mlgit as wandb`, and a W&B script makes a branch.

    with mlgit.init(project="digits", config={"lr": 0.1}) as run:
        run.log({"loss": 0.3})

`help(mlgit.init)` and `help(mlgit.Run)` are about a run, `help(mlgit.Artifact)` about files and models,
`help(mlgit.Api)` about what was recorded before.

Nothing is loaded until it is used: the names below are looked up in their rooms at first use. No room imports this
module, and no room bears a public name: a module `mlgit/config.py` would replace `mlgit.config` at its first import.
The one name that is both, `errors`, is the same thing as W&B's.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from mlgit.version import __version__

if TYPE_CHECKING:
    from mlgit.errors import CommError, UsageError
    from mlgit.errors import MlgitError as Error
    from mlgit.registry.served import models
    from mlgit.sweeps.calling import agent, controller, sweep
    from mlgit.tracking import tensorboard
    from mlgit.tracking.media import data_types, plot
    from mlgit.tracking.media.data_types import (
        Audio,
        Bokeh,
        Classes,
        EvalTable,
        Graph,
        Histogram,
        Html,
        Image,
        JoinedTable,
        Molecule,
        Object3D,
        Plotly,
        Table,
        Video,
        box3d,
    )
    from mlgit.tracking.media.plot import plot_table, visualize
    from mlgit.tracking.past import Api, Artifact, ArtifactTTL, runs
    from mlgit.tracking.run.active import ActiveRun as Run
    from mlgit.tracking.run.alerting import AlertLevel
    from mlgit.tracking.session import (
        alert,
        config,
        define_metric,
        finish,
        init,
        link_model,
        log,
        log_artifact,
        log_model,
        login,
        restore,
        save,
        summary,
        unwatch,
        use_artifact,
        use_model,
        watch,
    )

    run: Run | None

_NAMES = {
    "AlertLevel": ("mlgit.tracking.run.alerting", "AlertLevel"),
    "Api": ("mlgit.tracking.past", "Api"),
    "Artifact": ("mlgit.tracking.past", "Artifact"),
    "ArtifactTTL": ("mlgit.tracking.past", "ArtifactTTL"),
    "Audio": ("mlgit.tracking.media.audio", "Audio"),
    "Bokeh": ("mlgit.tracking.media.figure", "Bokeh"),
    "Classes": ("mlgit.tracking.media.marks", "Classes"),
    "CommError": ("mlgit.errors", "CommError"),
    "Error": ("mlgit.errors", "MlgitError"),
    "EvalTable": ("mlgit.tracking.media.joined", "EvalTable"),
    "Graph": ("mlgit.tracking.media.graph", "Graph"),
    "Histogram": ("mlgit.tracking.media.histogram", "Histogram"),
    "Html": ("mlgit.tracking.media.html", "Html"),
    "Image": ("mlgit.tracking.media.image", "Image"),
    "JoinedTable": ("mlgit.tracking.media.joined", "JoinedTable"),
    "Molecule": ("mlgit.tracking.media.solid", "Molecule"),
    "Object3D": ("mlgit.tracking.media.solid", "Object3D"),
    "Plotly": ("mlgit.tracking.media.figure", "Plotly"),
    "Run": ("mlgit.tracking.run.active", "ActiveRun"),
    "Table": ("mlgit.tracking.media.table", "Table"),
    "UsageError": ("mlgit.errors", "UsageError"),
    "Video": ("mlgit.tracking.media.video", "Video"),
    "agent": ("mlgit.sweeps.calling", "agent"),
    "alert": ("mlgit.tracking.session", "alert"),
    "box3d": ("mlgit.tracking.media.solid", "box3d"),
    "config": ("mlgit.tracking.session", "config"),
    "controller": ("mlgit.sweeps.calling", "controller"),
    "define_metric": ("mlgit.tracking.session", "define_metric"),
    "finish": ("mlgit.tracking.session", "finish"),
    "init": ("mlgit.tracking.session", "init"),
    "link_model": ("mlgit.tracking.session", "link_model"),
    "load_model": ("mlgit.registry.taking", "load_model"),
    "log": ("mlgit.tracking.session", "log"),
    "log_artifact": ("mlgit.tracking.session", "log_artifact"),
    "log_model": ("mlgit.tracking.session", "log_model"),
    "model_card": ("mlgit.registry.taking", "model_card"),
    "login": ("mlgit.tracking.session", "login"),
    "plot_table": ("mlgit.tracking.media.plot", "plot_table"),
    "restore": ("mlgit.tracking.session", "restore"),
    "runs": ("mlgit.tracking.past", "runs"),
    "save": ("mlgit.tracking.session", "save"),
    "summary": ("mlgit.tracking.session", "summary"),
    "sweep": ("mlgit.sweeps.calling", "sweep"),
    "unwatch": ("mlgit.tracking.session", "unwatch"),
    "use_artifact": ("mlgit.tracking.session", "use_artifact"),
    "use_model": ("mlgit.tracking.session", "use_model"),
    "visualize": ("mlgit.tracking.media.plot", "visualize"),
    "watch": ("mlgit.tracking.session", "watch"),
}

__all__ = [
    "AlertLevel",
    "Api",
    "Artifact",
    "ArtifactTTL",
    "Audio",
    "Bokeh",
    "Classes",
    "CommError",
    "Error",
    "EvalTable",
    "Graph",
    "Histogram",
    "Html",
    "Image",
    "JoinedTable",
    "Molecule",
    "Object3D",
    "Plotly",
    "Run",
    "Table",
    "UsageError",
    "Video",
    "__version__",
    "agent",
    "alert",
    "apis",
    "box3d",
    "config",
    "controller",
    "data_types",
    "define_metric",
    "finish",
    "init",
    "link_model",
    "load_model",
    "log",
    "log_artifact",
    "log_model",
    "login",
    "model_card",
    "models",
    "plot",
    "plot_table",
    "restore",
    "run",
    "runs",
    "save",
    "summary",
    "sweep",
    "tensorboard",
    "unwatch",
    "use_artifact",
    "use_model",
    "visualize",
    "watch",
]


def __getattr__(name: str) -> Any:
    import importlib.machinery

    if name == "run":  # changes with every init() and finish(), so it is asked anew each time
        return importlib.import_module("mlgit.tracking.session").current()
    if name == "errors":  # the one room that W&B has too: `except wandb.errors.CommError`
        return importlib.import_module("mlgit.errors")
    if name not in _NAMES:
        if importlib.machinery.PathFinder.find_spec(f"{__name__}.{name}", __path__):
            raise AttributeError(name)  # a room: `from mlgit import settings` asks here before it imports it
        return importlib.import_module("mlgit.integrations.names").attribute("mlgit", name)
    room, attribute = _NAMES[name]
    value = getattr(importlib.import_module(room), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__


class _Submodules:
    """`from mlgit.keras import …`: W&B's modules, found by a table that is loaded when one of them is asked for."""

    @staticmethod
    def find_spec(name: str, *_where: Any) -> Any:
        if not name.startswith("mlgit."):
            return None
        from mlgit.integrations import names

        return names.Finder("mlgit").find_spec(name)


sys.meta_path.append(_Submodules)

if "IPython" in sys.modules:
    from mlgit.tracking import magics as _magics

    _magics.offer()
