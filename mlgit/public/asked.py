"""Runs that are asked for once, when somebody first looks into them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import overload

from mlgit.public.run import Run


class Asked(Sequence[Run]):
    """A sequence of runs that begins as a question."""

    _found: list[Run] | None = None

    @abstractmethod
    def _ask(self) -> list[Run]:
        """The answer."""

    def _all(self) -> list[Run]:
        if self._found is None:
            self._found = self._ask()
        return self._found

    def __len__(self) -> int:
        return len(self._all())

    @overload
    def __getitem__(self, index: int) -> Run: ...
    @overload
    def __getitem__(self, index: slice) -> list[Run]: ...
    def __getitem__(self, index: int | slice) -> Run | list[Run]:
        return self._all()[index]

    def __iter__(self) -> Iterator[Run]:
        return iter(self._all())
