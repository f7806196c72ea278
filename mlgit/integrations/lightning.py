"""Lightning: a logger for `Trainer(logger=…)` and for Fabric."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlgit.integrations import progress
from mlgit.tracking import session
from mlgit.tracking.configs import as_params
from mlgit.tracking.run.active import ActiveRun

if "pytorch_lightning" in sys.modules and "lightning.pytorch" not in sys.modules:  # each takes only its own loggers
    from pytorch_lightning.loggers.logger import Logger, rank_zero_experiment
    from pytorch_lightning.utilities import rank_zero_only
else:
    from lightning.pytorch.loggers.logger import Logger, rank_zero_experiment
    from lightning.pytorch.utilities import rank_zero_only

__all__ = ["MlgitLogger", "WandbLogger"]


class MlgitLogger(Logger):
    """Lightning's metrics, hyperparameters and checkpoints in one run; begun when it is first needed, on rank 0.

    *log_model*: True logs the checkpoints that are left at the end, `all` each one as it is saved, as versions of the
    artifact *checkpoint_name* (`model-<run id>`), the best one with the alias `best`. *experiment*: a run that is under
    way; otherwise the current one, or a new one by *project*, *name* and whatever else `init()` takes. *prefix* goes
    before each metric's name. Takes the options of Lightning's `WandbLogger`.
    """

    LOGGER_JOIN_CHAR = "-"

    def __init__(
        self, name: str | None = None, save_dir: str | os.PathLike[str] = ".", version: str | None = None,
        offline: bool = False, dir: str | os.PathLike[str] | None = None, id: str | None = None,
        anonymous: bool | None = None, project: str | None = None, log_model: bool | str = False,
        experiment: ActiveRun | None = None, prefix: str = "", checkpoint_name: str | None = None,
        add_file_policy: str = "mutable", **options: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        self._options = {"name": name, "project": project, "id": version or id, **options}
        if offline:
            self._options["mode"] = "offline"
        self._save_dir = os.fspath(dir or save_dir)
        self._log_model, self._prefix, self._checkpoint_name = log_model, prefix, checkpoint_name
        self._run = experiment
        self._seen: dict[str, float] = {}
        self._callbacks: list[Any] = []

    @property
    @rank_zero_experiment
    def experiment(self) -> ActiveRun:
        """The run."""
        if self._run is None:
            self._run = session.current() or session.init(**self._options)
            self._run.define_metric("trainer/global_step")
            self._run.define_metric("*", step_metric="trainer/global_step", step_sync=True)
        return self._run

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_run": None, "_callbacks": []}

    @property
    def name(self) -> str | None:
        """The project's name, as Lightning's `WandbLogger` has it."""
        project: str | None = self._run.project if self._run else self._options["project"]
        return project

    @property
    def version(self) -> str | None:
        """The run's id, once it has begun."""
        run_id: str | None = self._run.id if self._run else self._options["id"]
        return run_id

    @property
    def save_dir(self) -> str:
        """Where Lightning puts its checkpoints."""
        return self._save_dir

    @rank_zero_only
    def log_hyperparams(self, params: Any, *_args: Any, **_kwargs: Any) -> None:
        """The hyperparameters become the run's params."""
        self.experiment.config.update(as_params(params), allow_val_change=True)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """One row; Lightning's step goes along as `trainer/global_step`."""
        prefix = f"{self._prefix}{self.LOGGER_JOIN_CHAR}" if self._prefix else ""
        row = {f"{prefix}{name}": value for name, value in metrics.items()}
        self.experiment.log(row if step is None else row | {"trainer/global_step": step})

    def watch(self, model: Any, log: str | None = "gradients", log_freq: int = 100, log_graph: bool = True) -> None:
        """Log histograms of the model's gradients and parameters."""
        self.experiment.watch(model, log=log, log_freq=log_freq, log_graph=log_graph)

    @rank_zero_only
    def log_image(self, key: str, images: Sequence[Any], step: int | None = None, **options: Any) -> None:
        """Log pictures; each option is a list with one value a picture: `caption=[…]`."""
        from mlgit.tracking.media.image import Image

        own = [{name: several[number] for name, several in options.items()} for number in range(len(images))]
        self.log_metrics({key: [Image(one, **more) for one, more in zip(images, own, strict=True)]}, step)

    @rank_zero_only
    def log_table(
        self, key: str, columns: list[str] | None = None, data: Any = None, dataframe: Any = None,
        step: int | None = None,
    ) -> None:  # fmt: skip
        """Log a table."""
        from mlgit.tracking.media.table import Table

        self.log_metrics({key: Table(columns=columns, data=data, dataframe=dataframe)}, step)

    log_text = log_table

    @rank_zero_only
    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        """Lightning calls this when it has saved a checkpoint."""
        if self._log_model == "all" or (self._log_model is True and checkpoint_callback.save_top_k == -1):
            self._log_checkpoints(checkpoint_callback)
        elif self._log_model is True and checkpoint_callback not in self._callbacks:
            self._callbacks.append(checkpoint_callback)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Lightning calls this when it has trained: the checkpoints that are left are logged."""
        if status == "success":
            for callback in self._callbacks:
                self._log_checkpoints(callback)

    def _log_checkpoints(self, callback: Any) -> None:
        known = dict.fromkeys([*callback.best_k_models, callback.last_model_path, callback.best_model_path])
        fresh = [
            (moment, path) for path in known
            if path and Path(path).exists() and (moment := Path(path).stat().st_mtime) > self._seen.get(path, 0.0)
        ]  # fmt: skip
        run = self.experiment
        for moment, path in sorted(fresh):
            self._seen[path] = moment
            aliases = ["latest", "best"] if path == callback.best_model_path else ["latest"]
            progress.log_model(run, self._checkpoint_name or f"model-{run.id}", Path(path), aliases=aliases)


WandbLogger = MlgitLogger
