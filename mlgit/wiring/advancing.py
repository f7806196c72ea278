"""Versions that propose themselves, as `registry/automations.yaml` says: as anybody would propose them."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING

from mlgit.wiring import automating, forge

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlgit.core.model import Stage
    from mlgit.forge.base import PullRequest
    from mlgit.git.remote import Remote
    from mlgit.registry.automation.advancing import Candidate, Passed
    from mlgit.registry.automation.file import Advance
    from mlgit.registry.moving.propose import Plan
    from mlgit.store.place import Place


def advance(
    place: Place, *, base: str | None = None, remote: Remote | None = None, dry_run: bool = False
) -> list[Passed]:  # fmt: skip
    """Propose what the file says should propose itself, where the gates pass: what became of each stage.

    What gates need and this clone lacks is brought from *remote*.

    Raises `ConfigError`, `NotFoundError` as `file` does, and `UsageError` where no pull request can be opened.
    """
    from mlgit.registry.automation import advancing
    from mlgit.registry.moving.propose import policy_at
    from mlgit.store import registry as store

    said = automating.file(place, base=base)
    if not said.advance:
        return []
    repo, there = place.repo, forge(place)
    with repo.reader() as reader:
        commit = automating.commit_of(place, base)
        policy, stages = policy_at(reader, commit), store.stage_files(reader, commit)
    ledgers = automating.ledgers_of(place, _with_newer(place, said.advance, stages)).values()

    def asked(head: str) -> PullRequest | None:
        return next(iter(there.pulls(state=None, head=head)), None)

    hands = advancing.Hands(
        judge=partial(_judged, place, base, remote), asked=asked,
        promote=partial(_promoted, place, base, remote, dry_run),
    )  # fmt: skip
    found = advancing.candidates(said.advance, tuple(ledgers), stages, policy)
    return [one if isinstance(one, advancing.Passed) else advancing.advanced(one, hands) for one in found]


def _with_newer(place: Place, rules: Sequence[Advance], stages: Mapping[tuple[str, str], Stage]) -> list[str]:
    """The models that have a version after what a stage of a rule serves: only of those the tags are worth reading."""
    from mlgit.registry.automation.advancing import is_newer
    from mlgit.registry.versions import catalogue

    def serves(model: catalogue.Model, stage: str) -> str | None:
        said, tagged = stages.get((model.name, stage)), model.stages.get(stage)
        return said.version if said else tagged.version if tagged else None

    return [
        model.name
        for model in catalogue.every(place.repo)
        if model.versions
        and any(
            (at := serves(model, rule.stage)) is None or is_newer(model.versions[-1].version, at)
            for rule in rules
            if fnmatchcase(model.name, rule.models)
        )
    ]


def _judged(place: Place, base: str | None, remote: Remote | None, one: Candidate) -> Plan:
    from mlgit.core.verdict import Wait
    from mlgit.registry.policy import judging
    from mlgit.wiring import promoting

    plan = promoting.promotion(place, one.model, one.version, one.stage, base=base, remote=remote)
    early = [
        verdict for verdict in plan.verdicts if verdict.waits is not Wait.PEOPLE
    ]  # proposed once its time has come
    if refused := judging.refusal(plan.candidate, plan.stage, early):
        raise refused
    return plan


def _promoted(
    place: Place, base: str | None, remote: Remote | None, dry_run: bool, one: Candidate, plan: Plan
) -> tuple[int | None, bool]:  # fmt: skip
    from mlgit.wiring import promoting

    def think(at: str | None = None) -> Plan:
        return promoting.promotion(place, one.model, one.version, one.stage, base=base, at=at, remote=remote)

    if dry_run:
        return None, False
    if one.rule.by == "commit":
        found = promoting.direct(place, plan.wanted, think, base=base).stages
        for refusal in filter(None, (settled.refusal for settled in found)):
            raise refusal
        return None, True
    made = promoting.promote(place, plan, remote=remote)
    return made.pull.number, made.opened
