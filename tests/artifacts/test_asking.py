"""Conditions about versions of artifacts."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

import mlgit as api
from mlgit.artifacts import asking
from mlgit.core import language
from mlgit.core.artifact import ArtifactVersion
from mlgit.errors import NotFoundError
from mlgit.git.repo import Repo
from mlgit.index import query
from tests.recorded import record

ONE, OTHER = (
    ArtifactVersion(name="digits", type="dataset", hash=f"{mark:032}", size=1, path="d", created=1e9 + mark)
    for mark in range(2)
)


@pytest.fixture
def known(inside: Repo) -> Repo:
    record(inside, "a11111111", name="maker", logged=(ONE,))
    record(inside, "b11111111", name="newer", logged=(OTHER,))
    record(inside, "c11111111", name="user", used=(ONE,))
    record(inside, "d11111111", name="reader", data={"digits": ONE.hash})
    record(inside, "e11111111", name="later", used=(OTHER,))
    return inside


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ("used = digits:v0", {"user", "reader"}), ("used = digits@v0", {"user", "reader"}),
        (f"used = '{ONE.hash}'", {"user", "reader"}), ("used = digits", {"user", "later"}),
        ("used in (nothing, digits:v1)", {"later"}),
        ("used = 'digits:latest' or logged = digits:v0", {"later", "maker"}),
        ("used != digits:v0 and used is not null", {"later"}),
        ("not (logged = digits:v0)", {"newer", "user", "reader", "later"}),
    ],
)  # fmt: skip
def test_runs_are_found_by_the_version_that_they_used_or_logged(known: Repo, condition: str, names: set[str]):
    """By number, alias and hash; what DVC held when a run ran counts as used."""
    wanted = asking.told(known, language.parse(condition), "p")

    assert {run.name for run in query.search(known, wanted).runs} == names
    assert {run.name for run in api.runs(condition, all_projects=True)} == names


def test_a_version_that_is_not_there_is_said_so(known: Repo, mlgit: Callable[..., subprocess.CompletedProcess[str]]):
    with pytest.raises(NotFoundError, match="no version 'v7'"):
        asking.told(known, language.parse("used = digits:v7"), None)
    assert "user" in mlgit("ls", "--all", "--where", "used = digits:v0").stdout


def test_who_used_a_version_is_found_without_reading_who_used_others(known: Repo, records_read: list[str]):
    artifact = api.Api().artifact("p/digits:v0")
    records_read.clear()

    assert [run.name for run in artifact.used_by()] == ["user"]
    assert not any("later" in ref for ref in records_read)
