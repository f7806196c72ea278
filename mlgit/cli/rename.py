"""`mlgit rename`: call a run something else."""

from __future__ import annotations

from dataclasses import replace

import click

from mlgit.cli import edits, output
from mlgit.cli.choose import RUN
from mlgit.core import refs


@click.command()
@click.argument("run", type=RUN)
@click.argument("name")
@edits.DRY_RUN
@edits.JSON
def command(run: str, name: str, dry_run: bool, as_json: bool) -> None:
    """Call RUN by another NAME: a commit on its branch, in your name. What undoes it is printed.

    Its id stays. Its branch gets the new name too, unless a remote has it, so that others may know it already.

    \b
    Examples:
      mlgit rename radiant-glade-12 'ResNet, cosine schedule'
    """
    from mlgit import wiring
    from mlgit.store import edit

    place = wiring.place()
    runs = edits.chosen(place, (run,), ())
    done = edits.edited(place, runs, "name", lambda _: name.strip(), why=f"rename to {name.strip()}", dry_run=dry_run)
    if not dry_run:
        done = [replace(one, run=edit.follow_name(place.repo, one.run)) for one in done]
    edits.tell(
        done, words=lambda one: f"{one.before!r} is now {one.after!r}", undo=lambda one: edits.word(str(one.before)),
        dry_run=dry_run, as_json=as_json,
    )  # fmt: skip
    (now,) = done
    if now.run.commit and refs.slug(now.run.name) not in now.run.branch and not (dry_run or as_json):
        output.note(f"its branch stays {now.run.branch}, for others may know it")
