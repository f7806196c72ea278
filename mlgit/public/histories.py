"""What a run logged, row by row, and what it printed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mlgit.artifacts import ties
from mlgit.errors import UsageError
from mlgit.public import rows
from mlgit.public.described import Described
from mlgit.store import runs


class Histories(Described):
    """The part of a run that tells what it logged."""

    @property
    def lastHistoryStep(self) -> int:
        """The last step that it logged at; -1 where it logged nothing."""
        return int(self.last_row().get("_step", -1))

    @property
    def historyLineCount(self) -> int:
        """How many rows it logged."""
        return len(self._rows("default"))

    @property
    def system_metrics(self) -> dict[str, Any]:
        """The last of what the machine did meanwhile, by name."""
        return {name: one.values[-1] for name, one in runs.system(self._repo, self._record).items() if len(one)}

    systemMetrics = system_metrics

    def _rows(self, stream: str) -> list[rows.Row]:
        if stream in ("system", "events"):
            series = runs.system(self._repo, self._record, full=True)
            found, full = rows.rows_of(series, {}, prefix="system."), series.is_full
        elif stream == "default":
            series = runs.history(self._repo, self._record, full=True)
            objects = runs.objects(self._repo, self._record, full=True)
            found, full = rows.rows_of(series, objects), series.is_full and objects.is_full
        else:
            raise UsageError(f"{stream[:40]!r} is no stream.", fix="default or system")
        if not full:
            fix = f"mlgit show {self.id} --history --fetch brings all of it"
            ties.ask("notify")(f"the history of {self.name} is thinned here; {fix}")
        return found

    def history(
        self, samples: int = 500, keys: Sequence[str] | str | None = None, x_axis: str = "_step", pandas: bool = True,
        stream: str = "default",
    ) -> Any:  # fmt: skip
        """At most *samples* rows, evenly spread; a DataFrame where *pandas* is wanted and installed, else mappings.

        With *keys*, the rows that have all of them, and *x_axis*. *stream*: `default`, or `system` for the machine's.
        """
        wanted = [keys] if isinstance(keys, str) else None if keys is None else list(keys)
        if wanted is not None and x_axis not in wanted:
            wanted.insert(0, x_axis)
        found = rows.sampled(list(rows.having(self._rows(stream), wanted)), samples)
        if not pandas:
            return found
        try:
            from pandas import DataFrame
        except ImportError:
            return found
        return DataFrame.from_records(found, columns=None if found else wanted)

    def scan_history(
        self, keys: Sequence[str] | None = None, page_size: int = 1000, min_step: int | None = None,
        max_step: int | None = None, use_cache: bool = True,
    ) -> Iterator[rows.Row]:  # fmt: skip
        """Every row from *min_step* to before *max_step*; with *keys*, those that have all of them, and nothing else.

        *page_size* and *use_cache* are W&B's and change nothing.
        """
        found = [
            row
            for row in self._rows("default")
            if (min_step is None or row["_step"] >= min_step) and (max_step is None or row["_step"] < max_step)
        ]
        return rows.having(found, [keys] if isinstance(keys, str) else keys)

    beta_scan_history = scan_history

    def console_logs(self, per_page: int = 1000, last: int | None = None) -> list[str]:
        """The lines that it printed; only the *last* so many if given. *per_page* is W&B's and changes nothing."""
        lines = runs.output(self._repo, self._record).splitlines()
        return lines if last is None else lines[max(0, len(lines) - last) :]
