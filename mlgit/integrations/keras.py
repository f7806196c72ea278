"""Keras 3 on any backend: callbacks that log metrics, models and predictions."""

from __future__ import annotations

import abc
from pathlib import Path
from typing import Any

import keras

from mlgit.errors import UsageError
from mlgit.integrations import progress
from mlgit.integrations.keras_classic import WandbCallback
from mlgit.tracking.files import fingerprint

__all__ = [
    "MlgitEvalCallback", "MlgitMetricsLogger", "MlgitModelCheckpoint", "WandbCallback", "WandbEvalCallback",
    "WandbMetricsLogger", "WandbModelCheckpoint",
]  # fmt: skip


class MlgitMetricsLogger(keras.callbacks.Callback):
    """Every epoch a row: `epoch/<metric>`, `epoch/learning_rate`, and `epoch/epoch` to draw them over.

    *log_freq*: `epoch`, `batch`, or a number of batches; of batches the names begin with `batch/`.
    *initial_global_step*: the batches that came before, for a schedule of the learning rate. Raises `UsageError`
    where no run is under way.
    """

    def __init__(self, log_freq: str | int = "epoch", initial_global_step: int = 0) -> None:
        super().__init__()
        self._run = progress.run(type(self).__name__)
        if not (log_freq in ("epoch", "batch") or (isinstance(log_freq, int) and log_freq > 0)):
            raise UsageError(f"There is no log_freq={log_freq!r}.", fix="'epoch', 'batch' or a number of batches")
        self._every = None if log_freq == "epoch" else 1 if log_freq == "batch" else int(log_freq)
        self._batch, self._step = 0, initial_global_step
        axis = ("epoch/epoch", "epoch/*") if self._every is None else ("batch/batch_step", "batch/*")
        self._run.define_metric(axis[0])
        self._run.define_metric(axis[1], step_metric=axis[0])

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """The epoch's row."""
        self._run.log(_named("epoch", logs) | {"epoch/epoch": epoch} | self._rate("epoch"))

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """The batch's row, if batches are asked for and it is one's turn."""
        self._step += 1
        if self._every is not None and batch % self._every == 0:
            self._run.log(_named("batch", logs) | {"batch/batch_step": self._batch} | self._rate("batch"))
            self._batch += self._every

    def _rate(self, prefix: str) -> dict[str, float]:
        rate = self.model.optimizer.learning_rate
        if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
            rate = rate(self._step)
        return {f"{prefix}/learning_rate": float(keras.ops.convert_to_numpy(rate))}


def _named(prefix: str, logs: Any) -> dict[str, float]:
    return {f"{prefix}/{name}": float(value) for name, value in (logs or {}).items()}


class MlgitModelCheckpoint(keras.callbacks.ModelCheckpoint):
    """Keras's own `ModelCheckpoint`, each file of which becomes a version of the artifact `run_<id>_model`.

    Its aliases are `latest` and `epoch_<n>` (`epoch_<n>_batch_<n>`, with a number for *save_freq*). Takes what Keras's
    takes, and a path without an ending, which stood for a folder before Keras 3. Raises `UsageError` where no run is
    under way.
    """

    def __init__(self, filepath: Any, **options: Any) -> None:
        path = str(filepath).rstrip("/")
        if not Path(path).suffix:
            path += ".weights.h5" if options.get("save_weights_only") else ".keras"
        super().__init__(path, **options)
        self._run = progress.run(type(self).__name__)

    def _save_model(self, epoch: int, batch: int | None = None, logs: Any = None) -> None:
        path = Path(self._get_file_path(epoch, batch, logs))
        before = fingerprint(path)
        super()._save_model(epoch=epoch, batch=batch, logs=logs)
        if fingerprint(path) not in (None, before):  # with save_best_only it may have saved nothing
            which = f"epoch_{epoch}" if batch is None else f"epoch_{epoch}_batch_{batch}"
            progress.log_model(self._run, f"run_{self._run.id}_model", path, aliases=["latest", which])


class MlgitEvalCallback(keras.callbacks.Callback, abc.ABC):
    """Tables of what the model predicts, one an epoch: subclass it and fill them.

    `add_ground_truth` fills `self.data_table` once, `add_model_predictions` fills `self.pred_table` after each epoch;
    `self.data_table_ref` is the first, to be referred to. They become artifacts.
    """

    def __init__(self, data_table_columns: list[str], pred_table_columns: list[str]) -> None:
        super().__init__()
        self._run = progress.run(type(self).__name__)
        self.data_table_columns, self.pred_table_columns = data_table_columns, pred_table_columns

    @abc.abstractmethod
    def add_ground_truth(self, logs: Any = None) -> None:
        """Fill `self.data_table` with `add_data(…)`."""

    @abc.abstractmethod
    def add_model_predictions(self, epoch: int, logs: Any = None) -> None:
        """Fill `self.pred_table` with `add_data(…)`."""

    def on_train_begin(self, logs: Any = None) -> None:
        """The table of what is true, filled and logged."""
        self.init_data_table(self.data_table_columns)
        self.add_ground_truth(logs)
        self.log_data_table()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """The table of what is predicted, filled and logged."""
        self.init_pred_table(self.pred_table_columns)
        self.add_model_predictions(epoch, logs)
        self.log_pred_table()

    def init_data_table(self, column_names: list[str]) -> None:
        """Begin `self.data_table`."""
        from mlgit.tracking.media.table import Table

        self.data_table = Table(columns=column_names, allow_mixed_types=True)

    def init_pred_table(self, column_names: list[str]) -> None:
        """Begin `self.pred_table`."""
        from mlgit.tracking.media.table import Table

        self.pred_table = Table(columns=column_names)

    def log_data_table(self, name: str = "val", type: str = "dataset", table_name: str = "val_data") -> None:
        """Log `self.data_table` as the artifact *name*, and let `self.data_table_ref` be it."""
        from mlgit.artifacts.artifact import Artifact

        artifact = Artifact(name, type=type)
        artifact.add(self.data_table, table_name)
        self._run.use_artifact(artifact)
        self.data_table_ref = self.data_table

    def log_pred_table(
        self, type: str = "evaluation", table_name: str = "eval_data", aliases: list[str] | None = None
    ) -> None:
        """Log `self.pred_table` as the next version of the artifact `run_<id>_pred`."""
        from mlgit.artifacts.artifact import Artifact

        artifact = Artifact(f"run_{self._run.id}_pred", type=type)
        artifact.add(self.pred_table, table_name)
        self._run.log_artifact(artifact, aliases=aliases or ["latest"])


WandbMetricsLogger = MlgitMetricsLogger
WandbModelCheckpoint = MlgitModelCheckpoint
WandbEvalCallback = MlgitEvalCallback
