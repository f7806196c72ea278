"""What came of what, over all rooms that know a part of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlgit.git import objects
from mlgit.store import place as places
from mlgit.store.place import Place
from mlgit.wiring.promoting import registered

if TYPE_CHECKING:
    from mlgit.lineage.affected import Affected
    from mlgit.lineage.croissant import Dataset
    from mlgit.lineage.gather import Wish as LineageWish
    from mlgit.lineage.graph import Graph
    from mlgit.lineage.happening import Happening


def lineage(place: Place, text: str, wish: LineageWish, *, base: str | None = None) -> Graph:
    """What the thing that *text* names was made of, and what it led to. Raises `NotFoundError`, `UsageError`."""
    from mlgit.lineage import gather

    with objects.one_process():
        known = registered(place, base=base)
        return gather.gather(place.repo, text, known, wish, project=place.meant, folder=places.here())


def happenings(
    place: Place, text: str, wish: LineageWish, *, base: str | None = None, with_columns: bool = False
) -> list[Happening]:
    """The runs in the lineage of what *text* names, as other programs want to hear of them."""
    from mlgit.lineage import gather

    with objects.one_process():
        known = registered(place, base=base)
        return gather.happenings(
            place.repo, text, known, wish, project=place.meant, folder=places.here(), with_columns=with_columns
        )


def dataset(place: Place, text: str) -> Dataset:
    """The dataset that *text* names, with what is in its files. Raises `NotFoundError`, `UsageError`."""
    from mlgit.lineage import gather

    return gather.dataset(place.repo, text, registered(place), project=place.meant, folder=places.here())


def affected(place: Place, text: str, *, base: str | None = None, most: int | None = None) -> Affected:
    """What the data that *text* names has reached. Raises `NotFoundError`, `UsageError`."""
    from mlgit.lineage import affected as reaching

    with objects.one_process():
        known = registered(place, base=base)
        return reaching.affected(place.repo, text, known, project=place.meant, folder=places.here(), most=most)
