"""Gymnasium: what its `RecordVideo` films is logged."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlgit.tracking.notice import notify
from mlgit.tracking.run.active import ActiveRun


def monitor(current: Callable[[], ActiveRun | None]) -> None:
    """Log every video that Gymnasium's `RecordVideo` writes from now on as `videos`, to the run *current* by then."""
    if importlib.util.find_spec("gymnasium") is None:
        notify("gymnasium is not installed: its videos are not logged by themselves")
        return
    from gymnasium.wrappers import RecordVideo

    if not hasattr(RecordVideo.stop_recording, "__wrapped__"):
        RecordVideo.stop_recording = _logging(RecordVideo.stop_recording, current)


def _logging(stop: Any, current: Callable[[], ActiveRun | None]) -> Any:
    @functools.wraps(stop)
    def call(recorder: Any) -> None:
        film = Path(recorder.video_folder) / f"{recorder._video_name}.mp4"
        stop(recorder)
        run = current()
        if run is not None and film.is_file():
            from mlgit.tracking.media.video import Video

            run.log({"videos": Video(str(film))})

    return call
