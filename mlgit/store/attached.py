"""What goes with a run beside its record: media, files of its own, and its history in full.

Small folders go into git's tree. Large ones, and long histories, go into DVC's cache, with a pointer in their place
that stock DVC reads. Secrets, links that lead elsewhere, and what is no regular file stay out, and that is said.
"""

from __future__ import annotations

import functools
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from mlgit.core import secrets
from mlgit.core.history import MOST_ROWS, Logged, Series
from mlgit.core.run import Run, State
from mlgit.dvc import pointers
from mlgit.dvc.pointers import Out
from mlgit.errors import GitError, NotFoundError
from mlgit.git.repo import Repo
from mlgit.store import tables
from mlgit.store.telling import Account

MOST_FILE = 1 << 20
"""Bytes of one file in git's tree: every clone has it for ever, and a diff of more shows nothing."""
MOST_FOLDER = 20 << 20
"""Bytes of a run's media, or files, in git's tree: a hundred runs are then 2 GB, what hosts take in a push."""
MOST_FILES = 1000
"""Files of a run's media, or files, in git's tree; hosts ask for at most 3,000 entries a folder."""
MOST_TABLES = 2000
"""Metrics that have a table of their own, for the same reason; the others are in the full history."""
FOLDERS = ("media", "files")
_STEP = r"_(\d+)_[0-9a-f]{20}\."
_HALF = r"\.(.+\.)?([0-9a-f]{8}|[0-9a-f]{16})"
"""The names of scratch files that a killed process left behind (`mlgit.whole`)."""


@dataclass(frozen=True, kw_only=True)
class Attached:
    """What goes with a run, by path below `experiment/`."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    outs: tuple[Out, ...] = ()
    """What was brought into DVC's cache."""
    held: Mapping[str, str] = field(default_factory=dict)
    """What DVC holds, also what it held of an earlier life: path → content hash."""
    left_out: tuple[str, ...] = ()
    """What does not go along, and why."""
    thinned: Mapping[str, int] = field(default_factory=dict)
    """The names of objects of which a branch holds a part, and how many there were."""

    def pointers(self) -> dict[str, bytes]:
        """The `.dvc` files that stand for what DVC holds."""
        return {f"{out.path}.dvc": pointers.render([out]).encode() for out in self.outs}


def attach(repo: Repo, run: Run, account: Account) -> Attached:
    """What goes with *run*, brought to where it will lie. Raises `MlgitError` where the disk refuses.

    Of a run that is still under way the full history stays in its live folder.
    """
    files: dict[str, bytes] = {}
    outs: list[Out] = []
    left_out: list[str] = []
    still: dict[str, str] = {}
    tops = {name: account.folder / name for name in FOLDERS} if account.folder else {}
    for name, top in tops.items():
        found, left = _inside(repo, top)
        left_out += (f"{name}/{path}: {reason}" for path, reason in left)
        before = account.earlier
        if before and (name in before.held or not _is_small([one.size for one in found])):
            try:
                new = {one.path for one in found}
                found += (one for one in _earlier(repo, before, name, account.upto) if one.path not in new)
            except NotFoundError:
                if not found:
                    still[name] = before.held[name]
                else:
                    left_out.append(
                        f"{name}: those of an earlier life, which are elsewhere; {before.commit} names them"
                    )
        if _is_small([one.size for one in found]):
            files |= {f"{name}/{one.path}": one.read() for one in found}
        else:
            outs.append(_held(repo, run, name, found))
    objects = {name: [_safe(one) for one in logged] for name, logged in account.objects.items()}
    lines, thinned = tables.objects(objects, most=MOST_ROWS, most_bytes=MOST_FILE, most_names=MOST_TABLES)
    files |= {f"objects/{path}": text for path, text in lines.items()}
    wanted = _full_series(account)
    if thinned:
        wanted["objects.jsonl"] = functools.partial(_write_objects, objects=objects)
    if run.state is not State.RUNNING:
        outs += (_stored(repo, run, name, write) for name, write in wanted.items())
    if not account.is_full:
        left_out.append("history: of an earlier life only what its branch holds, for the whole was not at hand")
    held = still | {out.path: out.hash for out in outs}
    return Attached(files=files, outs=tuple(outs), held=held, left_out=tuple(left_out), thinned=thinned)


def needs_dvc(repo: Repo, account: Account) -> bool:
    """Whether what goes with a run goes through DVC's library, which takes long to load and starts threads."""
    if _full_series(account) or any(len(logged) > MOST_ROWS for logged in account.objects.values()):
        from mlgit.dvc import project

        if project.of(repo, account.run.folder):
            return True
    if account.earlier and any(name in account.earlier.held for name in FOLDERS):
        return True
    tops = [account.folder / name for name in FOLDERS] if account.folder else []
    return not all(_is_small([place.lstat().st_size for _, place in _walk(top)]) for top in tops)


# -- histories


def _safe(logged: Logged) -> Logged:
    return replace(logged, value=secrets.redact_params({"": logged.value})[""])


def _full_series(account: Account) -> dict[str, Callable[[Path], object]]:
    """What writes each full history that the tables of a branch do not hold, by its file's name."""
    wanted: dict[str, Callable[[Path], object]] = {}
    for name, series in (("history", account.series), ("system", account.system)):
        if len(series) > MOST_TABLES or any(len(one) > MOST_ROWS for one in series.values()):
            wanted[f"{name}.parquet"] = functools.partial(_write_series, series=series)
    return wanted


def _write_series(path: Path, series: Mapping[str, Series]) -> None:
    from mlgit.store import parquet

    parquet.write(path, series)


def _write_objects(path: Path, objects: Mapping[str, Sequence[Logged]]) -> None:
    with path.open("xb") as file:
        for name, logged in objects.items():
            file.write(tables.jsonl(name, logged, named=True))


def _stored(repo: Repo, run: Run, name: str, write: Callable[[Path], object]) -> Out:
    """A file that *write* makes, in DVC's cache."""
    from mlgit.dvc.caches import storing

    with _scratch(repo) as scratch:
        try:
            write(scratch / name)
        except OSError as exc:
            raise _full(scratch, exc) from exc
        content, size = storing.add(repo, scratch / name, folder=run.folder, private=True)
    return Out(path=name, hash=content, size=size)


# -- folders


@dataclass(frozen=True)
class _Inside:
    """A regular file that goes along: *path* in its folder, where it lies, and its bytes."""

    path: str
    place: Path | None
    size: int
    content: bytes = b""
    """Of what lies in no file, but in an earlier commit."""

    def read(self) -> bytes:
        return self.place.read_bytes() if self.place else self.content


def _is_small(sizes: Sequence[int]) -> bool:
    return max(sizes, default=0) <= MOST_FILE and sum(sizes) <= MOST_FOLDER and len(sizes) <= MOST_FILES


def _inside(repo: Repo, top: Path) -> tuple[list[_Inside], list[tuple[str, str]]]:
    """(what goes along of the folder *top*, what does not and why), both by path."""
    found: list[_Inside] = []
    left: list[tuple[str, str]] = []
    for path, place in _walk(top):
        if reason := _reason(repo, top, path, place):
            left.append((path, reason))
        else:
            found.append(_Inside(path, place.resolve(), place.stat().st_size))
    return found, left


def _walk(top: Path) -> Iterator[tuple[str, Path]]:
    """Everything in *top* but folders, by path; links to folders are not followed."""
    for here, folders, names in os.walk(top):
        folders.sort()
        links = [name for name in folders if Path(here, name).is_symlink()]
        for name in sorted((*names, *links)):
            if re.fullmatch(_HALF, name):
                continue
            place = Path(here, name)
            yield place.relative_to(top).as_posix(), place


def _reason(repo: Repo, top: Path, path: str, place: Path) -> str | None:
    """Why a file may not go along, or None."""
    try:
        real = place.resolve(strict=True)
        path.encode()
        if place.is_symlink() and not any(real.is_relative_to(home) for home in (top, repo.work_tree) if home):
            return "a link that leads elsewhere"
        if not stat.S_ISREG(real.stat().st_mode):
            return "it is no regular file"
        if secrets.is_secret_file(path) or secrets.is_secret_file(real.as_posix()):
            return "its name says that it holds secrets"
        if "\\" in path or any(part.lower() == ".git" for part in path.split("/")):
            return "git has no such paths"
        if real.stat().st_size <= MOST_FILE and secrets.is_secret(real.read_bytes()):
            return "it holds what looks like a token"
    except UnicodeEncodeError:
        return "its name is no text"
    except (OSError, RuntimeError) as exc:  # a loop of links is a RuntimeError
        return f"it cannot be read ({exc})"
    return None


def step_of(path: str) -> int | None:
    """The step that a file of `media/` was logged at, by its name."""
    found = re.search(_STEP, path)
    return int(found[1]) if found else None


def _earlier(repo: Repo, run: Run, name: str, upto: int | None) -> Iterator[_Inside]:
    """What goes along of the folder *name* of an earlier life. Raises `NotFoundError` where its bytes are nowhere."""
    from mlgit.dvc import cache
    from mlgit.store import runs

    if name in run.held:
        inside = cache.listing(repo, run.held[name], folder=run.folder)
        found = [_Inside(path, place, place.stat().st_size) for path, (_, place) in inside.items()]
    else:
        found = [_Inside(path, None, len(text), text) for path, text in runs.texts(repo, run, name)]
    for one in found:
        step = step_of(one.path)
        if upto is None or (name == "media" and step is not None and step <= upto):
            yield one


def _held(repo: Repo, run: Run, name: str, found: Sequence[_Inside]) -> Out:
    """A folder of *found*, in DVC's cache."""
    from mlgit.dvc.caches import storing

    with _scratch(repo) as scratch:
        try:
            for one in found:
                target = scratch / name / one.path
                target.parent.mkdir(parents=True, exist_ok=True)
                _bring(one.place, target) if one.place else target.write_bytes(one.content)
        except OSError as exc:
            raise _full(scratch, exc) from exc
        content, size = storing.add(repo, scratch / name, folder=run.folder, private=True)
    return Out(path=name, hash=content, size=size, nfiles=len(found))


def _bring(source: Path, target: Path) -> None:
    """Media are nobody's but ours, and are linked; a file that somebody may still write to is copied."""
    import shutil

    if "media" in target.parts and source.stat().st_nlink == 1:
        os.link(source, target)
    else:
        shutil.copyfile(source, target)


@contextmanager
def _scratch(repo: Repo) -> Iterator[Path]:
    """A folder for what is on its way into the cache, on the same disk."""
    import tempfile  # most runs need no such folder, and no millisecond for it

    with tempfile.TemporaryDirectory(prefix="attach-", dir=repo.own) as scratch:
        yield Path(scratch)


def _full(place: Path, exc: OSError) -> GitError:
    fix = "make room; nothing that was logged is lost, and the next mlgit command tries again"
    return GitError(f"{place.parent} cannot be written.", why=str(exc), fix=fix)
