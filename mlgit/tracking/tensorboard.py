"""W&B's `wandb.tensorboard`: take what is written for TensorBoard into the run that is under way, by hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlgit.errors import UsageError
from mlgit.tracking import session
from mlgit.tracking.events import eventfile, following

__all__ = ["log", "patch", "unpatch"]


def patch(
    save: bool = True, tensorboard_x: bool | None = None, pytorch: bool | None = None, root_logdir: str = ""
) -> None:
    """Take what is written for TensorBoard into the run that is under way, or the ones to come.

    Tags are called by their folder below *root_logdir*. *tensorboard_x* and *pytorch* are W&B's: every writer is heard.
    *save* too: all that event files hold is in the run, so that they are not copied as well.
    """
    following.want(Path(root_logdir).absolute() if root_logdir else None)
    run = session.current()
    if run is not None and not following.is_followed(run):
        following.follow(run)


def unpatch() -> None:
    """Undo `patch`: later runs take nothing along."""
    following.unwant()


def log(tf_summary_str_or_pb: Any, history: Any = None, step: int = 0, namespace: str = "") -> None:
    """Log a summary of TensorFlow's, as a protobuf or its bytes, and *step* as `global_step` beside it.

    *namespace* stands before its tags, as a folder. *history* is W&B's and changes nothing. Raises `UsageError` where
    it is no summary, or no run is under way.
    """
    content = getattr(tf_summary_str_or_pb, "SerializeToString", lambda: tf_summary_str_or_pb)()
    if not isinstance(content, bytes):
        raise UsageError(f"A summary of TensorFlow's is asked for, not {type(tf_summary_str_or_pb).__name__}.")
    try:
        values: Mapping[str, Any] = eventfile.summary(content)
    except ValueError as exc:
        raise UsageError("These bytes are no summary of TensorFlow's.", why=str(exc)) from None
    before = f"{namespace}/" if namespace else ""
    session.log({f"{before}{tag}": value for tag, value in values.items()} | {"global_step": step})
