"""What some contents have reached, all of it: for the day on which a dataset turns out to be poisoned, or leaked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mlgit.core.artifact import is_hash
from mlgit.core.registered import Registered
from mlgit.dvc import pointers
from mlgit.dvc.caches import databases
from mlgit.errors import MlgitError, NotFoundError, UsageError
from mlgit.git.repo import Repo
from mlgit.index import now
from mlgit.index.relations import Relations
from mlgit.lineage import describe, naming
from mlgit.lineage.graph import Edge, Found, Key, Kind, Node
from mlgit.lineage.sources import Sources

Met = str | int
"""A content by its hash, or a run by its row."""


@dataclass(frozen=True)
class Bundle:
    """Runs that belong together."""

    name: str
    """`sweep lr-1`, `group baseline`; nothing, of a run that stands alone."""
    runs: tuple[Key, ...]
    """The newest one first."""


@dataclass(frozen=True, kw_only=True)
class Affected:
    """What the contents *start* have reached."""

    start: tuple[Key, ...]
    stages: Mapping[str, Sequence[Key]]
    """Stage → the way to it, from a content of *start*; production first."""
    versions: Mapping[str, Sequence[Key]]
    """Those that serve a stage first."""
    contents: tuple[Key, ...]
    """Artifacts that runs made, the first one first."""
    runs: tuple[Key, ...]
    """The newest one first."""
    bundles: tuple[Bundle, ...]
    """The same, put together, and without those that only make one of them again."""
    again: Mapping[Key, int]
    """How often runs were made again."""
    nodes: Mapping[Key, Node]
    """What there is to say of them; of contents and runs, of the first."""


def affected(
    repo: Repo, text: str, registered: Sequence[Registered], *, project: str | None, folder: Path, most: int | None
) -> Affected:
    """What the dataset, or any content, that *text* names has reached; also the file of that hash in some folder.

    *most*: of so many contents and runs it is said what they are; None for all. Raises `NotFoundError`, and
    `UsageError` for what is no content.
    """

    def answer(known: now.Now) -> Affected:
        sources = Sources(repo, known.relations, registered, project=project)
        start = _start(repo, known, sources, text, folder)
        came = reached(known.relations, [key.name for key in start])
        relations = known.relations
        newest = relations.in_time(met for met in came if isinstance(met, int))[::-1]
        ids = relations.ids(newest)
        runs = {row: Key(Kind.RUN, ids[row]) for row in newest}
        makers = relations.rows({one.run for one in sources.versions.values()} - {""})
        ways = {
            one.name: [*_way(came, runs, met), Key(Kind.VERSION, one.name)]
            for one in sources.versions.values()
            if (met := one.content if one.content in came else makers.get(one.run)) in came
        }
        serving = {stage: one.name for stage, one in sources.stages.items() if one.name in ways}
        stages = {
            stage: [*ways[serving[stage]], Key(Kind.STAGE, stage)] for stage in sorted(serving, key=_first_production)
        }
        versions = {name: ways[name] for name in (*dict.fromkeys(serving[stage] for stage in stages), *ways)}
        contents = [Key(Kind.CONTENT, met) for met in came if isinstance(met, str)][len(start) :]
        repeats = relations.repeats(newest)
        bundles = _bundled(relations, {row: run for row, run in runs.items() if row not in repeats})
        shown = (key for way in (*stages.values(), *list(versions.values())[:most]) for key in way[-4:])
        firsts = (bundle.runs[0] for bundle in bundles[:most])
        wanted = dict.fromkeys((*start, *shown, *contents[:most], *firsts))
        made = [
            Edge(runs[row], key, "made")
            for key in wanted
            if key.kind is Kind.CONTENT and isinstance(row := came.get(key.name), int)
        ]
        return Affected(
            start=tuple(start), stages=stages, versions=versions, contents=tuple(contents),
            runs=tuple(runs.values()), bundles=bundles,
            again=Counter(map(runs.__getitem__, repeats.values())),
            nodes=describe.described(repo, known, sources, Found(list(wanted), made, {})),
        )  # fmt: skip

    return now.ask(repo, answer)


def _first_production(stage: str) -> tuple[bool, bool, str]:
    """What stages are sorted by: those that matter most come first."""
    name = stage.partition("#")[2]
    return name != "production", name != "staging", stage


def _bundled(relations: Relations, runs: Mapping[int, Key]) -> tuple[Bundle, ...]:
    """*runs*, by row, by what they belong to, in their order."""
    names = relations.bundles(runs.keys())
    found: dict[str | int, list[Key]] = {}
    for row, run in runs.items():
        found.setdefault(names.get(row, row), []).append(run)
    return tuple(
        Bundle(name if isinstance(name, str) and len(runs) > 1 else "", tuple(runs)) for name, runs in found.items()
    )


def reached(relations: Relations, start: Iterable[str]) -> dict[Met, Met | None]:
    """All contents and runs that the contents *start* have led to, each with the one through which it was reached."""
    came: dict[Met, Met | None] = dict.fromkeys(start)
    contents = [met for met in came if isinstance(met, str)]
    runs: list[int] = []
    while contents or runs:
        new: dict[int, Met] = {}
        for content, row in relations.reading(contents):
            new.setdefault(row, content)
        for earlier, row in relations.going_on(runs):
            new.setdefault(row, earlier)
        runs = [row for row in new if row not in came]
        came |= {row: new[row] for row in runs}
        contents = []
        for row, content in relations.making(runs):
            if content not in came:
                came[content] = row
                contents.append(content)
    return came


def _way(came: Mapping[Met, Met | None], runs: Mapping[int, Key], met: Met) -> list[Key]:
    """How *met* was reached."""
    way: list[Key] = []
    step: Met | None = met
    while step is not None:
        way.append(Key(Kind.CONTENT, step) if isinstance(step, str) else runs[step])
        step = came[step]
    return way[::-1]


def _start(repo: Repo, known: now.Now, sources: Sources, text: str, folder: Path) -> list[Key]:
    """The contents that *text* names; the folders in which a file of that hash lies, if it names that."""
    inside = _holding(repo, sources, text) if is_hash(text) else []
    try:
        key = naming.found(repo, known, sources, text, folder=folder)
    except NotFoundError:
        if not inside:
            raise
        return inside
    if key.kind is not Kind.CONTENT:
        raise UsageError(
            f"{text[:120]!r} is a {key.kind.value}, no data.",
            fix=f"mlgit lineage {text[:120]} --down shows what it led to",
        )
    return [key, *inside]


def _holding(repo: Repo, sources: Sources, content: str) -> list[Key]:
    """The folders among all contents in which a file of this hash lies, as far as their listings are here."""
    found: list[Key] = []
    folders = sorted({one for one in sources.contents() if pointers.is_folder(one)})
    for folder in folders:
        with suppress(MlgitError):  # its listing is not here, or damaged
            if content in databases.inside(repo, folder, "").values():
                found.append(Key(Kind.CONTENT, folder))
    return found
