"""What a job of GitHub's that is about stages asks, and what it tells of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlgit.cli import output
from mlgit.cli.ci import job
from mlgit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlgit.forge.base import Forge
    from mlgit.git.remote import Remote
    from mlgit.registry.moving.settle import Settled
    from mlgit.store.place import Place


def github(place: Place) -> tuple[Forge, Remote]:
    """Where the pull requests of *place* live, and its repository there. Raises `UsageError` where it is no GitHub."""
    from mlgit import wiring

    found = wiring.on_github(place)
    if found is None or found[0].clone is None:
        raise UsageError("Pull requests of this repository do not live on GitHub.", fix=wiring.why_not_github(place))
    return found[0], found[0].clone.remote


def say(found: Sequence[Settled], *, quiet: bool, none: str) -> None:
    """Tell what became of each stage (unless *quiet*), here and in the summary; raise the worst of the refusals."""
    from mlgit.registry.moving import settle

    _say(found, [settle.sentence(one) for one in found] or [none], quiet=quiet)


def foretell(found: Sequence[Settled], *, quiet: bool, none: str, may_wait: bool) -> None:
    """The same of what would become of them; *may_wait*: what waits for people or time is told, and no failure."""
    from mlgit.registry.moving import settle

    waits = [one for one in found if may_wait and settle.waits(one)]
    _say(found, [_foretold(one) for one in found] or [none], quiet=quiet, waits=waits)


def _foretold(one: Settled) -> str:
    from mlgit.registry.moving import settle

    if one.overtaken:
        return settle.sentence(one)
    what = f"{one.model} {one.version}" if one.version else f"no {one.model}"
    if settle.waits(one):
        return f"{one.stage} would not serve {what} yet."
    return f"{one.stage} would {'not ' if one.refusal else ''}serve {what}."


def _say(found: Sequence[Settled], said: Sequence[str], *, quiet: bool, waits: Sequence[Settled] = ()) -> None:
    from mlgit.core import escape

    why = [str(one.refusal) for one in found if one.refusal]
    job.summarize("\n\n".join(escape.markdown(text, 2_000) for text in (*said, *why)))
    for text in said if not quiet else ():
        output.say(text)
    failed = [one.refusal for one in found if one.refusal and one not in waits]
    failed.sort(key=lambda refusal: -refusal.exit_code)
    for refusal in (*(one.refusal for one in waits), *failed[1:]):
        output.note(str(refusal))
    if failed:
        raise failed[0]
