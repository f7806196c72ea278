"""Branches, read back as runs; and hidden, and restored.

A run's record is the nearest first-parent commit whose message carries `Mlgit-Result`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mlgit.core import refs
from mlgit.core.artifact import ArtifactVersion
from mlgit.core.history import Series
from mlgit.core.run import Run
from mlgit.documents.reader import plain
from mlgit.errors import MlgitError, NotFoundError
from mlgit.git.objects import Reader
from mlgit.git.repo import Move, Repo, message_trailer, split_commit
from mlgit.store import live, records


def read(repo: Repo, commit: str) -> Run | None:
    """The run whose record is nearest to *commit* along first parents, or None."""
    with repo.reader() as reader:
        return next(read_all(reader, [("", commit)]), None)


def read_all(reader: Reader, tips: Iterable[tuple[str, str]]) -> Iterator[Run]:
    """The runs of many branches, (ref, tip) each, in no order; branches without a run are passed over.

    Reads one object a run, unless edits that are no results lie on top, or the record was too big for the message.
    """
    wave = list(tips)
    big: list[tuple[str, str, str]] = []
    for _ in range(100):  # one step back along first parents each time, for those that have found nothing yet
        further: list[tuple[str, str]] = []
        for (ref, commit), found in zip(wave, reader.read_all(commit for _, commit in wave), strict=True):
            if found is None or found[1] != "commit":
                continue
            _, parents, text = split_commit(found[2])
            if (value := message_trailer(text, records.TRAILER)) is None:
                further += [(ref, parents[0])] if parents else []
            elif run := _understood(value):
                yield replace(run, ref=ref, commit=commit)
            elif '"big"' in value:
                big.append((ref, commit, value))
        if not further:
            break
        wave = further
    for ref, commit, value in big:
        if run := _from_files(commit, value, reader):
            yield replace(run, ref=ref, commit=commit)


def _understood(value: str) -> Run | None:
    """The run that a trailer tells; None where it is too big for one, or not ours to understand."""
    try:
        return records.run_of_trailer(value)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _from_files(commit: str, value: str, reader: Reader) -> Run | None:
    """A big record, from its YAML: found by its id among the folders that hold an `experiment/run.yaml`."""
    try:
        return _found_by_id(commit, json.loads(value)["id"], reader)
    except (MlgitError, ValueError, KeyError, TypeError, AttributeError):
        return None  # not ours to understand


def _found_by_id(commit: str, run_id: str, reader: Reader) -> Run | None:
    for place in _places(reader, commit):
        document = _load(reader, commit, f"{place}/run.yaml")
        if document.get("id") == run_id:
            run, _ = records.run_of_document(document)
            artifacts = _load(reader, commit, f"{place}/artifacts.yaml")
            return replace(
                run,
                params=_load(reader, commit, f"{place}/params.yaml"),
                metrics=_load(reader, commit, f"{place}/metrics.yaml"),
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


def place_of(run: Run, path: str) -> str:
    """Where *path* of a run's folder lies in its commit's tree."""
    return f"{run.folder}/{records.FOLDER}/{path}" if run.folder else f"{records.FOLDER}/{path}"


def provenance(repo: Repo, run: Run) -> Mapping[str, Any]:
    """The run's `run.yaml` as plain data. Raises `NotFoundError` where there is none."""
    with repo.reader() as reader:
        text = reader.blob(f"{run.commit}:{place_of(run, 'run.yaml')}")
    if text is None:
        raise NotFoundError(f"{run.branch or run.id} holds no {place_of(run, 'run.yaml')}.")
    document: Mapping[str, Any] = plain(text, source=f"{run.branch}:run.yaml")
    return document


def output(repo: Repo, run: Run) -> str:
    """The run's console log, empty where it said nothing."""
    return (repo.read(run.commit, place_of(run, "output.log")) or b"").decode(errors="replace")


def history(repo: Repo, run: Run) -> dict[str, Series]:
    """The run's series by metric: at most a thousand rows each, as its branch holds them."""
    if not run.commit:
        folder = live.folder_of(repo, run.id)
        return dict(live.read(folder).series) if folder.exists() else {}
    with repo.reader() as reader:
        paths = list(_blobs(reader, f"{run.commit}:{place_of(run, 'history')}"))
        texts = reader.read_all(oid for _, oid in paths)
        return dict(filter(None, (_series(text[2]) for text in texts if text)))


def _blobs(reader: Reader, name: str, prefix: str = "") -> Iterable[tuple[str, str]]:
    for entry_name, entry in (reader.tree(name) or {}).items():
        if entry.is_tree:
            yield from _blobs(reader, entry.oid, f"{prefix}{entry_name}/")
        elif entry_name.endswith(".tsv"):
            yield f"{prefix}{entry_name}", entry.oid


def _series(content: bytes) -> tuple[str, Series] | None:
    """A metric and its series; None for a file that somebody spoiled, for a report can do without."""
    try:
        head, *lines = content.decode().rstrip("\n").split("\n")
        rows = [line.split("\t") for line in lines]
        return head.split("\t")[3], Series(
            [int(row[0]) for row in rows], [float(row[1]) for row in rows], [float(row[2]) for row in rows],
            [_number(row[3]) for row in rows],
        )  # fmt: skip
    except (ValueError, IndexError):
        return None


def _number(text: str) -> float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def hide(repo: Repo, runs: Sequence[Run]) -> None:
    """Take *runs* out of every listing: their branches move to where only `restore` looks. Nothing is deleted."""
    there, checked_out = repo.refs(refs.RUNS), repo.worktrees()
    moves: dict[str, tuple[Move, Move]] = {}
    for run in runs:
        if not run.ref.startswith("refs/heads/"):
            raise MlgitError(f"{run.branch} is somebody else's branch.", fix="hide it where it was made")
        if run.ref in checked_out:
            raise MlgitError(f"{run.branch} is checked out.", fix="git switch to another branch first")
        if (tip := there.get(run.ref)) is None:
            raise MlgitError(f"{run.branch} has gone in the meantime.", fix="mlgit ls lists what is there")
        moves[run.ref] = Move(_hidden(run.ref), None, tip), Move(run.ref, tip, None)
    repo.move([move for both in moves.values() for move in both], why="rm")


def restore(repo: Repo, hidden: Mapping[str, str]) -> list[str]:
    """Bring hidden branches (*hidden*: ref in the trash → commit) back; return their names."""
    moves: list[Move] = []
    for ref, tip in hidden.items():
        moves += [Move(f"refs/heads/{ref.removeprefix(refs.TRASH)}", None, tip), Move(ref, tip, None)]
    repo.move(moves, why="rm --undo")
    return [ref.removeprefix(refs.TRASH) for ref in hidden]


def _hidden(ref: str) -> str:
    return f"{refs.TRASH}{ref.removeprefix('refs/heads/')}"
