"""One column of texts of the index, unpacked as far as it is asked about: which rows have a word, and the other way."""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from itertools import chain, groupby

from mlgit.core import query
from mlgit.core.run import Run
from mlgit.index.cells import SEGMENT
from mlgit.store import records


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

    @cached_property
    def _living(self) -> dict[int, list[str]]:
        told = ((row, query.value_of(run, self._key)) for row, run in self._alive.items())
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
    def _all(self) -> Mapping[int, Segment]:
        """Every segment that has something: to read all of them takes less than to let SQLite look through them."""
        return {segment: self._segments.get(segment) or told for segment, told in self._read()}

    def _read(self, first: int = 0, last: int = 1 << 31) -> Iterator[tuple[int, Segment]]:
        question = (
            "SELECT segment, positions, codes, others FROM cells "
            "WHERE key = ? AND segment BETWEEN ? AND ? AND codes IS NOT NULL"
        )
        for segment, *packed in self._connection.execute(question, (self._key, first, last)):
            yield segment, Segment(*packed)

    def _segment(self, segment: int) -> Segment | None:
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
        hidden = self._hidden()
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

    def said(self, rows: Collection[int]) -> set[str]:
        """The texts that there are among *rows*, of which each is looked at once."""
        found = {text for row in rows if row in self._living for text in self._living[row]} if self._living else set()
        for segment, some in groupby(sorted(rows) if self._all else (), lambda row: row // SEGMENT):
            if told := self._segment(segment):
                codes, begin = told.codes, segment * SEGMENT
                found.update(*map(told.texts_of, {codes[row - begin] for row in some if row - begin in codes}))
        return found

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


class Segment:
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
_FEW = 100
"""So many codes of a segment are looked for, and texts of it read, one by one before all of it is unpacked."""
_SOME = 150
"""So many words are looked for before it is worth while to know where all are."""
