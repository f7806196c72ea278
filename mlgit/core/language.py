"""The language of conditions on runs: `accuracy > 0.9 and (tag = 'baseline' or lr in (1e-3, 1e-2))`.

    condition = all {"or" all}                       all = one {"and" one}
    one       = "not" one | "(" condition ")" | key test
    test      = ("=" | "!=" | "<" | "<=" | ">" | ">=") value
              | ("~" | "!~") value                   a regular expression, found anywhere in a text
              | ["not"] "in" "(" value {"," value} ")"
              | "is" ["not"] "null"
    key       = a name such as lr, val/acc, loss.min, params.lr; any other in backquotes
    value     = a number, nan, true, false, 'text', "text", or a word, which is text

Of `created` and `finished` a value is a year, a month, a day, a minute or a second, in UTC: `=` is in it, `<` before
it, `>` after it. Of `duration` it is seconds or 1h30m. A quote within quotes is doubled.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import ClassVar, TypeVar

from mlgit.core.condition import KEY, WORDS, And, Condition, Not, Operation, Or, Predicate, Value
from mlgit.errors import UsageError

_T = TypeVar("_T")
_DEEPEST = 50
_SIGNS = ("<=", ">=", "!=", "==", "!~", "<", ">", "=", "~")
_QUOTED = {quote: re.compile(f"{quote}((?:[^{quote}]|{quote}{quote})*){quote}") for quote in "`'\""}
_WORD = re.compile(r"""[^\s()'"`“”‘’,=<>~!][^\s()'"`,]*""")
_FOREIGN = re.compile(r"&&?|\|\|?|!(?![=~])|like\b|[“”‘’]", re.IGNORECASE)
"""What other languages write, and editors that set type; its first sign → how it is written here, if it is no quote."""
_OURS, _QUOTES = {"&": "and", "|": "or", "!": "not", "l": "~"}, "' or \""
_BLANK = re.compile(r"\s*")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|[+-]?inf(?:inity)?", re.IGNORECASE)
_WHOLE = re.compile(r"[+-]?\d{1,4000}")
_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?\s*[dhms]\s*)+")
_DATES = ("created", "finished")
_TEXTS = ("id", "name", "project", "state", "group", "sweep", "job_type", "notes", "tag", "tags", "branch", "commit")
_PERIODS: Mapping[str, timedelta] = {
    "%Y": timedelta(days=366), "%Y-%m": timedelta(days=31), "%Y-%m-%d": timedelta(days=1),
    "%Y-%m-%dT%H:%M": timedelta(minutes=1), "%Y-%m-%dT%H:%M%z": timedelta(minutes=1),
    "%Y-%m-%dT%H:%M:%S": timedelta(seconds=1), "%Y-%m-%dT%H:%M:%S%z": timedelta(seconds=1),
}  # fmt: skip
"""The forms of a date → at least as long as what is so written, and no longer than it and the next."""


def parse(text: str) -> Condition:
    """What *text* says. Raises `UsageError`, which points at the character."""
    return Reading(text).whole()


class Reading:
    """One reading of a text, from the left: each method reads what it is called after, and moves on behind it.

    A language with other tests between its `and`, `or` and `not` reads those in `_test`; what keys of runs mean that
    are no numbers is in *fields*.
    """

    fields: ClassVar[Mapping[str, Callable[[str, bool], Value]]]
    example = "accuracy > 0.9 and tag = 'baseline'"

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = self._depth = 0

    def whole(self) -> Condition:
        """All of the text."""
        condition = self._any()
        if self._skip() < len(self._text):
            raise self._wrong("'and', 'or' or the end is expected here")
        return condition

    def _any(self) -> Condition:
        return _joined(Or, self._separated("or", self._all))

    def _all(self) -> Condition:
        return _joined(And, self._separated("and", self._one))

    def _separated(self, word: str, part: Callable[[], Condition]) -> Iterator[Condition]:
        yield part()
        while self._took_word(word):
            yield part()

    def _one(self) -> Condition:
        if self._depth == _DEEPEST:
            raise self._wrong("it is nested too deep here")
        self._depth += 1
        if self._took_word("not"):
            one = _denied(self._one())
        elif self._took("("):
            one = self._any()
            self._expect(")")
        else:
            one = self._test()
        self._depth -= 1
        return one

    def _test(self) -> Condition:
        return self._asked_of(self._key())

    def _asked_of(self, key: str) -> Condition:
        if self._took_word("is"):
            is_denied = self._took_word("not")
            self._expect_word("null")
            test: Condition = Predicate(key, Operation.NULL)
            return _denied(test) if is_denied else test
        if self._took_word("not"):
            self._expect_word("in")
            return _denied(self._listed(key))
        if self._took_word("in"):
            return self._listed(key)
        sign = next((sign for sign in _SIGNS if self._took(sign)), None)
        if sign is None:
            raise self._wrong(f"what about {key}? =, !=, <, <=, >, >=, ~, !~, in or is null is expected here")
        return self._compared(key, sign)

    def _compared(self, key: str, sign: str) -> Condition:
        if sign in ("=", "==", "!="):
            test = self._equal(key)
        elif sign in ("~", "!~"):
            test = Predicate(key, Operation.MATCH, (self._read(_pattern),))
        elif key in self.fields and key in _DATES:
            test = self._before_or_after(key, Operation(sign))
        else:
            test = Predicate(key, Operation(sign), (self._read(self.fields.get(key, any_value)),))
        return _denied(test) if sign.startswith("!") else test

    def _listed(self, key: str) -> Condition:
        self._expect("(")
        found = [self._equal(key)]
        while self._took(","):
            found.append(self._equal(key))
        self._expect(")")
        values = [value for test in found if isinstance(test, Predicate) for value in test.values]
        return Predicate(key, Operation.EQUAL, tuple(values)) if len(values) == len(found) else Or(tuple(found))

    def _equal(self, key: str) -> Condition:
        """The test for one value; a day is all the moments in it."""
        if key not in self.fields or key not in _DATES:
            return Predicate(key, Operation.EQUAL, (self._read(self.fields.get(key, any_value)),))
        first, after = self._read(_moments)
        if first == after:
            return Predicate(key, Operation.EQUAL, (first,))
        return And((Predicate(key, Operation.AT_LEAST, (first,)), Predicate(key, Operation.LESS, (after,))))

    def _before_or_after(self, key: str, operation: Operation) -> Condition:
        """The test for when something was; what is after a day is after all the moments in it."""
        first, after = self._read(_moments)
        if first == after:
            return Predicate(key, operation, (first,))
        is_from = operation in (Operation.MORE, Operation.AT_LEAST)
        edge = after if operation in (Operation.MORE, Operation.AT_MOST) else first
        return Predicate(key, Operation.AT_LEAST if is_from else Operation.LESS, (edge,))

    def _key(self) -> str:
        if self._text.startswith("`", self._skip()):
            return self._quoted()
        found = KEY.match(self._text, self._at)
        if not found:
            raise self._wrong("the name of a metric, a param or a field is expected here")
        if found[0].lower() in WORDS:
            raise self._wrong(f"a name is expected here; one that is called {found[0]} stands in backquotes")
        self._at = found.end()
        return found[0]

    def _read(self, meaning: Callable[[str, bool], _T]) -> _T:
        begin = self._skip()
        is_quoted = self._text.startswith(("'", '"'), begin)
        text = self._quoted() if is_quoted else self._word()
        try:
            return meaning(text, is_quoted)
        except ValueError as exc:
            self._at = begin
            raise self._wrong(str(exc)) from None

    def _word(self) -> str:
        found = _WORD.match(self._text, self._at)
        if not found:
            raise self._wrong("a value is expected here; a text with signs in it stands in quotes")
        self._at = found.end()
        return found[0]

    def _quoted(self) -> str:
        quote = self._text[self._at]
        found = _QUOTED[quote].match(self._text, self._at)
        if not found:
            raise self._wrong("this quote is not closed")
        self._at = found.end()
        return found[1].replace(quote + quote, quote)

    def _skip(self) -> int:
        found = _BLANK.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return self._at

    def _took(self, sign: str) -> bool:
        is_here = self._text.startswith(sign, self._skip())
        self._at += len(sign) * is_here
        return is_here

    def _took_word(self, word: str) -> bool:
        found = KEY.match(self._text, self._skip())
        is_here = found is not None and found[0].lower() == word
        self._at += len(word) * is_here
        return is_here

    def _expect(self, sign: str) -> None:
        if not self._took(sign):
            raise self._wrong(f"{sign!r} is expected here")

    def _expect_word(self, word: str) -> None:
        if not self._took_word(word):
            raise self._wrong(f"{word!r} is expected here")

    def _wrong(self, why: str) -> UsageError:
        at = self._skip()
        begin = max(0, at - 60)
        line = re.sub(r"\s", " ", self._text[begin : at + 40])
        foreign = _FOREIGN.match(self._text, at)
        instead = (
            f"{_OURS.get(foreign[0][0].lower(), _QUOTES)} for {foreign[0]}" if foreign else f'it like "{self.example}"'
        )
        return UsageError(
            f"The condition cannot be read at character {at + 1}: {why}.", why=f"{line}\n{' ' * (at - begin)}^",
            fix=f"write {instead}",
        )  # fmt: skip


def _joined(kind: type[And | Or], parts: Iterable[Condition]) -> Condition:
    first, *rest = parts
    return kind((first, *rest)) if rest else first


def _denied(condition: Condition) -> Condition:
    return condition.inner if isinstance(condition, Not) else Not(condition)


# What a value means, by what it is a value of. Each raises `ValueError`, which says what was expected.


def any_value(text: str, is_quoted: bool) -> Value:
    """What stands for a value of no known field: a text in quotes, a number, a truth value, else a word."""
    if is_quoted:
        return text
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if text.lower() == "nan":
        return math.nan
    if not _NUMBER.fullmatch(text):
        return text
    return int(text) if _WHOLE.fullmatch(text) else float(text)


def _text(text: str, _is_quoted: bool) -> str:
    return text


def _pattern(text: str, _is_quoted: bool) -> str:
    try:
        re.compile(text)
    except re.error as exc:
        raise ValueError(f"this is no regular expression: {exc}") from None
    return text


def _seconds(text: str, _is_quoted: bool) -> float:
    if _NUMBER.fullmatch(text):
        return float(text)
    if _DURATION.fullmatch(text):
        return sum(float(count) * _UNITS[unit] for count, unit in re.findall(r"([\d.]+)\s*([dhms])", text))
    raise ValueError("this is no duration; it is written in seconds, or like 5m or 1h30m")


def _moments(text: str, _is_quoted: bool) -> tuple[float, float]:
    """When what *text* says begins and ends, in seconds since the epoch; a moment is its own end."""
    for form, length in _PERIODS.items():
        try:
            begin = datetime.strptime(text.replace(" ", "T"), form)
            after = datetime.strptime((begin + length).strftime(form), form)
            return _in_utc(begin), _in_utc(after)
        except (ValueError, OverflowError):
            continue
    if _NUMBER.fullmatch(text) and math.isfinite(seconds := float(text)):
        return seconds, seconds
    try:
        seconds = _in_utc(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        raise ValueError("this is no date; it is written like 2026-01-31 or 2026-01-31T12:30, in UTC") from None
    return seconds, seconds


def _in_utc(moment: datetime) -> float:
    """Seconds since the epoch; in UTC unless it says otherwise."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


Reading.fields = {**dict.fromkeys((*_TEXTS, *_DATES), _text), "duration": _seconds}
