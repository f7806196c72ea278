"""How runs hang together, by columns: which contents they read and logged, and which runs they go on from.

Nothing is read from git for it, so that a walk through a hundred thousand runs takes a moment. A row is a run: one of
the index, or, after those, one that is alive.
"""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from itertools import chain, groupby, islice, pairwise

from mlgit.core import query
from mlgit.core.artifact import Naming
from mlgit.core.roll import Told
from mlgit.core.run import Run
from mlgit.index.cells import SEGMENT
from mlgit.store import records


class Relations:
    """What an open index, and runs that are *alive*, say of one another; as long-lived as the index is open."""

    def __init__(self, connection: sqlite3.Connection, alive: Sequence[Run]) -> None:
        self._connection = connection
        (self._stored,) = connection.execute("SELECT ifnull(max(row) + 1, 0) FROM runs").fetchone()
        self.alive = dict(enumerate(alive, self._stored))
        """The runs that are alive, by row."""
        self._words = {key: _Words(self, connection, key) for key in _KEYS}

    @cached_property
    def hidden(self) -> bytearray:
        """A byte for each stored row: whether it is not to be seen; nothing where all are."""
        mask = bytearray(b"\1" * self._stored)
        for segment, shown in self._connection.execute("SELECT segment, shown FROM segments"):
            begin, end = segment * SEGMENT, min((segment + 1) * SEGMENT, self._stored)
            mask[begin:end] = bytes(shown[: end - begin]).translate(_DENIED)
        for run in self.alive.values():
            for (row,) in self._connection.execute("SELECT row FROM runs WHERE id = ?", (run.id,)):
                mask[row] = True
        return mask if 1 in mask else bytearray()

    @cached_property
    def _created(self) -> array[float]:
        """When the run of each row began, in seconds since the epoch."""
        times = array("d", bytes(8 * self._stored))
        question = "SELECT segment, positions, numbers FROM cells WHERE key = 'created' AND numbers IS NOT NULL"
        for segment, positions, numbers in self._connection.execute(question):
            places, values, begin = array("H", positions), array("d", numbers), segment * SEGMENT
            if places == _EVERY[: len(places)]:
                times[begin : begin + len(places)] = values
                continue
            for place, value in zip(places, values, strict=True):
                times[begin + place] = value
        times.extend(run.created for run in self.alive.values())
        return times

    def in_time(self, rows: Iterable[int]) -> list[int]:
        """*rows*, each once, by when they began."""
        return sorted(sorted(set(rows)), key=self._created.__getitem__)

    def readers(self, *contents: str) -> list[int]:
        """The runs that used one of *contents*, or had it in DVC when they ran, the first one first."""
        return self.in_time(chain(self._words[query.USED].rows(contents), self._words[query.DATA].rows(contents)))

    def users(self, *contents: str) -> list[int]:
        """The runs that used one of *contents*, the first one first."""
        return self.in_time(self._words[query.USED].rows(contents))

    def makers(self, *contents: str) -> list[int]:
        """The runs that logged one of *contents*, the first one first."""
        return self.in_time(self._words[query.LOGGED].rows(contents))

    def is_content(self, content: str) -> bool:
        """Whether some run made or read it."""
        return any(
            next(self._words[key].rows([content]), None) is not None for key in (query.LOGGED, query.USED, query.DATA)
        )

    def reading(self, contents: Collection[str]) -> Iterator[tuple[str, int]]:
        """Each of *contents* with each run that read it, some more than once."""
        return chain(self._words[query.USED].found(contents), self._words[query.DATA].found(contents))

    def going_on(self, run_ids: Collection[str]) -> Iterator[tuple[str, int]]:
        """Each of some runs, by id, with each run that resumes or forks it."""
        return self._words["parent"].found(run_ids)

    def read_by(self, row: int) -> list[str]:
        """The contents that a run used, or had in DVC, each once."""
        return query.distinct(chain(self._words[query.USED].of(row), self._words[query.DATA].of(row)))

    def made_by(self, row: int) -> list[str]:
        """The contents that a run logged, each once."""
        return query.distinct(text.partition(" ")[0] for text in self._words[query.LOGGED].of(row))

    def contents(self) -> Iterator[str]:
        """All contents that runs logged or read, some more than once, of hidden runs too."""
        return chain.from_iterable(self._words[key].known() for key in (query.LOGGED, query.USED, query.DATA))

    def parent(self, row: int) -> str | None:
        """The id of the run that this one resumes or forks."""
        return next(iter(self._words["parent"].of(row)), None)

    def children(self, *run_ids: str) -> list[int]:
        """The runs that resume or fork one of these, the first one first."""
        return self.in_time(self._words["parent"].rows(run_ids))

    def again(self, run_id: str) -> list[int]:
        """The runs that make this one again, the first one first."""
        return self.in_time(self._words["reproduces"].rows([run_id]))

    def original(self, row: int) -> str | None:
        """The id of the run that this one makes again."""
        return next(iter(self._words["reproduces"].of(row)), None)

    def repeats(self, rows: Collection[int]) -> dict[int, int]:
        """Those of *rows* that make another, earlier one of them again, each with that one."""
        told = dict(self._words["reproduces"].told(rows))
        if not told:
            return {}
        places, some = self.rows(set(told.values())), {*rows}
        found = {row: places[run_id] for row, run_id in told.items() if places.get(run_id) in some}
        return {row: first for row, first in found.items() if self._created[first] < self._created[row]}

    def of_source(self, commit: str) -> list[int]:
        """The runs of the code at *commit*, the first one first."""
        return self.in_time(self._words["source"].rows([commit]))

    def names(self) -> set[str]:
        """The names under which runs logged something, of hidden runs too."""
        return set(self._words["logged"].known())

    def sweep(self, row: int) -> str | None:
        """The id of the sweep of which a run is a trial."""
        return next(iter(self._words["sweep"].of(row)), None)

    def trials(self, sweep: str) -> list[int]:
        """The trials of a sweep, the first one first."""
        return self.in_time(self._words["sweep"].rows([sweep]))

    def logged_as(self, name: str, project: str | None = None) -> list[tuple[float, str]]:
        """When runs of *project*, or any, logged what under *name*, (seconds, content), the first one first."""
        told = self.told(name, project).values()
        found = sorted(line for one in told for line in zip(one.logged, one.tellers, one.contents, strict=True))
        if any(one[0] == other[0] for one, other in pairwise(found)):  # of two at one moment the id decides
            ids = self.ids(row for _, row, _ in found)
            found.sort(key=lambda one: (one[0], ids[one[1]]))
        return [(when, content) for when, _, content in found]

    def told(self, name: str, project: str | None = None) -> dict[str, Told[int]]:
        """Project → what its runs claim of the artifact *name*, each with its row."""
        mine = self._projects_of(set(self._words["logged"].rows([name])), project)
        return {whose: told for (whose, _), told in self._told(mine, name).items()}

    def told_of_all(self, project: str | None = None) -> dict[tuple[str, str], Told[int]]:
        """(project, name) → the same, of all names."""
        return self._told(self._projects_of(set(self._words[query.LOGGED].having()), project), None)

    def _told(self, mine: Mapping[int, str], name: str | None) -> dict[tuple[str, str], Told[int]]:
        """(project, name) → what the rows *mine*, each of a project, claim; of one *name* only, if that is."""
        found: defaultdict[tuple[str, str], Told[int]] = defaultdict(Told)
        for row, text in self._words[query.LOGGED].told(mine):
            content, _, rest = text.partition(" ")
            logged, _, called = rest.partition(" ")
            if called == name or (name is None and called):
                with suppress(ValueError):  # from a shard of another machine, or a record that says odd things
                    found[mine[row], called].take(content, float(logged), row)
        odd = list(self._words[query.CALLED].told(mine))
        at = {key: told.lines() for key, told in found.items()} if odd else {}
        for row, text in odd:
            with suppress(ValueError):
                naming = Naming.of(text)
                line = at.get((mine[row], naming.name), {}).get((row, naming.content))
                if line is not None:
                    found[mine[row], naming.name].odd[line] = naming
        return dict(found)

    def _projects_of(self, rows: Collection[int], project: str | None) -> dict[int, str]:
        """The projects of *rows*, by row; of one *project* only, if that is."""
        return {row: whose for row, whose in self._words["project"].told(rows) if project in (None, whose)}

    def is_name(self, name: str) -> bool:
        """Whether a run logged something under *name*."""
        return next(self._words["logged"].rows([name]), None) is not None

    def are_many(self, name: str) -> bool:
        """Whether so many runs logged something under *name* that telling them apart by number takes a while."""
        return len(list(islice(self._words["logged"].rows([name]), _MANY))) == _MANY

    def bundles(self, rows: Collection[int]) -> dict[int, str]:
        """What those of *rows* belong to that are of a sweep, or of a group: `sweep lr-1`, `group baseline`."""
        kinds = ("group", "sweep")  # the sweep's word counts where there are both
        return {row: f"{kind} {name}" for kind in kinds for row, name in self._words[kind].told(rows)}

    def project(self, row: int) -> str:
        """The project of a run."""
        return next(iter(self._words["project"].of(row)), "")

    def ids(self, rows: Iterable[int]) -> dict[int, str]:
        """The ids of the runs, by row."""
        some = list(rows)
        question = "SELECT row, id FROM runs WHERE row IN (SELECT value FROM json_each(?))"
        living = {row: self.alive[row].id for row in some if row in self.alive}
        return living | dict(self._connection.execute(question, (json.dumps(some),)).fetchall())

    def rows(self, ids: Iterable[str]) -> dict[str, int]:
        """The rows of the runs of these *ids*, without those that are not here."""
        some = list(ids)
        living = {run.id: row for row, run in self.alive.items() if run.id in some}
        question = "SELECT id, row FROM runs WHERE id IN (SELECT value FROM json_each(?)) AND shown"
        return dict(self._connection.execute(question, (json.dumps(some),)).fetchall()) | living

    def at(self, commit: str) -> int | None:
        """The row of the run whose record a *commit* holds."""
        question = 'SELECT row FROM runs WHERE shown AND ifnull("commit", tip) = ?'
        found = self._connection.execute(question, (commit,)).fetchone()
        return None if found is None else int(found[0])

    def places(self, rows: Iterable[int]) -> dict[int, tuple[str, str]]:
        """(ref, the commit where the record stands) of each of *rows*; of one that is alive, its id and nothing."""
        some = list(rows)
        living = {row: (self.alive[row].id, "") for row in some if row in self.alive}
        question = 'SELECT row, ref, ifnull("commit", tip) FROM runs WHERE row IN (SELECT value FROM json_each(?))'
        found = self._connection.execute(question, (json.dumps(some),))
        return {row: (ref, commit) for row, ref, commit in found} | living


_KEYS = (
    query.USED, query.DATA, query.LOGGED, query.CALLED, "logged", "parent", "reproduces", "source", "sweep", "group",
    "project",
)  # fmt: skip
_EVERY = array("H", range(SEGMENT))
_DENIED = bytes.maketrans(b"\0\1", b"\1\0")


class _Words:
    """A column of texts, or of lists of such: which rows have a word, and which words a row has.

    The word of a claim is its content, of all else the text itself. Each text stands once a segment, so what many rows
    have in common is looked at a few times only; and for few words only the segments that have them are unpacked.
    """

    def __init__(self, relations: Relations, connection: sqlite3.Connection, key: str) -> None:
        self._relations, self._connection, self._key = relations, connection, key
        self._word = _first if key in (query.LOGGED, query.CALLED) else str
        self._segments: dict[int, _Segment | None] = {}
        self._single: dict[str, list[tuple[int, int]]] = {}
        """What was found of words that were asked for alone."""

    @cached_property
    def _living(self) -> dict[int, list[str]]:
        told = ((row, query.value_of(run, self._key)) for row, run in self._relations.alive.items())
        return {row: list(value) if isinstance(value, list | tuple) else [value] for row, value in told if value}

    @cached_property
    def _places(self) -> Mapping[str, list[tuple[int, int]]]:
        """Word → the segments and codes that say it."""
        places: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        for segment, told in self._all.items():
            for code, texts in enumerate(told.texts):
                for text in texts:
                    places[self._word(text)].append((segment, code))
        return places

    @cached_property
    def _all(self) -> Mapping[int, _Segment]:
        """Every segment that has something: to read all of them takes less than to let SQLite look through them."""
        return {segment: self._segments.get(segment) or told for segment, told in self._read()}

    def _read(self, first: int = 0, last: int = 1 << 31) -> Iterator[tuple[int, _Segment]]:
        question = (
            "SELECT segment, positions, codes, others FROM cells "
            "WHERE key = ? AND segment BETWEEN ? AND ? AND codes IS NOT NULL"
        )
        for segment, *packed in self._connection.execute(question, (self._key, first, last)):
            yield segment, _Segment(*packed)

    def _segment(self, segment: int) -> _Segment | None:
        if "_all" in vars(self):
            return self._all.get(segment)
        if segment not in self._segments:
            self._segments[segment] = next((told for _, told in self._read(segment, segment)), None)
        return self._segments[segment]

    def known(self) -> Iterator[str]:
        """The words that there are."""
        return chain(self._places, (self._word(text) for texts in self._living.values() for text in texts))

    def rows(self, words: Collection[str]) -> Iterator[int]:
        """The rows that are shown and have one of *words*, some more than once."""
        few = len(words) == 1
        stored = (rows for word in words for rows in self._stored(word, few=few))
        living = (row for row, texts in self._living.items() if any(self._word(text) in words for text in texts))
        return chain(chain.from_iterable(stored), living)

    def found(self, words: Collection[str]) -> Iterator[tuple[str, int]]:
        """Each of *words* with each row that is shown and has it."""
        for word in words:
            for rows in self._stored(word, few=len(words) == 1):
                yield from ((word, row) for row in rows)
        for row, texts in self._living.items():
            yield from ((word, row) for word in map(self._word, texts) if word in words)

    def _stored(self, word: str, *, few: bool) -> Iterator[list[int]]:
        """The rows of a word, without those that are alive, by segment; *few* as `_where` has it."""
        hidden = self._relations.hidden
        for segment, code in self._where(word, few=few):
            rows = [segment * SEGMENT + position for position in self._all[segment].rows(code)]
            yield [row for row in rows if not hidden[row]] if hidden else rows

    def _where(self, word: str, *, few: bool) -> Sequence[tuple[int, int]]:
        """The segments and codes that say *word*; *few*: where no more is asked for, it is looked for alone."""
        if not few or len(self._single) >= _SOME or "_places" in vars(self):
            return self._places.get(word, ())
        if word not in self._single:
            self._single[word] = list(self._looked_for(word))
        return self._single[word]

    def _looked_for(self, word: str) -> Iterator[tuple[int, int]]:
        """`_where`, of a word that is looked for in what is as it was read."""
        written = json.dumps(word)[1:-1]
        for segment, told in self._all.items():
            codes = (code for code in told.saying(written) if word in map(self._word, told.texts_of(code)))
            yield from ((segment, code) for code in codes)

    def told(self, rows: Collection[int]) -> Iterator[tuple[int, str]]:
        """Each of *rows* with each text that it has."""
        if not self._all:
            rows = [row for row in rows if row in self._living]
        for segment, some in groupby(sorted(rows), lambda row: row // SEGMENT):
            if told := self._segment(segment):
                yield from told.those(some, segment * SEGMENT)
        yield from ((row, text) for row in rows for text in self._living.get(row, ()))

    def having(self) -> Iterator[int]:
        """The rows that are shown and have something."""
        hidden = self._relations.hidden
        for segment, told in self._all.items():
            rows = map((segment * SEGMENT).__add__, told.codes)
            yield from (row for row in rows if not hidden[row]) if hidden else rows
        yield from self._living

    def of(self, row: int) -> list[str]:
        """The texts of a *row*."""
        if row in self._relations.alive:
            return self._living.get(row, [])
        segment, position = divmod(row, SEGMENT)
        told = self._segment(segment)
        code = told.codes.get(position) if told else None
        return [] if told is None or code is None else told.texts_of(code)


class _Segment:
    """What the runs of a segment have under one key, unpacked as far as it is asked for."""

    def __init__(self, positions: bytes, codes: bytes, others: str) -> None:
        self._positions, self._codes, self._raw = array("H", positions), array("h", codes), codes
        self._others = others
        self._asked = self._read = 0

    @cached_property
    def texts(self) -> list[list[str]]:
        """What each code stands for."""
        found = records.decode(self._others, rounded=True)
        return [one if isinstance(one, list) else [one] for one in found]

    @cached_property
    def _pieces(self) -> list[str]:
        """The lists of texts as they are written, to be read one by one; none where they are written in another way.

        What parts them is never inside of a text, for there its second quote would stand behind a backslash; and a text
        that looks like it with its own quotes stands behind a bracket or a comma.
        """
        is_plain = self._others[:3] == '[["' and not any(f"{mark}{_PARTED}" in self._others for mark in "[,")
        pieces = self._others[3:-3].split(_PARTED) if is_plain else []
        return pieces if len(pieces) == max(self._codes, default=-1) + 1 else []

    def texts_of(self, code: int) -> list[str]:
        """What one *code* stands for."""
        self._read += 1
        if self._read <= _FEW and "texts" not in vars(self) and self._pieces:
            with suppress(ValueError):
                return list(map(str, records.decode(f'["{self._pieces[code]}"]', rounded=True)))
        return self.texts[code]

    def those(self, rows: Iterable[int], begin: int) -> Iterator[tuple[int, str]]:
        """Each of *rows*, the first of the segment being *begin*, with each text that it has: most are plain."""
        codes, pieces = self.codes, self._pieces
        for row in rows:
            if (code := codes.get(row - begin)) is None:
                continue
            piece = pieces[code] if pieces else '"'
            if '"' in piece or "\\" in piece:
                yield from ((row, text) for text in self.texts_of(code))
            else:
                yield row, piece

    def saying(self, written: str) -> Iterable[int]:
        """The codes that may have a text that begins so, as it stands in JSON."""
        if written not in self._others:
            return ()
        if not self._pieces:
            return range(len(self.texts))
        found, at = dict[int, None](), self._others.find(f'"{written}')
        while at >= 0:
            found.setdefault(self._others.count(_PARTED, 0, at + 1))  # the quote at its end opens the next text
            at = self._others.find(f'"{written}', at + 1)
        return found

    @cached_property
    def codes(self) -> Mapping[int, int]:
        """Position → code."""
        return dict(zip(self._positions, self._codes, strict=True))

    def rows(self, code: int) -> Sequence[int]:
        """The positions of a *code*."""
        self._asked += 1
        mark = array("h", (code,)).tobytes()
        if self._raw == mark * len(self._positions):
            return self._positions
        if self._asked > _FEW or self._raw.count(mark) > _FEW:
            return self._by_code.get(code, ())
        found, at = list[int](), self._raw.find(mark)
        while at >= 0:
            if at % len(mark) == 0:  # else it is the end of one code and the beginning of the next
                found.append(self._positions[at // len(mark)])
            at = self._raw.find(mark, at + 1)
        return found

    @cached_property
    def _by_code(self) -> Mapping[int, Sequence[int]]:
        if len(set(self._codes)) == len(self._codes):  # each has its own, as of models that runs logged
            return {code: (position,) for code, position in zip(self._codes, self._positions, strict=True)}
        rows: defaultdict[int, list[int]] = defaultdict(list)
        for position, code in zip(self._positions, self._codes, strict=True):
            rows[code].append(position)
        return rows


def _first(text: str) -> str:
    """A content, of what begins with it."""
    return text.partition(" ")[0]


_PARTED = '"],["'
_MANY = 2000
_FEW = 100
"""So many codes of a segment are looked for, and texts of it read, one by one before all of it is unpacked."""
_SOME = 150
"""So many words are looked for before it is worth while to know where all are."""
