"""The verdict on a run that was made again, kept with the run that did so: `experiment/reproduction.yaml`."""

from __future__ import annotations

from collections.abc import Iterable

from mlgit.core.reproduction import Made, Reproduction
from mlgit.core.run import Run
from mlgit.documents import reader, writer
from mlgit.errors import ConfigError
from mlgit.git.repo import Repo
from mlgit.store import edit, runs

FILE = "reproduction.yaml"


def keep(repo: Repo, run: Run, told: Reproduction) -> Run:
    """*run* with what is *told* of it, as one more commit on its branch. Raises as `edit.edit` does."""
    text = writer.dump(writer.as_data(told))
    return edit.edit(
        repo, run, lambda run: run, more={FILE: text.encode()}, why=f"{told.of} made again: {told.verdict}"
    )


def read(repo: Repo, made: Iterable[Run]) -> list[Made]:
    """What those of the runs *made* keep that keep a verdict; one that cannot be read says nothing."""
    found = []
    with repo.reader() as objects:
        for run in made:
            text = objects.blob(f"{run.commit}:{runs.place_of(run, FILE)}") if run.commit else None
            if text is None:
                continue
            try:
                told = reader.parse(text, source=FILE).read(Reproduction)
            except ConfigError:
                continue
            found.append(Made(run=run.id, created=run.created, told=told))
    return found
