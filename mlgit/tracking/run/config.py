"""A run's params, as a script reads and sets them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any, NoReturn

from mlgit.core.compare import flatten
from mlgit.core.yielding import yielding
from mlgit.errors import UsageError
from mlgit.tracking.configs import as_params


def _same(one: Any, two: Any) -> bool:
    return bool(one == two) or (one != one and two != two)  # nan is nan here


def _has(wanted: Any, known: Any) -> bool:
    """Whether *wanted* changes nothing of what is *known*: it is the same, or a mapping that has more."""
    if isinstance(wanted, Mapping) and isinstance(known, Mapping):
        return all(key in wanted and _has(wanted[key], value) for key, value in known.items())
    return _same(wanted, known)


class ConfigNow(Mapping[str, Any]):
    """A run's params as they are now, to read by attribute or item."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.__dict__.update(params)

    def __getitem__(self, key: str) -> Any:
        return self.__dict__[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict__)

    def __len__(self) -> int:
        return len(self.__dict__)

    def __getattr__(self, key: str) -> Any:
        raise AttributeError(key)

    def __setattr__(self, key: str, value: Any) -> NoReturn:
        raise AttributeError(f"config_static.{key} cannot be set.")

    def __repr__(self) -> str:
        return repr(self.__dict__)


@yielding("values", "pop", "popitem", "clear", "setdefault")
class Config(MutableMapping[str, Any]):
    """A run's params, by attribute or item. A value once set changes only through `update(…, allow_val_change=True)`.

    Params that the command line gave stand: a script's own value for them is not taken, and said so once.
    """

    def __init__(
        self, params: dict[str, Any], fixed: frozenset[str], *,
        store: Callable[[Mapping[str, Any]], None], warn: Callable[[str, str], None] | None,
        changes_allowed: bool = False,
    ) -> None:  # fmt: skip
        """*store* takes what was set, *warn*, if any, a kind and a text; *fixed* are the names given from outside."""
        self.__dict__.update(
            _params=params,
            _items=params,  # many a published script reads W&B's own mapping by its private name
            _fixed=fixed,
            _own=set(),
            _read=set(),
            _store=store,
            _warn=warn,
            _free=changes_allowed,
        )

    def __getitem__(self, key: str) -> Any:
        self._read.add(key)
        return self._params[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.update({key: value})

    def __delitem__(self, key: str) -> None:
        raise UsageError(f"config.{key} cannot be taken back.", why="A run's params are evidence.")

    def __getattr__(self, key: str) -> Any:
        if key.startswith("__"):  # Python asks for these of a copy that has nothing yet
            raise AttributeError(key)
        self._read.add(key)
        try:
            return self._params[key]
        except KeyError:
            raise AttributeError(f"the run has no param {key!r}") from None

    def __setattr__(self, key: str, value: Any) -> None:
        self[key] = value

    def __iter__(self) -> Iterator[str]:
        self._read.update(self._params)
        return iter(self._params)

    def __len__(self) -> int:
        return len(self._params)

    def __repr__(self) -> str:
        return repr(self._params)

    def _misspelt(self, names: Iterable[str]) -> list[str]:
        """What to say of those of *names* that a script with params of its own neither set nor read."""
        import difflib

        own = sorted(self._own)
        used = self._own | self._read
        warnings = []
        for name in names if own else ():
            if not used & {name, name.partition(".")[0]}:
                close = difflib.get_close_matches(name, own, 1)
                hint = f"did you mean {close[0]}?" if close else f"it has {', '.join(own[:8])}"
                warnings.append(f"{name} was given, but the script's config has no such key; {hint}")
        return warnings

    def update(self, d: Any = (), allow_val_change: bool = False, **more: Any) -> None:  # type: ignore[override]  # W&B's name
        """Set several params at once. Raises `UsageError` where one would change, unless *allow_val_change*."""
        wanted = as_params(dict(d) if isinstance(d, list | tuple) else d) | as_params(more)
        self._own.update(wanted, flatten(wanted))
        given = flatten(self._params) | self._params if self._fixed else {}
        for key in self._fixed & given.keys():
            self._stand(key, wanted, given[key], self._params)
        for key, value in wanted.items():
            if key in self._params and not _has(value, self._params[key]) and not (allow_val_change or self._free):
                raise UsageError(
                    f"config.{key} is {self._params[key]!r} already and cannot become {value!r}.",
                    fix=f"config.update({{{key!r}: …}}, allow_val_change=True), if it is meant",
                )
        if wanted:
            self._store(wanted)
            self._params.update(wanted)

    def _note(self, params: Mapping[str, Any]) -> None:
        """Know of *params* that are stored already."""
        self._params.update(params)

    def _stand(
        self, key: str, wanted: dict[str, Any], value: Any, known: Any, *, inside: str = ""
    ) -> None:  # fmt: skip
        """Let the *value* given for *key* stand in what a script wants, by that name or in mappings (`model.depth`).

        A mapping that it lacks is made where that is how the param is *known*. *inside*: those around it, `model.`.
        """
        folder, _, rest = key.partition(".")
        above = known.get(folder) if isinstance(known, Mapping) else None
        if rest and inside and isinstance(above, Mapping):
            wanted.setdefault(folder, {})
        if rest and key not in wanted and isinstance(wanted.get(folder), dict):
            self._stand(rest, wanted[folder], value, above, inside=f"{inside}{folder}.")
        elif key in wanted or inside:
            if self._warn and wanted.get(key, value) != value:
                name = f"{inside}{key}"
                self._warn(name, f"{name}={value!r} was given from outside: the script's {wanted[key]!r} is not used")
            wanted[key] = value

    def setdefaults(self, d: Any) -> None:
        """Set those of *d* that are not set yet."""
        self.update({key: value for key, value in as_params(d).items() if key not in self._params})

    def persist(self) -> None:
        """Nothing is left to do: what is set is stored at once."""

    def as_dict(self) -> dict[str, Any]:
        """A copy as a plain dict."""
        self._read.update(self._params)
        return dict(self._params)
