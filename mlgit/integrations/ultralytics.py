"""Ultralytics: tables of what a YOLO model predicts, and its checkpoints.

Losses and metrics come from Ultralytics' own support of W&B, `yolo settings wandb=True`, which works behind W&B's name.
"""

from __future__ import annotations

import copy
from typing import Any

from mlgit.integrations import progress
from mlgit.tracking import session

__all__ = ["add_mlgit_callback", "add_wandb_callback"]

_COLUMNS = ["Model-Name", "Image", "Num-Objects", "Mean-Confidence", "Speed"]


def add_mlgit_callback(
    model: Any, enable_model_checkpointing: bool = False, enable_train_validation_logging: bool = True,
    enable_validation_logging: bool = True, enable_prediction_logging: bool = True, epoch_logging_interval: int = 1,
    max_validation_batches: int = 1, visualize_skeleton: bool = True,
) -> Any:  # fmt: skip
    """Let *model*, a `YOLO`, log what it does, to the run that is under way or one of its own; return it.

    *enable_model_checkpointing*: the artifact `run_<id>_model` gets a version an epoch. The others log what the model
    predicts as `Train-Table` after every *epoch_logging_interval* epochs, `Validation-Table` and `Prediction-Table`; of
    a validation *max_validation_batches* batches are taken. *visualize_skeleton* is W&B's.
    """
    own = _Callbacks(model, max_validation_batches, epoch_logging_interval)
    wanted = {
        "on_train_start": own.keep_arguments,
        "on_fit_epoch_end": enable_train_validation_logging and own.predict_after_epoch,
        "on_model_save": enable_model_checkpointing and own.keep_model,
        "on_train_end": enable_train_validation_logging and own.log_train_table,
        "on_val_end": enable_validation_logging and own.log_validation,
        "on_predict_end": enable_prediction_logging and own.log_predictions,
    }
    for event, call in wanted.items():
        if call:
            model.add_callback(event, call)
    return model


add_wandb_callback = add_mlgit_callback


class _Callbacks:
    def __init__(self, model: Any, batches: int, interval: int) -> None:
        self._name = str(model.overrides.get("model", model.task)).partition(".")[0]
        self._model = model
        self._make_predictor = model.task_map[model.task]["predictor"]
        self._batches, self._interval = batches, interval
        self._trained: list[list[Any]] = []

    def keep_arguments(self, trainer: Any) -> None:
        _run(trainer).config.update({"train": vars(trainer.args)}, allow_val_change=True)

    def keep_model(self, trainer: Any) -> None:
        run = _run(trainer)
        progress.log_model(run, f"run_{run.id}_model", trainer.last, aliases=[f"epoch_{trainer.epoch}"])

    def predict_after_epoch(self, trainer: Any) -> None:
        if (trainer.epoch + 1) % self._interval == 0:
            rows = self._validated(trainer.validator, trainer.model)
            self._trained += [[self._name, trainer.epoch, *row[1:]] for row in rows]

    def log_train_table(self, trainer: Any) -> None:
        _log(trainer, "Train-Table", ["Model-Name", "Epoch", *_COLUMNS[1:]], self._trained)

    def log_validation(self, validator: Any) -> None:
        if not validator.training:
            _log(validator, "Validation-Table", _COLUMNS, self._validated(validator, self._model.model))

    def log_predictions(self, predictor: Any) -> None:
        _log(predictor, "Prediction-Table", _COLUMNS, [self._row(result) for result in predictor.results])

    def _validated(self, validator: Any, model: Any) -> list[list[Any]]:
        """What *model* predicts of the first batches of a validation."""
        predictor = self._make_predictor(overrides={"conf": 0.1, "save": False, "verbose": False})
        predictor.callbacks.clear()
        predictor.setup_model(model=copy.deepcopy(model), verbose=False)
        batches = (batch for batch, _ in zip(validator.dataloader, range(self._batches), strict=False))
        return [self._row(result) for batch in batches for result in predictor(batch["im_file"])]

    def _row(self, result: Any) -> list[Any]:
        sure = [] if result.boxes is None else result.boxes.conf.tolist()
        mean = sum(sure) / len(sure) if sure else None
        return [self._name, _picture(result), len(sure), mean, dict(result.speed)]


def _picture(result: Any) -> Any:
    """The picture with its boxes to be looked at one by one; whatever else was found is drawn."""
    from mlgit.tracking.media.image import Image

    if result.boxes is None or result.masks is not None or result.keypoints is not None:
        return Image(result.plot()[..., ::-1].copy())
    boxes = [
        {
            "position": dict(zip(("minX", "minY", "maxX", "maxY"), place, strict=True)),
            "class_id": int(kind), "box_caption": result.names[int(kind)], "scores": {"confidence": sure},
        }
        for place, kind, sure in zip(
            result.boxes.xyxyn.tolist(), result.boxes.cls.tolist(), result.boxes.conf.tolist(), strict=True
        )
    ]  # fmt: skip
    labels = {int(number): name for number, name in result.names.items()}
    picture = result.orig_img[..., ::-1].copy()
    return Image(picture, boxes={"predictions": {"box_data": boxes, "class_labels": labels}})


def _run(engine: Any) -> Any:
    return session.current() or session.init(project=str(engine.args.project or "") or None)


def _log(engine: Any, key: str, columns: list[str], rows: list[list[Any]]) -> None:
    from mlgit.tracking.media.table import Table

    _run(engine).log({key: Table(columns=columns, data=rows, allow_mixed_types=True)}, commit=False)
