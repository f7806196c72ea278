"""Who tells of an artifact: the runs that the index names, of which only they are read, and its ledger."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from pathlib import PurePosixPath

from mlgit.artifacts import ties
from mlgit.core.condition import Not, Operation, Or, Predicate
from mlgit.core.ledger import Teller
from mlgit.core.run import Run
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import ledgers


def of(repo: Repo, *names: str, project: str | None = None) -> list[Teller]:
    """Who may tell of the artifacts *names*: who logged one, the run whose table or file it is, and their ledgers."""
    known = query.logging(repo, *names, project=project)
    for owner in _owning(repo, names, project):
        files = [
            one.name for one in owner.logged for name in names if name.endswith(f"-{PurePosixPath(one.path).name}")
        ]
        known += [owner, *(query.logging(repo, *files, project=owner.project) if files else ())]
    own = ledgers.of(repo, *names, project=project)
    linked = {name for one in own for name in one.sources}.difference(names)
    own += ledgers.of(repo, *linked, project=project) if linked else []
    return [*{run.id: run for run in known}.values(), *own]


def _owning(repo: Repo, names: tuple[str, ...], project: str | None) -> Iterator[Run]:
    for run_id in (run_id for name in names for run_id in _owners(name)):
        if (run := query.of_id(repo, run_id)) and project in (None, run.project):
            yield run


def _owners(name: str) -> Iterator[str]:
    """The ids that W&B's name for a run's table or file, `run-<id>-<key>`, may hold: an id may have dashes too."""
    _, *words = name.split("-") if name.startswith("run-") else ("",)
    return accumulate(words[:-1], "{}-{}".format)


def of_any(repo: Repo, *, project: str | None = None) -> list[Teller]:
    """The runs that logged an artifact or a table, and all ledgers."""
    kinds = [key for key in query.keys(repo) if key.startswith("metrics.") and key.endswith("._type")]
    tables = [Predicate(key, Operation.EQUAL, ties.ask("table_kinds")()) for key in kinds]
    wanted = Or((Not(Predicate("logged", Operation.NULL)), *tables))
    found = query.search(repo, wanted, project=project, is_checked=False).runs
    return [*found, *ledgers.of(repo, project=project)]


def names(repo: Repo, *, project: str | None = None) -> set[str]:
    """The names of all artifacts, and those that they are linked to."""
    return query.logged(repo, project=project) | ledgers.names(repo, project=project)
