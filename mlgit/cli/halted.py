"""What holds and freezes is written on the base branch: by a pull request, or at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlgit.cli import output
from mlgit.core import escape, figures
from mlgit.wiring import halting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlgit.registry.filing import Edit
    from mlgit.registry.policy.freezes import Freeze
    from mlgit.store.place import Place


@dataclass(frozen=True, kw_only=True)
class Act:
    """A change of the registry's files, and how it is told."""

    change: Edit
    branch: str
    """The pull request's."""
    title: str
    already: str
    """What is said where all is so already."""
    why: str = ""
    plain: Mapping[str, object]
    """How it stands before, for a script."""


def plain(freeze: Freeze) -> dict[str, object]:
    """A freeze, for a script."""
    return {
        "models": freeze.models, "stages": freeze.stages, "since": figures.moment(freeze.since),
        "until": None if freeze.until is None else figures.moment(freeze.until), "why": freeze.why, "by": freeze.by,
        "where": freeze.where or None,
    }  # fmt: skip


def do(place: Place, base: str, act: Act, *, at: str | None, direct: bool, as_json: bool) -> None:
    """Do *act* on *base*, which stands *at* a commit of the remote's, and say what became of it."""
    body = f"{act.title}.\n\n{escape.markdown(act.why, 2_000)}".strip() + "\n"
    pull = commit = None
    if direct:
        commit = halting.at_once(place, base, act.change, f"{act.title}\n\n{act.why}".strip())
    else:
        pull = halting.by_pull(place, base, act.change, branch=act.branch, title=act.title, body=body, at=at)
    if as_json:
        output.as_json({**act.plain, "pull": pull.number if pull else None, "commit": commit})
    elif pull:
        output.say(f"#{pull.number} {pull.title}")
        output.note(f"Next: mlgit pr merge {pull.number}")
    elif commit:
        output.say(f"{act.title}: commit {commit[:10]} on {base}.")
    else:
        output.say(act.already)
