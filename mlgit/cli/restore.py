"""`mlgit restore`: bring hidden runs back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from mlgit.cli import choose, edits, output
from mlgit.core import figures, refs
from mlgit.core.run import Run
from mlgit.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from mlgit.store.place import Place


class HiddenRun(choose.Name):
    """A run that `mlgit rm` has hidden."""

    name = "run"

    def known(self, place: Place, _typed: str) -> choose.Known:
        """The hidden runs by the end of their branch."""
        from mlgit.store import runs

        return ((edits.label(run), run.name) for run in runs.hidden(place.repo))


@click.command()
@click.argument("names", type=HiddenRun(), nargs=-1, metavar="RUN...")
@click.option("-l", "--list", "listing", is_flag=True, help="List what is hidden.")
@click.option("--all", "everything", is_flag=True, help="Bring back all that is hidden.")
@click.option("--json", "as_json", is_flag=True, help="Print what came back, or is hidden, as JSON.")
def command(names: tuple[str, ...], listing: bool, everything: bool, as_json: bool) -> None:
    """Bring runs back that `mlgit rm` has hidden, each by its name, id or branch, or how one of them begins.

    \b
    Examples:
      mlgit restore --list
      mlgit restore radiant-glade-12
    """
    from mlgit import wiring
    from mlgit.store import runs

    repo = wiring.place().repo
    hidden = runs.hidden(repo)
    if listing:
        _list(hidden, as_json=as_json)
        return
    if bool(names) == everything:
        raise UsageError("Which run?", fix="mlgit restore RUN, or --all; mlgit restore --list lists them")
    chosen = hidden if everything else list({run.ref: run for name in names for run in _named(name, hidden)}.values())
    branches = runs.restore(repo, chosen)
    if as_json:
        output.as_json([edits.known_by(run) for run in chosen])
        return
    for branch in branches:
        output.say(f"{branch} is back")
    if not branches:
        output.note("Nothing is hidden.")


def _list(hidden: list[Run], *, as_json: bool) -> None:
    if as_json:
        output.as_json([edits.known_by(run) for run in hidden])
        return
    now = time.time()
    rows = [(edits.label(run), run.state.value, figures.ago(run.created, now), figures.headlines(run))
            for run in hidden]  # fmt: skip
    output.table(("hidden run", "state", "when", "metrics"), rows, empty="Nothing is hidden.")


def _named(text: str, hidden: list[Run]) -> list[Run]:
    """The hidden runs that *text* names, all that are called so. Raises `NotFoundError` for none."""
    exact = [run for run in hidden if text in _words(run)]
    if found := exact or [run for run in hidden if any(word.startswith(text) for word in _words(run) if text[2:])]:
        return found
    raise NotFoundError(f"No hidden run is called {text[:80]!r}.", fix="mlgit restore --list lists them")


def _words(run: Run) -> tuple[str, ...]:
    return run.id, run.name, edits.label(run), run.ref.removeprefix(refs.TRASH), run.commit
