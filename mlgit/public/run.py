"""One run, as scripts ask of it afterwards."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from mlgit.artifacts import log, telling, ties
from mlgit.artifacts.artifact import Artifact
from mlgit.artifacts.catalog import Held
from mlgit.core import figures, values
from mlgit.core.artifact import ArtifactVersion
from mlgit.core.compare import nested
from mlgit.core.merging import Side, merge
from mlgit.core.run import Run as Record
from mlgit.core.run import State
from mlgit.errors import NotFoundError, UsageError
from mlgit.git.repo import Repo, split_commit
from mlgit.public import beside, files, rows
from mlgit.public.files import RunFile
from mlgit.public.recorded import Recorded
from mlgit.public.summary import Summary, by_whole_name
from mlgit.store import edit, live, locks, runs

_MOST_UPLOADED = 20 << 20
"""Bytes of a file that is put onto a branch; what is larger belongs in an artifact."""
_EDITABLE = {
    "name": "name", "notes": "notes", "group": "group", "job_type": "job_type", "tags": "tags", "config": "params",
    "summary": "metrics",
}  # fmt: skip
"""What `update()` writes, and what the record calls it."""


class Run(Recorded):
    """A run by its record, as `Api().run(…)` and `Api().runs(…)` give it.

        run = Api().run("digits/k3f9a2xq")
        print(run.state, run.config["lr"], run.summary["loss"], run.history(keys=["loss"]))

    *name*, *tags*, *notes*, *group*, *job_type*, *config* and *summary* may be set; `update()` writes them. Its files
    are `files()`, its artifacts `logged_artifacts()` and `used_artifacts()`. What it says is what was there when it was
    asked for; of a run that is under way `load()` reads it anew.
    """

    def __init__(self, repo: Repo, record: Record) -> None:
        self._repo = repo
        self._read(record)

    def _read(self, record: Record) -> None:
        self._record = record
        self.name, self.notes, self.group, self.job_type = record.name, record.notes, record.group, record.job_type
        self.tags = list(record.tags)
        self.config: dict[str, Any] = deepcopy(dict(record.params))
        self._summary: Summary | None = None

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

    # -- what it is

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
        """`running`, `finished`, `failed`, `crashed` or `preempted`."""
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

    # -- what it logged

    def last_row(self) -> dict[str, Any]:
        """`_step`, `_runtime` and `_timestamp` of the last row that it logged; nothing where it logged none."""
        return rows.last(runs.history(self._repo, self._record), runs.objects(self._repo, self._record))

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

    # -- files and artifacts

    def files(
        self, names: Sequence[str] | None = None, pattern: str | None = None, per_page: int = 50
    ) -> list[RunFile]:  # fmt: skip
        """Its files, or those of *names*, or of a *pattern* (`%` stands for anything), each with a `download()`.

        *per_page* is W&B's and changes nothing. Raises `UsageError` where both are given.
        """
        if names and pattern:
            raise UsageError("files() takes names or a pattern, not both.")
        found = self._files()
        wanted = None if pattern is None else pattern.replace("%", "*")
        return [
            file
            for name, file in found.items()
            if (not names or name in names) and (wanted is None or fnmatch(name, wanted))
        ]

    def file(self, name: str) -> RunFile:
        """The file of that name; of size 0, and not to be downloaded, where there is none."""
        return self._files().get(name) or RunFile(name, size=0, read=None, run=self._record)

    def _files(self) -> dict[str, RunFile]:
        made = beside.files(self._record, lambda: self.summary._json_dict, lambda: self.metadata)
        return {**{file.name: file for file in made}, **files.of_run(self._repo, self._record, self._remove)}

    def _remove(self, path: str) -> None:
        self._edit(lambda record: record, more={path: None}, why=f"delete {path}")

    def upload_file(self, path: str | os.PathLike[str], root: str | os.PathLike[str] = ".") -> RunFile:
        """Put a file onto its branch, by its path below *root*. Raises `UsageError` for one that is too large."""
        source = Path(path)
        if not source.is_file():
            raise UsageError(f"There is no file {source}.")
        if source.stat().st_size > _MOST_UPLOADED:
            raise UsageError(f"{source} has {figures.size(source.stat().st_size)}.", fix="log it as an artifact")
        if not source.resolve().is_relative_to(Path(root).resolve()):
            raise UsageError(f"{source} is not below {root}.", fix="name the folder above it as root")
        name = source.resolve().relative_to(Path(root).resolve()).as_posix()
        self._edit(lambda record: record, more={f"files/{name}": source.read_bytes()}, why=f"file {name}")
        return self.file(name)

    def logged_artifacts(self, per_page: int = 100) -> list[Artifact]:
        """The artifacts that it logged, its tables among them."""
        versions, names = ties.ask("tables"), ties.ask("table_names")([self._record])
        tables = [held for name in names for held in versions(self._repo, [self._record], name)]
        return [*self._artifacts(self._record.logged), *(Artifact.of(self._repo, held) for held in tables)]

    def used_artifacts(self, per_page: int = 100) -> list[Artifact]:
        """The artifacts that it used, those that some run of this repository logged."""
        return self._artifacts(self._record.used)

    def _artifacts(self, versions: Sequence[ArtifactVersion]) -> list[Artifact]:
        found = telling.all_known_as(self._repo, versions, project=self.project)
        if elsewhere := [one for one in versions if (one.name, one.hash) not in found]:
            found = telling.all_known_as(self._repo, elsewhere) | found
        several = (found.get((one.name, one.hash)) or self._table(one) for one in versions)
        return [Artifact.of(self._repo, held) for held in several if held and not held.version.deleted]

    def _table(self, version: ArtifactVersion) -> Held | None:
        """The table that some run logged, as the artifact that this one used."""
        if not version.name.startswith("run-"):
            return None
        known = ties.ask("tables")(self._repo, telling.owning(self._repo, version.name), version.name)
        return next((held for held in known if held.version.hash == version.hash), None)

    def use_artifact(self, artifact: Artifact, use_as: str | None = None) -> Artifact:
        """Record that it used *artifact*, which was logged before."""
        if not isinstance(artifact, Artifact):
            raise UsageError(
                f"use_artifact(): an artifact is asked for, not {artifact!r:.80}.", fix="Api().artifact(…)"
            )
        version = artifact.wait().stored
        assert version is not None
        used = version.as_used(use_as)
        self._edit(lambda record: replace(record, used=_with(record.used, used)), why=f"used {artifact.name}")
        return artifact

    def log_artifact(
        self, artifact: Artifact, aliases: Collection[str] | None = None, tags: Collection[str] | None = None
    ) -> Artifact:
        """Record that it logged *artifact*, a draft or a version."""
        artifact.tags = [*artifact.tags, *(tags or ())]
        stored = artifact.stored or log.log_draft(self._repo, artifact, folder=self._record.folder)
        step = self.last_row().get("_step")
        tagged = version = replace(stored, tags=tuple(artifact.tags), step=step)

        def change(record: Record) -> Record:
            nonlocal version
            version = log.claimed(self._repo, tagged, tuple(aliases or ()), record.logged, project=self.project)
            return replace(record, logged=_with(record.logged, version))

        self._edit(change, why=f"artifact {tagged.name}")
        artifact.logged_as(self._repo, version, project=self._record.project, folder=self._record.folder)
        return artifact

    # -- what may be changed

    def _edit(self, change: edit.Change, *, more: Mapping[str, bytes | None] | None = None, why: str = "") -> None:
        self._record = edit.edit(self._repo, self._record, change, more=dict(more or {}), why=why)

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


def _with(known: tuple[ArtifactVersion, ...], version: ArtifactVersion) -> tuple[ArtifactVersion, ...]:
    return (*(one for one in known if (one.name, one.hash) != (version.name, version.hash)), version)
