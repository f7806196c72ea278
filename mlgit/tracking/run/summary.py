"""A run's metrics, as a script reads and sets them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from mlgit.core import values
from mlgit.core.summary import DELETED, Rule, leaves
from mlgit.core.yielding import yielding

if TYPE_CHECKING:
    from mlgit.store.telling import Account


Path = tuple[str, ...]
"""Where a value stands: the name of a metric, then those within its mapping."""


@yielding("values", "pop", "popitem", "clear", "setdefault")
class Summary(MutableMapping[str, Any]):
    """A run's metrics, by attribute or item: the last value of everything logged, and whatever is set here.

    A mapping in it is set in part too: `summary["best"]["acc"] = 0.9`. What was logged is made plain when it is read,
    not when it is logged. W&B's own `_step`, `_runtime` and `_timestamp` of the last row are there, and stored nowhere.
    """

    def __init__(
        self, store: Callable[[Mapping[str, Any]], None], known: Mapping[str, Any] | None = None, *,
        keep: Callable[[str], values.Keep | None] = lambda _key: None,
        row: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:  # fmt: skip
        """*store* takes what was set; *known* is what the run has said before; *keep* stores pictures and the like.

        *row* tells what W&B adds to each row, of the last one.
        """
        last = dict(known or {})
        self.__dict__.update(_store=store, _last=last, _keep=keep, _row=row, _tally=None, _note=last.update)

    def __getitem__(self, key: str) -> Any:
        return _shown(self, key, _stored(self._last[key])) if key in self._last else self._row()[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.update({key: value})

    def __delitem__(self, key: str) -> None:
        if key not in self._last:
            raise KeyError(key)
        self._change({(key,): DELETED})

    def __getattr__(self, key: str) -> Any:
        if key.startswith("__"):
            raise AttributeError(key)
        try:
            return self[key]
        except KeyError:
            raise AttributeError(f"the run's summary has no {key!r}") from None

    def __setattr__(self, key: str, value: Any) -> None:
        self[key] = value

    def __iter__(self) -> Iterator[str]:
        return iter({**self._last, **self._row()})

    def __len__(self) -> int:
        return len(self._last) + sum(name not in self._last for name in self._row())

    def __repr__(self) -> str:
        return repr(self._as_dict())

    def _as_dict(self) -> dict[str, Any]:
        """A copy as a plain dict: W&B's own word for it, which scripts say all the same."""
        return dict(self)

    def update(self, d: Any = (), **more: Any) -> None:  # type: ignore[override]  # W&B's name
        """Set several metrics at once."""
        self._change({(key,): value for key, value in (dict(d) | more).items()})

    def _change(self, wanted: Mapping[Path, Any]) -> None:
        """Set what stands at these paths, or take it away where it is `DELETED`: here and on the branch."""
        changes = {path: self._plain(".".join(path), value) for path, value in wanted.items()}
        by_name: dict[str, Any] = {}
        for path, value in changes.items():
            name = ".".join(path)
            gone = dict(leaves({name: _at(self._last, path)}))  # the branch knows no mappings, only whole names
            by_name |= dict.fromkeys((name, *gone), DELETED)
            by_name |= {} if value is DELETED else dict(leaves({name: value}))
        self._store(by_name)
        for path, value in changes.items():
            _put(self._last, path, value)
        if self._tally:
            self._tally.set(name for name, value in by_name.items() if value is not DELETED)

    def _plain(self, name: str, value: Any) -> Any:
        return value if value is DELETED else values.plain(value, where=f"summary.{name}", keep=self._keep(name))

    def _merge(self, row: Mapping[str, Any]) -> None:
        """Take in a row with mappings in it: of those, what it does not name stays."""
        from mlgit.tracking.run import tally

        tally.merge(self._last, row) if self._tally is None else self._tally.note(row)

    def _follow(
        self, rule: Rule, *, overwrite: bool, step: Callable[[], int], so_far: Account | None
    ) -> None:  # fmt: skip
        """Go by *rule* from now on; *step* says the current step, *so_far* what was logged before."""
        from mlgit.tracking.run import tally

        if self._tally is None:
            kept = tally.Tally(self._last, step)
            self.__dict__.update(_tally=kept, _note=kept.note)
        self._tally.follow(rule, overwrite=overwrite, so_far=so_far)


def _stored(value: Any) -> Any:
    """*value* as the branch will have it: an enumeration's member by its value, numpy's numbers as numbers."""
    try:
        return values.plain(value)
    except TypeError:  # a run that records nothing holds whatever was said
        return value


def _at(tree: Mapping[str, Any], path: Path) -> Any:
    """What stands there, made plain where it is a mapping; None where nothing does."""
    for name in path:
        there = tree.get(name)
        tree = _stored(there) if isinstance(there, Mapping) else {}
    return tree or there


def _put(tree: MutableMapping[str, Any], path: Path, value: Any) -> None:
    """Set *value* there, or take away what is there; a mapping that is left empty goes too, as in W&B."""
    name, *rest = path
    if rest:
        below = dict(_at(tree, (name,)) or {})
        _put(below, tuple(rest), value)
        value = below or DELETED
    if value is DELETED:
        tree.pop(name, None)
    else:
        tree[name] = value


@yielding("values", "pop", "popitem", "clear", "setdefault")
class _Part(dict[str, Any]):
    """A mapping within a summary: what changes in it changes there."""

    def __init__(self, owner: Summary | _Part, name: str, held: Mapping[str, Any]) -> None:
        super().__init__(held)
        self.__dict__.update(_owner=owner, _name=name)

    def __getitem__(self, key: str) -> Any:
        return _shown(self, key, super().__getitem__(key))

    def __setitem__(self, key: str, value: Any) -> None:
        self._change({(key,): value})
        super().__setitem__(key, value)

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        self._change({(key,): DELETED})

    if not TYPE_CHECKING:  # all go through the three above, as those of a dict do not
        get, items, values = MutableMapping.get, MutableMapping.items, MutableMapping.values
        update, setdefault = MutableMapping.update, MutableMapping.setdefault
        pop, popitem, clear = MutableMapping.pop, MutableMapping.popitem, MutableMapping.clear

    def _change(self, wanted: Mapping[Path, Any]) -> None:
        self._owner._change({(self._name, *path): value for path, value in wanted.items()})

    def __getattr__(self, key: str) -> Any:
        if key not in self:
            raise AttributeError(f"the run's summary has no {self._name}.{key}")
        return self[key]

    def __setattr__(self, key: str, value: Any) -> None:
        self[key] = value

    def __reduce__(self) -> tuple[Any, ...]:
        """Copied or pickled, it is a mapping of its own."""
        return dict, (dict(self),)


def _shown(owner: Summary | _Part, name: str, value: Any) -> Any:
    return _Part(owner, name, value) if type(value) is dict and "_type" not in value else value
