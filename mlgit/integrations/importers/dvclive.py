"""Folders that DVCLive wrote, on disk or in the experiments that DVC keeps in git."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mlgit.core import escape
from mlgit.core.run import State, is_time
from mlgit.documents import reader as yaml
from mlgit.errors import ConfigError, NotFoundError
from mlgit.git.repo import Repo
from mlgit.integrations.importers import beside
from mlgit.integrations.importers.foreign import Bundle, Foreign, digest, fitting, readable
from mlgit.tracking.events.eventfile import Encoded

_SERIES, _IMAGES = Path("plots/metrics"), Path("plots/images")
_PICTURES = (".png", ".jpg", ".jpeg", ".gif")
_EXPERIMENTS = "refs/exps/"
_READ = ("metrics.json", "params.yaml", "dvc.yaml")


def runs(paths: Iterable[Path]) -> Iterator[Foreign]:
    """The run in each of *paths*, a folder that DVCLive wrote. Raises `NotFoundError` for what is none."""
    folders = [path / "dvclive" if (path / "dvclive").is_dir() else path for path in paths]
    for path in folders:
        if not _is_one(path):
            what = f"{path} is no folder of DVCLive's." if path.exists() else f"There is no {path}."
            raise NotFoundError(what, why="Such a folder has a metrics.json, or plots/metrics.")
    for path in folders:
        home = path.resolve()
        name = home.parent.name if home.name == "dvclive" else home.name
        yield readable("dvclive", name, home, partial(_Reading(home, name).foreign, home.parent))


def experiments(repo: Repo) -> dict[str, str]:
    """The experiments that DVC keeps in *repo*: name → commit."""
    found: dict[str, str] = {}
    for ref, commit in repo.refs(_EXPERIMENTS).items():
        parts = ref.removeprefix(_EXPERIMENTS).split("/")
        if len(parts) == 3 and len(parts[0]) == 2:  # the first commit's id, cut in two, then the name
            found[parts[2] if parts[2] not in found else f"{parts[2]}-{commit[:6]}"] = commit
    return found


def experiment_runs(repo: Repo) -> Iterator[Foreign]:
    """The runs of DVC's experiments in *repo* that DVCLive recorded."""
    for name, commit in experiments(repo).items():
        with TemporaryDirectory(prefix="mlgit-") as scratch:
            _unpack(repo, commit, Path(scratch))
            for path in sorted(Path(scratch).rglob("metrics.json")):
                if _is_one(path.parent) and (path.parent / "plots").is_dir():
                    read = partial(_Reading(path.parent, name).foreign, Path(scratch))
                    found = readable("dvclive", name, path.parent, read)
                    when = float(repo.git("show", "-s", "--format=%ct", commit).strip())
                    inside = path.parent.relative_to(scratch).as_posix()
                    yield replace(
                        found,
                        id=digest("dvc exp", commit, inside),
                        commit=commit,
                        created=when,
                        finished=when,
                        source=f"experiment {name}",
                        original={"experiment": name, "commit": commit},
                    )


def _unpack(repo: Repo, commit: str, target: Path) -> None:
    """The files of *commit*, below *target*; no links, and nothing of more than a record's size."""
    listing = repo.git("ls-tree", "-r", "-z", "--full-tree", commit)
    with repo.reader() as reader:
        for line in filter(None, listing.split("\0")):
            about, _, path = line.partition("\t")
            mode, _, oid = about.split()[:3]
            wanted = path.endswith((*_PICTURES, ".tsv", ".json", ".yaml", ".html", ".md"))
            if (
                mode.startswith("100")
                and wanted
                and beside.is_plain(path)
                and (content := reader.blob(oid)) is not None
            ):
                place = target / path
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content)


def _is_one(path: Path) -> bool:
    return (path / "metrics.json").is_file() or (path / _SERIES).is_dir()


@dataclass
class _Reading:
    folder: Path
    name: str
    rows: dict[int, dict[str, Any]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def foreign(self, home: Path) -> Foreign:
        files = self.files()
        results = [path for path in files if path.suffix in (".tsv", ".json", ".yaml")]
        for path in files:
            if path.is_relative_to(self.folder / _SERIES) and path.suffix == ".tsv":
                self.read_series(path)
        params = self.document("params.yaml", yaml.plain)
        summary = self.document("metrics.json", _metrics)
        pictures = [path for path in files if path.is_relative_to(self.folder / _IMAGES) and path.suffix in _PICTURES]
        for path in pictures:
            self.read_picture(path)
        logged = {name for row in self.rows.values() for name in row}
        others = {
            path.relative_to(self.folder).as_posix(): path
            for path in files
            if path not in pictures and not path.is_relative_to(self.folder / _SERIES) and path.name not in _READ
        }
        changed = [path.stat().st_mtime for path in results] or [self.folder.stat().st_mtime]
        return Foreign(
            tool="dvclive",
            id=digest("dvclive", *(f"{path.relative_to(self.folder)}:{path.read_bytes()!r}" for path in results)),
            source=str(self.folder),
            created=min(self.times or changed),
            finished=max((*changed, *self.times)),
            state=State.FINISHED,
            name=self.name,
            params=params,
            rows=tuple({**row, "_step": step} for step, row in sorted(self.rows.items())),
            summary={name: value for name, value in summary.items() if name not in logged and name != "step"},
            files=others,
            bundles=tuple(self.bundles(home)),
            problems=tuple(self.problems),
        )

    def files(self) -> list[Path]:
        found = []
        for path, reason in beside.walk(self.folder, outermost=self.folder):
            if reason is None:
                found.append(path)
            else:
                self.problems.append(f"{path.relative_to(self.folder)} was left out: {reason}")
        return found

    def document(self, name: str, read: Any) -> dict[str, Any]:
        path = self.folder / name
        if not path.is_file() or path.is_symlink():
            return {}
        try:
            found = read(path.read_bytes(), source=name)
        except RecursionError:
            self.problems.append(f"{name} cannot be read: it is nested too deeply")
            return {}
        except (ConfigError, ValueError) as exc:
            self.problems.append(f"{name} cannot be read: {exc}")
            return {}
        if not isinstance(found, Mapping):
            self.problems.append(f"{name} cannot be read: it gives nothing a name")
            return {}
        return {str(key): value for key, value in found.items()}

    def read_series(self, path: Path) -> None:
        """A table of `step` (and `timestamp`, in milliseconds) and the metric, which its path names."""
        name = path.relative_to(self.folder / _SERIES).with_suffix("").as_posix()
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        columns = lines[0].split("\t") if lines else []
        bad = odd = 0
        for number, line in enumerate(lines[1:]):
            cells = dict(zip(columns, line.split("\t"), strict=False))
            if len(cells) < len(columns):
                bad += 1
                continue
            step = _number(cells.get("step", str(number)))
            row = self.rows.setdefault(step if isinstance(step, int) else number, {})
            row[name] = _number(cells[columns[-1]])
            moment = _number(cells.get("timestamp", ""))
            if isinstance(moment, int | float) and is_time(moment // 1000):
                row["_timestamp"] = moment / 1000
                self.times.append(moment / 1000)
            else:
                odd += "timestamp" in cells
        if bad:
            self.problems.append(f"{name}: {bad} torn line{'s' * (bad > 1)} passed over")
        if odd:
            self.problems.append(f"{name}: {odd} timestamp{'s' * (odd > 1)} that no calendar has left out")

    def read_picture(self, path: Path) -> None:
        """A picture of a step, where its folder is named after it, else of the last one."""
        inside = path.relative_to(self.folder / _IMAGES).with_suffix("")
        step = _number(inside.name) if len(inside.parts) > 1 else None
        name = inside.parent if isinstance(step, int) else inside
        at = step if isinstance(step, int) else max(self.rows, default=0)
        row = self.rows.setdefault(at, {})
        row[f"images/{name.as_posix()}"] = Encoded(path.read_bytes(), "images", "image-file")

    def bundles(self, home: Path) -> Iterator[Bundle]:
        """What `dvc.yaml`, here or above, calls an artifact, as far as its bytes lie where it says."""
        for folder in dict.fromkeys((self.folder, home)):
            listed = replace(self, folder=folder).document("dvc.yaml", yaml.plain).get("artifacts")
            for name, about in listed.items() if isinstance(listed, Mapping) else ():
                path = str(about.get("path", "")) if isinstance(about, Mapping) else ""
                place = folder / path
                if not beside.is_plain(path) or not beside.is_inside(place, home):
                    self.problems.append(f"the artifact {name}: {escape.line(path, 80)} leads out of the folder")
                    continue
                walked = (
                    [place]
                    if place.is_file()
                    else [file for file, reason in beside.walk(place, outermost=home) if not reason]
                )
                if not walked:
                    self.problems.append(f"the artifact {name}: the bytes of {path} are not here")
                    continue
                files = {file.name if file == place else file.relative_to(place).as_posix(): file for file in walked}
                kind = str(about.get("type") or "file")
                yield Bundle(
                    name=fitting(str(name), fallback="artifact"), type=kind, files=files, is_folder=place.is_dir()
                )


def _number(text: str) -> Any:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text


def _metrics(content: bytes, *, source: str) -> Any:
    """The values in *content*, JSON, by the names that they were logged under: `val/acc`."""
    tree = json.loads(content)
    return dict(_joined(tree)) if isinstance(tree, Mapping) else tree


def _joined(tree: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _joined(value, f"{before}{name}/")
        else:
            odd = value in ("nan", "inf", "-inf") if isinstance(value, str) else False
            yield f"{before}{name}", float(value) if odd else value
