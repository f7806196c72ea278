"""Real runs, made the way the Python door makes them."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from mlgit.core.run import Run
from mlgit.git.repo import Repo
from mlgit.store import place
from mlgit.tracking import begin
from mlgit.tracking.run.active import ActiveRun
from mlgit.tracking.run.journal import Journal
from mlgit.tracking.wish import Wish

Train = Callable[..., Run]


@pytest.fixture
def train(inside: Repo) -> Train:
    """Record a run of the code as it lies: `train("name", {"loss": [2, 1]}, params={"lr": 0.1}, sweep="s")`."""
    assert inside.work_tree
    folder = inside.work_tree

    def call(name: str, history: Mapping[str, list[float]], *, params: Mapping[str, Any] | None = None,
             sweep: str | None = None, exit_code: int = 0) -> Run:  # fmt: skip
        home = place.find(folder)
        assert home
        opened, record = begin.begin(home, Wish(name=name, sweep=sweep), params or {}, ("python", "train.py"), folder)
        active = ActiveRun(Journal(home, opened, record), fixed=frozenset())
        for step in range(max(map(len, history.values()), default=0)):
            active.log({metric: values[step] for metric, values in history.items() if step < len(values)})
        active.finish(exit_code)
        from mlgit.index import query

        return query.find(inside, record.id)

    return call
