"""Names from outside: what comes through is safe as a ref, a path component and an argument."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlgit.core import refs
from mlgit.errors import UsageError

HOSTILE = [
    "..",
    ".",
    "",
    " ",
    "a b",
    "a..b",
    "@{",
    "a@{b",
    "@",
    "-lead",
    "--help",
    ".hidden",
    "a/b",
    "../../x",
    "a.lock",
    "a.",
    "é",
    "日本",
    "🦊",
    "x" * 101,
    "x" * 500,
    "a\nb",
    "a\0b",
    "a~1",
    "a^",
    "a:b",
    "a?b",
    "a*b",
    "a[b",
    "a\\b",
    "\x7f",
    "`id`",
    "$(id)",
    "a;b",
    "a|b",
    "a\n",
    "HEAD ",
    "refs/heads/x",
    "\u2028",
    "a\u202eb",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_no_component(name: str):
    with pytest.raises(UsageError, match="cannot be the name of a model"):
        refs.component(name, "model")


@pytest.mark.parametrize("name", ["a", "A", "0", "a-b", "a_b", "a.b", "x" * 100, "1.0", "a-", "HEAD", "exp", "CON"])
def test_an_honest_name_is_a_component(name: str):
    assert refs.component(name, "model") == name


def test_the_error_offers_a_name_that_would_do():
    with pytest.raises(UsageError) as caught:
        refs.component("Mon Modèle!", "model")

    assert caught.value.fix == "call it 'mon-modele'"


@given(st.text())
@settings(max_examples=300)
def test_a_slug_is_a_component_or_nothing(name: str):
    slug = refs.slug(name)

    assert slug == "" or refs.component(slug, "x") == slug
    assert len(slug) <= 60
    assert refs.slug(slug) == slug


@given(st.text(max_size=80), st.text(min_size=1, max_size=64))
@settings(max_examples=300)
def test_a_runs_ref_has_a_fixed_shape_whatever_it_is_called(name: str, run_id: str):
    ref = refs.run_ref("digits", name, run_id)
    prefix, _, last = ref.rpartition("/")

    assert prefix == "refs/heads/exp/digits"
    assert refs.component(last, "run") == last
    assert len(last.rpartition("-")[2]) == 6


@pytest.mark.parametrize("name", HOSTILE)
def test_git_takes_the_ref_of_a_run_of_any_name(name: str):
    ref = refs.run_ref("digits", name, name)

    assert subprocess.run(["git", "check-ref-format", ref], check=False).returncode == 0


def test_ids_that_begin_alike_are_told_apart_by_more_digits():
    one, two = (refs.run_ref("p", "n", run_id, digits=8) for run_id in ("abcdefgh", "abcdefgi"))

    assert refs.run_ref("p", "n", "abcdefgh") == refs.run_ref("p", "n", "abcdefgi")
    assert one != two


@pytest.mark.parametrize("text", ["1.2.3", "v1.2.3", "v0.0.0", "v1.0.0-rc.1"])
def test_a_version_is_semver_with_its_v(text: str):
    assert refs.version(text) == f"v{text.removeprefix('v')}"


@pytest.mark.parametrize(
    "text", ["1", "1.2", "01.2.3", "v1.2.3+build", "v1.2.3-", "latest", "", "v1.2.3\n", "v1.0.0-x.lock", "../v1.2.3"]
)
def test_what_is_no_version_is_refused(text: str):
    with pytest.raises(UsageError, match="is no version"):
        refs.version(text)


def test_versions_sort_by_number_and_a_candidate_before_its_release():
    ordered = ["v0.9.0", "v1.0.0-rc.1", "v1.0.0", "v1.2.0", "v1.10.0", "v2.0.0"]

    assert sorted(set(ordered), key=refs.version_key) == ordered


@pytest.mark.parametrize(
    ("name", "called"),
    [("digits", "digits"), ("My_Project.2", "My_Project.2"), ("My Project 1", "my-project-1"), ("..", None), ("", None),
     ("_hidden", "hidden"), ("x.lock", "x-lock"), ("a/b", None), ("50%", None), ("été", "ete"), ("a" * 101, None)],
)  # fmt: skip
def test_a_project_is_called_by_the_words_of_its_name(name: str, called: str | None):
    if called is None:
        with pytest.raises(UsageError):
            refs.project(name)
    else:
        assert refs.project(name) == called
