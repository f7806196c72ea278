"""What a sweep file asks of its params, one of another: `optimizer = sgd`, `batch * accumulate <= 512`.

It is the language of conditions on runs (`mlgit.core.language`) with params in the place of keys, and with sums:

    test = sum (sign sum | "in" … | "is null" …)     sum = product {("+" | "-") product}
    part = a number | a name | "(" sum ")"           product = part {("*" | "/") part}

A word that is no param's name is text. A name may hold `-`, `.` and `/`: as signs they stand between blanks.
"""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from mlgit.core import condition
from mlgit.core.compare import is_number
from mlgit.core.condition import KEY, Condition, Operation, Predicate, Value
from mlgit.core.language import Reading, any_value

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?(?![\w./])", re.IGNORECASE)
_ARITHMETIC: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
}  # fmt: skip


@dataclass(frozen=True)
class _Constant:
    value: Value


@dataclass(frozen=True)
class _Name:
    name: str


@dataclass(frozen=True)
class _Sum:
    sign: str
    left: _Term
    right: _Term


@dataclass(frozen=True)
class _Compared:
    """A test of two terms, itself a truth value."""

    left: _Term
    operation: Operation
    right: _Term


_Term = _Constant | _Name | _Sum | _Compared


@dataclass(frozen=True)
class Rule:
    """A condition on params, as it is written and as it is asked."""

    text: str
    tree: Condition
    terms: Mapping[str, _Term]
    """What the tree asks about, by the key that stands for it there."""

    @property
    def names(self) -> frozenset[str]:
        """The params that it names."""
        return frozenset(name for term in self.terms.values() for name in _names(term))

    def holds(self, params: Mapping[str, Any]) -> bool:
        """Whether *params* meet it; of one that is not there, only `is null` and what is denied (`!=`) holds."""
        return condition.holds(self.tree, lambda key: _value(self.terms[key], params))

    def counts(self, params: Mapping[str, Any]) -> bool:
        """Whether *params* have all that it names, or it asks itself what is there."""
        return self._asks_for_null or all(name in params for name in self.names)

    @property
    def _asks_for_null(self) -> bool:
        return any(test.operation is Operation.NULL for test in _tests(self.tree))

    def alien(self, values: Mapping[str, tuple[Any, ...]]) -> tuple[str, str] | None:
        """A param and the text that it is asked to be and never is, if there is such; *values*: what each may be."""
        for test in _tests(self.tree):
            term = self.terms[test.key]
            if test.operation is Operation.EQUAL and isinstance(term, _Name) and term.name in values:
                for value in test.values:
                    if isinstance(value, str) and value not in values[term.name]:
                        return term.name, value
        return None


def parse(text: str, names: Iterable[str]) -> Rule:
    """What *text* says of params called *names*. Raises `UsageError`, which points at the character."""
    reading = _OfParams(text, frozenset(names))
    return Rule(text, reading.whole(), reading.terms)


def both(one: Rule, other: Rule) -> Rule:
    """Both of them as one."""
    return Rule(f"({one.text}) and ({other.text})", condition.And((one.tree, other.tree)), {**one.terms, **other.terms})


class _OfParams(Reading):
    """A reading whose tests are about params and sums of them."""

    fields: ClassVar = {}
    example = "optimizer = sgd and batch * accumulate <= 512"

    def __init__(self, text: str, names: frozenset[str]) -> None:
        super().__init__(text)
        self.names = names
        self.terms: dict[str, _Term] = {}

    def _one(self) -> Condition:
        begins_sum = self._text.startswith("(", self._skip()) and not _holds_test(self._text[self._at :])
        return self._test() if begins_sum else super()._one()

    def _test(self) -> Condition:
        begin = self._skip()
        left = self._sum(is_value=False)
        if not any(_names(left)):
            self._at = begin
            raise self._wrong("the name of a param is expected here")
        key = self._text[begin : self._at].strip()
        after = self._skip()
        sign = next((sign for sign in ("<=", ">=", "!=", "==", "<", ">", "=") if self._took(sign)), None)
        if sign is None or self._text.startswith("~", self._at):
            self._at = after
            self.terms[key] = left
            return self._asked_of(key)
        right = self._sum(is_value=True)
        operation = Operation.EQUAL if sign in ("==", "!=") else Operation(sign)
        if isinstance(right, _Constant):
            self.terms[key] = left
            test = Predicate(key, operation, (right.value,))
        else:
            key = self._text[begin : self._at].strip()
            self.terms[key] = _Compared(left, operation, right)
            if sign == "!=":
                self.terms[key] = _Compared(left, Operation.EQUAL, right)
            test = Predicate(key, Operation.EQUAL, (True,))
        return condition.Not(test) if sign == "!=" else test

    def _sum(self, *, is_value: bool) -> _Term:
        term = self._product(is_value=is_value)
        while (sign := self._took_one("+-")) is not None:
            term = self._joined(sign, term, self._product(is_value=False))
        return term

    def _product(self, *, is_value: bool) -> _Term:
        term = self._part(is_value=is_value)
        while (sign := self._took_one("*/")) is not None:
            term = self._joined(sign, term, self._part(is_value=False))
        return term

    def _joined(self, sign: str, left: _Term, right: _Term) -> _Term:
        for side in (left, right):
            if isinstance(side, _Constant) and not is_number(side.value):
                raise self._wrong(f"{side.value!r} is neither a number nor a param{self._close(str(side.value))}")
        if isinstance(left, _Constant) and isinstance(right, _Constant):
            value = _value(_Sum(sign, left, right), {})
            if value is None:
                raise self._wrong("this comes to no number")
            return _Constant(value)
        return _Sum(sign, left, right)

    def _part(self, *, is_value: bool) -> _Term:
        begin = self._skip()
        if self._took("("):
            self._depth += 1
            if self._depth > 40:
                raise self._wrong("it is nested too deep here")
            term = self._sum(is_value=False)
            self._expect(")")
            self._depth -= 1
            return term
        if found := _NUMBER.match(self._text, begin):
            self._at = found.end()
            return _Constant(any_value(found[0], False))
        if is_value and self._text.startswith(("'", '"'), begin):
            return _Constant(self._quoted())
        found = KEY.match(self._text, begin)
        if is_value and found and found[0] not in self.names:
            return _Constant(self._read(any_value))
        name = self._key()
        if name not in self.names:
            self._at = begin
            raise self._wrong(f"no param is called {name!r}{self._close(name)}")
        return _Name(name)

    def _took_one(self, signs: str) -> str | None:
        return next((sign for sign in signs if self._took(sign)), None)

    def _close(self, word: str) -> str:
        close = difflib.get_close_matches(word, self.names, 1)
        apart = [part for part in re.split(r"[-/]", word) if part in self.names]
        if len(apart) > 1:
            return "; blanks around a sign make it one"
        return f"; did you mean {close[0]!r}?" if close else "; a text stands in quotes"


def _holds_test(text: str) -> bool:
    """Whether the brackets that *text* begins with hold a test, rather than a sum."""
    bare = re.sub(r"`[^`]*`|'[^']*'|\"[^\"]*\"", lambda found: "x" * len(found[0]), text)
    depth, end = 0, len(bare)
    for at, sign in enumerate(bare):
        depth += (sign == "(") - (sign == ")")
        if depth == 0:
            end = at
            break
    return re.search(r"[<>=~]|(?<![\w./-])(?:in|is|and|or|not)(?![\w./-])", bare[:end], re.IGNORECASE) is not None


def _tests(tree: Condition) -> Iterator[Predicate]:
    match tree:
        case Predicate():
            yield tree
        case condition.Not():
            yield from _tests(tree.inner)
        case condition.And() | condition.Or():
            for part in tree.parts:
                yield from _tests(part)


def _names(term: _Term) -> Iterator[str]:
    match term:
        case _Name():
            yield term.name
        case _Sum() | _Compared():
            yield from _names(term.left)
            yield from _names(term.right)


def _value(term: _Term, params: Mapping[str, Any]) -> Any:
    """What *term* comes to; None where a param is missing, or there is no such sum."""
    match term:
        case _Constant():
            return term.value
        case _Name():
            return params.get(term.name)
        case _Sum():
            left, right = _value(term.left, params), _value(term.right, params)
            if not is_number(left) or not is_number(right):
                return None
            try:
                return _ARITHMETIC[term.sign](left, right)
            except ArithmeticError:
                return None
        case _Compared():
            left, right = _value(term.left, params), _value(term.right, params)
            if left is None or right is None:
                return None
            return condition.meets(Predicate("", term.operation, (right,)), left)
