"""Branches and archived tips, read back as runs; and hidden, and restored.

A run's record is the nearest first-parent commit whose message carries `Mlgit-Result`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from mlgit.core import refs
from mlgit.core.artifact import ArtifactVersion
from mlgit.core.history import Logged, Series
from mlgit.core.run import Run, State
from mlgit.core.summary import rules_of
from mlgit.documents.reader import plain
from mlgit.errors import MlgitError, NotFoundError
from mlgit.git.objects import Reader
from mlgit.git.repo import Move, Repo
from mlgit.store import archive, live, records, tables, telling
from mlgit.store.telling import Account

T = TypeVar("T")
_DEEPEST = 100
"""Commits that are no results, and may lie above one."""
_LINE = f"\n{records.TRAILER}: ".encode()
_PARENT = re.compile(rb"^parent ([0-9a-f]{40,64})$", re.MULTILINE)


def read(repo: Repo, commit: str) -> Run | None:
    """The run whose record is nearest to *commit* along first parents, whole, or None."""
    with repo.reader() as reader:
        found = next(read_all(reader, [("", commit)]), None)
        return found and _completed(reader, found)


def complete(repo: Repo, run: Run) -> Run:
    """*run* with all that is known of its pictures, tables and the like, which a listing only knows to be there."""
    with repo.reader() as reader:
        return _completed(reader, run)


def read_whole(reader: Reader, tips: Iterable[tuple[str, str]]) -> list[Run]:
    """`read` of many branches, (ref, tip) each, in no order."""
    return [_completed(reader, run) for run in list(read_all(reader, tips))]


def _completed(reader: Reader, run: Run) -> Run:
    at = run.commit or run.ref  # one that was resumed and is alive has objects of its earlier life on its branch
    if not at or not any(value == records.briefly(value) for value in run.objects.values()):
        return run  # nothing is known of them only briefly
    recorded = _if_readable(reader, at, place_of(run, "objects.yaml"))
    known = {name: value for name, value in recorded.items() if run.metrics.get(name) == records.briefly(value)}
    return replace(run, metrics={**run.metrics, **known})


def read_all(reader: Reader, tips: Iterable[tuple[str, str]]) -> Iterator[Run]:
    """The runs of many branches, (ref, tip) each, in no order; branches without a run are passed over.

    Of pictures, tables and the like they say only that there are such: `complete` knows more.
    """
    for ref, commit, told in _told(reader, tips, rounded=False):
        if isinstance(told, dict):
            if run := _understood(told, ref, commit):
                yield run
        elif run := _sound(told):
            yield replace(run, ref=ref, commit=commit)


def contents(
    reader: Reader, tips: Iterable[tuple[str, str]], *, rounded: bool = False
) -> Iterator[tuple[str, str, dict[str, Any] | None]]:  # fmt: skip
    """(ref, the commit where its record stands, the record as plain data) of each of *tips*, (ref, tip), in no order.

    None for the record of a branch that tells of no run; nothing at all of one whose tip is not at hand. Reads one
    object a run, unless edits that are no results lie on top, or the record was too big for the message. *rounded*:
    whole numbers beyond 64 bits may be floats (`records.decode`).
    """
    for ref, commit, told in _told(reader, tips, rounded=rounded):
        if isinstance(told, Run):
            yield ref, commit, _content(told)
        else:
            yield ref, commit, told if records.understood(told) else None


def _told(
    reader: Reader, tips: Iterable[tuple[str, str]], *, rounded: bool
) -> Iterator[tuple[str, str, Run | dict[str, Any] | None]]:
    """`contents`, unchecked, and as a run where it was too big for the message."""
    wave = list(tips)
    big: list[tuple[str, str, dict[str, Any]]] = []
    for depth in range(_DEEPEST):  # one step back along first parents each time, for those that have found nothing yet
        further: list[tuple[str, str]] = []
        for (ref, commit), found in zip(wave, reader.read_all(commit for _, commit in wave), strict=True):
            value = _trailer(found[2]) if found and found[1] == "commit" else None
            if value is not None:
                content = _decoded(value, rounded=rounded)
                if content and content.get("big") and isinstance(content.get("id"), str):
                    big.append((ref, commit, content))
                else:
                    yield ref, commit, content
            elif found and found[1] == "commit" and (parent := _parent(found[2])):
                further.append((ref, parent))
            elif found or depth:  # in a shallow clone, parents end somewhere
                yield ref, commit, None
        if not further:
            break
        wave = further
    else:
        yield from ((ref, commit, None) for ref, commit in wave)
    for ref, commit, content in big:
        folder = content.get("folder")  # older records do not say where they lie
        place = f"{folder}/{records.FOLDER}".lstrip("/") if isinstance(folder, str) else None
        yield ref, commit, of_files(reader, commit, content["id"], place)


def _trailer(commit: bytes) -> bytes | None:
    """The record's text in a commit object: the last line of its message that is one."""
    start = commit.rfind(_LINE)
    if start <= commit.find(b"\n\n"):
        return None
    end = commit.find(b"\n", start + 1)
    return commit[start + len(_LINE) : end if end >= 0 else None]


def _parent(commit: bytes) -> str | None:
    """The first parent of a commit object."""
    found = _PARENT.search(commit, 0, commit.find(b"\n\n") + 1)
    return found[1].decode() if found else None


def _decoded(value: bytes, *, rounded: bool) -> dict[str, Any] | None:
    try:
        content = records.told(value, rounded=rounded)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _content(run: Run) -> dict[str, Any] | None:
    """The record of a run that was read from files, where it is one."""
    try:
        content = records.content(run)
    except (ValueError, TypeError):
        return None
    return content if records.understood(content) else None


def _sound(run: Run | None) -> Run | None:
    """A run that was read from files, where it is one; its artifacts were understood when they were read."""
    return run if run and _content(replace(run, used=(), logged=())) else None


def _understood(content: Mapping[str, Any], ref: str, commit: str) -> Run | None:
    """The run that a record tells, which stands there; None where it is not ours to understand."""
    try:
        return records.run_of(content, ref=ref, commit=commit)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def of_files(reader: Reader, commit: str, run_id: str | None, place: str | None = None) -> Run | None:
    """The run *run_id* as its YAML tells it, or any; in the folder *place*, or in the first that holds it."""
    try:
        return _found_by_id(reader, commit, run_id, [place] if place else _places(reader, commit))
    except (MlgitError, ValueError, KeyError, TypeError, AttributeError):
        return None  # not ours to understand


def of_document(text: bytes, like: Run) -> Run | None:
    """The run that *text*, a `run.yaml`, tells of, which stands where *like* does, and whose other files say the same.

    None where it is another's.
    """
    try:
        run, _ = records.run_of_document(plain(text, source="run.yaml"))
    except (MlgitError, ValueError, KeyError, TypeError, AttributeError):
        return None
    more = {name: getattr(like, name) for name in ("params", "metrics", "used", "logged", "ref", "commit")}
    return replace(run, **more) if run.id == like.id else None


def _found_by_id(reader: Reader, commit: str, run_id: str | None, places: Iterable[str]) -> Run | None:
    for place in places:
        document = _load(reader, commit, f"{place}/run.yaml")
        if document and run_id in (None, document.get("id")):
            run, _ = records.run_of_document(document)
            artifacts = _load(reader, commit, f"{place}/artifacts.yaml")
            return replace(
                run,
                params=_if_readable(reader, commit, f"{place}/params.yaml"),
                metrics={
                    **_if_readable(reader, commit, f"{place}/metrics.yaml"),
                    **_if_readable(reader, commit, f"{place}/objects.yaml"),
                },
                used=tuple(ArtifactVersion.of(item) for item in artifacts.get("used", ())),
                logged=tuple(ArtifactVersion.of(item) for item in artifacts.get("logged", ())),
            )
    return None


def _places(reader: Reader, commit: str, folder: str = "", depth: int = 4) -> Iterable[str]:
    """Every folder `experiment` in the tree, to a depth."""
    for name, entry in (reader.tree(f"{commit}:{folder}") or {}).items():
        if entry.is_tree and name == records.FOLDER:
            yield f"{folder}{name}"
        elif entry.is_tree and depth:
            yield from _places(reader, commit, f"{folder}{name}/", depth - 1)


def _load(reader: Reader, commit: str, path: str) -> Any:
    text = reader.blob(f"{commit}:{path}")
    return {} if text is None else plain(text, source=path)


def _if_readable(reader: Reader, commit: str, path: str) -> Any:
    """The same; nothing of a file larger than is read: a run with a million metrics is still a run."""
    try:
        return _load(reader, commit, path)
    except MlgitError:
        return {}


def place_of(run: Run, path: str) -> str:
    """Where *path* of a run's folder lies in its commit's tree."""
    return f"{run.folder}/{records.FOLDER}/{path}" if run.folder else f"{records.FOLDER}/{path}"


def source(repo: Repo, run: Run) -> str:
    """The commit of the code as *run* ran it. Raises `NotFoundError` where that is not here."""
    if (found := repo.resolve(run.source) if run.source else None) is None:
        fix = "git fetch --unshallow, where this is a shallow clone"
        raise NotFoundError(f"The code of {run.name}, commit {(run.source or '?')[:10]}, is not here.", fix=fix)
    return found


def provenance(repo: Repo, run: Run) -> Mapping[str, Any]:
    """The run's `run.yaml` as plain data. Raises `NotFoundError` where there is none."""
    with repo.reader() as reader:
        return provenance_in(reader, run)


def provenance_in(reader: Reader, run: Run) -> Mapping[str, Any]:
    """The same, read by *reader*."""
    text = reader.blob(f"{run.commit}:{place_of(run, 'run.yaml')}")
    if text is None:
        raise NotFoundError(f"{run.branch or run.id} holds no {place_of(run, 'run.yaml')}.")
    document: Mapping[str, Any] = plain(text, source=f"{run.branch}:run.yaml")
    return document


def surroundings(repo: Repo, run: Run) -> dict[str, Any]:
    """`provenance`, with the `packages` that were installed, name → version. Raises as it does."""
    told = dict(provenance(repo, run))
    installed = (repo.read(run.commit, place_of(run, "requirements.txt")) or b"").decode(errors="replace")
    return told | {"packages": dict(line.split("==", 1) for line in installed.splitlines() if "==" in line)}


def output(repo: Repo, run: Run) -> str:
    """The run's console log, empty where it said nothing."""
    return (repo.read(run.commit, place_of(run, "output.log")) or b"").decode(errors="replace")


def account(repo: Repo, run: Run, *, fetch: bool = False) -> Account:
    """All that the run told, as its branch keeps it, or its live folder.

    Long series are whole where their bytes are in DVC's cache (with *fetch*, they are brought from the DVC remote
    first); else they are thinned, and `is_full` is false.
    """
    if not run.commit:
        return telling.read(live.folder_of(repo, run.id))
    run = complete(repo, run)
    about = provenance(repo, run)
    series, machine = history(repo, run, full=True, fetch=fetch), system(repo, run, full=True, fetch=fetch)
    logged = objects(repo, run, full=True, fetch=fetch)
    return Account(
        run=run, series=series, objects=logged, system=machine, output=output(repo, run).encode(),
        provenance=records.run_of_document(about)[1],
        rules=rules_of(about.get("define_metric") or {}),
        by_hand=frozenset(map(str, about.get("set_by_hand", ()))),
        is_full=series.is_full and machine.is_full and logged.is_full,
    )  # fmt: skip


class Told(dict[str, T]):
    """What a run told, by name; *is_full* unless a branch holds only a part, and the whole is not at hand."""

    is_full = True


def history(repo: Repo, run: Run, *, full: bool = False, fetch: bool = False) -> Told[Series]:
    """The run's series by metric, in the order of logging: at most a thousand rows each, as its branch holds them.

    With *full* all rows, where their bytes are in DVC's cache; with *fetch* they are brought from the DVC remote.
    """
    if not run.commit:
        return _live(repo, run, lambda told: told.series)
    return _series(repo, run, "history", full=full, fetch=fetch)


def histories(repo: Repo, runs: Iterable[Run], *, fetch: bool = False) -> Iterator[tuple[Run, Told[Series]]]:
    """Each of *runs* with its `history` in full, at the price of one git process for all of them."""
    with repo.reader() as reader:
        for run in runs:
            if run.commit and _is_all(run, "history.parquet"):
                found = (tables.of_tsv(path, text) for path, text in _texts(reader, run, "history", ".tsv"))
                yield run, Told(filter(None, found))
            else:
                yield run, history(repo, run, full=True, fetch=fetch)


def system(repo: Repo, run: Run, *, full: bool = False, fetch: bool = False) -> Told[Series]:
    """What the machine did meanwhile, by W&B's names: `cpu`, `gpu.0.temp`; its steps count the samples."""
    if not run.commit:
        return _live(repo, run, lambda told: told.system)
    return _series(repo, run, "system", full=full, fetch=fetch)


def objects(repo: Repo, run: Run, *, full: bool = False, fetch: bool = False) -> Told[Sequence[Logged]]:
    """What was logged and is no number, by name: texts, lists, and pictures and the like as mappings with a `_type`.

    The files that such a mapping names are in `files`, at the same path.
    """
    if not run.commit:
        return _live(repo, run, lambda told: told.objects)
    found = _whole(repo, run, "objects.jsonl", fetch=fetch) if full else None
    if found:
        return Told(tables.of_lines(found.read_bytes()))
    here: Told[Sequence[Logged]] = Told(
        filter(None, (tables.of_jsonl(path, text) for path, text in texts(repo, run, "objects", ".jsonl")))
    )
    here.is_full = _is_all(run, "objects.jsonl")
    return here


def _live(repo: Repo, run: Run, part: Callable[[Account], Mapping[str, T]]) -> Told[T]:
    folder = live.folder_of(repo, run.id)
    return Told(part(telling.read(folder)) if folder.exists() else {})


def _series(repo: Repo, run: Run, kind: str, *, full: bool, fetch: bool) -> Told[Series]:
    """`history` and `system`."""
    found = _whole(repo, run, f"{kind}.parquet", fetch=fetch) if full else None
    if found:
        from mlgit.store import parquet

        return Told(parquet.read(found))
    here = Told(filter(None, (tables.of_tsv(path, text) for path, text in texts(repo, run, kind, ".tsv"))))
    here.is_full = _is_all(run, f"{kind}.parquet")
    return here


def _is_all(run: Run, name: str) -> bool:
    """Whether the branch's own tables hold everything: of a run that was still under way they may not."""
    return name not in run.held and run.state is not State.RUNNING


def _whole(repo: Repo, run: Run, name: str, *, fetch: bool) -> Path | None:
    """Where the file *name* lies that DVC holds for the run; None where it holds none, or not here."""
    content = run.held.get(name)
    if content is None:
        return None
    from mlgit.dvc import cache

    if not fetch and not cache.exists(repo, content, folder=run.folder):
        return None
    try:
        return cache.listing(repo, content, folder=run.folder)["."][1]
    except NotFoundError:
        return None


def texts(repo: Repo, run: Run, folder: str, ending: str = "") -> Iterator[tuple[str, bytes]]:
    """The files of a folder of the run's branch that end so: path in it, and content."""
    with repo.reader() as reader:
        yield from _texts(reader, run, folder, ending)


def _texts(reader: Reader, run: Run, folder: str, ending: str) -> Iterator[tuple[str, bytes]]:
    paths = list(_blobs(reader, f"{run.commit}:{place_of(run, folder)}", ending))
    for (path, _), text in zip(paths, reader.read_all(oid for _, oid in paths), strict=True):
        if text:
            yield path, text[2]


def _blobs(reader: Reader, name: str, ending: str, prefix: str = "") -> Iterable[tuple[str, str]]:
    for entry_name, entry in (reader.tree(name) or {}).items():
        if entry.is_tree:
            yield from _blobs(reader, entry.oid, ending, f"{prefix}{entry_name}/")
        elif entry_name.endswith(ending):
            yield f"{prefix}{entry_name}", entry.oid


def hide(repo: Repo, runs: Sequence[Run]) -> None:
    """Take *runs* out of every listing: branches and archived ones move to where only `restore` looks.

    Nothing is deleted. What is only known from a remote stays there, and is not seen here any more.
    """
    there, checked_out = repo.refs(refs.RUNS, "refs/remotes/"), repo.worktrees()
    folded = archive.tips(repo, [run for run in runs if run.ref not in there])
    moves: list[Move] = []
    out: dict[str, dict[str, tuple[str, None]]] = {}
    for run in runs:
        if run.ref in checked_out:
            raise MlgitError(f"{run.branch} is checked out.", fix="git switch to another branch first")
        month, tip = folded.get(run.ref) or ("", there.get(run.ref))
        if tip is None:
            raise MlgitError(f"{run.branch} has gone in the meantime.", fix="mlgit ls lists what is there")
        moves.append(Move(f"{refs.TRASH}{_local(run.ref)}", None, tip))
        if month:
            out.setdefault(month, {})[run.ref.rpartition("/")[2]] = tip, None
        elif run.ref.startswith(refs.RUNS):
            moves.append(Move(run.ref, tip, None))
    archive.put(repo, out, moves, why="rm") if out else repo.move(moves, why="rm")


def hidden(repo: Repo) -> list[Run]:
    """The runs that `hide` has taken away, newest first."""
    with repo.reader() as reader:
        return sorted(read_all(reader, repo.refs(refs.TRASH).items()), key=lambda run: (-run.created, run.id))


def restore(repo: Repo, runs: Sequence[Run]) -> list[str]:
    """Bring *runs*, some of those that are `hidden`, back; return the names of their branches."""
    there = repo.refs(refs.TRASH)
    moves: list[Move] = []
    for run in runs:
        if (tip := there.get(run.ref)) is None:
            raise MlgitError(f"{run.name} is not hidden any more.", fix="mlgit restore --list lists what is")
        moves += [Move(f"refs/heads/{run.ref.removeprefix(refs.TRASH)}", None, tip), Move(run.ref, tip, None)]
    repo.move(moves, why="restore")
    return [run.ref.removeprefix(refs.TRASH) for run in runs]


def _local(ref: str) -> str:
    """A run's branch by its short name, without the remote that it is known from."""
    if ref.startswith("refs/remotes/"):
        return ref.removeprefix("refs/remotes/").partition("/")[2]
    return ref.removeprefix("refs/heads/")
