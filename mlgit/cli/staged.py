"""What became of stages, told by the commands that move them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlgit.cli import output

if TYPE_CHECKING:
    from mlgit.registry.moving.settle import Settled


def say(stages: Sequence[Settled], *, quiet: bool) -> None:
    """Tell which stages moved (unless *quiet*) and which did not; raise the worst of the reasons, after the others."""
    from mlgit.registry.moving import settle

    for one in stages:
        if one.refusal or one.overtaken:
            output.note(settle.sentence(one))
        elif not quiet:
            output.say(settle.sentence(one))
    refusals = sorted((one.refusal for one in stages if one.refusal), key=lambda refusal: -refusal.exit_code)
    for refusal in refusals[1:]:
        output.note(str(refusal))
    if refusals:
        raise refusals[0]
