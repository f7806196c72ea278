"""`mlgit pr merge`: what was reviewed comes into main, and a promotion moves its stage."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

import click

from mlgit import wiring
from mlgit.cli import following, output, staged
from mlgit.cli.pr import given
from mlgit.wiring import promoting

if TYPE_CHECKING:
    from mlgit.forge.base import PullRequest, Status
    from mlgit.registry.moving.settle import Settled


@click.command()
@given.NUMBER_OF
@click.option("--expect", metavar="COMMIT", help="Merge only if its branch still stands at this commit.")
@given.AS_JSON
def command(number: int, expect: str | None, as_json: bool) -> None:
    """Merge, always by a merge commit; a merged promotion moves its stage.

    Refused where branches conflict, where the base is checked out with local changes in the way, and, with exit code
    4, where a stage would change and its gates do not pass. They are asked once more of what was merged: where one
    fails by then, the stage stays where it was, and a pull request is opened that takes the merge back. Of what is
    merged already, a promotion that did not come through is seen to again.

    \b
    Examples:
      mlgit pr merge 1
      mlgit pr merge 1 --expect 4f2c91d
    """
    from mlgit.registry.moving import settle

    place = wiring.place()
    forge = wiring.forge(place)
    pull = forge.get(number)
    if pull.state.value == "merged":
        output.note(f"#{number} is merged already; what follows from that is seen to again.")
    else:
        foreseen = promoting.before_merge(place, pull)
        if any(one.refusal for one in foreseen):
            _say_refused(pull, foreseen, as_json=as_json)
        _warn_of_failures(pull, forge.statuses(pull.head_commit))
        seen = pull.head_commit if foreseen else None  # the gates spoke of that commit and no other
        pull = forge.merge(number, expect=(place.repo.resolve(expect) or expect) if expect else seen)
    if not as_json:
        output.say(f"#{number} is merged into {pull.base}, as {(pull.merge_commit or '')[:10]}.")
    began = time.time()
    stages = promoting.after_merge(place, pull)
    if as_json:
        output.as_json(given.plain(pull) | {"stages": [settle.plain(one) for one in stages]})
    for one in stages:
        if settle.is_refused(one) and (back := promoting.undo(place, pull, one)):
            output.note(f"#{back.number} takes it back: mlgit pr merge {back.number}")
    if any(one.tag for one in stages):
        following.follow(place, since=began, base=pull.base, merged=pull.merge_commit)
    staged.say(stages, quiet=as_json)


def _warn_of_failures(pull: PullRequest, checks: Sequence[Status]) -> None:
    if failed := [check.context for check in checks if check.state.value in ("failure", "error")]:
        output.note(f"#{pull.number}: {', '.join(failed)} failed; no rule here forbids the merge.")


def _say_refused(pull: PullRequest, stages: Sequence[Settled], *, as_json: bool) -> NoReturn:
    """Tell why *pull* is not merged, and raise the worst of the reasons."""
    from mlgit.registry.moving import settle

    if as_json:
        output.as_json(given.plain(pull) | {"stages": [settle.plain(one) for one in stages]})
    output.note(f"#{pull.number} is not merged: {pull.base} stays as it is.")
    first, *others = sorted((one.refusal for one in stages if one.refusal), key=lambda refusal: -refusal.exit_code)
    for refusal in others:
        output.note(str(refusal))
    raise first
