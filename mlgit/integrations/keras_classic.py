"""W&B's first callback for Keras, `WandbCallback`, which does everything. New scripts do better with the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

from mlgit.errors import UsageError
from mlgit.integrations import progress
from mlgit.tracking.notice import notify

_WITHOUT_EFFECT = (
    "save_graph", "input_type", "output_type", "data_type", "class_colors", "generator", "training_data",
    "validation_steps", "validation_indexes", "validation_row_processor", "prediction_row_processor",
    "infer_missing_processors", "log_evaluation_frequency", "compute_flops", "verbose",
)  # fmt: skip


class WandbCallback(keras.callbacks.Callback):
    """Logs every epoch, keeps the best model, and shows predictions.

    Each epoch is a row of Keras's logs with the number as `epoch`; the summary holds `best_<monitor>` and `best_epoch`,
    where *monitor* was best (*mode*: `min`, `max`, `auto`). *save_model*: the best model lies in the run's folder as
    `model-best.keras`, at the end as the artifact `run_<id>_model`. *log_weights*: histograms of the weights.
    *log_batch_frequency*: a row every so many batches too. *validation_data* with *labels* or images: *predictions* of
    them as pictures; with *log_evaluation* a table of what was predicted at the end. Other options of W&B's are taken;
    those that ask for something are said to have no effect.
    """

    def __init__(
        self, monitor: str = "val_loss", verbose: int = 0, mode: str = "auto", save_weights_only: bool = False,
        log_weights: bool = False, log_gradients: bool = False, save_model: bool = True, training_data: Any = None,
        validation_data: Any = None, labels: Any = None, predictions: int = 36, generator: Any = None,
        input_type: str | None = None, output_type: str | None = None, log_evaluation: bool = False,
        log_batch_frequency: int | None = None, log_best_prefix: str | None = "best_", **more: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        if unknown := sorted(set(more) - set(_WITHOUT_EFFECT)):
            raise UsageError(f"WandbCallback() knows no option {unknown[0]!r}.")
        if mode not in ("auto", "min", "max"):
            raise UsageError(f"There is no mode {mode!r}.", fix="auto, min or max")
        self._run = progress.run("WandbCallback()")
        if log_gradients:
            notify(
                "WandbCallback(log_gradients=True) has no effect; mlgit.watch(model) logs a PyTorch model's gradients"
            )
        self._monitor, self._prefix = monitor, log_best_prefix
        more_is_better = mode == "max" or (
            mode == "auto" and any(word in monitor for word in ("acc", "auc", "fmeasure"))
        )
        self._sign = -1.0 if more_is_better else 1.0
        self._best = float("inf")
        self._weights_only, self._saves = save_weights_only, save_model or save_weights_only
        self._log_weights, self._every = log_weights, log_batch_frequency
        self._data, self._labels = validation_data, list(labels or ())
        self._pictures, self._log_evaluation = predictions, log_evaluation

    @property
    def _path(self) -> Path:
        return Path(self._run.dir) / f"model-best{'.weights.h5' if self._weights_only else '.keras'}"

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """The batch's row, when it is one's turn."""
        if self._every and batch % self._every == 0:
            self._run.log(_plain(logs))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """The epoch's row, and the model where it is the best so far."""
        row = {"epoch": epoch} | _plain(logs)
        if self._log_weights:
            row |= self._weights()
        if self._data is not None and self._labels and self._pictures:
            row |= self._examples()
        self._run.log(row)
        value = (logs or {}).get(self._monitor)
        if value is None or self._sign * float(value) >= self._best:
            return
        self._best = self._sign * float(value)
        if self._prefix:
            self._run.summary.update({f"{self._prefix}{self._monitor}": float(value), f"{self._prefix}epoch": epoch})
        if self._saves:
            (self.model.save_weights if self._weights_only else self.model.save)(str(self._path))

    def on_train_end(self, logs: Any = None) -> None:
        """The best model as an artifact, and the table of predictions."""
        if self._saves and self._path.exists():
            progress.log_model(self._run, f"run_{self._run.id}_model", self._path, aliases=["latest", "best"])
        if self._log_evaluation and self._data is not None:
            from mlgit.tracking.media.table import Table

            truths, guesses = np.asarray(self._data[1]), self._predicted(self._data[0])
            rows = [
                [number, self._called(truth), self._called(guess)]
                for number, (truth, guess) in enumerate(zip(truths, guesses, strict=True))
            ]
            self._run.log({"validation_predictions": Table(columns=["index", "target", "predicted"], data=rows)})

    def _weights(self) -> dict[str, Any]:
        from mlgit.tracking.media.histogram import Histogram

        return {
            f"parameters/{weight.path}": Histogram(keras.ops.convert_to_numpy(weight))
            for weight in self.model.trainable_weights
        }

    def _examples(self) -> dict[str, Any]:
        from mlgit.tracking.media.image import Image

        pictures = np.asarray(self._data[0])[: self._pictures]
        if pictures.ndim not in (3, 4):
            return {}
        guesses = self._predicted(pictures)
        return {
            "examples": [Image(one, caption=self._called(guess)) for one, guess in zip(pictures, guesses, strict=True)]
        }

    def _predicted(self, given: Any) -> Any:
        return np.asarray(self.model.predict(given, verbose=0))

    def _called(self, value: Any) -> Any:
        """What a prediction or a target stands for: a label where there are some, else a number or a list."""
        flat = np.ravel(np.asarray(value))
        if flat.size > 1:
            number = int(flat.argmax())
        elif self._labels and flat.dtype.kind == "f" and len(self._labels) == 2:
            number = int(flat[0] > 0.5)
        elif not self._labels:
            return flat[0].item()
        else:
            number = int(flat[0])
        return self._labels[number] if number < len(self._labels) else number


def _plain(logs: Any) -> dict[str, float]:
    return {name: float(value) for name, value in (logs or {}).items()}
