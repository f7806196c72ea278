"""What a run under way is: its names, its place, its times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from mlgit.core import values
from mlgit.core.run import Run
from mlgit.public.recorded import Recorded
from mlgit.store import live
from mlgit.tracking.run.journal import Journal
from mlgit.tracking.wish import Wish


@dataclass(frozen=True)
class RunStatus:
    """W&B's answer of `run.status()`."""

    sync_items_total: int = 0
    sync_items_pending: int = 0
    sync_time: None = None


class Identity(Recorded):
    """The part of a run that says what it is. *name*, *tags* and *notes* may be set while it is under way."""

    _journal: Journal
    _wish: Wish

    def _change(self, **changes: Any) -> None:
        """Store that the run is called or filed otherwise from now on."""
        self._journal.check_open("name")
        before = self._journal.record
        was = {name: getattr(before, name) for name in changes}
        self._journal.event(" and ".join(changes), set=changes, was=was)
        self._journal.record = replace(before, **changes)

    def _as_record(self) -> Run:
        return self._journal.record

    @property
    def _is_finished(self) -> bool:
        """W&B's own word for whether it has ended, which scripts ask all the same."""
        return self._journal.ended

    def _label(self, *_args: Any, **_labels: Any) -> None:
        """Where libraries tell W&B that they are in use. mlgit tells nobody."""

    @property
    def name(self) -> str:
        """Its name for people; may repeat."""
        return self._journal.record.name

    @name.setter
    def name(self, value: str) -> None:
        self._change(name=values.text(str(value)))

    @property
    def group(self) -> str:
        """The group that it is filed under; as with W&B, empty where there is none."""
        return self._journal.record.group or ""

    @property
    def job_type(self) -> str:
        """Its job type; empty where it has none."""
        return self._journal.record.job_type or ""

    @property
    def sweep_id(self) -> str | None:
        """The sweep that it is a trial of."""
        return self._journal.record.sweep

    @property
    def tags(self) -> tuple[str, ...]:
        """Its tags."""
        return self._journal.record.tags

    @tags.setter
    def tags(self, value: Sequence[str] | None) -> None:
        several = (value,) if isinstance(value, str) else value or ()
        self._change(tags=tuple(dict.fromkeys(values.text(str(tag)) for tag in several)))

    @property
    def notes(self) -> str | None:
        """Its notes."""
        return self._journal.record.notes

    @notes.setter
    def notes(self, value: str | None) -> None:
        self._change(notes=values.text(str(value or "")))

    @property
    def path(self) -> str:
        """`<entity>/<project>/<id>`, as `Api().run()` takes it."""
        return f"{self.entity}/{self.project}/{self.id}"

    @property
    def start_time(self) -> float:
        """When it began, in seconds since the epoch."""
        return self._journal.record.created

    starttime = start_time

    @property
    def url(self) -> str:
        """Where to look at it, as a `file:` address: the repository, with its branch, or its id while it runs."""
        return f"file://{self._journal.repo.folder}#{self._journal.record.branch or self._journal.record.id}"

    @property
    def project_url(self) -> str:
        """Where the project's runs are."""
        return f"file://{self._journal.repo.folder}"

    def get_url(self) -> str:
        """The same as `url`."""
        return self.url

    def get_project_url(self) -> str:
        """The same as `project_url`."""
        return self.project_url

    def get_sweep_url(self) -> str | None:
        """The same as `sweep_url`."""
        return self.sweep_url

    def project_name(self) -> str:
        """The same as `project`."""
        return self.project

    @property
    def disabled(self) -> bool:
        """Whether it records nothing."""
        return False

    @property
    def offline(self) -> bool:
        """Whether `mode="offline"` was asked for; nothing is sent until `mlgit sync` either way."""
        return self._wish.mode == "offline"

    @property
    def sweep_url(self) -> str | None:
        """Where the sweep is that it is a trial of."""
        return self.sweep_id and f"file://{self._journal.repo.folder}#sweep={self.sweep_id}"

    @property
    def sync_dir(self) -> str:
        """Where it is kept while it is under way: its live folder."""
        return str(live.folder_of(self._journal.repo, self.id))

    def status(self) -> RunStatus:
        """Whether anything is left to be sent; nothing ever is, for what was logged is on disk.

        Raises `UsageError` where the run has ended.
        """
        self._journal.check_open("status")
        return RunStatus()

    def pin_config_keys(self, keys: Sequence[str]) -> None:
        """W&B's, which puts some params first on its pages: `mlgit ls` shows those in which runs differ."""

    def __repr__(self) -> str:
        return f"<mlgit run {self.name} ({self.id}) of {self.project}>"
