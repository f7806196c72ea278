"""Histograms: how often values fall between which edges."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from mlgit.tracking.media.shelf import Media, Shelf

MOST_BINS = 512


class Histogram(Media):
    """How values are spread: `Histogram(values)`, or `Histogram(np_histogram=numpy.histogram(values))`.

    Values of any shape are counted into *num_bins* even bins. Nan and the infinities fall into none; the document
    counts them as `dropped`. Raises `ValueError` for more than 512 bins, or edges that do not fit the counts,
    `TypeError` for values that are no numbers.
    """

    MAX_LENGTH = MOST_BINS

    def __init__(self, sequence: Any = None, np_histogram: Any = None, num_bins: int = 64) -> None:
        self.dropped = 0
        if np_histogram is not None:
            if len(np_histogram) != 2:
                raise ValueError("np_histogram is a pair: counts, and edges of the bins")
            counts, bins = (list(getattr(part, "tolist", lambda part=part: part)()) for part in np_histogram)
        elif sequence is None:
            raise ValueError("Histogram: give values, or np_histogram=(counts, edges)")
        elif num_bins > MOST_BINS:
            raise ValueError(f"Histogram: {num_bins} bins; {MOST_BINS} are the most")
        else:
            counts, bins = self._counted(sequence, num_bins)
        if len(counts) > MOST_BINS:
            raise ValueError(f"Histogram: {len(counts)} bins; {MOST_BINS} are the most")
        if len(counts) + 1 != len(bins):
            raise ValueError(f"Histogram: {len(counts)} counts ask for {len(counts) + 1} edges, not {len(bins)}")
        self.histogram: list[float] = counts
        self.bins: list[float] = bins

    def _counted(self, sequence: Any, num_bins: int) -> tuple[list[float], list[float]]:
        import numpy as np

        from mlgit.tracking.media.pixels import as_array

        given = as_array(sequence if hasattr(sequence, "shape") else list(sequence)).ravel()
        if given.dtype.kind not in "biuf" and given.size:
            raise TypeError(f"Histogram: numbers are asked for, not {given.dtype}")
        values = given.astype(np.float64) if given.dtype.kind != "f" or given.dtype.itemsize < 4 else given
        finite = values[np.isfinite(values)]
        self.dropped = int(values.size - finite.size)
        counts, bins = np.histogram(finite, bins=num_bins)
        return counts.tolist(), bins.tolist()

    def store(self, shelf: Shelf) -> dict[str, Any]:
        """No file: the counts are the document."""
        from mlgit.core import values

        counts, bins = (values.plain(part, where=shelf.key) for part in (self.histogram, self.bins))
        document = {"_type": "histogram", "values": counts, "bins": bins}
        return document | ({"dropped": self.dropped} if self.dropped else {})

    @classmethod
    def load(cls, _folder: Path, document: Mapping[str, Any], /) -> Self:
        """The histogram that was stored as *document*."""
        found = cls(np_histogram=(document["values"], document["bins"]))
        found.dropped = document.get("dropped", 0)
        return found
