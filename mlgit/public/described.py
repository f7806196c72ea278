"""What a run is, by its record: its names, params and metrics, where and how it ran."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from mlgit.artifacts import ties
from mlgit.core import figures
from mlgit.core.compare import nested
from mlgit.core.run import Run as Record
from mlgit.errors import NotFoundError
from mlgit.git.repo import Repo, split_commit
from mlgit.public import rows
from mlgit.public.recorded import Recorded
from mlgit.public.summary import Summary
from mlgit.store import runs


class Described(Recorded):
    """The part of a run that tells what it is."""

    def __init__(self, repo: Repo, record: Record) -> None:
        self._repo = repo
        self._read(record)

    def _read(self, record: Record) -> None:
        self._record = record
        self.name, self.notes, self.group, self.job_type = record.name, record.notes, record.group, record.job_type
        self.tags = list(record.tags)
        self.config: dict[str, Any] = deepcopy(dict(record.params))
        self._summary: Summary | None = None

    @abstractmethod
    def update(self) -> None:
        """Write what was set."""

    def last_row(self) -> dict[str, Any]:
        """`_step`, `_runtime` and `_timestamp` of the last row that it logged; nothing where it logged none."""
        return rows.last(runs.history(self._repo, self._record), runs.objects(self._repo, self._record))

    @property
    def summary(self) -> Summary:
        """Its metrics: the last value of everything logged, and whatever was set."""
        if self._summary is None:
            self._summary = Summary(self, self._whole.metrics)
        return self._summary

    @summary.setter
    def summary(self, metrics: Mapping[str, Any]) -> None:
        self._summary = Summary(self, metrics)

    @property
    def _whole(self) -> Record:
        """Its record with all that is known of pictures and the like, read when somebody asks for it."""
        self._record = runs.complete(self._repo, self._record)
        return self._record

    def _as_record(self) -> Record:
        return self._record

    storage_id = Recorded.id

    @property
    def display_name(self) -> str:
        """The same as `name`."""
        return self.name

    @display_name.setter
    def display_name(self, value: str) -> None:
        self.name = value

    displayName = display_name

    @property
    def description(self) -> str | None:
        """The same as `notes`."""
        return self.notes

    @property
    def path(self) -> list[str]:
        """`[entity, project, id]`."""
        return [self.entity, self.project, self.id]

    @property
    def url(self) -> str:
        """Where to look at it: its branch, as a `file:` address."""
        return f"file://{self._repo.folder}#{self._record.branch or self.id}"

    @property
    def state(self) -> str:
        """`running`, `finished`, `failed`, `crashed`, `preempted` or `pruned`."""
        return self._record.state.value

    @property
    def created_at(self) -> str:
        """When it began, ISO 8601 in UTC."""
        return figures.moment(self._record.created)

    createdAt = created_at

    @property
    def heartbeat_at(self) -> str:
        """When it was last heard of."""
        return figures.moment(self._record.heard)

    heartbeatAt = heartbeat_at

    @property
    def duration(self) -> float | None:
        """Seconds that it took, or None while it runs."""
        return self._record.duration

    @property
    def commit(self) -> str | None:
        """The commit that holds its code as it ran."""
        return self._record.source

    @property
    def branch(self) -> str:
        """Its branch, as `git switch` takes it; empty while it runs."""
        return self._record.branch

    @property
    def sweep_name(self) -> str | None:
        """The id of the sweep that it is a trial of."""
        return self._record.sweep

    sweep_id = sweep_name

    @property
    def sweep(self) -> Any:
        """The sweep that it is a trial of, or None."""
        return ties.ask("sweep")(self._repo, self.project, self._record.sweep) if self._record.sweep else None

    @property
    def username(self) -> str:
        """Who ran it, as the commit of its branch says."""
        return who(self._repo, self._record)

    user = username

    @property
    def summary_metrics(self) -> dict[str, Any]:
        """Its metrics as plain data."""
        return nested(self._whole.metrics)

    @property
    def rawconfig(self) -> dict[str, Any]:
        """Its params as plain data."""
        return dict(self._record.params)

    @property
    def json_config(self) -> str:
        """Its params as W&B stores them: `{"lr": {"value": 0.1}}`."""
        import json

        return json.dumps({key: {"value": value} for key, value in self._record.params.items()})

    @property
    def metadata(self) -> dict[str, Any]:
        """Where and how it ran: W&B's names, and whatever else `run.yaml` says."""
        about = dict(self._provenance())
        command = [str(word) for word in about.get("command", ())]
        system = about.get("system") or {}
        return about | {
            "os": system.get("os"), "python": about.get("python"), "host": about.get("host"),
            "cpu_count": system.get("cpus"), "startedAt": self.created_at, "username": self.username,
            "program": about.get("program") or (command[1] if len(command) > 1 else None), "args": command[2:],
            "git": {"commit": self.commit, **about.get("git", {})},
        }  # fmt: skip

    def _provenance(self) -> Mapping[str, Any]:
        if not self._record.commit:
            return runs.account(self._repo, self._record).provenance
        try:
            return runs.provenance(self._repo, self._record)
        except NotFoundError:
            return {}

    @property
    def alerts(self) -> list[Mapping[str, Any]]:
        """What the script alerted people of: title, text, level, time."""
        return list(self._provenance().get("alerts", ()))

    def __repr__(self) -> str:
        return f"<Run {'/'.join(self.path)} ({self.state})>"

    def _shown(self) -> Mapping[str, Any]:
        return self._whole.metrics


def who(repo: Repo, record: Record) -> str:
    """Who made the commit that holds *record*; whoever works here, while it is alive."""
    if record.commit:
        with repo.reader() as reader:
            found = reader.read(record.commit)
        author = split_commit(found[2])[0].get("author", "") if found else ""
    else:
        author = repo.identity
    return author.partition(" <")[0]
