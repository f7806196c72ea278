"""One run, as scripts ask of it afterwards."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlgit.artifacts import ties
from mlgit.core import values
from mlgit.core.compare import nested
from mlgit.core.merging import Side, merge
from mlgit.core.run import State
from mlgit.errors import NotFoundError, UsageError
from mlgit.public.holding import Holding
from mlgit.public.summary import by_whole_name
from mlgit.store import live, locks, runs

_EDITABLE = {
    "name": "name", "notes": "notes", "group": "group", "job_type": "job_type", "tags": "tags", "config": "params",
    "summary": "metrics",
}  # fmt: skip
"""What `update()` writes, and what the record calls it."""


class Run(Holding):
    """A run by its record, as `Api().run(…)` and `Api().runs(…)` give it.

        run = Api().run("digits/k3f9a2xq")
        print(run.state, run.config["lr"], run.summary["loss"], run.history(keys=["loss"]))

    *name*, *tags*, *notes*, *group*, *job_type*, *config* and *summary* may be set; `update()` writes them. Its files
    are `files()`, its artifacts `logged_artifacts()` and `used_artifacts()`. What it says is what was there when it was
    asked for; of a run that is under way `load()` reads it anew.
    """

    @property
    def is_edited(self) -> bool:
        """Whether something of it was set that `update()` has not written."""
        known = self._record
        return (
            (self.name, self.notes, self.group, self.job_type) != (known.name, known.notes, known.group, known.job_type)
            or tuple(self.tags) != known.tags
            or self.config != known.params
            or (self._summary is not None and self._summary != nested(known.metrics))
        )

    def update(self) -> None:
        """Write what was set: one more result on its branch, or an event while it runs.

        Only what was changed here is written, so that what others have changed meanwhile stays.
        """
        before = self._whole
        metrics = by_whole_name(values.plain(self.summary, where="summary"), before.metrics.keys())
        mine = replace(
            before, name=self.name, notes=self.notes, group=self.group, job_type=self.job_type,
            tags=tuple(map(str, self.tags)), params=values.plain(self.config, where="config"), metrics=dict(metrics),
        )  # fmt: skip
        edited = [word for word, field in _EDITABLE.items() if getattr(mine, field) != getattr(before, field)]
        self._edit(lambda now: merge(before, now, mine, Side.THEIRS)[0], why=f"edit {', '.join(edited)}")
        self._read(self._record)

    save = update

    def delete(self, delete_artifacts: bool = False) -> None:
        """Take it out of every listing, as `mlgit rm` does; `mlgit restore` brings it back.

        *delete_artifacts* deletes what it alone logged. Raises `MlgitError` where it is under way.
        """
        if not self._record.commit:
            raise UsageError(f"The run {self.name} is under way.", fix="end it first")
        if delete_artifacts:
            for artifact in self._artifacts(self._record.logged):
                if artifact.logged_by().id == self.id:
                    artifact.delete(delete_aliases=True)
            self.load(force=True)
        runs.hide(self._repo, [self._record])

    def load(self, force: bool = False) -> dict[str, Any]:
        """Read it anew; return its record as plain data. Without *force*, only while it runs."""
        if force or self._record.state is State.RUNNING:
            from mlgit.index import query

            found = query.of_id(self._repo, self.id)
            if found is None:
                raise NotFoundError(
                    f"The run {self.name} is not there any more.", fix="mlgit restore --list lists what is hidden"
                )
            self._read(found)
        return {
            "id": self.id, "name": self.name, "state": self.state, "config": dict(self.config),
            "summaryMetrics": self.summary_metrics, "tags": list(self.tags), "createdAt": self.created_at,
        }  # fmt: skip

    load_full_data = load

    def wait_until_finished(self) -> None:
        """Return when it is no longer under way on this machine; one that died has ended once it was recovered.

        What another machine has under way is not waited for: what is known of it changes only when it is fetched.
        """
        while self.state == "running":
            folder = live.folder_of(self._repo, self.id)
            if not (folder.exists() and locks.is_alive(folder)):
                self._recover(folder)
                self.load(force=True)
                return
            time.sleep(0.2)

    def _recover(self, folder: Path) -> None:
        from mlgit.store import recover

        if folder.exists():
            recover.recover_all(self._repo, ties.ask("notify"))

    def stop(self) -> None:
        """Not possible: nobody but its own process ends a run. Raises `UsageError`."""
        raise UsageError(f"The run {self.name} cannot be stopped from here.", fix="end its process")
