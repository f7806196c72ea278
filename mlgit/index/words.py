"""One column of texts of the index, unpacked as far as it is asked about: which rows have a word, and the other way."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from functools import cached_property
from itertools import chain, groupby

from mlgit.core import query
from mlgit.core.run import Run
from mlgit.index.cells import SEGMENT
from mlgit.index.segment import Segment


class Words:
    """A column of texts, or of lists of such: which rows have a word, and which words a row has.

    The word of a claim is its content, of all else the text itself. Each text stands once a segment, so what many rows
    have in common is looked at a few times only; and for few words only the segments that have them are unpacked.
    """

    def __init__(
        self, connection: sqlite3.Connection, key: str, alive: Mapping[int, Run], hidden: Callable[[], bytearray]
    ) -> None:
        self._connection, self._key, self._alive, self._hidden = connection, key, alive, hidden
        self._word = _first if key in (query.LOGGED, query.CALLED) else str
        self._segments: dict[int, Segment | None] = {}
        self._single: dict[str, list[tuple[int, int]]] = {}
        """What was found of words that were asked for alone."""
        self._met: dict[tuple[int, str], Mapping[int, set[int]]] = {}
        """What stands beside what in another column, by segment."""

    @cached_property
    def _living(self) -> dict[int, list[str]]:
        told = ((row, query.value_of(run, self._key)) for row, run in self._alive.items())
        return {row: list(value) if isinstance(value, list | tuple) else [value] for row, value in told if value}

    @cached_property
    def _all(self) -> Mapping[int, Segment]:
        """Every segment that has something: to read all of them takes less than to let SQLite look through them."""
        return {segment: self._segments.get(segment) or told for segment, told in self._read()}

    def _read(self, first: int = 0, last: int = 1 << 31) -> Iterator[tuple[int, Segment]]:
        question = (
            "SELECT segment, positions, codes, others FROM cells "
            "WHERE key = ? AND segment BETWEEN ? AND ? AND codes IS NOT NULL"
        )
        for segment, *packed in self._connection.execute(question, (self._key, first, last)):
            yield segment, Segment(*packed, claims=self._word is _first)

    def _segment(self, segment: int) -> Segment | None:
        if "_all" in vars(self):
            return self._all.get(segment)
        if segment not in self._segments:
            self._segments[segment] = next((told for _, told in self._read(segment, segment)), None)
        return self._segments[segment]

    def known(self) -> Iterator[str]:
        """The words that there are, some more than once."""
        return chain(chain.from_iterable(told.known for told in self._all.values()), self._said_alive())

    def _said_alive(self) -> Iterator[str]:
        return (self._word(text) for texts in self._living.values() for text in texts)

    def rows(self, words: Collection[str]) -> Iterator[int]:
        """The rows that are shown and have one of *words*, some more than once."""
        return (row for _, rows in self._placed(words) for row in rows)

    def found(self, words: Collection[str]) -> Iterator[tuple[str, int]]:
        """Each of *words* with each row that is shown and has it."""
        return ((word, row) for word, rows in self._placed(words) for row in rows)

    def _placed(self, words: Collection[str]) -> Iterator[tuple[str, Sequence[int]]]:
        """Each of *words* with rows that are shown and have it, segment by segment."""
        hidden = self._hidden()
        for word, segment, code in self._where(words):
            rows = [segment * SEGMENT + position for position in self._all[segment].rows(code)]
            yield word, [row for row in rows if not hidden[row]] if hidden else rows
        for row, texts in self._living.items():
            yield from ((word, (row,)) for word in map(self._word, texts) if word in words)

    def _where(self, words: Collection[str]) -> Iterator[tuple[str, int, int]]:
        """Each of *words* with the segments and codes that say it; of one, where few were asked for, as it was read."""
        asked = dict.fromkeys(words)
        if len(asked) == 1 and len(self._single) < _SOME:
            (word,) = asked
            if word not in self._single:
                written = json.dumps(word)[1:-1]
                places = ((segment, told.saying(word, written)) for segment, told in self._all.items())
                self._single[word] = [(segment, code) for segment, codes in places for code in codes]
            yield from ((word, *place) for place in self._single[word])
            return
        for segment, told in self._all.items():
            for word in told.both(asked):
                yield from ((word, segment, code) for code in told.codes_of(word))

    def told(self, rows: Collection[int]) -> Iterator[tuple[int, str]]:
        """Each of *rows* with each text that it has."""
        if _MANY * len(rows) > SEGMENT * len(self._all):
            wanted = rows if isinstance(rows, Set | Mapping) else frozenset(rows)
            yield from (line for line in self._lines() if line[0] in wanted)
        else:
            for segment, some in groupby(sorted(rows), lambda row: row // SEGMENT):
                if told := self._segment(segment):
                    begin = segment * SEGMENT
                    yield from ((begin + position, text) for position, text in told.those(row - begin for row in some))
        if self._living:
            yield from ((row, text) for row in rows for text in self._living.get(row, ()))

    def _lines(self) -> Iterator[tuple[int, str]]:
        """Each row that is stored, with each text that it has."""
        for segment, told in self._all.items():
            yield from told.lines(segment * SEGMENT)

    def beside(self, word: str, other: Words) -> set[str]:
        """The texts that *other* has in the rows that are shown and have *word*."""
        found = {
            text for row, texts in self._living.items() if word in map(self._word, texts) for text in other.of(row)
        }
        for _, segment, code in self._where([word]):
            if there := other._segment(segment):
                for beside in self._together(segment, other, there).get(code, ()):
                    found.update(there.texts_of(beside))
        return found

    def _together(self, segment: int, other: Words, there: Segment) -> Mapping[int, set[int]]:
        key = segment, other._key
        if key not in self._met:
            hidden = self._hidden()[segment * SEGMENT : (segment + 1) * SEGMENT]
            self._met[key] = self._all[segment].beside(there, hidden.translate(_TURNED) if 1 in hidden else b"")
        return self._met[key]

    def having(self) -> Iterator[int]:
        """The rows that are shown and have something."""
        hidden = self._hidden()
        for segment, told in self._all.items():
            rows = map((segment * SEGMENT).__add__, told.codes)
            yield from (row for row in rows if not hidden[row]) if hidden else rows
        yield from self._living

    def of(self, row: int) -> list[str]:
        """The texts of a *row*."""
        if row in self._alive:
            return self._living.get(row, [])
        segment, position = divmod(row, SEGMENT)
        told = self._segment(segment)
        code = told.codes.get(position) if told else None
        return [] if told is None or code is None else told.texts_of(code)


def _first(text: str) -> str:
    """A content, of what begins with it."""
    return text.partition(" ")[0]


_TURNED = bytes.maketrans(b"\0\1", b"\1\0")
_SOME = 60
"""So many words are looked for one by one before it is worth while to know where all are."""
_MANY = 4
"""Where a part as large as one of so many is asked for, all is gone through."""
