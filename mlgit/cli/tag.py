"""`mlgit tag`: put tags on runs, and take them off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from mlgit.cli import edits, output
from mlgit.cli.choose import Known, RunName
from mlgit.cli.edits import Edited
from mlgit.core.run import Run
from mlgit.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from mlgit.store.place import Place


class _Word(RunName):
    """A run, or a tag behind its sign."""

    def known(self, place: Place, typed: str) -> Known:
        """The tags that runs have, behind a `+`; else runs."""
        return [(f"+{tag}", "") for tag in sorted(_counted(place))] if typed[:1] == "+" else super().known(place, typed)


class Signed(click.Command):
    """Takes `-todo` for a tag that goes, where click would see four options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        options = {name for param in self.get_params(ctx) for name in param.opts}
        gone = [word for word in args[:end] if word[:1] == "-" and word[1:2] != "-" and word not in options]
        rest = [word for word in args[:end] if word not in gone]
        return super().parse_args(ctx, [*rest, "--", *gone, *args[end + 1 :]])


@click.command(cls=Signed)
@click.argument("words", type=_Word(), nargs=-1, metavar="RUN... +TAG... -TAG...")
@edits.WHERE
@click.option("--clear", is_flag=True, help="Take off all that they have, before new ones are put on.")
@edits.DRY_RUN
@edits.JSON
def command(words: tuple[str, ...], conditions: tuple[str, ...], clear: bool, dry_run: bool, as_json: bool) -> None:
    """Put tags on runs (+TAG) and take them off (-TAG): a commit on each run's branch, in your name.

    With no RUN it lists the project's tags, and with no TAG those of the runs. What undoes it is printed. Runs that are
    under way take tags too. A tag like an option stands after two dashes: mlgit tag RUN -- -h.

    \b
    Examples:
      mlgit tag latest +baseline -todo
      mlgit tag calm-sea-4 radiant-glade-12 +paper
      mlgit tag --where 'accuracy > 0.9 and lr < 1e-3' +good
      mlgit tag
    """
    from mlgit import wiring

    place = wiring.place()
    added, gone = signed(words, "+"), signed(words, "-")
    names = [word for word in words if not word.startswith(("+", "-"))]
    if not (names or conditions or added or gone or clear):
        _list(place, as_json=as_json)
        return
    try:
        runs = edits.chosen(place, names, conditions)
    except NotFoundError as exc:
        if added or gone or clear:
            raise
        raise NotFoundError(exc.what, fix=f"{exc.fix}; a tag has its sign: mlgit tag RUN +{names[-1]}") from None
    if not (added or gone or clear):
        _show(runs, as_json=as_json)
        return

    def tags(run: Run) -> tuple[str, ...]:
        kept = () if clear else (tag for tag in run.tags if tag not in gone)
        return tuple(dict.fromkeys((*kept, *added)))

    said = [*(["clear"] if clear else []), *(f"+{tag}" for tag in added), *(f"-{tag}" for tag in gone)]
    done = edits.edited(place, runs, "tags", tags, why=f"tag {' '.join(said)}", dry_run=dry_run)
    edits.tell(done, words=_words, undo=_undo, dry_run=dry_run, as_json=as_json)


def signed(words: Sequence[str], sign: str) -> list[str]:
    """Those of *words* that stand behind *sign*, without it. Raises `UsageError` where one is nothing else."""
    found = [word[1:].strip() for word in words if word[:1] == sign]
    if "" in found:
        raise UsageError(f"{sign} is no tag.", fix=f"write it as {sign}baseline, without a blank")
    return found


def _changes(one: Edited) -> tuple[list[str], list[str]]:
    """(what was put on, what was taken off)."""
    before, after = one.before or (), one.after or ()
    return [tag for tag in after if tag not in before], [tag for tag in before if tag not in after]


def _words(one: Edited) -> str:
    added, gone = _changes(one)
    said = " ".join([*(f"+{tag}" for tag in added), *(f"-{tag}" for tag in gone)])
    return f"{said}  (now {', '.join(one.after or ()) or 'no tags'})"


def _undo(one: Edited) -> list[str]:
    added, gone = _changes(one)
    words = [*(f"+{tag}" for tag in gone), *(f"-{tag}" for tag in added)]
    return ["--", *words] if any(word.startswith(("--", "-h", "-w")) for word in words) else words


def _counted(place: Place) -> Counter[str]:
    """The tags that runs of the project have, and how many have each."""
    from mlgit.index.query import groups

    counted: Counter[str] = Counter()
    for group in groups(place.repo, ["tags"], project=place.meant):
        counted.update(dict.fromkeys(group.values["tags"] or (), group.runs))
    return counted


def _list(place: Place, *, as_json: bool) -> None:
    counted = _counted(place).most_common()
    if as_json:
        output.as_json([{"tag": tag, "runs": count} for tag, count in counted])
    else:
        rows = [(tag, str(count)) for tag, count in counted]
        output.table(("tag", "runs"), rows, right=("runs",), empty="No run has a tag: mlgit tag RUN +TAG puts one on.")


def _show(runs: Sequence[Run], *, as_json: bool) -> None:
    if as_json:
        output.as_json([{"id": run.id, "name": run.name, "tags": list(run.tags)} for run in runs])
    else:
        output.table(("run", "tags"), [(edits.label(run), ", ".join(run.tags)) for run in runs])
