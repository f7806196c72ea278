"""A run that records nothing: the same door, at no cost and with no repository."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlgit.core import refs, values
from mlgit.core.run import Run, State
from mlgit.tracking import names
from mlgit.tracking.run.active import ActiveRun
from mlgit.tracking.run.journal import Nowhere
from mlgit.tracking.run.unkept import Unkept
from mlgit.tracking.wish import Wish


class DisabledRun(ActiveRun):
    """What `init(mode="disabled")` returns: called as it was asked to be, and nothing that it is given is stored."""

    is_inherited = False

    def __init__(self, params: dict[str, Any], wish: Wish) -> None:
        run_id = wish.id or names.run_id()
        record = Run(
            id=run_id, name=wish.name or f"dummy-{run_id}", project=wish.project or refs.slug(Path.cwd().name),
            group=wish.group, job_type=wish.job_type, notes=wish.notes, tags=tuple(wish.tags), created=time.time(),
            params=params,
        )  # fmt: skip
        super().__init__(Nowhere(record), fixed=frozenset(), wish=wish)
        self._files = self._artifacts = self._alerts = self._models = Unkept()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled, it is another that records nothing."""
        return DisabledRun, (dict(self.config), replace(self._wish, id=self.id, name=self.name))

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
