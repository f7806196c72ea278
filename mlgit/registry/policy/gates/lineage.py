"""Where the candidate comes from is known, without a gap: run, code, data, artifacts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from mlgit.core.model import ModelVersion
from mlgit.core.run import State
from mlgit.registry.policy.evidence import Evidence, Need, Origin
from mlgit.registry.policy.kind import Finding, Kind, outcome, unasked


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Of everything that made the candidate."""

    lineage: Literal["complete"] = field(metadata={"help": "run, code, data and artifacts are in git, with digests"})


def judge(_: Settings, seen: Evidence) -> Finding:
    """Whether nothing is missing; what is, is listed."""
    if why := seen.lacking.get(Need.ORIGIN):
        return unasked("lineage complete", why)
    one, origin = seen.candidate, seen.origins.candidate
    gaps = list(_gaps(one, origin))
    run = origin.run
    known = (
        f"run {one.run}, code {(run.source or '')[:10]}, {len(one.data)} data, {len(run.used)} artifacts" if run else ""
    )
    return Finding(
        gate="lineage complete", outcome=outcome(not gaps), observed="; ".join(gaps) or known,
        said=f"of where it comes from is missing: {gaps[0]}" if gaps else "", asks="that all of it is known",
        fix="git commit the code, mlgit data add the data, run it again, and register that run",
        inputs={
            "run": one.run, "commit": one.commit, "source": run.source if run else None, "data": dict(one.data),
            "used": {used.name: used.hash for used in run.used} if run else {}, "missing": gaps,
        },
    )  # fmt: skip


def _gaps(one: ModelVersion, origin: Origin) -> Iterator[str]:
    """What is not known of where *one* comes from."""
    run = origin.run
    if run is None or run.id != one.run:
        yield f"run: {one.run or 'none'} is not in the commit {one.commit[:10]}"
        return
    if "imported" in origin.about:
        yield "run: it was imported, so nobody saw it run"
    if run.state is not State.FINISHED:
        yield f"run: it {run.state.value}"
    if not origin.about.get("command"):
        yield "command: not recorded"
    if not run.source or not origin.has_code:
        yield f"code: the commit {(run.source or '?')[:10]} is not here"
    left = origin.about.get("left_out")
    if isinstance(left, list) and left:
        yield f"code: left out of it were {', '.join(map(str, left[:3]))}{', …' if len(left) > 3 else ''}"
    if one.changed_data is None:
        yield "data: nobody looked whether they were what the code names"
    for path, became in sorted((one.changed_data or {}).items()):
        yield f"data: {path} {became}"
    for path, content in sorted(one.data.items()):
        if not content:
            yield f"data: {path} has no digest"
    for used in run.used:
        if not used.hash:
            yield f"artifact: {used.name} has no digest"
        elif used.deleted:
            yield f"artifact: {used.name} was deleted"


KIND = Kind(settings=Settings, judge=judge, needs=lambda _: frozenset({Need.ORIGIN}))
