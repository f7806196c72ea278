"""Runs as folders of TensorBoard's event files, whoever wrote them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlgit.core.run import is_time
from mlgit.documents import reader as yaml
from mlgit.errors import ConfigError, NotFoundError
from mlgit.integrations.importers.foreign import Foreign, digest, readable
from mlgit.tracking.events.eventfile import MARK, EventFile
from mlgit.tracking.events.following import SPLITS, Names


def folders(paths: Iterable[Path]) -> list[tuple[Path, str]]:
    """The run folders in *paths*, each with its name. Raises `NotFoundError` where one has none.

    A run is a folder with event files, and all that lie below it; folders called `train`, `validation` and the like
    belong to the run above them.
    """
    found: dict[Path, str] = {}
    for path in paths:
        top = path.resolve()
        if not top.exists():
            raise NotFoundError(f"There is no {path}.")
        if top.is_file():
            raise NotFoundError(f"{path} is a file.", fix=f"give the folder that holds it: {path.parent}")
        holding = sorted({file.parent for file in _event_files(top)})
        if not holding:
            fix = "give the folder that is given to tensorboard --logdir"
            raise NotFoundError(f"{path} holds no event files of TensorBoard's.", fix=fix)
        for folder in holding:
            run = folder.parent if folder.name in SPLITS and folder != top else folder
            if not any(run.is_relative_to(other) for other in found):
                inside = run.relative_to(top).as_posix() if run.is_relative_to(top) else "."
                found[run] = top.name if inside == "." else inside
    return sorted(found.items())


def runs(paths: Iterable[Path]) -> Iterator[Foreign]:
    """The runs in *paths*, one a run folder."""
    for folder, name in folders(paths):
        yield readable("tensorboard", name, folder, _Reading(folder, name).foreign)


def _event_files(top: Path) -> list[Path]:
    """The event files below *top*, in the order of their names; nothing that a link leads to outside of it."""
    found = (Path(folder, name) for folder, _, names in os.walk(top) for name in names if MARK in name)
    return sorted(path for path in found if path.is_file() and path.resolve().is_relative_to(top))


@dataclass
class _Reading:
    folder: Path
    name: str
    rows: list[tuple[int, float, Mapping[str, Any]]] = field(default_factory=list)
    params: dict[str, Any] = field(default_factory=dict)
    problems: dict[str, None] = field(default_factory=dict)
    times: list[float] = field(default_factory=list)

    def foreign(self) -> Foreign:
        names, files = Names(self.folder), _event_files(self.folder)
        if not files:
            raise ValueError("its event files are links that lead out of it")
        for path in files:
            self.read(EventFile(path), names.prefix(path.parent))
        self.read_lightning(self.folder / "hparams.yaml")
        self.rows.sort(key=lambda row: row[:2])
        self.say_doubles()
        if not self.rows and not self.params:
            self.problem("nothing was logged in it")
        first, last = min(self.times, default=0.0), max(self.times, default=0.0)
        changed = files[0].stat().st_mtime
        return Foreign(
            tool="tensorboard",
            id=digest("tensorboard", files[0].name, repr(first)),
            source=str(self.folder),
            created=first or changed,
            finished=last or changed,
            name=self.name,
            params=self.params,
            rows=_Rows(self.rows),
            problems=tuple(self.problems),
            is_readable=bool(self.rows or self.params),
        )

    def read(self, file: EventFile, prefix: str) -> None:
        before, odd = len(self.rows), 0
        for event in file.read():
            if is_time(event.time):
                self.times.append(event.time)
            else:
                odd += 1
            if event.values:
                self.rows.append((event.step, event.time, {f"{prefix}{tag}": one for tag, one in event.values.items()}))
            self.params |= event.params
            self.problems |= dict.fromkeys(f"{what} is left out" for what in event.left_out)
        count = len(self.rows) - before
        if file.broken:
            self.problem(f"{file.path.name} is damaged after {count:,} rows: what follows cannot be read")
        if file.damaged:
            self.problem(f"{file.path.name}: {file.damaged} damaged records passed over")
        if odd:
            self.problem(f"{file.path.name}: {odd} time{'s' * (odd > 1)} that no calendar has left out")
        if file.torn:
            self.problem(f"{file.path.name} ends in the midst of a record")

    def read_lightning(self, path: Path) -> None:
        """The params that Lightning writes beside its event files."""
        if not path.is_file() or path.is_symlink():
            return
        try:
            found = yaml.plain(path.read_bytes(), source=path.name)
        except ConfigError as exc:
            self.problem(f"its params are left out: {exc.what}")
            return
        if isinstance(found, Mapping):
            self.params |= {str(name): value for name, value in found.items()}
        else:
            self.problem(f"its params are left out: {path.name} gives nothing a name")

    def say_doubles(self) -> None:
        last: dict[str, int] = {}
        doubles = 0
        for step, _, values in self.rows:
            for name in values:
                doubles += last.get(name) == step
                last[name] = step
        if doubles:
            self.problem(f"{doubles:,} values were logged again at the same step: the later one counts")

    def problem(self, text: str) -> None:
        self.problems[text] = None


@dataclass(frozen=True)
class _Rows:
    rows: list[tuple[int, float, Mapping[str, Any]]]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for step, time, values in self.rows:
            yield {**values, "global_step": step, "_step": step, "_timestamp": time}
