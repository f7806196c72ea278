"""What is next to what, by the index and the registry; git is only asked what a tag of stock GTO leaves open."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import chain, count

from mlgit.core import ledger, refs
from mlgit.core.artifact import ArtifactVersion
from mlgit.core.ledger import Ledger
from mlgit.core.registered import Registered
from mlgit.git.repo import Repo
from mlgit.index.relations import Relations
from mlgit.lineage.graph import AGAIN, RERUN, Edge, Key, Kind, Near, Way
from mlgit.store import ledgers
from mlgit.store import runs as stored


class Sources:
    """The edges of a repository's lineage, node by node."""

    def __init__(
        self, repo: Repo, relations: Relations, registered: Sequence[Registered], *,
        project: str | None = None, limit: int | None = None,
    ) -> None:  # fmt: skip
        self.relations, self.project, self._repo = relations, project, repo
        self.versions = {one.name: one for one in _with_runs(repo, registered)}
        self.stages = {stage: one for one in self.versions.values() if one.stages for stage in one.served}
        self._limit = limit
        self._rows: dict[str, int] = {}
        """The rows of runs that were met, by id."""
        self._many: dict[str, bool] = {}
        self._only: dict[str, str | None] = {}
        self._listed: dict[tuple[str, str], Mapping[str, int]] = {}
        self._numbers: dict[tuple[str, str], Mapping[str, int]] = {}
        self._of_content: defaultdict[str, list[Registered]] = defaultdict(list)
        self._of_run: defaultdict[str, list[Registered]] = defaultdict(list)
        for one in self.versions.values():
            self._of_content[one.content].append(one)
            self._of_run[one.run].append(one)

    def row(self, run_id: str) -> int | None:
        """The row of a run; None where it is not here."""
        if run_id not in self._rows:
            self._rows |= self.relations.rows([run_id])
        return self._rows.get(run_id)

    def near(self, key: Key, way: Way) -> Near:
        """What is next to a node: all of it is counted, and no more than the limit looked at."""
        found = _NEAR[key.kind, way](self, key)
        return Near(found.edges[: self._limit], found.total)

    @cached_property
    def _leading(self) -> frozenset[int]:
        """The rows of the runs of registered versions: they go first where not all is shown."""
        return frozenset(self.relations.rows(self._of_run).values())

    def contents(self) -> Iterator[str]:
        """All contents that are known, some more than once."""
        return chain(self.relations.contents(), self._of_content, self.added)

    def ledgers(self, name: str) -> Sequence[Ledger]:
        """What projects have agreed on about the artifact *name*."""
        return self._by_name.get(name, ())

    @cached_property
    def _by_name(self) -> Mapping[str, Sequence[Ledger]]:
        found: defaultdict[str, list[Ledger]] = defaultdict(list)
        for one in self.every_ledger:
            found[one.name].append(one)
        return found

    @cached_property
    def every_ledger(self) -> list[Ledger]:
        """What projects have agreed on about all artifacts."""
        return ledgers.of(self._repo)

    @cached_property
    def added(self) -> Mapping[str, tuple[Ledger, ArtifactVersion]]:
        """Content → what people added without a run, and the ledger that tells of it."""
        return {one.hash: (known, one) for known in self.every_ledger for one in known.added}

    def is_name(self, name: str) -> bool:
        """Whether an artifact is called so."""
        return self.relations.is_name(name) or bool(self.ledgers(name))

    def called(self, project: str, name: str, content: str) -> tuple[str, str | None]:
        """(`digits:v2`, `v2`): what a content of *project* is called among those of its *name*, as people here say.

        Among very many that no ledger has listed yet no number is looked for: the hash says as much.
        """
        number = self.listed(project, name).get(content)
        if number is None and not self._are_many(name):
            number = self.numbers(project, name).get(content)
        which = content[:6] if number is None else f"v{number}"
        prefix = "" if project == (self.project or self.only_project(name)) else f"{project}/"
        return f"{prefix}{name}:{which}", None if number is None else which

    def only_project(self, name: str) -> str | None:
        """The one project that has something called *name*; None for several, each of which counts its own."""
        if name not in self._only:
            every = self.relations.projects_of(name) | {one.project for one in self.ledgers(name)}
            self._only[name] = next(iter(every)) if len(every) == 1 else None
        return self._only[name]

    def _are_many(self, name: str) -> bool:
        if name not in self._many:
            self._many[name] = self.relations.are_many(name)
        return self._many[name]

    def listed(self, project: str, name: str) -> Mapping[str, int]:
        """Content → number, of those that ledgers list: they have it for good."""
        if (project, name) not in self._listed:
            own = ledger.listed((one for one in self.ledgers(name) if one.project == project), name)
            self._listed[project, name] = dict(zip(own, count(), strict=False))
        return self._listed[project, name]

    def numbers(self, project: str, name: str) -> Mapping[str, int]:
        """Content → number, of all that *project* has under *name*."""
        if (project, name) not in self._numbers:
            names = (name, *(source for one in self.ledgers(name) for source in one.sources))
            every = (one for each in dict.fromkeys(names) for one in self.ledgers(each) if one.project == project)
            own = {ref: one for one in every if (ref := refs.ledger(project, one.name))}
            told = self.relations.told(name, project).get(project)
            self._numbers[project, name] = ledger.rolled(project, name, told, own, self.relations.ids).numbers
        return self._numbers[project, name]

    # -- one function for each kind and way, the first of what it yields being the most important

    def _runs(self, rows: list[int], edge: Callable[[Key], Edge], *, newest: bool = False) -> Near:
        """An edge for each of *rows*, up to the limit: those first that lead to a version, then the *newest*.

        A run that makes another one of them again stands below that one alone.
        """
        if repeats := self.relations.repeats(rows):
            rows = [row for row in rows if row not in repeats]
        some = rows
        if self._limit is not None and len(rows) > self._limit:
            ordered = rows[::-1] if newest else rows
            leading = [row for row in ordered if row in self._leading]
            some = (leading + [row for row in ordered if row not in self._leading])[: self._limit]
        ids = self.relations.ids(some)
        self._rows |= {run_id: row for row, run_id in ids.items()}
        return Near([edge(Key(Kind.RUN, ids[row])) for row in some], len(rows))

    def _made_content(self, key: Key) -> Near:
        return self._runs(self.relations.makers(key.name), lambda run: Edge(run, key, "made"))

    def _reads_content(self, key: Key) -> Near:
        registered = [Edge(key, Key(Kind.VERSION, one.name), "registered as") for one in self._of_content[key.name]]
        readers = self.relations.readers(key.name)
        return _joined(registered, self._runs(readers, lambda run: Edge(key, run, "read"), newest=True))

    def _led_to_run(self, key: Key) -> Near:
        row = self.row(key.name)
        if row is None:
            return Near((), 0)
        edges = [Edge(Key(Kind.CONTENT, content), key, "read") for content in self.relations.read_by(row)]
        if (parent := self.relations.parent(row)) and parent != key.name:
            edges.append(Edge(Key(Kind.RUN, parent), key, "continued by"))
        if sweep := self.relations.sweep(row):
            edges.append(Edge(Key(Kind.SWEEP, sweep), key, "planned"))
        if other := self.relations.recipe(row):
            edges.append(Edge(Key(Kind.RUN, other), key, RERUN))
        if first := self.relations.original(row):
            edges.append(Edge(Key(Kind.RUN, first), key, AGAIN))
        return _joined(edges)

    def _came_from_run(self, key: Key) -> Near:
        row = self.row(key.name)
        made = [] if row is None else self.relations.made_by(row)
        versions = (one for one in self._of_run[key.name] if one.content not in made)
        return _joined(
            [Edge(key, Key(Kind.VERSION, one.name), "registered as") for one in versions],
            [Edge(key, Key(Kind.CONTENT, content), "made") for content in made],
            self._runs(
                self.relations.children(key.name), lambda run: Edge(key, run, "continued by"), newest=True
            ),
            self._runs(self.relations.rerun(key.name), lambda run: Edge(key, run, RERUN), newest=True),
            self._runs(self.relations.again(key.name), lambda run: Edge(key, run, AGAIN), newest=True),
        )  # fmt: skip

    def _led_to_version(self, key: Key) -> Near:
        one = self.versions[key.name]
        edges = [Edge(Key(Kind.CONTENT, one.content), key, "registered as")] if one.content else []
        row = self.row(one.run) if one.run else None
        if one.run and (row is None or one.content not in self.relations.made_by(row)):
            edges.append(Edge(Key(Kind.RUN, one.run), key, "registered as"))
        return _joined(edges)

    def _came_from_version(self, key: Key) -> Near:
        one = self.versions[key.name]
        return _joined([Edge(key, Key(Kind.STAGE, stage), "serves") for stage in one.served])

    def _led_to_stage(self, key: Key) -> Near:
        serving = [one for one in self.versions.values() if key.name in one.served]
        return _joined([Edge(Key(Kind.VERSION, one.name), key, "serves") for one in serving])

    def _came_from_sweep(self, key: Key) -> Near:
        return self._runs(self.relations.trials(key.name), lambda run: Edge(key, run, "planned"), newest=True)

    def _nothing(self, _key: Key) -> Near:
        return Near((), 0)


def _joined(*parts: Near | Sequence[Edge]) -> Near:
    """All of *parts*, in their order."""
    nears = [part if isinstance(part, Near) else Near(part, len(part)) for part in parts]
    return Near([edge for near in nears for edge in near.edges], sum(near.total for near in nears))


_NEAR: dict[tuple[Kind, Way], Callable[[Sources, Key], Near]] = {
    (Kind.CONTENT, Way.UP): Sources._made_content, (Kind.CONTENT, Way.DOWN): Sources._reads_content,
    (Kind.RUN, Way.UP): Sources._led_to_run, (Kind.RUN, Way.DOWN): Sources._came_from_run,
    (Kind.VERSION, Way.UP): Sources._led_to_version, (Kind.VERSION, Way.DOWN): Sources._came_from_version,
    (Kind.STAGE, Way.UP): Sources._led_to_stage, (Kind.STAGE, Way.DOWN): Sources._nothing,
    (Kind.SWEEP, Way.UP): Sources._nothing, (Kind.SWEEP, Way.DOWN): Sources._came_from_sweep,
}  # fmt: skip


def _with_runs(repo: Repo, registered: Sequence[Registered]) -> list[Registered]:
    """*registered*, those of stock GTO's tags with the run whose record stands at their commit or before it."""
    open_ones = [one for one in registered if not one.run]
    if not open_ones:
        return list(registered)
    with repo.reader() as reader:
        told = list(stored.contents(reader, [(one.name, one.commit) for one in open_ones]))
    runs = {name: str(content["id"]) for name, _, content in told if content}
    return [replace(one, run=one.run or runs.get(one.name, "")) for one in registered]
