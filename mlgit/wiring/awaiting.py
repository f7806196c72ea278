"""Waiting for a promotion: until its pull request is merged and its stage serves it, or will not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mlgit.errors import GateFailedError, MlgitError, RefusedError
from mlgit.forge.base import PullState, StatusState
from mlgit.wiring import forge, on_github, promoting

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mlgit.forge.base import Forge, PullRequest
    from mlgit.registry.moving.propose import Promotion
    from mlgit.registry.moving.settle import Settled
    from mlgit.store.place import Place

_LOOK, _LOOK_FAR = 0.5, 10.0
"""Seconds between two looks: at a folder, and at GitHub, which counts them."""


def settled(
    place: Place, made: Promotion, *, minutes: float | None, tell: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic, pause: Callable[[float], None] = time.sleep,
) -> Sequence[Settled]:  # fmt: skip
    """What became of the stages once the pull request of *made* is merged; who waits settles it, should nobody else.

    *tell* hears how it stands, each time that it stands otherwise. Raises `GateFailedError` where a gate fails by now,
    `MlgitError` where it was closed, or is not merged after so many *minutes*.
    """
    at, number, said = forge(place), made.pull.number, ""
    end = None if minutes is None else clock() + 60 * minutes
    while True:
        pull = at.get(number)
        if pull.state is PullState.CLOSED:
            fix = f"mlgit pr show {number} says why, where somebody did; mlgit promote proposes it anew"
            raise MlgitError(f"#{number} was closed, and not merged.", fix=fix)
        if pull.state is PullState.MERGED:
            try:
                found = promoting.after_merge(place, pull) or _as_main_says(place, made)
                return _in_force(made, found)
            except RefusedError:  # tags there are for another to make
                if is_there := _served(place, made):
                    return [is_there]
        if (now := _stands(at, pull)) != said:
            tell(said := now)
        if end is not None and clock() >= end:
            raise MlgitError(
                f"#{number} is {pull.state.value} after {minutes:g} minutes, and its stage has not moved.",
                fix="the same command again waits on; it opens nothing twice",
            )
        pause(_LOOK_FAR if on_github(place) else _LOOK)


def _in_force(made: Promotion, found: Sequence[Settled]) -> Sequence[Settled]:
    """What was *found*. Raises `MlgitError` where the stage was moved on before it served what was proposed."""
    from mlgit.registry.moving import settle

    wanted = (made.plan.candidate.model, made.plan.stage)
    for one in found:
        if one.overtaken and (one.model, one.stage) == wanted:
            raise MlgitError(
                f"#{made.pull.number} is merged. {settle.sentence(one)}", fix="mlgit registry log says why"
            )
    return found


def _as_main_says(place: Place, made: Promotion) -> Sequence[Settled]:
    """The stage, by what the base branch says: of commits that were rebased, the last one need not have changed it.

    Raises `MlgitError` where that says something else.
    """
    plan = made.plan
    found = merged(place, plan.candidate.model, plan.candidate.version, plan.stage, base=plan.base)
    if not found:
        raise MlgitError(
            f"#{made.pull.number} was merged, and {plan.base} does not say that {plan.stage} is to serve "
            f"{plan.candidate.model} {plan.candidate.version}: its stage has not moved.",
            fix="mlgit registry log tells what came after it; mlgit promote proposes it anew",
        )
    return found


def _stands(at: Forge, pull: PullRequest) -> str:
    """How *pull* stands, in a line. Raises `GateFailedError`."""
    from mlgit.registry.moving import asking
    from mlgit.registry.moving.propose import CONTEXT

    if pull.state is PullState.MERGED:
        return f"#{pull.number} is merged; its tags are for another to make."
    gates = next((one for one in at.statuses(pull.head_commit) if one.context == CONTEXT), None)
    if gates and gates.state in (StatusState.FAILURE, StatusState.ERROR):
        raise GateFailedError(
            f"#{pull.number} does not pass its gates any more: {gates.description}",
            fix=f"mlgit promote says what they ask; mlgit pr close {pull.number} withdraws it",
        )
    approved = asking.approvers(pull, at.reviews(pull.number))
    return f"#{pull.number} waits to be merged" + (f"; approved by {', '.join(approved)}." if approved else ".")


def merged(place: Place, model: str, version: str, stage: str, *, base: str | None) -> Sequence[Settled] | None:
    """What became of a stage of which the base branch says by now that it is to serve *version*; None where it doesn't.

    It is settled, should it not be. So who waits again after the merge opens nothing anew.
    """
    from mlgit.store import registry as store

    repo, name = place.repo, store.base_name(place.repo, base)
    tip = promoting.brought(place, name, follow=True)
    with repo.reader() as reader:
        said = store.stage_at(reader, tip or store.base_commit(repo, name), model, stage)
    if said is None or said.version != version:
        return None
    if is_there := promoting.served(place, model, stage, version):
        return [is_there]
    found = promoting.settle_stages(place, base=base, only=(model, stage))
    again = None if found else promoting.served(place, model, stage, version)
    return [again] if again else found


def _served(place: Place, made: Promotion) -> Settled | None:
    """The stage, once the tags on the remote say that it serves what was proposed; nothing before."""
    plan = made.plan
    promoting.brought(place, plan.base)
    return promoting.served(place, plan.candidate.model, plan.stage, plan.candidate.version)
