"""Several runs, as a query of W&B's answers them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from mlgit.core import filters
from mlgit.core.run import Run as Record
from mlgit.git.repo import Repo
from mlgit.public.asked import Asked
from mlgit.public.described import who
from mlgit.public.run import Run


class Runs(Asked):
    """The runs of a project that pass the filters, in their order: a sequence, as in `len(runs)` and `runs[0]`.

    They are read as somebody looks into them: `len(runs)` counts, `runs[0]` reads a few, a loop takes them in blocks.
    `histories()` and `to_pandas()` are about all of them.
    """

    def __init__(
        self, repo: Repo, project: str | None, wanted: Mapping[str, Any] | None = None, order: str = "+created_at"
    ) -> None:
        super().__init__(repo)
        self._project, self._order, self._keys = project, order, filters.keys_of(order)

        def beside(record: Record, name: str) -> Any:
            return who(repo, record) if name == "username" else Run(repo, record).last_row().get(name)

        self._filter = filters.parse(wanted, beside=beside)
        self._beside = beside
        self._turns = iter(self)

    def _look(self, most: int) -> tuple[int, Sequence[Record]]:
        from mlgit.index import query

        if self._keys is None or not self._filter.is_all:
            return len(self._known), list(self._known.values())[:most]
        found = query.search(
            self._repo, self._filter.needs, self._keys, project=self._project, limit=most, is_checked=False
        )
        return found.total, found.runs

    def _every(self) -> Sequence[str]:
        from mlgit.index import query

        if self._keys is None or not self._filter.is_all:
            return list(self._known)
        return query.ids(self._repo, self._filter.needs, self._keys, project=self._project, is_checked=False)

    @cached_property
    def _known(self) -> dict[str, Record]:
        """Those that pass a filter, or an order, that is about what the index does not know: all near it are read."""
        from mlgit.index import query

        near = query.search(self._repo, self._filter.needs, project=self._project, is_checked=False).runs
        passed = filter(self._filter.holds, near)
        return {run.id: run for run in filters.ordered(list(passed), self._order, beside=self._beside)}

    def __next__(self) -> Run:
        return self.next()

    def next(self) -> Run:
        """The next one, each in turn; `StopIteration` after the last."""
        return next(self._turns)

    @property
    def more(self) -> bool:
        """Whether there are more to ask for: no, they come by themselves."""
        return False

    def histories(
        self, samples: int = 500, keys: Sequence[str] | None = None, x_axis: str = "_step", format: str = "default",
        stream: str = "default",
    ) -> Any:  # fmt: skip
        """The histories of all, each row with its `run_id`: mappings, or one DataFrame with the *format* `pandas`."""
        found = [
            row | {"run_id": run.id}
            for run in self
            for row in run.history(samples=samples, keys=keys, x_axis=x_axis, pandas=False, stream=stream)
        ]
        if format == "default":
            return found
        if format == "polars":
            import polars

            return polars.DataFrame(found, infer_schema_length=None)
        from pandas import DataFrame

        return DataFrame.from_records(found)

    def to_pandas(self) -> Any:
        """One row a run: what it is, `config.<param>` and `summary.<metric>`. Needs pandas."""
        from pandas import DataFrame

        from mlgit.core.compare import flatten

        return DataFrame.from_records(
            [
                {"id": run.id, "name": run.name, "state": run.state, "created_at": run.created_at, "group": run.group}
                | {f"config.{key}": value for key, value in flatten(run.rawconfig).items()}
                | {f"summary.{key}": value for key, value in flatten(run.summary_metrics).items()}
                for run in self
            ]
        )

    def __repr__(self) -> str:
        return f"<Runs {self._project or 'of every project'}>"
