"""A run's metrics in the hands of a script that asks afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Protocol

from mlgit.core.compare import nested
from mlgit.core.yielding import yielding

_OF_ROWS = ("_step", "_runtime", "_timestamp")


class Owner(Protocol):
    """The run, as far as it is needed here."""

    def last_row(self) -> dict[str, Any]:
        """What every row holds, of the last one."""

    def update(self) -> None:
        """Write what was set."""


@yielding("values", "pop", "popitem", "clear", "copy", "setdefault")
class Summary(dict[str, Any]):
    """A run's metrics, by item or attribute. Set what you like, then `update()`.

    What was logged in mappings stands under its whole name, `val.acc`, and is answered as a mapping too: `["val"]`.
    W&B's own `_step`, `_runtime` and `_timestamp` of the last row are there for whoever asks, and stored nowhere.
    """

    def __init__(self, run: Owner, metrics: Mapping[str, Any]) -> None:
        super().__init__({name: _named(value) for name, value in deepcopy(dict(metrics)).items()})
        self.__dict__["_run"] = run

    def __missing__(self, name: str) -> Any:
        if name in _OF_ROWS:
            return self._run.last_row()[name]
        before = f"{name}."
        if below := {key.removeprefix(before): value for key, value in self.items() if key.startswith(before)}:
            return _Below(self, name, nested(below))
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or (isinstance(name, str) and self.get(name, _ABSENT) is not _ABSENT)

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the run's summary has no {name!r}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def get(self, name: str, default: Any = None) -> Any:
        """What it has under *name*."""
        try:
            return self[name]
        except KeyError:
            return default

    @property
    def _json_dict(self) -> dict[str, Any]:
        return {**self, **self._run.last_row()}

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Take new values in, and write the summary to the run's branch."""
        super().update(*args, **kwargs)
        self._run.update()


class _Named(dict[str, Any]):
    """A mapping that is read by attribute too."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"there is no {name!r} in it") from None


def _named(value: Any) -> Any:
    return _Named({key: _named(inner) for key, inner in value.items()}) if isinstance(value, dict) else value


class _Below(_Named):
    """What stands below *name* in a summary, as a mapping: what is set in it is set there."""

    def __init__(self, summary: Summary, name: str, held: Mapping[str, Any]) -> None:
        super().__init__(held)
        self._summary, self._name = summary, name

    def __getitem__(self, key: str) -> Any:
        return self._summary[f"{self._name}.{key}"]

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        self._summary[f"{self._name}.{key}"] = value

    def __reduce__(self) -> tuple[Any, ...]:
        """Copied or pickled, it is a mapping of its own."""
        return dict, (dict(self),)


_ABSENT = object()
