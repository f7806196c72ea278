"""What `tag`, `note`, `rename` and `group` share: the runs they are about, their edit, and what is said of it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from mlgit.cli import output
from mlgit.cli.choose import KEY
from mlgit.core import refs
from mlgit.core.run import Run
from mlgit.errors import UsageError

if TYPE_CHECKING:
    from mlgit.store.place import Place

WHERE = click.option("-w", "--where", "conditions", multiple=True, metavar="CONDITION", type=KEY,
                     help="The runs of which it holds, as in mlgit ls; repeated, all have to hold.")  # fmt: skip
DRY_RUN = click.option("--dry-run", is_flag=True, help="Say what would be changed; change nothing.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print each run's value before and after, as JSON.")

Value = str | tuple[str, ...] | None


def chosen(
    place: Place, names: Sequence[str], conditions: Sequence[str], *, everywhere: bool = False
) -> list[Run]:  # fmt: skip
    """The runs that are named, and those of which all *conditions* hold; each once. Raises `UsageError` for none.

    They are of the project that is meant, or, *everywhere*, of any.
    """
    from mlgit.artifacts import asking
    from mlgit.core import condition, language
    from mlgit.index.query import find_all, search

    if not names and not conditions:
        raise UsageError("Which run?", fix="name it, or give --where CONDITION")
    project = None if everywhere else place.meant
    found = find_all(place.repo, names, project=project) if names else []
    if conditions:
        wanted = asking.told(place.repo, condition.And(tuple(map(language.parse, conditions))), project)
        found += search(place.repo, wanted, project=project).runs
        if not found:
            raise UsageError("No run fits.", fix="mlgit ls lists the runs")
    return list({run.id: run for run in found}.values())


@dataclass(frozen=True, kw_only=True)
class Edited:
    """What became of one field of a run."""

    run: Run
    """As it is now."""
    before: Value
    after: Value


def edited(
    place: Place, runs: Sequence[Run], field: str, value: Callable[[Run], Value], *, why: str, dry_run: bool
) -> list[Edited]:
    """Let *field* of each of *runs* be what *value* makes of it; with *dry_run*, only say what that would be."""
    from dataclasses import replace

    from mlgit.store import edit

    before: dict[str, Value] = {}

    def change(now: Run) -> Run:
        before[now.id] = getattr(now, field)  # somebody else may have edited it since it was listed
        return replace(now, **{field: value(now)})  # type: ignore[arg-type]  # each command pairs the two

    after = list(map(change, runs)) if dry_run else edit.edit_all(place.repo, runs, change, why=why)
    return [Edited(run=run, before=before[run.id], after=getattr(run, field)) for run in after]


def tell(
    edits: Sequence[Edited], *, words: Callable[[Edited], str], undo: Callable[[Edited], Sequence[str] | None],
    dry_run: bool, as_json: bool,
) -> None:  # fmt: skip
    """Say of each run in *words* what became of it, and which commands *undo* it: their words, None for none.

    *undo* is what comes after the runs; those that it is the same for are undone together.
    """
    if as_json:
        output.as_json([_document(one) for one in edits])
        return
    back: dict[tuple[str, ...], list[str]] = {}
    for one in edits:
        if one.before == one.after:
            output.say(f"{label(one.run)}: nothing to change")
            continue
        output.say(f"{label(one.run)}{' would be' if dry_run else ''}: {words(one)}")
        if after := undo(one):
            back.setdefault(tuple(after), []).append(label(one.run))
    command = click.get_current_context().info_name or ""
    for after, names in () if dry_run else back.items():
        output.note(f"undo: {shlex.join(('mlgit', command, *names, *after))}")


def word(text: str) -> list[str]:
    """*text* as a command takes it for a word, whatever it begins with."""
    return ["--", text] if text.startswith("-") else [text]


def label(run: Run) -> str:
    """What a person calls the run by, and every command finds: the end of its branch, or its id while it has none."""
    return run.branch.rpartition("/")[2] or run.id


def known_by(run: Run) -> dict[str, Any]:
    """What a script finds the run by."""
    return {"id": run.id, "name": run.name, "branch": run.branch.removeprefix(refs.TRASH), "commit": run.commit}


def _document(one: Edited) -> dict[str, Any]:
    return {**known_by(one.run), "before": one.before, "after": one.after}
