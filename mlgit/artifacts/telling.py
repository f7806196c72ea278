"""Which runs tell of an artifact: the index says it, and only they are read."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from pathlib import PurePosixPath

from mlgit.artifacts import ties
from mlgit.core.condition import Not, Operation, Or, Predicate
from mlgit.core.run import Run
from mlgit.git.repo import Repo
from mlgit.index import query


def of(repo: Repo, name: str, *, project: str | None = None) -> list[Run]:
    """The runs that may tell of the artifact *name*: those that logged it, and the one whose table or file it is."""
    known = query.logging(repo, name, project=project)
    owners = [run for run_id in _owners(name) if (run := query.of_id(repo, run_id)) and project in (None, run.project)]
    for owner in owners:
        files = [one.name for one in owner.logged if name.endswith(f"-{PurePosixPath(one.path).name}")]
        known += [owner, *(query.logging(repo, *files, project=owner.project) if files else ())]
    return list({run.id: run for run in known}.values())


def _owners(name: str) -> Iterator[str]:
    """The ids that W&B's name for a run's table or file, `run-<id>-<key>`, may hold: an id may have dashes too."""
    _, *words = name.split("-") if name.startswith("run-") else ("",)
    return accumulate(words[:-1], "{}-{}".format)


def of_any(repo: Repo, *, project: str | None = None) -> list[Run]:
    """The runs that logged an artifact or a table."""
    kinds = [key for key in query.keys(repo) if key.startswith("metrics.") and key.endswith("._type")]
    tables = [Predicate(key, Operation.EQUAL, ties.ask("table_kinds")()) for key in kinds]
    wanted = Or((Not(Predicate("logged", Operation.NULL)), *tables))
    return query.search(repo, wanted, project=project, is_checked=False).runs
