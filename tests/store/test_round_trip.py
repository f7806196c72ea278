"""A run is read as it was written, from its files and from its commit's message, whatever it says."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mlgit.core import refs, values
from mlgit.core.artifact import ArtifactVersion, Link
from mlgit.core.run import LATEST, Run, State
from mlgit.core.summary import GOALS, KINDS, Rule
from mlgit.git.repo import Move, Repo
from mlgit.index import build
from mlgit.store import check, records, result, runs
from mlgit.store.telling import Account

texts = st.text(max_size=30).map(values.text) | st.sampled_from(
    (
        "", " ", "no", "1e-4", "0x1F", "~", "null", "- a", "a: b", "a #b", "two\nlines\n", "\n", "\r\n", "\x85",
        "\u2028", "\ufeffbom", "\x00", "'", '"', "\\", "%", "🦀", "e\u0301", "=", "<<", "$float", "_type", "2026-01-01",
        "1_000", ".", "x" * 1100, "a\n\nMlgit-Result: {}", "{", "\t",
    )
)  # fmt: skip
numbers = st.floats() | st.integers() | st.integers(-(1 << values.MOST_BITS) + 1, (1 << values.MOST_BITS) - 1)
trees = st.dictionaries(
    texts,
    st.recursive(
        st.none() | st.booleans() | numbers | texts,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
        max_leaves=12,
    ),
    max_size=5,
)
words = st.lists(texts, max_size=3).map(tuple)
names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}[A-Za-z0-9_-]", fullmatch=True).filter(refs.is_component)
seconds = st.floats(0, LATEST)
milliseconds = st.integers(0, int(LATEST) * 1000).map(lambda moment: moment / 1000)
hashes = st.dictionaries(texts, st.from_regex(r"[0-9a-f]{32}(\.dir)?", fullmatch=True), max_size=3)
links = st.builds(Link, collection=texts, aliases=words, linked=milliseconds)
versions = st.builds(
    ArtifactVersion, name=names, type=texts, hash=st.from_regex(r"[0-9a-f]{32}(\.dir)?", fullmatch=True),
    size=st.integers(0, 1 << 60), path=texts, files=st.integers(0, 1 << 40), created=milliseconds, aliases=words,
    claimed=milliseconds, tags=words, description=texts, metadata=trees, links=st.lists(links, max_size=2).map(tuple),
    use_as=texts, ttl=st.none() | milliseconds, deleted=st.booleans(),
)  # fmt: skip
rules = st.builds(
    Rule, name=texts, summary=st.sets(st.sampled_from(KINDS)).map(lambda some: tuple(k for k in KINDS if k in some)),
    step_metric=st.none() | texts, step_sync=st.booleans(), hidden=st.booleans(),
    goal=st.none() | st.sampled_from(GOALS),
)  # fmt: skip
RUNS = st.builds(
    Run, id=names, name=texts, project=names, state=st.sampled_from(State), created=seconds,
    finished=st.none() | seconds, paused=seconds, seen=st.none() | seconds, group=st.none() | texts,
    sweep=st.none() | texts, job_type=st.none() | texts, tags=words, notes=st.none() | texts, parent=st.none() | texts,
    reruns=st.none() | texts, reproduces=st.none() | texts,
    dirty=st.booleans(), folder=st.sampled_from(("", "a", "deep/er")), params=trees, given=words, metrics=trees,
    rules=st.lists(rules, max_size=3).map(lambda some: {rule.name: rule for rule in some}), data=hashes, held=hashes,
    used=st.lists(versions, max_size=3).map(tuple), logged=st.lists(versions, max_size=3).map(tuple),
)  # fmt: skip
ODD = Run(
    id="odd", name="odd", project="p", created=170_000_000_000.938, paused=1.0625,
    metrics={"table": {"_type": "table", "long" * 300: [{"deep": {"er": 1}}]}},
    used=(ArtifactVersion(name="a", type="model", hash="0" * 32, size=1, path="a", metadata={"best": math.nan}),),
)  # fmt: skip
"""What was once not read as it was written."""


@pytest.mark.parametrize("most", [records.MOST_BYTES, 300], ids=["in its message", "too big for its message"])
def test_a_run_is_read_as_it_was_written(repo: Repo, most: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(records, "MOST_BYTES", most)
    count = itertools.count()

    @settings(max_examples=settings().max_examples // 5, suppress_health_check=[HealthCheck.too_slow])
    @given(RUNS)
    @example(ODD)
    def reads_as_written(run: Run) -> None:
        run = replace(run, id=f"{next(count)}-{run.id}", source=repo.resolve("HEAD"))
        made = result.commit(repo, Account(run=run, rules=run.rules), ())
        repo.move([Move(refs.run_ref(run.project, run.name, run.id, digits=40), None, made.commit)], why="run")

        with repo.reader() as reader:
            (by_message,) = runs.read_all(reader, [("", made.commit)])
            by_files = runs.of_files(reader, made.commit, run.id)

        assert told(runs.complete(repo, by_message)) == told(made)
        assert by_files
        assert told(by_files) == told(made)

    reads_as_written()
    assert [(one.where, one.what) for one in check.everything(repo)] == []
    assert build.check(repo) == []


def told(run: Run) -> str:
    """All that *run* says of itself, so that nan is nan, and 1 is neither 1.0 nor true."""
    return repr(in_order(records.content(run)))


def in_order(value: Any) -> Any:
    if isinstance(value, Mapping):
        return sorted((key, in_order(item)) for key, item in value.items())
    return list(map(in_order, value)) if isinstance(value, list | tuple) else value
