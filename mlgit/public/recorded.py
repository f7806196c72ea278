"""What a run says of itself to a script, the same while it is under way and afterwards."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from mlgit.core.run import Run
from mlgit.public import notebook
from mlgit.public.lookup import ENTITY


class Recorded(ABC):
    """A run, by its record."""

    @abstractmethod
    def _as_record(self) -> Run:
        """Its record as it is now."""

    def _shown(self) -> Mapping[str, Any]:
        """Metric → its last value."""
        return self._as_record().metrics

    @property
    def id(self) -> str:
        """The run's id: eight random characters, unless `init(id=…)` chose one."""
        return self._as_record().id

    @property
    def project(self) -> str:
        """The project that it belongs to."""
        return self._as_record().project

    @property
    def entity(self) -> str:
        """Whose it is; means nothing without a server, so the same for every run."""
        return ENTITY

    def display(self, height: int = 420, hidden: bool = False) -> bool:
        """Show it in a notebook; False where there is none. *height* and *hidden* are W&B's and change nothing."""
        return notebook.show(self)

    def to_html(self, height: int = 420, hidden: bool = False) -> str:
        """What a notebook shows of it: name, state and the last metrics. *height* and *hidden* are W&B's."""
        from mlgit.core.card import card

        return card(self._as_record(), self._shown())

    def _repr_html_(self) -> str:
        return self.to_html()
