"""Branches as files, weighed before they are unpacked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlgit.git import bundle
from mlgit.git.bundle import BundleError, Limits
from mlgit.git.repo import Repo


def made(repo: Repo, path: Path, files: dict[str, bytes]) -> str:
    """A bundle of a commit with *files* on top of HEAD; the commit."""
    base = repo.resolve("HEAD")
    assert base
    tip = repo.commit(base, files, "more")
    repo.git("update-ref", "refs/heads/exp/p/one", tip)
    bundle.make(repo, path, "refs/heads/exp/p/one", without=base)
    return tip


@pytest.mark.parametrize(
    "files",
    [
        {"empty": b""},
        {"even": bytes(3 << 20)},
        {"odd": os.urandom(3 << 20)},
        {"one": b"".join(b"line %d\n" % n for n in range(50_000)), "two": b"x" * (1 << 16), "three": b"y" * (1 << 17)},
        {"a": (text := os.urandom(90_000)), "b": text + b"and a delta", "c": b"another" + text},
    ],
    ids=["nothing", "very even", "not at all", "pieces", "deltas"],
)
def test_every_pack_of_gits_is_what_it_says(repo: Repo, tmp_path: Path, files: dict[str, bytes]) -> None:
    tip = made(repo, tmp_path / "b", files)

    found = bundle.read(tmp_path / "b")

    assert found.refs == {"refs/heads/exp/p/one": tip}
    assert found.needs == {repo.resolve("HEAD")}
    assert bundle.weigh(found, Limits()) == len(repo.git("rev-list", "--objects", tip, "^HEAD").splitlines())


def test_what_a_delta_makes_is_weighed(repo: Repo, tmp_path: Path) -> None:
    text = os.urandom(90_000)
    repo.git("update-ref", "HEAD", repo.commit(repo.resolve("HEAD"), {"a": text}, "before"))
    made(repo, tmp_path / "b", {"a": text + b"a little more"})
    assert (tmp_path / "b").stat().st_size < 5_000  # a change of what is there

    with pytest.raises(BundleError, match=r"an object of 87\.9 KiB, and may hold 48\.8 KiB"):
        bundle.weigh(bundle.read(tmp_path / "b"), Limits(object_bytes=50_000))


@pytest.mark.parametrize(
    "head",
    [
        b"", b"# v2 git bundle\n", b"# v9 git bundle\n\nPACK", b"# v3 git bundle\n@filter=blob:none\n\nPACK",
        b"# v2 git bundle\nnothing\n\nPACK", b"# v2 git bundle\n" + b"a" * 40 + b" x\n" + b"b" * 40 + b" x\n\nPACK",
        b"# v2 git bundle\n" + b"-" + b"a" * 40 + b" \n" * 70_000,
    ],
)  # fmt: skip
def test_what_is_no_bundle_is_said_to_be_none(tmp_path: Path, head: bytes) -> None:
    (tmp_path / "b").write_bytes(head)

    with pytest.raises(BundleError):
        bundle.read(tmp_path / "b")


def test_a_quarantine_leaves_the_repository_as_it_is_until_it_is_told(repo: Repo, tmp_path: Path) -> None:
    other = Repo.find(Path(repo.git("clone", "-q", str(repo.folder), str(tmp_path / "other")) or tmp_path / "other"))
    assert other
    tip = made(other, tmp_path / "b", {"x": b"x"})
    with bundle.quarantine(repo, tmp_path / "apart") as quarantine:
        commits = quarantine.take(bundle.read(tmp_path / "b"), Limits(), above=repo.resolve("HEAD") or "")
        before = repo.resolve(tip)

        quarantine.bring([tip], without=repo.resolve("HEAD") or "")

    assert (commits, before) == ({tip}, None)
    assert repo.read(tip, "x") == b"x"
    repo.git("fsck", "--strict")
