"""A run's metrics in the hands of a script that asks afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Set
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Protocol

from mlgit.core.compare import nested
from mlgit.core.history import AXES
from mlgit.core.summary import is_object
from mlgit.core.yielding import yielding


class Owner(Protocol):
    """The run, as far as it is needed here."""

    def last_row(self) -> dict[str, Any]:
        """What every row holds, of the last one."""

    def update(self) -> None:
        """Write what was set."""


@yielding("values", "pop", "popitem", "clear", "copy", "setdefault")
class _Part(dict[str, Any]):
    """A mapping that is read by attribute too, and by whole names: `deep.y`."""

    def __init__(self, run: Owner, held: Mapping[str, Any]) -> None:
        self.__dict__["_run"] = run
        super().__init__({key: self._taken(value) for key, value in held.items()})

    def _taken(self, value: Any) -> Any:
        return _Part(self._run, value) if isinstance(value, dict) else value

    def _place(self, name: str) -> tuple[_Part, str]:
        """The innermost mapping that *name* leads to, and the name in there."""
        before, _, after = str(name).partition(".")
        below = None if not after or super().__contains__(name) else super().get(before)
        return below._place(after) if isinstance(below, _Part) else (self, name)

    def __missing__(self, name: str) -> Any:
        holder, key = self._place(name)
        if holder is self:
            raise KeyError(name)
        return holder[key]

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or (isinstance(name, str) and self.get(name, _ABSENT) is not _ABSENT)

    def __setitem__(self, name: str, value: Any) -> None:
        holder, key = self._place(name)
        super(_Part, holder).__setitem__(key, self._taken(value))

    def __delitem__(self, name: str) -> None:
        holder, key = self._place(name)
        super(_Part, holder).__delitem__(key)

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the run's summary has no {name!r}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __reduce__(self) -> tuple[Any, ...]:
        """Copied or pickled, it is a mapping of its own."""
        return dict, (dict(self),)

    def get(self, name: str, default: Any = None) -> Any:
        """What it has under *name*."""
        try:
            return self[name]
        except KeyError:
            return default

    if not TYPE_CHECKING:  # by whole names too
        pop, setdefault = MutableMapping.pop, MutableMapping.setdefault

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Take new values in, and write the summary to the run's branch."""
        for name, value in dict(*args, **kwargs).items():
            self[name] = value
        self._run.update()


class Summary(_Part):
    """A run's metrics, by item or attribute. Set what you like, then `update()`.

    What was logged in mappings is a mapping, `["val"]`, and is found by its whole name too: `["val.acc"]`. W&B's own
    `_step`, `_runtime` and `_timestamp` of the last row are there for whoever asks, and stored nowhere.
    """

    def __init__(self, run: Owner, metrics: Mapping[str, Any]) -> None:
        super().__init__(run, nested(deepcopy(dict(metrics))))

    def __missing__(self, name: str) -> Any:
        return self._run.last_row()[name] if name in AXES else super().__missing__(name)

    @property
    def _json_dict(self) -> dict[str, Any]:
        return {**self, **self._run.last_row()}


def by_whole_name(summary: Mapping[str, Any], known: Set[str], before: str = "") -> Iterator[tuple[str, Any]]:
    """The metrics that *summary* holds, as a branch names them; one of those *known* is one, also as a mapping."""
    for key, value in summary.items():
        name = f"{before}{key}"
        if isinstance(value, dict) and name not in known and not is_object(value):
            yield from by_whole_name(value, known, f"{name}.")
        else:
            yield name, value


_ABSENT = object()
