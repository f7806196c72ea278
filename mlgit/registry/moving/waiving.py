"""What lets a version past its stage's gates: an emergency, and the way back (pure).

Both are marks in the stage's file, which come with a pull request and stay in the stage's tag for ever. A mark is good
for one move of one version: whoever changes the version beside it is asked by all gates.
"""

from __future__ import annotations

from mlgit.core.model import Emergency, Hold, Stage
from mlgit.errors import GateFailedError
from mlgit.registry import decision
from mlgit.registry.ledger import Action, Ledger
from mlgit.registry.policy.file import Policy


def waiver(known: Ledger, wanted: Stage) -> Emergency | Hold | None:
    """What of *wanted* has its gates told instead of asked; None where they are asked."""
    moves = [event for event in known.history if event.stage == wanted.stage]
    used = [made for event in moves if (made := decision.of_message(event.tag.message))]
    declared, hold = wanted.emergency, wanted.hold
    if declared and declared.version == wanted.version and declared not in [made.emergency for made in used]:
        return declared
    if hold and hold.version == wanted.version and hold.instead and hold not in [made.hold for made in used]:
        return hold if wanted.version in [event.version for event in moves] else None
    return None


def forbidden(policy: Policy | None, wanted: Stage) -> GateFailedError | None:
    """Why the *policy* lets no emergency past the gates of the stage; None where it does."""
    where = policy.firm(wanted.model, wanted.stage) if policy else ""
    if not where:
        return None
    return GateFailedError(
        f"{wanted.model} {wanted.version} is not promoted to {wanted.stage} by an emergency: {where} allows none.",
        fix="mlgit rollback goes back to what was served before; or change the policy on the base branch first",
    )


def lived(known: Ledger, stage: str) -> list[str]:
    """The versions that *stage* served one after the other, but for those that it came back from; the latest last."""
    found: list[str] = []
    for event in known.history:
        if event.stage != stage or event.version is None:
            continue
        if event.action is Action.UNASSIGN:
            found = [version for version in found if version != event.version]
        elif event.version in found:
            found = found[: found.index(event.version) + 1]
        else:
            found.append(event.version)
    return found
