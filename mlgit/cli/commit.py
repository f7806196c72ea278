"""`mlgit commit`: a commit that asks CI for runs or a sweep."""

from __future__ import annotations

import shlex
import sys

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.errors import UsageError
from mlgit.store import place as places
from mlgit.wiring import ci


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("-m", "--message", "messages", multiple=True, metavar="TEXT",
              help="The message; several are its paragraphs. Without one, git opens your editor.")  # fmt: skip
@click.option("-a", "--all", "is_all", is_flag=True, help="Commit what has changed in files that git knows.")
@click.option("--run", "runs", multiple=True, metavar="'NAME=VALUE…'",
              help="Ask for a run with these params; may be repeated. `--run yes`: as the code is.")  # fmt: skip
@click.option("--sweep", type=click.Path(), metavar="FILE", help="Ask for the sweep in FILE, which the commit holds.")
@click.option("--push", is_flag=True, help="Push the branch then.")
@click.option("--dry-run", is_flag=True, help="Show what CI would do, and git's command line; commit nothing.")
@click.argument("more", nargs=-1, type=click.UNPROCESSED, metavar="[-- GIT'S OWN OPTIONS]")
def command(
    messages: tuple[str, ...], is_all: bool, runs: tuple[str, ...], sweep: str | None, push: bool, dry_run: bool,
    more: tuple[str, ...],
) -> None:  # fmt: skip
    """Commit with `git commit`, and ask CI for runs or a sweep: by trailers, for the push that has it as its head.

    Params and sweep file are checked first, as CI would read them from the commit. It is your commit: your hooks, your
    editor, your signature. Where nothing has changed, the commit is an empty one that only asks.

    \b
    Examples:
      mlgit commit -am 'Warm up longer' --run 'lr=0.1 epochs=20' --push
      mlgit commit --run lr=0.1 --run lr=0.01
      mlgit commit -m 'Search the rate' --sweep sweeps/lr.yaml --dry-run
      mlgit commit -m 'As I said' --run yes -- --amend --no-verify
    """
    from mlgit.ci import code, committing
    from mlgit.cli.ci import plan

    place = wiring.place()
    if place.repo.work_tree is None or place.is_scratch:
        raise UsageError("There is no work tree to commit from.", fix="cd into your project")
    here = places.here()
    wanted = ci.wanted(place, runs, sweep)
    wish = committing.Wish(request=wanted, messages=messages, is_all=is_all, more=more)
    words = committing.words(place.repo, wish)
    to = committing.pushing(place.repo) if push else ()
    planned = ci.plan(place, code.next_one(place, is_all=is_all or bool(more)), wanted)
    if dry_run:
        for line in (words, *([to] if to else [])):
            output.say(shlex.join(("git", *line)))
        plan.say(planned)
        return
    sys.stdout.flush()
    committing.commit(words, here)
    made = code.of(place, "HEAD")
    if asked := ci.asked(made):  # its editor, or a hook, may have had another idea
        output.note(f"CI: {ci.plan(place, made, asked).what}")
    elif wanted:
        output.note("the commit asks CI for nothing: its trailers were taken out of the message")
    if to:
        committing.push(to, here)
        if asked:
            output.note("mlgit ci watch shows how CI gets on with it")
    elif asked:
        output.note("git push starts it; mlgit ci plan shows all of it")
