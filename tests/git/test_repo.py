"""Refs move only from where they were; objects are git's own, whoever wrote them."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlgit.errors import GitError, MlgitError, NotFoundError, RefMovedError, UsageError
from mlgit.git import merge
from mlgit.git.objects import Entry, Reader, Writer, parse_tree
from mlgit.git.repo import Move, Repo, message_trailer, split_commit

BRANCH = "refs/heads/exp/p/a"


def fsck(repo: Repo) -> None:
    repo.git("fsck", "--strict", "--no-dangling")


def names(repo: Repo, commit: str) -> list[str]:
    return repo.git("ls-tree", "-r", "-z", "--name-only", commit).rstrip("\0").split("\0")


# -- compare and swap


def test_a_ref_that_exists_is_not_made_again(repo: Repo):
    one = repo.commit_on(BRANCH, {"a": b"1"}, "one", expect=None)

    with pytest.raises(RefMovedError, match="moved by somebody else"):
        repo.commit_on(BRANCH, {"a": b"2"}, "two", expect=None)

    assert repo.resolve(BRANCH) == one


def test_a_ref_that_moved_is_not_overwritten_or_deleted(repo: Repo):
    one = repo.commit_on(BRANCH, {"a": b"1"}, "one", expect=None)
    two = repo.commit_on(BRANCH, {"a": b"2"}, "two", expect=one)

    with pytest.raises(RefMovedError):
        repo.commit_on(BRANCH, {"a": b"3"}, "three", expect=one)
    with pytest.raises(RefMovedError):
        repo.move([Move(BRANCH, one, None)], why="delete")

    assert repo.resolve(BRANCH) == two


def test_a_ref_that_has_gone_is_a_ref_that_moved(repo: Repo):
    one = repo.commit_on(BRANCH, {"a": b"1"}, "one", expect=None)
    repo.move([Move(BRANCH, one, None)], why="gone")

    with pytest.raises(RefMovedError):
        repo.commit_on(BRANCH, {"a": b"2"}, "two", expect=one)


def test_several_refs_move_all_or_none(repo: Repo):
    head = repo.resolve("HEAD")
    repo.move([Move("refs/mlgit/b", None, head)], why="b")

    with pytest.raises(RefMovedError):
        repo.move([Move("refs/mlgit/a", None, head), Move("refs/mlgit/b", None, head)], why="both")

    assert "refs/mlgit/a" not in repo.refs()


def test_who_dies_while_it_tells_git_of_many_refs_has_moved_none(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    cut_short = tmp_path / "bin" / "git"
    cut_short.parent.mkdir()
    cut_short.write_text(f"""#!/bin/sh
case "$*" in *update-ref*) head -c 20000 | {shutil.which("git")} "$@" ;; *) exec {shutil.which("git")} "$@" ;; esac
""")
    cut_short.chmod(0o755)
    commit = repo.resolve("HEAD")
    monkeypatch.setenv("PATH", f"{cut_short.parent}{os.pathsep}{os.environ['PATH']}")

    with contextlib.suppress(GitError):
        repo.move([Move(f"refs/mlgit/many/{number}", None, commit) for number in range(1000)], why="many")

    assert repo.refs("refs/mlgit/many/") == {}


def test_two_processes_that_move_one_ref_do_not_lose_a_commit(repo: Repo):
    repo.commit_on(BRANCH, {"start": b""}, "start", expect=None)
    code = f"""
import sys
from pathlib import Path
from mlgit.errors import RefMovedError
from mlgit.git.repo import Repo
repo = Repo.find(Path({str(repo.folder)!r}))
for number in range(8):
    while True:
        try:
            repo.commit_on({BRANCH!r}, {{f"{{sys.argv[1]}}-{{number}}": b"x"}}, "x", expect=repo.resolve({BRANCH!r}))
            break
        except RefMovedError:
            continue
"""
    both = [subprocess.Popen([sys.executable, "-c", code, name]) for name in "ab"]

    assert [one.wait() for one in both] == [0, 0]
    assert names(repo, BRANCH) == sorted(["start", *(f"{n}-{i}" for n in "ab" for i in range(8))])
    fsck(repo)


@pytest.mark.parametrize("ref", ["heads/a", "a", "refs/heads/a b", "refs/heads/a\nb", "refs/heads/a\0b", "--help", ""])
def test_what_is_no_full_name_of_a_ref_is_refused(repo: Repo, ref: str):
    with pytest.raises(UsageError, match="no full name of a ref"):
        repo.move([Move(ref, None, repo.resolve("HEAD"))], why="x")


@pytest.mark.parametrize("ref", ["refs/heads/a..b", "refs/heads/a.lock", "refs/../x", "refs/heads/@{", "refs/heads/"])
def test_a_ref_that_git_refuses_is_an_error_of_git(repo: Repo, ref: str):
    with pytest.raises(GitError) as caught:
        repo.move([Move(ref, None, repo.resolve("HEAD"))], why="x")

    assert caught.value.why


def test_a_reflog_says_why(repo: Repo):
    repo.commit_on(BRANCH, {"a": b"1"}, "one\n\nbody", expect=None)

    assert repo.git("reflog", "-1", "--format=%gs", BRANCH) == "mlgit: one"


# -- names from outside


@pytest.mark.parametrize(
    "rev",
    ["", "--all", "-h", "nothing", "HEAD\n", "HEAD\0", "HEAD^{tree}", "@{upstream}", "a" * 5000, "..", "é"],
)
def test_a_name_that_is_no_commit_resolves_to_nothing(repo: Repo, rev: str):
    assert repo.resolve(rev) is None


def test_an_option_is_never_taken_for_a_commit(repo: Repo, tmp_path: Path):
    target = tmp_path / "written"
    for ask in (repo.resolve, repo.ancestors, lambda rev: repo.is_ancestor(rev, "HEAD")):
        try:
            ask(f"--output={target}")
        except GitError:
            pass

    assert not target.exists()


@pytest.mark.parametrize(
    "path", ["../x", "a/../x", "/x", "", ".", ".git/config", ".GIT/x", "a/.git/x", "a//b", "a/", "a\0b"]
)
def test_a_path_that_leaves_the_repository_is_refused(repo: Repo, path: str):
    with pytest.raises(UsageError, match="no path inside a repository"):
        repo.commit(None, {path: b"x"}, "x")


def test_a_name_with_a_line_break_is_refused_by_the_reader(repo: Repo):
    with repo.reader() as reader, pytest.raises(UsageError, match="line break"):
        reader.read("HEAD:a\nHEAD:b")
    with repo.reader() as reader, pytest.raises(UsageError, match="NUL"):
        reader.read("HEAD:a\0")


# -- objects


PATHS = st.lists(
    st.text(st.characters(exclude_characters="/\0\n\r", exclude_categories=["Cs"]), min_size=1, max_size=6).filter(
        lambda name: name not in (".", "..") and "git" not in name.lower() and "~" not in name
    ),
    min_size=1, max_size=3,
).map("/".join)  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=st.dictionaries(PATHS, st.binary(max_size=50), min_size=1, max_size=6))
def test_what_is_written_is_read_and_git_agrees(repo: Repo, files: dict[str, bytes]):
    clashing = {path for path in files for other in files if other.startswith(f"{path}/")}
    files = {path: content for path, content in files.items() if path not in clashing}

    commit = repo.commit(None, files, "files")

    with repo.reader() as reader:
        assert {path: reader.blob(f"{commit}:{path}") for path in files} == files
    assert sorted(names(repo, commit)) == sorted(files)
    fsck(repo)


def test_a_tree_with_a_name_that_is_no_utf8_can_be_edited(repo: Repo):
    with repo.reader() as reader:
        writer = repo.writer()
        tree = writer.tree({"bad\udcff": Entry("100644", writer.blob(b"x")), "a": Entry("100644", writer.blob(b"a"))})
        writer.flush()
        edited = writer.edit(reader.tree(tree) or {}, {"new": b"n"}, lambda oid: reader.tree(oid) or {})
        writer.flush()

        assert list(reader.tree(edited) or {}) == ["a", "bad\udcff", "new"]
    fsck(repo)


def test_edits_put_take_away_and_keep(repo: Repo):
    base = repo.commit(None, {"a": b"1", "d/x": b"x", "d/y": b"y", "e/only": b"o", "keep/z": b"z"}, "base")

    commit = repo.commit(base, {"a": None, "d/x": b"X", "e/only": None, "n/e/w": b"n", "gone/not": None}, "edit")

    assert names(repo, commit) == ["d/x", "d/y", "keep/z", "n/e/w"]
    assert repo.read(commit, "d/x") == b"X"
    assert repo.git("rev-parse", f"{commit}^") == base
    fsck(repo)


def test_a_folder_that_ends_up_empty_goes_also_after_a_flush(repo: Repo):
    writer = repo.writer()
    writer.tree({})
    writer.flush()

    tree = writer.edit({}, {"a/b": None}, lambda _oid: {})

    assert writer.tree({}) == tree


def test_a_file_gives_way_to_a_folder_and_back(repo: Repo):
    one = repo.commit(None, {"a": b"file"}, "one")
    two = repo.commit(one, {"a/b": b"inner"}, "two")
    three = repo.commit(two, {"a": b"file"}, "three")

    assert names(repo, two) == ["a/b"]
    assert names(repo, three) == ["a"]
    fsck(repo)


def test_folders_sort_as_git_sorts_them(repo: Repo):
    commit = repo.commit(None, {"a/x": b"", "a.b": b"", "a0": b"", "a-": b"", "B": b"", "é": b""}, "x")

    fsck(repo)
    assert names(repo, commit) == ["B", "a-", "a.b", "a/x", "a0", "é"]


def test_objects_are_read_only_and_no_scraps_stay(repo: Repo):
    repo.commit(None, {"a": b"1"}, "x")
    found = [path for path in (repo.common_dir / "objects").rglob("*") if path.is_file()]

    assert {stat.S_IMODE(path.stat().st_mode) for path in found} == {0o444}
    assert not [path for path in found if path.name.startswith("tmp")]


@pytest.mark.parametrize("umask", [0o022, 0o077])
@pytest.mark.parametrize("shared", ["umask", "group", "all", "0660", "0640"])
def test_objects_belong_to_whom_the_repository_is_shared_with(tmp_path: Path, shared: str, umask: int):
    before = os.umask(umask)
    try:
        subprocess.run(["git", "init", "-q", f"--shared={shared}", str(tmp_path / "r")], check=True)
        repo = Repo.find(tmp_path / "r")
        assert repo
        ours, theirs = repo.commit(None, {}, "x"), repo.git("hash-object", "-w", "--stdin", stdin=b"theirs")
    finally:
        os.umask(before)
    places = [repo.common_dir / "objects" / oid[:2] / oid[2:] for oid in (ours, theirs)]
    files, folders = ([path.stat().st_mode for path in paths] for paths in (places, [path.parent for path in places]))

    assert files[0] == files[1]
    assert folders[0] == folders[1]


def test_what_a_killed_process_of_our_number_left_is_not_in_the_way(repo: Repo, monkeypatch: pytest.MonkeyPatch):
    """In a container every training has the same process number, and nobody but root opens a read-only scrap."""
    reopened: list[str] = []
    real = os.open

    def only_new(path: str, flags: int, *args: int) -> int:
        if "tmp_obj" in str(path) and not flags & os.O_EXCL:
            reopened.append(str(path))
        return real(path, flags, *args)

    monkeypatch.setattr(os, "open", only_new)
    repo.commit(None, {"a": b"1"}, "x")

    assert not reopened


def test_a_submodule_where_a_file_is_looked_for_is_no_file(repo: Repo):
    """Git 2.51 says `<id> submodule` where it said `<name> missing` before."""
    pipe = SimpleNamespace(stdout=io.BytesIO(b"%s submodule\n" % (b"a" * 40)))

    assert list(Reader(repo.folder)._answers(pipe, ["HEAD:registry"])) == [None]


def test_a_commit_without_an_identity_is_mlgits_own(repo: Repo, monkeypatch: pytest.MonkeyPatch):
    for who in ("AUTHOR", "COMMITTER"):
        for what in ("NAME", "EMAIL"):
            monkeypatch.delenv(f"GIT_{who}_{what}")
    commit = repo.commit(None, {}, "x", when=1e9)

    assert repo.git("log", "-1", "--format=%an <%ae> %at", commit) == "mlgit <mlgit@localhost> 1000000000"
    fsck(repo)


@pytest.mark.parametrize("name", ["A<b>c", "new\nline", "", "  ", "\x00", "é"])
def test_a_strange_identity_makes_a_valid_commit(repo: Repo, monkeypatch: pytest.MonkeyPatch, name: str):
    repo.git("config", "user.name", name.replace("\0", ""))
    monkeypatch.delenv("GIT_COMMITTER_NAME")
    repo.commit_on(BRANCH, {}, "x", expect=None)

    fsck(repo)


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_very_many_objects_become_one_pack(tmp_path: Path, algorithm: str):
    subprocess.run(["git", "init", "-q", f"--object-format={algorithm}", str(tmp_path / "r")], check=True)
    repo = Repo.find(tmp_path / "r")
    assert repo
    files = {f"d{n % 7}/f{n}": b"%d" % n * (n % 300) for n in range(1000)}
    commit = repo.commit_on("refs/heads/main", files, "many", expect=None)

    with repo.reader() as reader:
        assert {path: reader.blob(f"{commit}:{path}") for path in files} == files
    assert len(list((repo.common_dir / "objects/pack").glob("*.pack"))) == 1
    fsck(repo)


def test_a_sha256_repository_gets_sha256_objects(tmp_path: Path):
    subprocess.run(["git", "init", "-q", "--object-format=sha256", str(tmp_path / "r")], check=True)
    repo = Repo.find(tmp_path / "r")
    assert repo
    commit = repo.commit_on("refs/heads/main", {"a/b": b"1"}, "x", expect=None)

    assert len(commit) == 64
    assert repo.read("main", "a/b") == b"1"
    fsck(repo)


def test_a_base_that_does_not_exist_is_said(repo: Repo):
    with pytest.raises(NotFoundError, match="no commit 'nothing'"):
        repo.commit("nothing", {}, "x")


def test_a_tag_is_annotated_and_made_once(repo: Repo):
    head = repo.resolve("HEAD") or ""
    repo.tag("refs/tags/m@v1.0.0", head, "register")

    assert repo.git("cat-file", "-t", "m@v1.0.0") == "tag"
    with pytest.raises(RefMovedError):
        repo.tag("refs/tags/m@v1.0.0", head, "again")
    fsck(repo)


def test_many_objects_are_read_in_order_and_missing_ones_are_none(repo: Repo):
    commit = repo.commit(None, {f"f{n}": b"x" * (n * 100) for n in range(300)}, "x")
    with repo.reader() as reader:
        found = list(reader.read_all([*(f"{commit}:f{n}" for n in range(300)), f"{commit}:no", "0" * 40]))

    assert [len(one[2]) if one else None for one in found] == [*(n * 100 for n in range(300)), None, None]


def test_an_object_that_a_disk_has_spoilt_is_written_anew(repo: Repo):
    commit = repo.commit(None, {"a": b"content"}, "one")
    blob = repo.git("rev-parse", f"{commit}:a")
    path = repo.common_dir / "objects" / blob[:2] / blob[2:]
    path.chmod(0o644)
    path.write_bytes(b"spoilt")
    repo.commit(None, {"b": b"content"}, "two")

    assert repo.git("cat-file", "-p", blob) == "content"


@given(
    st.dictionaries(
        st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1),
        st.sampled_from(["100644", "40000"]),
    )
)
@settings(max_examples=40, deadline=None)
def test_trees_survive_the_way_there_and_back(found: dict[str, str]):
    entries = {name: Entry(mode, "ab" * 20) for name, mode in found.items()}
    writer = Writer(Path("/nowhere"))
    oid = writer.tree(entries)

    assert parse_tree(writer._pending[oid].partition(b"\0")[2], 20) == entries


def test_a_full_disk_is_an_error_with_a_remedy(repo: Repo, monkeypatch: pytest.MonkeyPatch):
    writer = Writer(repo.folder / "a file")
    (repo.folder / "a file").write_text("")
    writer.blob(b"x")

    with pytest.raises(GitError, match="cannot be written") as caught:
        writer.flush()
    assert "make room" in caught.value.fix


def test_trailers_are_read_from_the_end():
    message = "subject\n\nKey: first\n\nbody\nKey: last\nOther: x\n"

    assert message_trailer(message, "Key") == "last"
    assert message_trailer(message, "Nothing") is None
    assert message_trailer("", "Key") is None


def test_a_signed_merge_is_split_into_headers_parents_and_message():
    content = b"tree t\nparent a\nparent b\nauthor x\ngpgsig -----BEGIN\n more\n\nsubject\n\nbody\n"

    assert split_commit(content) == (
        {"tree": "t", "author": "x", "gpgsig": "-----BEGIN", "": "more"},
        ["a", "b"],
        "subject\n\nbody\n",
    )


# -- merges and pushes


def test_a_merge_follows_in_the_work_tree_where_it_is_checked_out(repo: Repo):
    head = repo.resolve("HEAD")
    side = repo.commit_on("refs/heads/side", {"new": b"n"}, "side", expect=None)
    base = repo.commit_on("refs/heads/trunk", {"other": b"o"}, "trunk", expect=None)
    repo.git("switch", "-q", "trunk")
    (repo.folder / "mine").write_text("untracked")

    with pytest.raises(MlgitError, match="merge-tree failed"):
        merge.merge(repo, "refs/heads/trunk", side, "unrelated")
    child = repo.commit(base, {"new": b"n"}, "child")
    merged = merge.merge(repo, "refs/heads/trunk", child, "Merge child")

    assert head != merged
    assert (repo.folder / "new").read_text() == "n"
    assert (repo.folder / "mine").exists()
    assert repo.git("log", "-1", "--format=%P", "trunk") == f"{base} {child}"
    assert repo.git("status", "--porcelain") == "?? mine"
    fsck(repo)


def test_a_worktree_that_has_gone_is_not_in_the_way_of_a_merge(repo: Repo, tmp_path: Path):
    repo.git("worktree", "add", "-q", str(tmp_path / "gone"), "-b", "feature")
    shutil.rmtree(tmp_path / "gone")
    merged = merge.merge(repo, "refs/heads/feature", repo.commit(repo.resolve("main"), {"a": b"1"}, "a"), "merge")

    assert repo.resolve("feature") == merged


def test_a_merge_that_would_lose_local_changes_is_refused(repo: Repo):
    base = repo.commit_on("refs/heads/trunk", {"a": b"1"}, "trunk", expect=None)
    child = repo.commit(base, {"a": b"2"}, "child")
    repo.git("switch", "-q", "trunk")
    (repo.folder / "a").write_text("mine")

    with pytest.raises(MlgitError, match="local changes"):
        merge.merge(repo, "refs/heads/trunk", child, "x")

    assert (repo.folder / "a").read_text() == "mine"
    assert repo.resolve("trunk") == base


def test_a_conflict_names_the_files(repo: Repo):
    base = repo.commit_on("refs/heads/trunk", {"a b": b"1"}, "trunk", expect=None)
    one = repo.commit(base, {"a b": b"2"}, "one")
    repo.commit_on("refs/heads/trunk", {"a b": b"3"}, "two", expect=base)

    with pytest.raises(MlgitError, match="both changed a b"):
        merge.merge(repo, "refs/heads/trunk", one, "x")


def test_worktrees_with_odd_names_are_told_apart(repo: Repo, tmp_path: Path):
    place = tmp_path / "a\nb\u2028c"
    repo.git("worktree", "add", "-q", "-b", "side", str(place))

    assert repo.worktrees()["refs/heads/side"] == place


def test_a_ref_with_an_odd_name_does_not_break_the_list(repo: Repo):
    head = repo.resolve("HEAD") or ""
    repo.git("update-ref", "refs/heads/exp/p/li\u2028ne\x85", head)

    assert repo.refs("refs/heads/exp/") == {"refs/heads/exp/p/li\u2028ne\x85": head}


def test_sizes_are_asked_for_without_reading(repo: Repo):
    (repo.folder / "a").write_bytes(b"x" * 5000)
    repo.git("add", "a")
    repo.git("commit", "-qm", "a")
    with repo.reader() as reader:
        assert list(reader.sizes(["HEAD:a", "HEAD:none"])) == [5000, None]
        assert reader.blob("HEAD:a") == b"x" * 5000
