"""Artifacts' ledgers in git."""

from __future__ import annotations

import json
import subprocess
import threading
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlgit.core import refs
from mlgit.core.artifact import ArtifactVersion
from mlgit.core.ledger import Ledger
from mlgit.errors import UsageError
from mlgit.git.repo import Move, Repo
from mlgit.store import check, ledgers


def version(content: str, name: str = "digits", **about: object) -> ArtifactVersion:
    return ArtifactVersion(
        name=name, type="dataset", hash=content * 32, size=7, path="data", created=5.0, by="Ada <ada@example.com>",
        **about,
    )  # fmt: skip


def add(repo: Repo, one: ArtifactVersion) -> Ledger:
    return ledgers.change(
        repo, "p", one.name, lambda before: before.telling(one),
        why=lambda after: f"{one.name}:v{after.listed.index(one.hash)}: 3 files",
    )  # fmt: skip


def test_each_change_is_a_commit_that_tells_what_it_is(repo: Repo):
    add(repo, version("a"))
    gold = version("b", aliases=("gold",), splits={"train": ("train/*",)}, metadata={"rows": 3, "worst": float("nan")})
    add(repo, gold)

    (known,) = ledgers.of(repo, "digits")
    assert known.listed == ("a" * 32, "b" * 32)
    assert repr(known.of("b" * 32)) == repr(gold)
    assert repo.git("log", "--format=%an %s", "refs/mlgit/artifacts/p/digits").splitlines() == [
        "Ada digits:v1: 3 files", "Ada digits:v0: 3 files",
    ]  # fmt: skip
    assert repo.git("show", "refs/mlgit/artifacts/p/digits:versions").splitlines() == [*known.listed]
    assert repo.git("status", "--porcelain") == ""


def test_what_changes_nothing_is_no_commit(repo: Repo):
    add(repo, version("a"))
    before = repo.refs()

    add(repo, version("a"))

    assert repo.refs() == before


def test_who_is_overtaken_writes_on_top_of_what_the_other_wrote(repo: Repo):
    started = threading.Barrier(4)

    def write(content: str) -> None:
        started.wait()
        add(repo, version(content))

    threads = [threading.Thread(target=write, args=(content,)) for content in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    (known,) = ledgers.of(repo)
    assert sorted(known.listed) == sorted(content * 32 for content in "abcd")
    assert {one.hash for one in known.added} == set(known.listed)


@given(st.from_regex(r"[A-Za-z0-9_.-]{1,128}", fullmatch=True) | st.text(min_size=1, max_size=40))
def test_every_name_has_a_ref_of_its_own_that_git_takes(name: str):
    ref = refs.ledger("p", name)
    if ref is None:
        assert len(name) > 20
        return

    assert subprocess.run(["git", "check-ref-format", ref]).returncode == 0
    assert refs.of_ledger(ref) in (("p", name), None)
    assert ref.count("/") == 4


@pytest.mark.parametrize("name", ["net.lock", "a..b", "x.", ".x", "v1.0", "Our Model", "a/b", "~", "@{", "größe"])
def test_a_name_that_no_ref_can_have_is_spelled_otherwise(repo: Repo, name: str):
    add(repo, version("a", name))
    add(repo, version("b", f"{name}x"))

    assert [one.name for one in ledgers.of(repo, name)] == [name]
    assert ledgers.names(repo) == {name, f"{name}x"}


def test_a_disk_that_does_not_tell_upper_from_lower_case_takes_the_first(repo: Repo):
    repo.git("config", "core.ignorecase", "true")
    repo = Repo.find(repo.folder) or repo
    add(repo, version("a"))

    with pytest.raises(UsageError, match="cannot tell"):
        add(repo, version("b", "Digits"))


@pytest.mark.parametrize("ref", ["p/a%2Fb/c", "p/%64igits", "..%2F/x", "p"])
def test_a_ref_that_mlgit_never_gave_is_none(repo: Repo, ref: str):
    head = repo.resolve("HEAD")
    assert head
    assert refs.of_ledger(refs.ARTIFACTS + ref) is None
    if ".." not in ref:
        repo.move([Move(refs.ARTIFACTS + ref, None, head)], why="by hand")

        assert ledgers.of(repo) == []
        assert [one.what for one in check.everything(repo)] == ["no artifact can be called so"]


@pytest.mark.parametrize(
    "text",
    [
        b"no JSON", b"[]", b"null", b'{"name": "digits"}', b"[" * 5000,
        json.dumps(version("a").document() | {"size": "7"}).encode(),
        json.dumps(version("a").document() | {"folder": "../x"}).encode(),
        json.dumps(version("a").document() | {"aliases": 5}).encode(),
        json.dumps(version("a").document() | {"splits": {"train": 5}}).encode(),
        json.dumps(version("a").document() | {"hash": "../x"}).encode(),
        json.dumps(version("b").document()).encode(),
    ],
)  # fmt: skip
def test_a_record_that_cannot_be_read_is_passed_over_and_found(repo: Repo, text: bytes):
    add(repo, version("b"))
    ref = "refs/mlgit/artifacts/p/digits"
    repo.commit_on(ref, {f"added/{'a' * 32}.yaml": text}, "by hand", expect=repo.refs(ref)[ref])

    (known,) = ledgers.of(repo)
    assert [one.hash for one in known.added] == ["b" * 32]
    assert [one.where for one in check.everything(repo) if "cannot be read" in one.what] == [ref]


def test_a_list_that_somebody_spoiled_is_found_and_numbers_behind_it_stay(repo: Repo):
    add(repo, version("a"))
    ref = "refs/mlgit/artifacts/p/digits"
    lines = f"rubbish\n{'a' * 32}\n{'a' * 32}\n".encode()
    repo.commit_on(ref, {"versions": lines}, "by hand", expect=repo.refs(ref)[ref])

    (known,) = ledgers.of(repo)
    assert known.listed.index("a" * 32) == 1
    assert [one.what for one in check.everything(repo)] == [
        "'rubbish' in its list is no content hash", "its list has a content twice",
    ]  # fmt: skip


def test_what_a_newer_mlgit_wrote_beside_stays(repo: Repo):
    add(repo, version("a"))
    ref = "refs/mlgit/artifacts/p/digits"
    repo.commit_on(ref, {"notes.md": b"of a newer one"}, "newer", expect=repo.refs(ref)[ref])

    add(repo, replace(version("a"), description="edited"))

    assert repo.read(ref, "notes.md") == b"of a newer one"
