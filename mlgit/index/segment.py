"""What the runs of one segment have under one key: a column's texts, unpacked as far as they are asked for (pure)."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property

from mlgit.store import records


class Segment:
    """What the runs of a segment have under one key; of *claims* the word is the content that they begin with."""

    def __init__(self, positions: bytes, codes: bytes, others: str, *, claims: bool = False) -> None:
        self._positions, self._codes, self._raw = array("H", positions), array("h", codes), codes
        self._others, self._claims = others, claims
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

    @cached_property
    def _plain(self) -> Sequence[str]:
        """The one text of each code, where each has one; else nothing."""
        if self._pieces:
            return () if '","' in self._others or "\\" in self._others else self._pieces
        return [text for (text,) in self.texts] if all(len(texts) == 1 for texts in self.texts) else ()

    def lines(self, begin: int) -> Iterable[tuple[int, str]]:
        """Each row, the first of the segment being *begin*, with each text that it has."""
        rows = map(begin.__add__, self._positions)
        if self._plain:
            return zip(rows, map(self._plain.__getitem__, self._codes), strict=True)
        told = zip(rows, map(self._of, self._codes), strict=True)
        return ((row, text) for row, texts in told for text in texts)

    def those(self, positions: Iterable[int]) -> Iterator[tuple[int, str]]:
        """Each of *positions* with each text that it has: most are plain."""
        codes = self.codes
        for position in positions:
            if (code := codes.get(position)) is not None:
                yield from ((position, text) for text in self._of(code))

    def _of(self, code: int) -> Sequence[str]:
        """`texts_of`, of very many: most are plain."""
        piece = self._pieces[code] if self._pieces else '"'
        return self.texts_of(code) if '"' in piece or "\\" in piece else (piece,)

    def beside(self, other: Segment, is_shown: Sequence[int]) -> Mapping[int, set[int]]:
        """Each code with those that *other* has in the same rows; *is_shown*: a byte a row, nothing where all are."""
        if self._positions == other._positions and not is_shown:
            pairs = set(zip(self._codes, other._codes, strict=True))
        else:
            there = other.codes
            rows = zip(self._positions, self._codes, strict=True)
            pairs = {(code, there[at]) for at, code in rows if at in there and (not is_shown or is_shown[at])}
        found: defaultdict[int, set[int]] = defaultdict(set)
        for code, beside in pairs:
            found[code].add(beside)
        return found

    def words(self, texts: Iterable[str]) -> list[str]:
        """What *texts* are looked for by."""
        return [text.partition(" ")[0] for text in texts] if self._claims else list(texts)

    @cached_property
    def _places(self) -> tuple[Mapping[str, int], Mapping[str, list[int]]]:
        """Word → a code that says it, and of those that several say, all of them."""
        words = self.words(self._plain)
        one = dict(zip(words, range(len(words)), strict=True))
        if words and len(one) == len(words):
            return one, {}
        one, several = dict[str, int](), dict[str, list[int]]()
        for code in range(max(self._codes, default=-1) + 1):
            for word in self.words(self._of(code)):
                if one.setdefault(word, code) != code:
                    several.setdefault(word, [one[word]]).append(code)
        return one, several

    @property
    def known(self) -> Iterable[str]:
        """The words that there are, each once."""
        return self._places[0]

    def codes_of(self, word: str) -> Sequence[int]:
        """The codes that say *word*."""
        one, several = self._places
        return several.get(word) or ((one[word],) if word in one else ())

    def both(self, words: Mapping[str, None]) -> list[str]:
        """Those of *words* that there are, in an order that is the same each time."""
        known = self._places[0]
        return (
            [word for word in words if word in known]
            if len(words) < len(known)
            else [word for word in known if word in words]
        )

    def saying(self, word: str, written: str) -> list[int]:
        """`codes_of`, of a *word* that is looked for in what is as it was read, where it is *written* so."""
        if written not in self._others:
            return []
        return [code for code in self._maybe(written) if word in self.words(self.texts_of(code))]

    def _maybe(self, written: str) -> Iterable[int]:
        """The codes that may have a text that begins so, as it stands in JSON."""
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
        if self._asked > _ASKED or self._raw.count(mark) > _FEW:
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


_PARTED = '"],["'
_FEW = 100
"""So many texts are read one by one before all of them are."""
_ASKED = 20
"""So many codes are looked for one by one before it is known where each is."""
