"""TensorFlow: a hook for its estimators and sessions. Keras has callbacks of its own, in `mlgit.integrations.keras`."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from mlgit.integrations import progress
from mlgit.tracking import tensorboard
from mlgit.tracking.tensorboard import log

__all__ = ["MlgitHook", "WandbHook", "log"]


class MlgitHook(tf.compat.v1.train.SessionRunHook):
    """For `hooks=`: every *steps_per_log* steps what *summary_op* says, all summaries unless given. *history* is W&B's.

    Raises `UsageError` at the session's beginning where no run is under way.
    """

    def __init__(self, summary_op: Any = None, steps_per_log: int = 1000, history: Any = None) -> None:
        self._summary, self._steps_per_log = summary_op, steps_per_log

    def begin(self) -> None:
        """A session begins."""
        progress.run("MlgitHook()")
        if self._summary is None:
            self._summary = tf.compat.v1.summary.merge_all()

    def before_run(self, run_context: Any) -> Any:
        """What each step shall answer."""
        step = tf.compat.v1.train.get_global_step()
        return tf.compat.v1.train.SessionRunArgs({"summary": self._summary, "global_step": step})

    def after_run(self, run_context: Any, run_values: Any) -> None:
        """A step has answered."""
        step = int(run_values.results["global_step"])
        if step % self._steps_per_log == 0:
            tensorboard.log(run_values.results["summary"], step=step)


WandbHook = MlgitHook
