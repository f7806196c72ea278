"""What two rooms share: comparisons, escapes, secrets, figures, thinning, conditions."""

from __future__ import annotations

import html as stdlib_html
import math
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from mlgit.core import compare, escape, figures, query, secrets
from mlgit.core.compare import MISSING, Direction, Goal
from mlgit.core.history import Series, thin
from mlgit.core.run import Run, State
from mlgit.errors import UsageError

# -- compare


@pytest.mark.parametrize(
    ("name", "goal"),
    [
        ("accuracy", Goal.MAXIMIZE),
        ("val/acc", Goal.MAXIMIZE),
        ("val_loss", Goal.MINIMIZE),
        ("test.rmse", Goal.MINIMIZE),
        ("F1", Goal.MAXIMIZE),
        ("epoch", None),
        ("accident", None),
        ("glossary", None),
        ("", None),
        ("loss-scale", Goal.MINIMIZE),
    ],
)
def test_a_metrics_name_suggests_its_goal(name: str, goal: Goal | None):
    assert compare.goal_of(name, {}) is goal
    assert compare.goal_of(name, {name: Goal.MINIMIZE}) is Goal.MINIMIZE


@given(
    st.recursive(
        st.none() | st.integers(), lambda inner: st.dictionaries(st.text("ab.", max_size=3), inner, max_size=3)
    ).filter(lambda tree: isinstance(tree, dict)),
    st.text("ab.", max_size=6),
)
def test_one_value_is_found_as_where_all_are_spread_out(tree: dict[str, Any], key: str):
    assert compare.within(tree, key) == compare.flatten(tree).get(key)


@pytest.mark.parametrize(
    ("base", "head", "goal", "expected"),
    [
        (1, 2, Goal.MAXIMIZE, "better"),
        (1, 2, Goal.MINIMIZE, "worse"),
        (1, 1.0, Goal.MAXIMIZE, "same"),
        (1, 2, None, "unknown"),
        (math.nan, 1, Goal.MINIMIZE, "better"),
        (1, math.nan, Goal.MAXIMIZE, "worse"),
        (math.inf, 1, Goal.MAXIMIZE, "better"),
        (MISSING, 1, Goal.MAXIMIZE, "unknown"),
        (1, MISSING, Goal.MAXIMIZE, "unknown"),
        (MISSING, 1, None, "unknown"),
        ("a", "a", None, "same"),
        ("a", "b", Goal.MAXIMIZE, "unknown"),
        (True, False, Goal.MAXIMIZE, "unknown"),
        (10**400, 1, Goal.MINIMIZE, "better"),
        (10**300, 1.5, Goal.MINIMIZE, "better"),
        (2**63, 2**63 + 1, Goal.MAXIMIZE, "better"),
    ],
)
def test_a_change_is_better_or_worse_by_its_goal(base: Any, head: Any, goal: Goal | None, expected: str):
    assert compare.direction(base, head, goal) is Direction(expected)


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)


@given(st.dictionaries(st.text(max_size=2), VALUES), st.dictionaries(st.text(max_size=2), VALUES))
def test_every_metric_of_either_run_is_compared_once(base: dict[str, Any], head: dict[str, Any]):
    deltas = compare.metric_deltas(base, head, {})

    assert sorted(delta.name for delta in deltas) == sorted(base.keys() | head.keys())
    for delta in deltas:
        assert (delta.delta is None) == (not (compare.is_number(delta.base) and compare.is_number(delta.head)))


def test_changes_know_what_is_missing_and_what_only_looks_the_same():
    base = {"a": {"b": 1, "c": 2}, "t": True, "n": math.nan, "gone": 1, "e": {}}
    head = {"a": {"b": 1, "c": 3}, "t": 1, "n": math.nan, "new": None, "e": {}}

    assert [(one.key, one.base, one.head) for one in compare.changes(base, head)] == [
        ("a.c", 2, 3),
        ("gone", 1, MISSING),
        ("new", MISSING, None),
        ("t", True, 1),
    ]


def test_the_best_is_a_number_and_the_first_of_equals():
    pairs = [("a", math.nan), ("b", 2), ("c", "9"), ("d", 2), ("e", True), ("f", 1)]

    assert compare.best(pairs, Goal.MAXIMIZE) == "b"
    assert compare.best(pairs, Goal.MINIMIZE) == "f"
    assert compare.best([("a", None)], Goal.MINIMIZE) is None


# -- escape

HOSTILE = [
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x1b]8;;http://x\x1b\\link",
    "\x9b31m",
    "\r\nfake",
    "a\u202eb",
    "\x00",
    "\x7f",
    "\ud800",
    "@everyone",
    "#12",
    "org/repo#1",
    "GH-1",
    "<!-- mlgit -->",
    "-->",
    "<script>alert(1)</script>",
    "<img src=x onerror=y>",
    "a|b",
    "`code`",
    "``",
    "[x](javascript:alert(1))",
    "![x](http://y)",
    "https://evil.example/x",
    "www.evil.example",
    "**bold**",
    "_it_",
    "~~no~~",
    "$math$",
    "\\",
    "* a",
    "1. a",
    "+ a",
    "- a",
    "> a",
    "# a",
    "a\n\n# b",
    "&lt;",
    "&#64;x",
    "{{ x }}",
    "{% x %}",
    "a" * 5000,
    "=1+1",
    "+1",
    "-1+1",
    "@SUM(1)",
    "\t=1",
    "|---|",
    "ftp://x.y",
    "mailto:a@b.c",
    "<a@b.c>",
    "user@example.com",
    ":smile:",
    "---",
    "```\n",
    "~~~",
]


@given(st.sampled_from(HOSTILE) | st.text(max_size=60))
@settings(max_examples=300)
def test_nothing_hostile_reaches_a_terminal(text: str):
    safe = escape.line(text)

    assert "\n" not in safe
    assert len(safe) <= 200
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", safe)
    safe.encode()


@given(st.sampled_from(HOSTILE) | st.text(max_size=60))
@settings(max_examples=300)
def test_nothing_hostile_is_markup_in_a_markdown_cell(text: str):
    rendered = MarkdownIt("gfm-like", {"linkify": False}).render(f"| x |\n|---|\n| a {escape.markdown(text)} b |\n")
    cell = rendered.partition("<td>")[2].partition("</td>")[0]

    assert rendered.count("<td>") == 1
    assert "<" not in cell
    assert not re.search(r"@\w|#\d|\bhttps?:|\bwww\.", stdlib_html.unescape(cell))
    plain = stdlib_html.unescape(cell).replace("\u200b", "")
    assert plain.split() == f"a {escape.line(text, 500)} b".replace("\u200b", "").split()


@given(st.sampled_from(HOSTILE) | st.text(max_size=60))
@settings(max_examples=200)
def test_nothing_hostile_leaves_a_code_span_in_a_table(text: str):
    rendered = MarkdownIt("gfm-like", {"linkify": False}).render(
        f"| x | y |\n|---|---|\n| {escape.code(text)} | end |\n"
    )

    assert rendered.count("<td>") == 2
    assert "<td>end</td>" in rendered
    assert not re.search(r"<(?!/?(table|thead|tbody|tr|th|td|code)\b)", rendered)


@given(st.sampled_from(HOSTILE) | st.text(max_size=60))
def test_nothing_hostile_is_html(text: str):
    assert not set("<>\"'") & set(escape.html(text))
    assert stdlib_html.unescape(escape.html(text)) == text or "&" in text


# -- secrets

TOKENS = [
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_" + "a" * 36,
    "gho_" + "B" * 40,
    "github_pat_" + "a1" * 40,
    "glpat-" + "x" * 20,
    "hf_" + "Q" * 34,
    "sk-" + "a" * 48,
    "sk-ant-" + "b" * 40,
    "sk-proj-" + "c" * 40,
    "xoxb-1234567890-abc",
    "AIza" + "x" * 35,
    "npm_" + "d" * 36,
    "pypi-" + "e" * 60,
    "wandb_v1_" + "f" * 40,
    "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----",
    "secret_access_key = " + "g" * 40,
]


@pytest.mark.parametrize("token", TOKENS)
def test_a_token_of_a_known_shape_is_hidden_wherever_it_stands(token: str):
    for text in (token, f"key={token}", f"'{token}'", f"https://x/{token}?a", f"a\n{token}\nb"):
        assert secrets.has_secret(text)
        assert token not in secrets.redact(text)
    assert secrets.redact(f"before {token} after").startswith("before ***")


@pytest.mark.parametrize(
    ("address", "safe"),
    [
        ("https://ada:hunter2@host/x", "https://***@host/x"),
        ("redis://:hunter2@host", "redis://***@host"),
        ("postgres://u:p:w@h/d", "postgres://***@h/d"),
        ("https://host:8080/x@y", "https://host:8080/x@y"),
        ("ssh://git@host/x", "ssh://git@host/x"),
        ("git@github.com:a/b", "git@github.com:a/b"),
        ("see http://a.b/c:d@e", "see http://a.b/c:d@e"),
    ],
)
def test_a_password_in_an_address_is_hidden_and_nothing_else(address: str, safe: str):
    assert secrets.redact(address) == safe


@pytest.mark.parametrize(
    "text", ["task-" + "a" * 40, "sketch", "desk-1", "hf_short", "a sk- b", "ghp_x", "AKIA", "x" * 100, "lr=0.1"]
)
def test_innocent_text_stays(text: str):
    assert secrets.redact(text) == text


@given(st.binary(max_size=30), st.sampled_from(TOKENS), st.binary(max_size=30))
def test_a_token_is_found_between_bytes_of_any_kind(before: bytes, token: str, after: bytes):
    assert secrets.is_secret(before + b" " + token.encode() + b"\x00" + after)


@pytest.mark.parametrize("text", ["‹{}›", "“{}”", "µ{}º", "é{}é", "://{}", "sk-sk-{}"])
def test_a_token_is_found_next_to_any_letter(text: str):
    assert secrets.has_secret(text.format(TOKENS[1]))
    assert secrets.is_secret(text.format(TOKENS[1]).encode())


def test_what_looks_like_an_address_in_a_binary_file_is_no_password():
    assert not secrets.is_secret(b"\x93://\x02a\xb1:\x01q\xfe@\x00")


def test_params_whose_names_say_secret_are_hidden():
    params = {
        "api_key": "a",
        "API-KEY": "a",
        "hf_token": "a",
        "password": "a",
        "db.password": "a",
        "aws_secret_access_key": "a",
        "secret_key": "a",
        "max_tokens": 5,
        "tokenizer": "bert",
        "token": 3,
        "key": "a",
        "monkey": "a",
        "nested": [{"passwd": "a"}],
        "empty_token": "",
    }

    assert secrets.redact_params(params) == {
        "api_key": "***",
        "API-KEY": "***",
        "hf_token": "***",
        "password": "***",
        "db.password": "***",
        "aws_secret_access_key": "***",
        "secret_key": "***",
        "max_tokens": 5,
        "tokenizer": "bert",
        "token": 3,
        "key": "a",
        "monkey": "a",
        "nested": [{"passwd": "***"}],
        "empty_token": "",
    }


def test_a_command_hides_the_values_of_its_secret_options():
    command = ("train", "--api-key", "x", "--token=y", "--max-tokens", "5", f"--url={TOKENS[1]}", "--password")

    assert secrets.redact_command(command) == (
        "train",
        "--api-key",
        "***",
        "--token=***",
        "--max-tokens",
        "5",
        "--url=***",
        "--password",
    )


# -- figures


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.981234, "0.9812"),
        (1e-5, "1e-05"),
        (3, "3"),
        (10**30, "1" + "0" * 30),
        (True, "True"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        (None, "None"),
        ("x", "x"),
        (-0.0, "-0"),
        (MISSING, "—"),
    ],
)
def test_a_number_is_written_as_people_read_it(value: Any, text: str):
    assert figures.number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0s"),
        (9.99, "10.0s"),
        (42, "42s"),
        (59.6, "1m 00s"),
        (200, "3m 20s"),
        (7500, "2h 05m"),
        (3599.7, "1h 00m"),
        (273600, "3d 4h"),
        (None, ""),
    ],
)
def test_a_duration_is_written_as_people_read_it(seconds: float | None, text: str):
    assert figures.duration(seconds) == text


def test_sizes_moments_and_differences():
    assert [figures.size(count) for count in (0, 512, 1229, 3 << 30, 5 << 40)] == [
        "0 B",
        "512 B",
        "1.2 KiB",
        "3.0 GiB",
        "5.0 TiB",
    ]
    assert figures.moment(0) == "1970-01-01T00:00:00Z"
    assert figures.moment(math.nan) == "1970-01-01T00:00:00Z"
    assert figures.moment(1e300) == "9999-12-31T23:59:59Z"
    assert [figures.difference(value) for value in (None, 0.0, 0.0125, -1e-9)] == ["", "0", "+0.0125", "−1e−09"]
    assert [figures.ago(0, now) for now in (-5, 59, 60, 7200, 900000)] == ["now", "now", "1 min", "2 h", "10 d"]


def test_a_curve_is_a_line_of_bars():
    assert figures.sparkline(range(8), [0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert figures.sparkline(range(8), [0, 1, 2, 3, 4, 5, 6, 7], 4) == "▁▃▆█"
    assert figures.sparkline([0, 1, 8], [0, 4, 8], 3) == "▁▁█", "a stretch without a value goes on as the one before"
    assert figures.sparkline([0, 1, 2], [5, 5, 5]) == figures.sparkline([0, 1, 2], [0, 0, 5e-324]) == "▁▁▁"
    assert figures.sparkline([0, 1, 2], [math.nan, 1, math.inf]) == figures.sparkline([], []) == ""
    assert figures.sparkline([500, 0, 600, 1000], [4, 0, 5, 8], 4) == "▁▁▅█", "whoever shares a run tells in turn"


@given(st.lists(st.tuples(st.floats() | st.integers(), st.floats() | st.integers())), st.integers(2, 40))
def test_any_curve_has_its_bars(points: list[tuple[float, float]], width: int):
    places = [at for at, _ in points if compare.is_number(at)]
    drawn = figures.sparkline(places, [value for _, value in points][: len(places)], width)

    assert len(drawn) <= width
    assert set(drawn) <= set("▁▂▃▄▅▆▇█")


# -- history

NUMBERS = st.one_of(
    st.floats(), st.integers(-(10**400), 10**400), st.sampled_from([math.nan, math.inf, -math.inf, 0.0])
)


def same(one: Any, two: Any) -> bool:
    return one == two or (one != one and two != two)


@given(st.lists(NUMBERS, max_size=200), st.integers(5, 50))
@settings(max_examples=200, deadline=None)
def test_thinning_keeps_spikes_ends_order_and_its_bound(values: list[float], most: int):
    series = Series(range(len(values)), values, values, values)
    thinned = thin(series, most)
    finite = [value for value in values if value - value == 0]

    assert len(thinned) <= max(most, 3 * max(1, (most - 2) // 3) + 2)
    assert list(thinned.steps) == sorted(set(thinned.steps))
    assert all(same(value, values[step]) for step, value in zip(thinned.steps, thinned.values, strict=True))
    if values:
        assert (thinned.steps[0], thinned.steps[-1]) == (0, len(values) - 1)
    if finite:
        assert min(finite) in thinned.values
        assert max(finite) in thinned.values
    assert len(finite) == len(values) or any(value - value != 0 for value in thinned.values)
    assert len(values) > most or len(thinned) == len(values)


# -- query

RUN = Run(
    id="abcdefgh",
    name="radiant",
    project="p",
    state=State.FAILED,
    created=100.0,
    finished=160.0,
    tags=("a", "b c"),
    params={"lr": 1e-3, "model": {"depth": 3}, "flag": True, "who": "no"},
    metrics={"accuracy": 0.9, "lr": 5, "bad": math.nan, "val/acc": 0.8},
)


def test_a_key_that_no_run_has_is_told_with_the_one_that_was_meant():
    query.check([RUN], ["accuracy", "-lr", "params.model.depth", "metrics.lr", "created", "group"])
    query.check([], ["nonsense"])  # nothing is known, and nothing is wrong

    with pytest.raises(UsageError, match="No run has 'acuracy'") as close:
        query.check([RUN], ["lr", "-acuracy"])
    with pytest.raises(UsageError, match="No run has 'zzz'") as far:
        query.check([RUN], ["zzz"])
    assert close.value.fix == "did you mean 'accuracy'?"
    assert far.value.fix == "they have accuracy, bad, flag, lr, model.depth, val/acc, who"


def test_runs_are_ordered_by_number_then_by_word_and_those_without_come_last():
    values = [("a", 2), ("b", None), ("c", "word"), ("d", math.nan), ("e", 1), ("f", 10**400)]
    runs = [
        Run(id=name, name=name, project="p", metrics={} if value is None else {"m": value}) for name, value in values
    ]

    assert [run.id for run in query.ordered(runs, "m")][:2] == ["e", "a"]
    assert [run.id for run in query.ordered(runs, "-m")][:2] == ["a", "e"]
    assert query.ordered(runs, "m")[-1].id == query.ordered(runs, "-m")[-1].id == "b"


def test_runs_are_ordered_by_several_keys_the_first_counting_most():
    runs = [
        Run(id=name, name=name, project="p", group=name[0], metrics={"m": int(name[1])}) for name in ("b1", "a1", "a2")
    ]

    assert [run.id for run in query.ordered(runs, "group", "-m")] == ["a2", "a1", "b1"]
    assert [run.id for run in query.ordered(runs, "-m", "-group")] == ["a2", "b1", "a1"]
