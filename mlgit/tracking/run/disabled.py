"""A run that records nothing: the same door, at no cost and with no repository."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from typing import Any

from mlgit.core.run import Run, State
from mlgit.tracking import values
from mlgit.tracking.run.active import ActiveRun
from mlgit.tracking.run.journal import Nowhere
from mlgit.tracking.run.unkept import Unkept
from mlgit.tracking.wish import Wish


class DisabledRun(ActiveRun):
    """What `init(mode="disabled")` returns: config and summary hold what they are given, and nothing is stored."""

    is_inherited = False

    def __init__(self, params: dict[str, Any], *, name: str, project: str) -> None:
        record = Run(id="disabled", name=name, project=project, created=time.time(), params=params)
        super().__init__(Nowhere(record), fixed=frozenset(), wish=Wish(mode="disabled"))
        self._files = self._artifacts = self._alerts = self._models = Unkept()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled, it is another that records nothing."""
        return functools.partial(DisabledRun, name=self.name, project=self.project), (dict(self.config),)

    def log(self, data: Mapping[str, Any], step: int | None = None, commit: bool | None = None) -> None:
        """Count the steps as ever, and keep the last values for a script that reads them back."""
        at = self._step if step is None else values.step(step)
        if at < self._step:
            return
        self._summary._note(data)
        self._row = at, time.time()
        self._step = at + (commit or (commit is None and step is None))

    def _end(self, state: State, exit_code: int | None, error: str | None) -> None:
        """Nothing is recorded."""

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
