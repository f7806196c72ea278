"""A sweep, as scripts ask of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mlgit.core import compare, refs
from mlgit.core.compare import Goal
from mlgit.core.run import State
from mlgit.documents.reader import plain
from mlgit.errors import NotFoundError
from mlgit.git.repo import Repo
from mlgit.public.lookup import ENTITY
from mlgit.public.run import Run
from mlgit.public.runs import Runs


class Sweep:
    """One search over params; its trials are runs."""

    def __init__(self, repo: Repo, about: Mapping[str, Any], config: Mapping[str, Any]) -> None:
        self._repo, self._about = repo, about
        self.config: dict[str, Any] = dict(config)
        """Its file, as it was."""
        self.id: str = str(about["id"])
        self.project: str = str(about["project"])

    @property
    def name(self) -> str:
        """Its name for people."""
        return str(self._about.get("name") or self.id)

    @property
    def entity(self) -> str:
        """Whose it is; means nothing without a server."""
        return ENTITY

    @property
    def path(self) -> list[str]:
        """`[entity, project, "sweeps", id]`."""
        return [self.entity, self.project, "sweeps", self.id]

    @property
    def url(self) -> str:
        """Where it is kept, as a `file:` address."""
        return f"file://{self._repo.folder}#{refs.SWEEPS}{self.project}/{self.id}"

    @property
    def runs(self) -> Runs:
        """Its trials."""
        return Runs(self._repo, self.project, {"sweep": self.id})

    @property
    def state(self) -> str:
        """`RUNNING` while a trial is under way, else `FINISHED`; `PENDING` before the first."""
        states = {run.state for run in self.runs}
        return "RUNNING" if "running" in states else "FINISHED" if states else "PENDING"

    @property
    def expected_run_count(self) -> int | None:
        """How many trials it was asked for, or None."""
        asked = self._about.get("trials") or self.config.get("run_cap")
        return int(asked) if isinstance(asked, int) else None

    @property
    def order(self) -> str | None:
        """By what its trials are compared, as `Api().runs(order=)` takes it; None where its file names no metric."""
        metric = self._about.get("metric")
        sign = "-" if self._about.get("goal") == Goal.MAXIMIZE.value else "+"
        return f"{sign}summary_metrics.{metric}" if metric else None

    def best_run(self, order: str | None = None) -> Any:
        """The best trial by *order*, or by the sweep's own metric; None where none has a number.

        One that was stopped early is not the best by the sweep's metric: what it had last is no result.
        """
        wanted = order or self.order
        if wanted is None:
            return None
        key = wanted.lstrip("+-").partition(".")[2]
        found: Iterable[Run] = Runs(self._repo, self.project, {"sweep": self.id}, wanted)
        if order is None:
            found = (run for run in found if run.state != State.PRUNED.value)
        return next((run for run in found if not key or compare.is_number(run.summary.get(key))), None)

    def load(self, force: bool = False) -> dict[str, Any]:
        """Its record as plain data."""
        return dict(self._about)

    def __repr__(self) -> str:
        return f"<Sweep {'/'.join(self.path)} ({self.state})>"


def of_id(repo: Repo, project: str, text: str) -> Sweep:
    """The sweep of that id or name. Raises `NotFoundError`."""
    found = every(repo, project)
    for sweep in found:
        if text in (sweep.id, sweep.name):
            return sweep
    some = ", ".join(sweep.id for sweep in found[:5])
    raise NotFoundError(f"There is no sweep {text[:80]!r} in the project {project[:80]!r}.", fix=some or "start one")


def every(repo: Repo, project: str) -> list[Sweep]:
    """The sweeps of *project*, newest first."""
    found: list[Sweep] = []
    with repo.reader() as reader:
        for ref, commit in repo.refs(f"{refs.SWEEPS}{refs.component(project, 'project')}/").items():
            state, file = reader.blob(f"{commit}:sweep.yaml"), reader.blob(f"{commit}:file.yaml")
            about = plain(state, source=ref) if state else None
            config = plain(file, source=ref) if file else None
            if isinstance(about, Mapping) and "id" in about:
                found.append(Sweep(repo, about, config if isinstance(config, Mapping) else {}))
    return sorted(found, key=lambda sweep: -float(sweep.load().get("created") or 0))
