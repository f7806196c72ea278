"""A run that records nothing: the same door, at no cost and with no repository."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Mapping
from typing import Any

from mlgit.core.run import Run, State
from mlgit.core.summary import Rule
from mlgit.tracking.active import ActiveRun
from mlgit.tracking.config import Config
from mlgit.tracking.summary import Summary
from mlgit.tracking.unkept import Unkept
from mlgit.tracking.wish import Wish


class DisabledRun(Unkept, ActiveRun):
    """What `init(mode="disabled")` returns: config and summary hold what they are given, and nothing is stored."""

    def __init__(self, params: dict[str, Any], *, name: str, project: str) -> None:
        self._record = Run(id="disabled", name=name, project=project, created=time.time(), params=params)
        self._step, self._first_step, self._ended, self._owns, self._before = 0, 0, False, True, None
        self._wish, self._lock = Wish(mode="disabled"), threading.RLock()
        self.at_end = []
        self.config = Config(dict(params), frozenset(), store=self._put_params, warn=self._warn)
        self.summary = Summary(self._put_summary)

    is_inherited = False

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled, it is another that records nothing."""
        record = self._record
        return functools.partial(DisabledRun, name=record.name, project=record.project), (dict(self.config),)

    def log(self, data: Mapping[str, Any], step: int | None = None, commit: bool | None = None) -> None:
        """Count the step and keep the last values, for a script that reads them back."""
        self._step = (self._step if step is None else int(step)) + (commit is not False)
        self.summary.note(data)

    def watch(
        self, models: Any, criterion: Any = None, log: str | None = "gradients", log_freq: int = 1000,
        idx: int | None = None, log_graph: bool = False,
    ) -> list[Any]:  # fmt: skip
        """Nothing is watched."""
        return []

    def unwatch(self, models: Any = None) -> None:
        """Nothing was watched."""

    def finish(
        self, exit_code: int | None = None, quiet: bool | None = None, *,
        error: str | None = None, state: State | None = None,
    ) -> None:  # fmt: skip
        """The end of nothing."""
        if not self._ended:
            self._ended = True
            for ending in self.at_end:
                ending()

    def mark_preempting(self) -> None:
        """Nothing is marked."""

    @property
    def sync_dir(self) -> str:
        """Nowhere."""
        return ""

    @property
    def disabled(self) -> bool:
        """Whether it records nothing."""
        return True

    @property
    def url(self) -> str:
        """Nowhere."""
        return ""

    @property
    def project_url(self) -> str:
        """Nowhere."""
        return ""

    def _set(self, changes: Mapping[str, Any]) -> None:
        """Kept in memory alone."""

    def _put_summary(self, changes: Mapping[str, Any]) -> None:
        """Kept in memory alone."""

    def _put_params(self, changes: Mapping[str, Any]) -> None:
        """Kept in memory alone."""

    def _put_rule(self, rule: Rule, *, overwrite: bool) -> None:
        """Kept in memory alone."""

    def _so_far(self) -> None:
        """Nothing was kept that could be read again."""

    def _warn(self, text: str) -> None:
        """Nobody to warn."""
