"""`mlgit.runs("accuracy > 0.9")`: runs found by a condition, as scripts and notebooks look into them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlgit.artifacts import asking, ties
from mlgit.core import language
from mlgit.core.condition import And, Condition
from mlgit.core.run import Run as Record
from mlgit.core.stats import Group
from mlgit.errors import NotFoundError
from mlgit.public.asked import Asked
from mlgit.store import place as places
from mlgit.store import recover
from mlgit.store.place import Place

_TIMES = ("created", "finished")


class Selection(Asked):
    """The runs that meet a condition, in their order: counted by `len()`, and read as somebody looks into them.

        best = mlgit.runs("lr < 1e-2 and tag = 'baseline'", sort="-accuracy", limit=1)[0]
        table = mlgit.runs("sweep is not null").to_pandas()
        seeds = mlgit.runs().group_by("optimizer", of="accuracy")

    `runs()` makes it.
    """

    def __init__(
        self, place: Place, wanted: Condition, order: Sequence[str], *, project: str | None, limit: int | None
    ) -> None:
        super().__init__(place.repo, limit=limit)
        self._wanted, self._order, self._project = wanted, order, project

    def _look(self, most: int) -> tuple[int, Sequence[Record]]:
        from mlgit.index import query

        most = most if self._limit is None else min(most, self._limit)
        found = query.search(self._repo, self._wanted, self._order, project=self._project, limit=most)
        return found.total if self._limit is None else min(found.total, self._limit), found.runs

    def _every(self) -> Sequence[str]:
        from mlgit.index import query

        return query.ids(self._repo, self._wanted, self._order, project=self._project, limit=self._limit)

    def to_pandas(self, *keys: str) -> Any:
        """A `DataFrame` with a row a run: fields, `metrics.<name>` and `params.<name>`, or those of *keys* alone.

        Times are in UTC, durations in seconds. No run is read for it, so a hundred thousand take a second or two.
        Needs pandas; raises `UsageError` for a key that no run has.
        """
        import pandas

        from mlgit.index import query

        columns = query.frame(self._repo, self._wanted, self._order, keys, project=self._project, limit=self._limit)
        frame = pandas.DataFrame(columns)
        for name in frame.columns.intersection(list(_TIMES)):
            frame[name] = pandas.to_datetime(frame[name].astype(float), unit="s", utc=True)
        return frame

    def group_by(self, *keys: str, of: str | Sequence[str] = ()) -> list[Group]:
        """The runs by what they have under *keys*, with what their numbers under *of* have in common.

            for group in mlgit.runs().group_by("optimizer", of="accuracy"):
                print(group.values["optimizer"], group.runs, group.summaries["accuracy"].mean)

        A summary has `n`, `mean`, `std`, `min`, `max`, and the 95 % confidence interval of the mean, `low` and `high`.
        A limit is no part of it: all that meet the condition are grouped.
        """
        from mlgit.index import query

        names = (of,) if isinstance(of, str) else of
        return query.groups(self._repo, keys, names, self._wanted, project=self._project)

    def __repr__(self) -> str:
        return f"<Selection of {len(self)} runs>"


def runs(
    where: str = "", *, sort: str | Sequence[str] = "-created", limit: int | None = None, project: str | None = None,
    all_projects: bool = False,
) -> Selection:  # fmt: skip
    """The runs of which the condition *where* holds, newest first or by *sort*, in the language of `mlgit ls --where`.

    Of this project, of the one that is named, or of *all_projects* in the repository. Raises `UsageError`, which points
    at the character that is wrong, and `NotFoundError` outside of every repository.
    """
    here = places.of_reader(Path.cwd())
    if here is None:
        raise NotFoundError(f"{Path.cwd()} is in no git repository.", fix="git init, or cd into your project")
    recover.recover_all(here.repo, ties.ask("notify"))
    wanted_project = None if all_projects else project or here.meant
    wanted = asking.told(here.repo, language.parse(where), wanted_project) if where.strip() else And(())
    order = (sort,) if isinstance(sort, str) else tuple(sort)
    return Selection(here, wanted, order, project=wanted_project, limit=limit)
