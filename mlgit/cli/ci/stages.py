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
    from mlgit.registry.settle import Settled
    from mlgit.store.place import Place


def github(place: Place) -> tuple[Forge, Remote]:
    """Where the pull requests of *place* live, and its repository there. Raises `UsageError` where it is no GitHub."""
    from mlgit import wiring

    found = wiring.on_github(place)
    if found is None or found[0].clone is None:
        raise UsageError("Pull requests of this repository do not live on GitHub.", fix=wiring.why_not_github(place))
    return found[0], found[0].clone.remote


def say(found: Sequence[Settled], *, quiet: bool, none: str, is_merged: bool = True) -> None:
    """Tell what becomes, or would become, of each stage (unless *quiet*), here and in the summary.

    Raises the worst of the refusals.
    """
    from mlgit.core import escape
    from mlgit.registry import settle

    said = [settle.sentence(one) if is_merged else _foreseen(one) for one in found] or [none]
    why = [str(one.refusal) for one in found if one.refusal]
    job.summarize("\n\n".join(escape.markdown(text, 2_000) for text in (*said, *why)))
    for text in said if not quiet else ():
        output.say(text)
    refusals = sorted((one.refusal for one in found if one.refusal), key=lambda refusal: -refusal.exit_code)
    for refusal in refusals[1:]:
        output.note(str(refusal))
    if refusals:
        raise refusals[0]


def _foreseen(one: Settled) -> str:
    what = f"{one.model} {one.version}" if one.version else f"no {one.model}"
    return f"{one.stage} would {'not ' if one.refusal else ''}serve {what}."
