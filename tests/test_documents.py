"""YAML in and out: what we write, three readers see alike; what is wrong, is named with its place."""

from __future__ import annotations

import enum
import io
import json
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import jsonschema
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from mlgit.documents import editor, reader, schema, writer
from mlgit.errors import ConfigError

AWKWARD = [
    "", " ", "no", "No", "NO", "on", "off", "yes", "y", "N", "true", "True", "FALSE", "null", "Null", "~", "=", "<<",
    "1", "-1", "+1", "01", "012", "0o17", "0x1f", "0b11", "1_000", "1e3", "1e-3", "1.0e-04", ".5", "._5", "1.", "1:2",
    "12:30", "12:30:45", "190:20:30.15", ".inf", "-.INF", ".NaN", "nan", "inf", "2026-01-02", "2026-01-02T03:04:05Z",
    "a: b", "a:", ":a", "a #b", "#a", "- a", "-", "--- a", "---", "...", "... a", "? a", "& a", "*a", "!a", "|", ">",
    "%a", "@a", "`a`", "{a", "[a", "a]", "a,b", "'a", '"a', "a'b", 'a"b', "\\", "\\n", " a", "a ", "\ta", "a\t", "a\tb",
    "a\nb", "a\nb\n", "a\n\nb", "\na", "a\n\n", "a\n \nb", " a\nb", "a \nb", "a\n b", "# a\n# b", "- a\n- b", "\n",
    "a\rb", "a\r\nb", "\x00", "\x07", "\x1b[31m", "\x7f", "\x85", "a\x85b", "\xa0", "\u2028", "a\u2028b", "\u2029",
    "\ufeff", "\ufeffa", "\ufffe",
    "\uffff", "é", "日本語", "🦊", "\U0001f468\u200d\U0001f469", "\U0010ffff", "x" * 5000,
    "lr word " * 600, "/usr/bin", "a/b.c", "val/acc", "_1", "__", "_", ".", "..", "a..b", "1-2", "e5", "E", "_1_0.5",
]  # fmt: skip
TEXT = st.sampled_from(AWKWARD) | st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
FLOATS = st.sampled_from([0.0, -0.0, 1e-4, 1e22, 1e16, 5e-324, 1.7976931348623157e308, math.nan, math.inf, -math.inf])
SCALAR = (
    st.none() | st.booleans() | st.integers() | st.sampled_from([2**63, 2**64, -(2**70), 10**300])
    | FLOATS | st.floats() | TEXT
)  # fmt: skip
DATA = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=12
)


def same(one: Any, two: Any) -> bool:
    if isinstance(one, float) and math.isnan(one):
        return isinstance(two, float) and math.isnan(two)
    if isinstance(one, Mapping):
        return isinstance(two, Mapping) and list(one) == list(two) and all(same(one[k], two[k]) for k in one)
    if isinstance(one, list | tuple):
        return isinstance(two, list) and len(one) == len(two) and all(map(same, one, two))
    return type(one) is type(two) and one == two


@settings(deadline=None, max_examples=250)
@given(DATA)
@example({text: text for text in AWKWARD})
@example([[text, [text]] for text in AWKWARD])
@example([{"a": {"b": [{"c": "x\ny"}, [["d"]], [], {}]}}])
@example({"k" * 2000: 1, "deep": {"q" * 1025: [1, {"p" * 3000: "a\nb"}]}})
@example([{"k" * 2000: {"a": 1}, "b": 2}])
def test_three_readers_see_what_was_written(data: Any):
    text = writer.dump(data)

    assert same(data, reader.plain(text, source="x.yaml"))
    assert same(data, yaml.load(text, Loader=yaml.SafeLoader))
    assert same(data, YAML(typ="safe", pure=True).load(text))


@settings(deadline=None, max_examples=100)
@given(st.dictionaries(TEXT, DATA, max_size=4))
def test_plain_data_is_read_like_the_yaml_that_is_written_of_it(data: dict[str, Any]):
    document = reader.of_plain(data, source="x.yaml")

    assert same(document.read(dict[str, Any]), reader.load(writer.dump(data), dict[str, Any], source="x.yaml"))


@pytest.mark.parametrize("text", AWKWARD)
def test_awkward_text_stays_text_for_every_reader(text: str):
    for data in (text, {"key": text}, {text: 1}, [text], {"a": [text]}):
        written = writer.dump(data)

        assert same(data, reader.plain(written, source="x.yaml"))
        assert same(data, yaml.load(written, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
        assert same(data, YAML(typ="safe", pure=True).load(written))


def test_half_a_character_becomes_a_replacement_character():
    """A lone surrogate stands for a byte of a file name that is no UTF-8; no YAML can hold it."""
    text = writer.dump({"left\udcff": "\ud800"})

    assert reader.plain(text, source="x") == yaml.safe_load(text) == {"left\ufffd": "\ufffd"}


def test_a_reader_of_plain_text_is_pleased():
    text = writer.dump(
        {"lr": 1e-5, "answer": "no", "big": 1e22, "layers": [64, 32], "note": "two\nlines\n"}, header="hi"
    )

    assert text == ('# hi\nlr: 1.0e-05\nanswer: "no"\nbig: 1.0e+22\nlayers: [64, 32]\nnote: |\n  two\n  lines\n')


def test_what_is_no_plain_data_is_refused():
    with pytest.raises(TypeError, match="object is no plain data"):
        writer.dump({"a": object()})


class Goal(enum.Enum):
    UP = "maximize"
    DOWN = "minimize"


@dataclass(frozen=True, kw_only=True)
class Inner:
    rate: float = 0.1
    names: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Outer:
    name: str
    count: int = 1
    flag: bool = False
    goal: Goal = Goal.UP
    mode: Literal["fast", "slow", 3] = "fast"
    maybe: str | None = None
    either: int | float | str = 0
    inner: Inner = field(default_factory=Inner)
    many: Mapping[str, Inner] = field(default_factory=dict)
    limit: float = field(default=1, metadata={"help": "how much"})


BAD = {
    "name: a\ncuont: 2\n": "x.yaml:2: cuont: unknown key; did you mean 'count'?",
    "name: a\nzzz: 2\n": "x.yaml:2: zzz: unknown key; known keys: name, count, flag, goal, mode, maybe, either, inner, "
    "many, limit",
    "count: 2\n": "x.yaml:1: name: required, but missing",
    "name: 1.5\n": "x.yaml:1: name: expected text, got 1.5",
    "name: [a]\n": "x.yaml:1: name: expected text, got a list",
    "name: a\ncount: two\n": "x.yaml:2: count: expected a whole number, got 'two'",
    "name: a\ncount: true\n": "x.yaml:2: count: expected a whole number, got True",
    "name: a\ncount: 1.0\n": "x.yaml:2: count: expected a whole number, got 1.0",
    "name: a\nflag: yes\n": "x.yaml:2: flag: expected true or false, got 'yes'",
    "name: a\nflag: 1\n": "x.yaml:2: flag: expected true or false, got 1",
    "name: a\nmaybe: 3\n": "x.yaml:2: maybe: expected text or null, got '3'",
    "name: a\neither: [1]\n": "x.yaml:2: either: expected a whole number or a number or text, got a list",
    "name: a\ngoal: max\n": "x.yaml:2: goal: expected one of maximize, minimize; got 'max'",
    "name: a\ngoal: minimise\n": "x.yaml:2: goal: expected one of maximize, minimize; got 'minimise'; "
    "did you mean 'minimize'?",
    "name: a\ngoal: [maximize]\n": "x.yaml:2: goal: expected one of maximize, minimize; got a list",
    "name: a\nmode: true\n": "x.yaml:2: mode: expected one of fast, slow, 3; got 'True'",
    "name: a\ninner: 3\n": "x.yaml:2: inner: expected a mapping, got '3'",
    "name: a\ninner:\n": "x.yaml:2: inner: expected a mapping, got nothing",
    "name: a\ninner:\n  rate: fast\n": "x.yaml:3: inner.rate: expected a number, got 'fast'",
    "name: a\ninner:\n  names: a\n": "x.yaml:3: inner.names: expected a list, got 'a'",
    "name: a\ninner:\n  names:\n  - a\n  - 2\n": "x.yaml:5: inner.names.1: expected text, got 2",
    "name: a\nmany:\n  one:\n    rato: 1\n": "x.yaml:4: many.one.rato: unknown key; did you mean 'rate'?",
    "name: a\nname: b\n": "x.yaml:2: name: the key stands twice, first in line 1",
    "name: a\nmany: {b: {}, b: {}}\n": "x.yaml:2: many.b: the key stands twice, first in line 2",
    "- a\n": "x.yaml:1: expected a mapping",
    "a\n": "x.yaml:1: expected a mapping, got 'a'",
    "name: a\n? [b]\n: 1\n": "x.yaml:2: a key must be a word",
    "name: a\ninner:\n\trate: 1\n": "x.yaml:3: found character that cannot start any token; indent with spaces, "
    "YAML has no tabs.",
    "name: {a\n": "x.yaml:2: did not find expected ',' or '}'.",
    "name: a\n---\nname: b\n": "x.yaml:3: a second document; one is read.",
    "name: !!python/object:os.system a\n": "x.yaml:1: the tag tag:yaml.org,2002:python/object:os.system is not read; "
    "use plain values.",
    "name: !secret a\n": "x.yaml:1: the tag !secret is not read; use plain values.",
    "name: a\ncount: !!int x\n": "x.yaml:2: count: 'x' is no int",
    "name: *a\n": "x.yaml:1: the alias *a stands for nothing before it.",
    "name: &a [*a]\n": "x.yaml:1: the alias *a stands for nothing before it.",
    "name: a\ncount: " + "1" * 5000: "x.yaml:2: count: a number of 5,000 digits; 1,000 are read",
}  # fmt: skip


def test_a_key_with_the_end_of_a_line_or_an_escape_in_it_stays_on_its_line():
    key = "a\n::add-path::/x\x1b[2J\u202e"
    for text in (json.dumps({"name": "a", key: 1}), json.dumps({"name": "a", "many": {key: {"z": 1}}})):
        with pytest.raises(ConfigError) as caught:
            reader.load(text, Outer, source="x.yaml")

        assert r"a\n::add-path::/x\x1b[2J\u202e" in caught.value.what
        assert caught.value.what.isprintable()

    with pytest.raises(ConfigError) as caught:
        reader.load(json.dumps({"name": "a", "k" * 9999: 1}), Outer, source="x.yaml")
    assert len(caught.value.what) < 300


@pytest.mark.parametrize("text", BAD, ids=[repr(text)[:40] for text in BAD])
def test_a_bad_document_is_told_with_its_place(text: str):
    with pytest.raises(ConfigError) as caught:
        reader.load(text, Outer, source="x.yaml")

    assert caught.value.what == BAD[text]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"a: 1\xff\n", "x.yaml:1: not UTF-8 text (invalid start byte at byte 4)."),
        (b"a: 1\nb: \0\n", "x.yaml:2: control characters are not allowed."),
        ("a: \ud800", "x.yaml:1: not Unicode text (surrogates not allowed)."),
        (b"a" * (8 << 20) + b"b", "x.yaml:1: the file has more than 8,388,608 bytes, the most that is read."),
        ("[" * 2000 + "]" * 2000, "x.yaml:1: nested more than 64 deep."),
        ("a: " + "- " * 2000, None),
        ("a: " + "{a: " * 2000 + "}" * 2000, "x.yaml:1: nested more than 64 deep."),
        ("[" * 100_000, "x.yaml:1: nested more than 64 deep."),
        ("&a " * 2000, None),
        ("%YAML 3.0\n---\na: 1", None),
        ("a: 'b", None),
        ("a: b: c", "x.yaml:1: mapping values are not allowed in this context."),
    ],
    ids=[
        "not utf-8",
        "nul",
        "surrogate",
        "8 MB",
        "lists",
        "dashes",
        "mappings",
        "open",
        "anchors",
        "version",
        "quote",
        "colons",
    ],
)
def test_text_that_is_no_yaml_is_told_with_its_place(text: str | bytes, expected: str | None):
    with pytest.raises(ConfigError) as caught:
        reader.plain(text, source="x.yaml")

    assert caught.value.what.startswith("x.yaml:")
    assert expected in (None, caught.value.what)


def test_an_alias_bomb_is_refused_before_it_goes_off():
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)
    )

    with pytest.raises(ConfigError, match=r"x\.yaml:\d: more than 200,000 values, repeated aliases counted"):
        reader.plain(bomb, source="x.yaml")


def test_an_honest_alias_is_read():
    assert reader.plain("a: &x [1, 2]\nb: *x\n", source="x") == {"a": [1, 2], "b": [1, 2]}


@pytest.mark.parametrize(
    "text",
    [
        "a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}\n",
        "a: &x {p: 1, q: 2}\nb: {q: 3, <<: *x}\n",
        "a: &x {p: 1}\nb: &y {p: 2, q: 3}\nc: {<<: [*x, *y], r: 4}\n",
        "a: &x {p: {q: 1}}\nb: &y {<<: *x, r: 2}\nc: {<<: *y}\n",
        "a: {<<: {p: 1}}\n",
        "a: {'<<': {p: 1}}\n",
        "a: &x {}\nb: {<<: *x}\n",
    ],
)
def test_a_mapping_takes_over_what_it_merges(text: str) -> None:
    assert reader.plain(text, source="x") == YAML(typ="safe", pure=True).load(text)


def test_a_bomb_of_merges_does_not_go_off() -> None:
    lines = ["a0: &a0 {" + ", ".join(f"k{i}: [1, 2, 3, 4, 5]" for i in range(500)) + "}"]
    lines += [f"a{i}: &a{i} {{b: {{<<: *a{i - 1}}}, c: {{<<: *a{i - 1}}}, d: {{<<: *a{i - 1}}}}}" for i in range(1, 30)]

    with pytest.raises(ConfigError, match="repeated aliases counted"):
        reader.plain("\n".join(lines), source="x")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4), ("1E4", 1e4), ("1.", 1.0), (".5", 0.5), ("-.inf", -math.inf), ("0o17", 15), ("0x1F", 31),
        ("012", 12), ("+3", 3), ("~", None), ("", None), ("no", "no"), ("on", "on"), ("12:30", "12:30"),
        ("1_000", "1_000"), ("0b1", "0b1"),
        ("2026-01-02", "2026-01-02"), ("'1'", "1"), ("! 1", "1"), ("!!str 1", "1"), ("!!float 1", 1),
        ("=", "="), ("<<", "<<"), ("1" * 1000, int("1" * 1000)),
    ],
)  # fmt: skip
def test_scalars_are_read_as_yaml_1_2(text: str, value: object):
    read = reader.plain(f"a: {text}\n", source="x")["a"]

    assert read == value
    assert type(read) is type(value) or text == "!!float 1"


def test_an_empty_document_is_an_empty_mapping():
    assert reader.plain("", source="x") == reader.plain("# nothing\n", source="x") == {}


def test_a_record_survives_the_way_through_yaml():
    value = Outer(
        name="no", count=3, goal=Goal.DOWN, maybe="1e-3", either=1e-4, inner=Inner(rate=1e-9, names=("a", "~")),
        many={"x": Inner(rate=2.0)},
    )  # fmt: skip

    assert reader.load(writer.dump(writer.as_data(value)), Outer, source="x") == value


def test_the_schema_says_what_the_reader_takes():
    described = schema.schema(Outer, title="outer")
    check = jsonschema.Draft202012Validator(described)
    check.check_schema(described)

    good = reader.plain("name: a\ngoal: minimize\ninner: {rate: 1}\nmany: {b: {names: [c]}}\n", source="x")
    assert check.is_valid(good)
    assert described["properties"]["limit"] == {"type": "number", "description": "how much"}
    assert described["required"] == ["name"]
    for bad in ({"name": 1}, {"count": 1}, {"name": "a", "zzz": 1}, {"name": "a", "goal": "up"}):
        assert not check.is_valid(bad)


# -- values put into a person's file

FILE = """\
# how fast
lr: 0.1   # not too fast
model:
  depth: 3
  name: 'quoted'

seed: 0x1F
"""


def test_values_go_in_and_comments_stay():
    text = editor.with_values(FILE, {"lr": 0.5, "model.depth": 4}, source="params.yaml")

    assert text == FILE.replace("0.1", "0.5").replace("depth: 3", "depth: 4")


def test_what_is_missing_is_made():
    text = editor.with_values(FILE, {"opt.name": "adam"}, source="params.yaml")

    assert reader.plain(text, source="x")["opt"] == {"name": "adam"}


PIECES = ["a", "b.c", "no", "...", "9", ": ", ":", " ", "-", "1", "007", "0.5", "1.0e-04", "1e3", ".nan", "e", "\n",
          "\r", "#", "é", "9" * 301]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join) | st.text())
@example("a: 1\nb: -0\nc: -0.0\nloss/val: 1.0e-04\nd: 1.0e+999\n")
@example("a: 1\na: 1\n")
@example("".join(f"m{n}: {n}\n" for n in range(100_000)))
def test_a_word_and_a_number_a_line_are_read_as_all_else_is(text: str):
    def read(way: Callable[[], Any]) -> str:
        try:
            return repr(way())
        except ConfigError as exc:
            return str(exc)

    slowly = read(lambda: reader.load(text, dict[str, Any], source="x"))
    if "expected a mapping" not in slowly:
        assert read(lambda: reader.plain(text, source="x")) == slowly


@settings(deadline=None, max_examples=80)
@given(st.dictionaries(st.sampled_from(["lr", "model.depth", "new"]), DATA, min_size=1))
@example({"lr": 1e-05})
@example({"lr": "1e-05"})
@example({"lr": 1e22})
@example({"lr": "no"})
@example({"lr": "12:30"})
@example({"lr": math.nan})
@example({"lr": {"a": ["on", 1e-7, None, "\u2028"]}})
def test_a_value_put_in_is_read_alike_by_yaml_1_1_and_1_2(values: dict[str, Any]):
    """The script that reads the file may use either."""
    text = editor.with_values(FILE, values, source="params.yaml")

    for data in (reader.plain(text, source="x"), yaml.safe_load(text), YAML(typ="safe", pure=True).load(text)):
        for key, value in values.items():
            found = data
            for part in key.split("."):
                found = found[part]
            assert same(value, found), (text, key, value, found)


def test_a_list_is_put_in_on_one_line():
    text = editor.with_values("lr: 1  # rate\n", {"lr": [{}, None, None, "no"]}, source="params.yaml")

    assert text == 'lr: [{}, null, null, "no"] # rate\n'


def test_a_key_with_a_dot_in_the_file_is_that_key():
    text = editor.with_values("model.depth: 3\n", {"model.depth": 4}, source="params.yaml")

    assert text == "model.depth: 4\n"


def test_a_value_goes_into_json():
    text = editor.with_values('{"lr": 0.1, "m": {"d": 3}}', {"m.d": 4, "n": "ü"}, source="params.json")

    assert json.loads(text) == {"lr": 0.1, "m": {"d": 4}, "n": "ü"}


@pytest.mark.parametrize(
    ("text", "source", "expected"),
    [
        ("lr: 1\n", "p.yaml", "p.yaml:1: lr.rate: there is no mapping to put it into"),
        ("- 1\n", "p.yaml", "p.yaml:1: lr.rate: there is no mapping to put it into"),
        ("lr: 1\nlr: 2\n", "p.yaml", "p.yaml:2: lr: the key stands twice, first in line 1"),
        (
            "{",
            "p.json",
            "p.json:1: not JSON (Expecting property name enclosed in double quotes: line 1 column 2 (char 1)).",
        ),
    ],
)
def test_a_file_that_cannot_take_a_value_is_told(text: str, source: str, expected: str):
    with pytest.raises(ConfigError) as caught:
        editor.with_values(text, {"lr.rate": 1}, source=source)

    assert caught.value.what == expected


def test_random_garbage_is_an_error_or_a_value_never_a_crash():
    chars = random.Random(7)
    alphabet = "ab:- \n\t[]{}&*!|>'\"%@`#?,0.e~<=\x00\x85\u2028\ufeff"
    for _ in range(1500):
        text = "".join(chars.choice(alphabet) for _ in range(chars.randrange(20)))
        try:
            told = json.dumps(reader.plain(text, source="x.yaml"))
        except ConfigError as exc:
            told = exc.what

        assert told


def test_a_stream_of_ours_is_what_ruamel_keeps():
    text = writer.dump({"a": {"b": [1, 2]}, "c": "x\ny"})
    keeper, out = YAML(typ="rt"), io.StringIO()
    keeper.dump(keeper.load(text), out)

    assert reader.plain(out.getvalue(), source="x") == {"a": {"b": [1, 2]}, "c": "x\ny"}


def test_a_key_is_found_by_its_line():
    found = reader.parse("# top\na: 1\nnet:\n  - width: 8\n    b.c: 2\n", source="x")

    assert [found.line_of(path) for path in (["a"], ["net", "0", "width"], ["net", "0", "b.c"])] == [2, 4, 5]
    assert [found.line_of(path) for path in ([], ["b"], ["a", "b"], ["net", "1"])] == [None] * 4
