"""Which commands are a pipeline, `dvc repro` with whatever options, and what `mlgit run` runs for one instead."""

from __future__ import annotations

import contextlib
import difflib
import os
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from mlgit.dvc import project
from mlgit.errors import UsageError
from mlgit.store.place import Place
from mlgit.tracking import files
from mlgit.tracking.command.given import FORMS
from mlgit.tracking.notice import notify

FILE = "dvc.yaml"
_PARAMS = "params.yaml"


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """The stages of a DVC project, to be run in *folder*."""

    root: Path
    folder: Path
    options: Sequence[str]
    """What stands behind `dvc repro`."""

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """No other run of this project's stages meanwhile: they share `dvc.lock` and the files that they write."""

        def waits(_why: str) -> None:
            notify(f"another run is at the stages of {self.root.name}; waiting for it")

        with files.held(self.root / ".dvc" / "config", alone=True, notify=waits):
            yield

    @property
    def params(self) -> Path | None:
        """The params file that DVC itself looks for."""
        return path if (path := self.folder / _PARAMS).is_file() else None

    def check(self, given: Collection[str], known: Collection[str], file: Path | None) -> None:
        """Raise `UsageError` where a param *given* is not among those *known* of *file*: no stage would notice it."""
        if missing := [name for name in given if name not in known]:
            named, colon, _ = missing[0].rpartition(":")
            if colon and named.endswith(FORMS):
                raise UsageError(f"There is no params file {named} in {self.folder}.", fix="name it as seen from there")
            where = file.name if file else _PARAMS
            why = (
                f"Stages are run again where a value in a params file has changed, and {missing[0]} is not in this one."
            )
            fix = f"add it to {where} first, or name its file: -p FILE:{missing[0]}=…"
            raise UsageError(f"{missing[0]} is not in {where}.", why=why, fix=fix)

    def words(self, live: Path, *, is_trial: bool, greeting: str) -> list[str]:
        """The program that says the *greeting*, runs the stages and records them in the *live* folder.

        After a *trial* `dvc.lock` and the outputs are as they were before.
        """
        us = [sys.executable, "-P", "-m", "mlgit.tracking.command.stages"]
        return [*us, str(live), "trial" if is_trial else "", greeting, *self.options]


def folder_of(home: Place, here: Path) -> Path | None:
    """Where the project's `dvc.yaml` is: *here*, or beside mlgit.yaml."""
    return next((place for place in (here, home.settings.folder) if (place / FILE).is_file()), None)


def names(folder: Path) -> list[str]:
    """The stages of the `dvc.yaml` in *folder*. Raises `ConfigError` where it cannot be read."""
    from mlgit.documents import reader

    document = reader.plain((folder / FILE).read_bytes(), source=FILE)
    known = document.get("stages") if isinstance(document, Mapping) else None
    return sorted(map(str, known)) if isinstance(known, Mapping) else []


def check(folder: Path, stages: Sequence[str]) -> None:
    """Raise `UsageError` where the `dvc.yaml` in *folder* has none of the name of one of *stages*.

    What DVC makes of files, folders and patterns is for DVC to find.
    """
    known = names(folder) if stages else []
    for stage in stages:
        if stage.partition("@")[0] not in known and not any(char in stage for char in ":/.*?["):
            close = difflib.get_close_matches(stage, known, 1)
            fix = f"did you mean {close[0]}?" if close else f"there are: {', '.join(known[:10])}"
            raise UsageError(f"There is no stage {stage[:80]!r} in {FILE}.", fix=fix)


def is_one(words: Sequence[str]) -> bool:
    """Whether a command's *words* are `dvc repro`: no program of that name is started for it, but DVC's library."""
    return len(words) >= 2 and PurePath(words[0]).name == "dvc" and words[1] == "repro"


def forced(words: Sequence[str]) -> Sequence[str]:
    """*words*; where they are a pipeline, so that no stage is skipped, nor comes from DVC's run cache."""
    if not is_one(words) or {"-f", "--force"} & set(words):
        return words
    return (*words[:2], "--force", *words[2:])


def of(home: Place, words: Sequence[str], folder: Path) -> Pipeline | None:
    """The pipeline that *words* stand for; None for any other command. Raises `UsageError` where it cannot run here."""
    if not is_one(words):
        return None
    top = None if home.is_scratch else home.repo.work_tree
    root = project.root(folder.resolve(), top.resolve()) if top else None
    if root is None:
        raise UsageError(f"{folder} belongs to no DVC project.", why="Its stages are DVC's.", fix="mlgit init")
    if "DVC_STAGE" in os.environ:
        raise UsageError("A stage cannot run the pipeline that it is a part of.", fix="take it out of dvc.yaml")
    return Pipeline(root=root, folder=folder, options=words[2:])
