"""The way back: the stage serves a version again that it served before, and is held until somebody lifts that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mlgit.core.model import Hold, Stage
from mlgit.errors import NotFoundError, UsageError
from mlgit.git.repo import Repo
from mlgit.registry import decision, ledger
from mlgit.registry.evidence.gathering import Sources
from mlgit.registry.ledger import Ledger
from mlgit.registry.moving import propose
from mlgit.registry.moving.propose import Plan
from mlgit.registry.moving.waiving import lived
from mlgit.registry.versions.deprecating import deprecation
from mlgit.store import registry as store


def plan(
    repo: Repo,
    model: str,
    stage: str,
    *,
    hold: Hold,
    base: str,
    sources: Sources,
    to: str | None = None,
    at: str | None = None,
) -> Plan | Stage:
    """What going back takes; or the stage as it stands, where it has come back already.

    Without *to*, it is the version that was live before, but for those that nobody should go back to. *hold* says who
    goes back and why. Raises `NotFoundError` where there is nothing to go back to, `UsageError` for what cannot be,
    and as `propose.plan` does.
    """
    ledger.name(stage, "stage")
    commit = at or store.base_commit(repo, base)
    with repo.reader() as reader:
        stands = store.stage_at(reader, commit, model, stage)
    known = ledger.of(store.tags(repo, model), model)
    number = None if to is None else ledger.version(to)
    if stands is None:
        raise NotFoundError(f"{stage} serves no {model} on {base}.", fix="mlgit model ls says what serves what")
    if stands.hold and stands.hold.version == stands.version and number in (None, stands.version):
        return stands
    chosen = _before(known, stands) if number is None else _named(known, stands, number)
    wanted = Stage(model=model, stage=stage, version=chosen, hold=replace(hold, instead=stands.version, version=chosen))
    return propose.of(repo, wanted, base=base, sources=sources, at=at)


def again(repo: Repo, wanted: Stage, *, base: str, sources: Sources, at: str) -> Plan:
    """The same *at* another commit of *base*. Raises `UsageError` where the stage serves something else by then."""
    with repo.reader() as reader:
        stands = store.stage_at(reader, at, wanted.model, wanted.stage)
    if wanted.hold and (stands is None or stands.version != wanted.hold.instead):
        serves = stands.version if stands else "nothing"
        raise UsageError(
            f"{wanted.stage} of {wanted.model} serves {serves} by now, and not {wanted.hold.instead}.",
            fix="look at what is there, and do it again if that is still wrong",
        )
    return propose.of(repo, wanted, base=base, sources=sources, at=at)


def _named(known: Ledger, stands: Stage, number: str) -> str:
    """*number*, which the stage served before. Raises `UsageError` where it did not."""
    every = served(known, stands.stage)
    if number == stands.version or number in every:
        return number
    others = [version for version in every if version != stands.version]
    raise UsageError(
        f"{stands.stage} never served {stands.model} {number}: there is no way back to it.",
        why=f"It served {_listed(others)}before." if others else "",
        fix=f"mlgit promote {stands.model}@{number} {stands.stage}, which its gates are asked about",
    )


def served(known: Ledger, stage: str) -> list[str]:
    """Every version that *stage* ever served, the latest first."""
    events = reversed(known.history)
    return list(dict.fromkeys(event.version for event in events if event.stage == stage and event.version))


def _before(known: Ledger, stands: Stage) -> str:
    """The version that was live before. Raises `NotFoundError` where there is none that one should go back to."""
    line = lived(known, stands.stage)
    earlier = line[: line.index(stands.version)] if stands.version in line else line
    passed: list[str] = []
    for version in reversed(earlier):
        if not (why := _unfit(known, stands.stage, version)):
            return version
        passed.append(f"{version} {why}")
    raise NotFoundError(
        f"{stands.stage} of {stands.model} has nothing to go back to: it serves {stands.version}.",
        why=f"Passed over: {'; '.join(passed)}." if passed else "It served nothing before that was not taken back.",
        fix=f"--to VERSION, if you mean one of them; or mlgit promote {stands.model}@VERSION {stands.stage}",
    )


def _unfit(known: Ledger, stage: str, version: str) -> str:
    """Why nobody should go back to *version* without meaning it; empty where one may."""
    if version not in known.versions:
        return "is not registered any more"
    if version in known.deprecated and (said := deprecation(known, version)):  # not where it is the whole model
        return f"is deprecated: {said.why}"
    last = next(event for event in reversed(known.history) if (event.stage, event.version) == (stage, version))
    made = decision.of_message(last.tag.message)
    declared = made.emergency_of(version) if made else None
    return f"came in an emergency: {declared.why}" if declared else ""


def _listed(versions: Sequence[str]) -> str:
    return f"{', '.join(versions)} "
