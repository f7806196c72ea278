"""The runs of one setting: the same code, the same command, the same params, and each seed once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlgit.core import seeds
from mlgit.core.run import Run, State
from mlgit.errors import NotFoundError
from mlgit.git.objects import Reader
from mlgit.report.evidence import Known, words_of
from mlgit.report.measured import Repeat
from mlgit.store import runs as stored

MOST = 50
"""Runs of one setting that count, newest first."""
MOST_READ = 1000
"""Runs of one code whose params are looked at: a sweep's trials are among them."""


def find(known: Known, run: Run) -> list[Repeat]:
    """*run*, and what finished of the same setting: of each seed the newest, *run* in any case and first.

    Runs whose seeds nobody knows count each; those of a seed that is known tell nothing new beside it.
    """
    with known.repo.reader() as reader:
        own = _about(reader, run)
        found = {_seed(run, own) or run.id: Repeat(run=run, seed=_seed(run, own))}
        if run.state is not State.FINISHED:
            return list(found.values())
        for other in _alike(known, run):
            about = _about(reader, other)
            if words_of(other, about) == words_of(run, own):
                seed = _seed(other, about)
                found.setdefault(seed or other.id, Repeat(run=other, seed=seed))
    return list(found.values())


def _alike(known: Known, run: Run) -> list[Run]:
    """Finished runs of the code and the params of *run*, but for seeds; the newest first."""
    wanted = seeds.setting(run.params)
    return [
        other for other in known.repeating(run, MOST_READ)
        if other.id != run.id and other.job_type == run.job_type and seeds.setting(other.params) == wanted
    ][:MOST]  # fmt: skip


def _seed(run: Run, about: Mapping[str, Any]) -> str:
    return seeds.told(run.params, about)


def _about(reader: Reader, run: Run) -> Mapping[str, Any]:
    try:
        return stored.provenance_in(reader, run) if run.commit else {}
    except NotFoundError:
        return {}
