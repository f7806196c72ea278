"""A snapshot is the work tree as it stands; work tree, index and HEAD do not notice."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit import whole
from mlgit.git import unchanged
from mlgit.git.changes import Limits
from mlgit.git.repo import Repo
from mlgit.git.sifting import grouped
from mlgit.git.snapshot import take

TOKEN = "ghp_" + "a1B2" * 10
Shell = Callable[..., str]


def git(folder: Path, *args: str, check: bool = True, **env: str) -> str:
    done = subprocess.run(
        ["git", *args], cwd=folder, capture_output=True, check=False, env={**os.environ, **env}, input=b""
    )
    assert not check or done.returncode == 0, done.stderr.decode()
    return done.stdout.decode(errors="surrogateescape").rstrip("\n")


def top(repo: Repo) -> Path:
    assert repo.work_tree
    return repo.work_tree


def fingerprint(repo: Repo) -> dict[str, str]:
    """Every byte of the work tree and of git's folder, but for objects and mlgit's own refs."""
    found: dict[str, str] = {}
    for root, folders, files in os.walk(os.fsencode(top(repo))):
        folders.sort()
        for name in [*files, *folders]:
            path = os.path.join(root, name)
            key = os.fsdecode(os.path.relpath(path, os.fsencode(top(repo))))
            if key.startswith((".git/objects", ".git/mlgit")):
                continue
            about = os.lstat(path)
            body = (
                os.readlink(path)
                if os.path.islink(path)
                else b""
                if os.path.isdir(path)
                else Path(os.fsdecode(path)).read_bytes()
            )
            stamp = 0 if os.path.isdir(path) else about.st_mtime_ns
            found[key] = f"{about.st_mode:o} {stamp} {hashlib.sha256(body).hexdigest()}"
    return found


def snapshot(repo: Repo, **limits: int) -> tuple[str, dict[str, str]]:
    """The commit of a snapshot and its files (path → content), having checked that nothing else has moved."""
    before, status = fingerprint(repo), git(top(repo), "--no-optional-locks", "status", "--porcelain=v2", "-z")

    taken = take(repo, Limits(**limits))

    assert fingerprint(repo) == before
    assert git(top(repo), "--no-optional-locks", "status", "--porcelain=v2", "-z") == status
    git(top(repo), "fsck", "--strict", "--no-dangling")
    return taken.commit, files(repo, taken.commit)


def files(repo: Repo, commit: str) -> dict[str, str]:
    names = [name for name in git(top(repo), "ls-tree", "-r", "-z", "--name-only", commit).split("\0") if name]
    with repo.reader() as reader:
        blobs: dict[str, str] = {}
        for entry in git(top(repo), "ls-tree", "-r", "-z", commit).split("\0"):
            if entry:
                about, _, name = entry.partition("\t")
                mode, kind, oid = about.split(" ")
                found = reader.blob(oid) if kind == "blob" else oid.encode()
                blobs[name] = (found or b"").decode(errors="surrogateescape") + {"100755": " +x", "120000": " ->"}.get(
                    mode, ""
                )
    assert sorted(blobs) == sorted(names)
    return blobs


@pytest.fixture
def code(repo: Repo) -> Repo:
    """A repository with a.py and b.py, committed."""
    (top(repo) / "a.py").write_text("a")
    (top(repo) / "b.py").write_text("b")
    git(top(repo), "add", "-A")
    git(top(repo), "commit", "-qm", "code")
    return repo


def test_a_clean_tree_is_its_head(code: Repo):
    taken = take(code)

    assert taken.commit == taken.head == code.resolve("HEAD")
    assert not taken.dirty


def test_an_ignored_file_does_not_make_a_tree_dirty(code: Repo):
    (top(code) / ".git/info/exclude").write_text("*.log\n")
    (top(code) / "x.log").write_text("x")

    assert not take(code).dirty


def test_what_is_not_whole_yet_is_no_code(code: Repo):
    with whole.at(top(code) / "data" / "runs.zip") as file, whole.at(top(code) / "files") as folder:
        file.write_text("half of it")
        folder.mkdir()
        (folder / "one").write_text("of several")

        assert not take(code).dirty


def test_a_virtual_environment_is_no_code(code: Repo):
    for name in (".venv/pyvenv.cfg", ".venv/lib/six.py", "tools/env/pyvenv.cfg", "tools/env/bin/run", "tools/new.py"):
        (top(code) / name).parent.mkdir(parents=True, exist_ok=True)
        (top(code) / name).write_text(name)

    assert snapshot(code)[1] == {"a.py": "a", "b.py": "b", "tools/new.py": "tools/new.py"}


def test_a_repository_that_is_a_virtual_environment_itself_has_code_all_the_same(code: Repo):
    (top(code) / "pyvenv.cfg").write_text("home = /usr/bin")
    (top(code) / "new.py").write_text("new")

    assert snapshot(code)[1]["new.py"] == "new"


def test_every_kind_of_change_is_taken(code: Repo):
    place = top(code)
    for name in ("staged", "both", "gone", "exec", "moved", "typed"):
        (place / name).write_text(name)
    (place / "folder").mkdir()
    (place / "folder/in").write_text("in")
    git(place, "add", "-A")
    git(place, "commit", "-qm", "more")
    (place / "staged").write_text("staged 2")
    git(place, "add", "staged")
    (place / "both").write_text("both 2")
    git(place, "add", "both")
    (place / "both").write_text("both 3")
    (place / "a.py").write_text("a, changed")
    (place / "gone").unlink()
    git(place, "rm", "-q", "b.py")
    (place / "exec").chmod(0o755)
    git(place, "mv", "moved", "moved away")
    (place / "typed").unlink()
    (place / "typed").symlink_to("a.py")
    (place / "intended").write_text("intended")
    git(place, "add", "-N", "intended")
    (place / "new").write_text("new")
    (place / "deep/er").mkdir(parents=True)
    (place / "deep/er/new").write_text("deep")
    (place / "folder/in").unlink()
    (place / "folder").rmdir()
    (place / "folder").write_text("a file now")

    commit, found = snapshot(code)

    assert found == {
        "staged": "staged 2", "both": "both 3", "a.py": "a, changed", "exec": "exec +x", "moved away": "moved",
        "typed": "a.py ->", "intended": "intended", "new": "new", "deep/er/new": "deep", "folder": "a file now",
    }  # fmt: skip
    assert git(top(code), "rev-parse", f"{commit}^") == code.resolve("HEAD")


def test_a_change_in_the_very_second_of_the_commit_is_taken(code: Repo):
    def stamp(*names: str) -> None:
        for name in names:
            os.utime(top(code) / name, ns=(10**18, 10**18))

    git(top(code), "config", "core.trustctime", "false")
    stamp("a.py")
    git(top(code), "update-index", "--refresh")
    (top(code) / "a.py").write_text("A")
    stamp("a.py", ".git/index")
    (top(code) / "new.py").write_text("new")

    _, found = snapshot(code)

    assert found == {"a.py": "A", "b.py": "b", "new.py": "new"}


def test_a_file_that_became_a_folder_is_taken(code: Repo):
    (top(code) / "a.py").unlink()
    (top(code) / "a.py").mkdir()
    (top(code) / "a.py/inner").write_text("inner")

    _, found = snapshot(code)

    assert found == {"a.py/inner": "inner", "b.py": "b"}


def test_a_file_that_was_staged_and_then_deleted_is_not_taken(code: Repo):
    (top(code) / "new").write_text("x")
    git(top(code), "add", "new")
    (top(code) / "new").unlink()

    _, found = snapshot(code)

    assert found == {"a.py": "a", "b.py": "b"}


@pytest.mark.parametrize(
    "name",
    [
        b"with space",
        b"new\nline",
        "ünï-🦊".encode(),
        b"not-utf8-\xff\xfe",
        b'quo"te',
        b"-dash",
        b"tab\there",
        b"back\\slash",
        b":magic",
        b"*",
    ],
)
def test_a_file_of_any_name_is_taken(code: Repo, name: bytes):
    path = os.fsencode(top(code)) + b"/" + name
    Path(os.fsdecode(path)).write_bytes(b"content")

    _, found = snapshot(code)

    assert found[os.fsdecode(name)] == "content"


@pytest.mark.parametrize("name", [b"new\nline", b"not-utf8-\xff", b"ex"])
def test_a_tracked_file_that_grew_too_large_stays_as_head_has_it(code: Repo, name: bytes):
    path = Path(os.fsdecode(os.fsencode(top(code)) + b"/" + name))
    path.write_bytes(b"small")
    path.chmod(0o755)
    git(top(code), "add", "-A")
    git(top(code), "commit", "-qm", "x")
    path.write_bytes(b"x" * 2000)

    _, found = snapshot(code, file_bytes=1000)

    assert found == {"a.py": "a", "b.py": "b", os.fsdecode(name): "small +x"}


def test_what_is_left_out_is_said(code: Repo):
    (top(code) / "big.bin").write_bytes(b"x" * 2000)
    (top(code) / "fine.py").write_text("fine")
    (top(code) / "inner").mkdir()
    git(top(code), "init", "-q", "inner")
    (top(code) / "inner/x").write_text("x")
    git(top(code) / "inner", "add", "x")
    git(top(code) / "inner", "commit", "-qm", "x")
    os.mkfifo(top(code) / "pipe")

    taken = take(code, Limits(file_bytes=1000))

    assert dict(taken.left_out) == {"big.bin": "larger than 1000 B", "inner/": "a repository of its own"}
    assert files(code, taken.commit) == {"a.py": "a", "b.py": "b", "fine.py": "fine"}


def test_where_all_that_is_new_is_left_out_the_code_is_heads(code: Repo):
    (top(code) / "big.bin").write_bytes(b"x" * 2000)

    taken = take(code, Limits(file_bytes=1000))

    assert (taken.commit, taken.dirty) == (code.resolve("HEAD"), False)
    assert dict(taken.left_out) == {"big.bin": "larger than 1000 B"}


def test_many_new_files_become_one_pack_and_filters_see_them(code: Repo):
    (top(code) / ".gitattributes").write_text("*.crlf text eol=lf\n")
    for number in range(300):
        (top(code) / f"{number}.txt").write_text(f"line {number}")
        (top(code) / f"{number}.crlf").write_bytes(b"line\r\n")

    taken = take(code)

    found = files(code, taken.commit)
    assert {found[f"{number}.txt"] for number in range(300)} == {f"line {number}" for number in range(300)}
    assert {found[f"{number}.crlf"] for number in range(300)} == {"line\n"}
    assert int(git(top(code), "count-objects").split()[0]) < 300


def test_a_tracked_file_that_became_a_pipe_is_left_out(code: Repo):
    (top(code) / "a.py").unlink()
    os.mkfifo(top(code) / "a.py")

    taken = take(code)

    assert taken.left_out in ((("a.py", "it is no regular file"),), ())
    assert files(code, taken.commit)["b.py"] == "b"


def test_a_snapshot_is_full_some_day(code: Repo):
    for number in range(5):
        (top(code) / f"new{number}").write_text("x" * 10)

    assert len(take(code, Limits(files=2)).left_out) == 3
    assert len(take(code, Limits(total_bytes=35)).left_out) == 2


def binaries(folder: Path, *sizes: int) -> None:
    folder.mkdir(exist_ok=True)
    for number, size in enumerate(sizes):
        (folder / f"{number}.bin").write_bytes(b"\0" + os.urandom(size - 1))


def test_new_binary_files_have_little_room_for_they_are_data(code: Repo):
    binaries(top(code) / "data", 100, 3000, 1500, 100, 100)
    (top(code) / "text.csv").write_text("1,2\n" * 1000)

    taken = take(code, Limits(binary_bytes=2000, binaries_bytes=1650, binaries=2))

    assert sorted(files(code, taken.commit)) == ["a.py", "b.py", "data/0.bin", "data/2.bin", "text.csv"]
    assert dict(taken.left_out) == {
        "data/1.bin": "new, binary and larger than 2 KiB",
        "data/3.bin": "new and binary, of which at most 2 files and 1.6 KiB are taken",
        "data/4.bin": "new and binary, of which at most 2 files and 1.6 KiB are taken",
    }


def test_a_binary_file_that_git_knows_of_is_taken_up_to_the_limit_for_all(code: Repo):
    binaries(top(code) / "data", 3000)
    git(top(code), "add", "data")

    assert "data/0.bin" in snapshot(code, file_bytes=4000, binary_bytes=2000)[1]


@pytest.fixture
def many(code: Repo) -> Repo:
    """The same with sixty new files, written long enough ago to be remembered."""
    binaries(top(code) / "data", *[1000] * 60)
    time.sleep(1.1 * unchanged.SETTLED_NS / 1e9)
    return code


def test_a_file_that_has_not_changed_is_not_hashed_again(many: Repo):
    first = take(many)
    memory = many.git_dir / "mlgit/seen.json"
    blobs = (git(top(many), "rev-parse", f"{first.commit}:data/{number}.bin") for number in (0, 1))
    memory.write_text(memory.read_text().replace(*blobs))

    found = files(many, take(many).commit)

    assert found["data/0.bin"] == found["data/1.bin"]


def test_a_file_that_has_changed_is_taken_as_it_is(many: Repo):
    take(many)
    (top(many) / "data/0.bin").write_bytes(b"\0" * 1000)
    (top(many) / "data/1.bin").unlink()
    (top(many) / "data/2.bin").chmod(0o755)
    (top(many) / "data/3.bin").write_text(TOKEN)

    _, found = snapshot(many)

    assert found["data/0.bin"] == "\0" * 1000
    assert found["data/2.bin"].endswith(" +x")
    assert not {"data/1.bin", "data/3.bin"} & set(found)
    assert len(found) == 60


@pytest.mark.parametrize("how", ["attributes", "config", "filter"])
def test_what_git_makes_of_a_file_by_new_rules_is_what_is_taken(code: Repo, how: str):
    for number in range(60):
        (top(code) / f"{number}.txt").write_bytes(b"line\r\n")
    time.sleep(1.1 * unchanged.SETTLED_NS / 1e9)
    before = snapshot(code)[1]["0.txt"]
    if how == "attributes":
        (top(code) / ".gitattributes").write_text("*.txt text eol=lf\n")
    elif how == "config":
        git(top(code), "config", "core.autocrlf", "true")
    else:
        (code.common_dir / "info").mkdir(exist_ok=True)
        (code.common_dir / "info/attributes").write_text("*.txt filter=no-cr\n")
        git(top(code), "config", "filter.no-cr.clean", "tr -d '\\r'")
    found = Repo.find(top(code))
    assert found

    assert (before, snapshot(found)[1]["0.txt"]) == ("line\r\n", "line\n")


def test_a_blob_that_git_has_dropped_is_made_anew(many: Repo):
    before = snapshot(many)
    git(top(many), "gc", "--quiet", "--prune=now")

    assert git(top(many), "count-objects") == "0 objects, 0 kilobytes"
    assert snapshot(many)[1] == before[1]


def test_a_git_folder_that_remembers_nothing_is_no_obstacle(many: Repo):
    (many.git_dir / "mlgit").write_text("a file where a folder should be")

    assert len(snapshot(many)[1]) == 62


def test_what_is_left_out_is_told_in_a_few_lines():
    left_out = [(f"data/class-{number % 50}/{number}.jpg", "new") for number in range(15_000)]
    left_out += [("ckpt/1.pt", "large"), ("ckpt/2.pt", "large"), ("a.pt", "large"), (".env", "secret"), ("in/", "repo")]
    left_out += [(f"{number}.bin", "odd") for number in range(1, 6)]

    assert list(map(str, grouped(left_out))) == [
        "data/ (15,000 files): new",
        "ckpt/1.pt, ckpt/2.pt: large",
        "a.pt: large",
        ".env: secret",
        "in/: repo",
        "1.bin, 2.bin, 3.bin and 2 more: odd",
    ]


# -- secrets

SECRET_FILES = [
    ".env", "config/.env", ".env.local", "prod.env", ".ENV", ".envrc", ".netrc", "id_rsa", "keys/id_ed25519", "x.pem",
    "credentials.json", "service-account-1.json", ".npmrc", ".git-credentials", "a\nb/.env",
]  # fmt: skip


@pytest.mark.parametrize("state", ["untracked", "staged", "intended", "modified", "modified and staged", "moved onto"])
@pytest.mark.parametrize("name", SECRET_FILES)
def test_a_file_of_secrets_never_gets_into_git(code: Repo, name: str, state: str):
    path = top(code) / name
    path.parent.mkdir(exist_ok=True)
    if state.startswith("modified"):
        path.write_text("OLD=1")
        git(top(code), "add", "-f", "--", name)
        git(top(code), "commit", "-qm", "oops")
    elif state == "moved onto":
        (top(code) / "plain").write_text("SECRET=hunter2")
    path.write_text("SECRET=hunter2")
    if state in ("staged", "modified and staged", "moved onto"):
        git(top(code), "add", "-f", "--", name)
    elif state == "intended":
        git(top(code), "add", "-N", "--", name)
    (top(code) / "a.py").write_text("changed")
    (top(code) / "plain").unlink(missing_ok=True)

    commit, found = snapshot(code)

    assert found.pop(name, None) == ("OLD=1" if state.startswith("modified") else None)
    assert found == {"a.py": "changed", "b.py": "b"}
    assert "hunter2" not in git(top(code), "log", "-p", "-a", commit)


@pytest.mark.parametrize("state", ["untracked", "staged", "modified", "modified and staged"])
@pytest.mark.parametrize(
    "text",
    [
        f"key = '{TOKEN}'", "AKIAIOSFODNN7EXAMPLE", "-----BEGIN RSA PRIVATE KEY-----\nabc", "https://ada:hunter2@host/x",
        "redis://:hunter2@host", "hf_" + "a" * 34, "sk-ant-" + "b" * 40,
    ],
)  # fmt: skip
def test_a_file_with_a_token_never_gets_into_git(code: Repo, text: str, state: str):
    path = top(code) / ("a.py" if "modified" in state else "new.py")
    path.write_text(f"before\n{text}\n")
    if "staged" in state:
        git(top(code), "add", "--", path.name)

    commit, found = snapshot(code)

    assert found == {"a.py": "a", "b.py": "b"}
    assert text not in git(top(code), "log", "-p", "-a", commit)


def test_a_token_that_was_staged_and_then_removed_does_not_get_in(code: Repo):
    (top(code) / "new.py").write_text(TOKEN)
    git(top(code), "add", "new.py")
    (top(code) / "new.py").write_text("clean")

    _, found = snapshot(code)

    assert found["new.py"] == "clean"


@pytest.mark.parametrize("name", [".env.example", "env.py", "environment.yml", "tokens.py", "keyboard.py"])
def test_an_innocent_file_is_taken(code: Repo, name: str):
    (top(code) / name).write_text("x")

    assert name in snapshot(code)[1]


# -- strange places


def conflict(place: Path, verb: str) -> None:
    git(place, "switch", "-qc", "other", "HEAD")
    (place / "a.py").write_text("theirs")
    git(place, "commit", "-qam", "theirs")
    git(place, "switch", "-q", "main")
    (place / "a.py").write_text("ours")
    git(place, "commit", "-qam", "ours")
    git(place, verb, "other", check=False)


@pytest.mark.parametrize("verb", ["merge", "rebase", "cherry-pick"])
def test_a_conflict_in_progress_is_taken_as_the_files_are(code: Repo, verb: str):
    conflict(top(code), verb)
    assert "<<<<<<<" in (top(code) / "a.py").read_text()

    _, found = snapshot(code)

    assert found == {"a.py": (top(code) / "a.py").read_text(), "b.py": "b"}


def test_a_conflicting_file_with_a_token_stays_as_head_has_it(code: Repo):
    conflict(top(code), "merge")
    (top(code) / "a.py").write_text(TOKEN)

    _, found = snapshot(code)

    assert found == {"a.py": "ours", "b.py": "b"}


def test_an_empty_repository_gives_a_commit_without_parents(tmp_path: Path):
    git(tmp_path, "init", "-q", "empty")
    repo = Repo.find(tmp_path / "empty")
    assert repo
    (top(repo) / "a.py").write_text("a")
    (top(repo) / ".env").write_text("a")
    git(top(repo), "add", "-f", ".env")

    commit, found = snapshot(repo)

    assert found == {"a.py": "a"}
    assert git(top(repo), "rev-list", "--count", commit) == "1"


def test_an_empty_repository_without_files_gives_an_empty_commit(tmp_path: Path):
    git(tmp_path, "init", "-q", "empty")
    repo = Repo.find(tmp_path / "empty")
    assert repo

    assert snapshot(repo)[1] == {}


def test_a_sha256_repository_is_taken(tmp_path: Path):
    git(tmp_path, "init", "-q", "--object-format=sha256", "repo")
    repo = Repo.find(tmp_path / "repo")
    assert repo
    (top(repo) / "a.py").write_text("a")
    (top(repo) / ".env").write_text("a")

    commit, found = snapshot(repo)
    git(top(repo), "update-ref", "HEAD", commit)
    git(top(repo), "reset", "-q")
    (top(repo) / "a.py").write_text("b")

    assert found == {"a.py": "a"}
    assert len(commit) == 64
    assert snapshot(repo)[1] == {"a.py": "b"}


def test_a_bare_repository_gives_its_head(code: Repo, tmp_path: Path):
    git(tmp_path, "clone", "-q", "--bare", str(top(code)), "bare.git")
    repo = Repo.find(tmp_path / "bare.git")

    assert repo
    assert repo.work_tree is None
    assert take(repo).commit == code.resolve("HEAD")


def test_a_bare_repository_inside_a_work_tree_is_its_own(code: Repo):
    git(top(code), "init", "-q", "--bare", "remote.git")

    found = Repo.find(top(code) / "remote.git")

    assert found
    assert found.git_dir == top(code) / "remote.git"


def test_an_empty_bare_repository_gives_an_empty_commit(tmp_path: Path):
    git(tmp_path, "init", "-q", "--bare", "bare.git")
    repo = Repo.find(tmp_path / "bare.git")
    assert repo

    assert git(tmp_path / "bare.git", "ls-tree", "-r", take(repo).commit) == ""


def test_a_detached_head_stays_detached(code: Repo):
    git(top(code), "switch", "-q", "--detach")
    (top(code) / "a.py").write_text("changed")

    assert snapshot(code)[1]["a.py"] == "changed"


def test_a_shallow_clone_is_taken(code: Repo, tmp_path: Path):
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{top(code)}", "shallow")
    repo = Repo.find(tmp_path / "shallow")
    assert repo
    (top(repo) / "a.py").write_text("changed")

    assert snapshot(repo)[1]["a.py"] == "changed"


@pytest.mark.parametrize("cone", ["--cone", "--no-cone"])
@pytest.mark.parametrize("index", ["--sparse-index", "--no-sparse-index"])
def test_a_sparse_checkout_keeps_what_is_not_checked_out(code: Repo, cone: str, index: str):
    for folder in ("in", "out"):
        (top(code) / folder).mkdir()
        (top(code) / folder / "x").write_text(folder)
    git(top(code), "add", "-A")
    git(top(code), "commit", "-qm", "folders")
    if cone == "--no-cone" and index == "--sparse-index":
        pytest.skip("git has no sparse index without cones")
    git(top(code), "sparse-checkout", "init", cone, index)
    git(top(code), "sparse-checkout", "set", "in")
    (top(code) / "in/x").write_text("changed")

    _, found = snapshot(code)

    assert found["in/x"] == "changed"
    assert found["out/x"] == "out"


def test_a_linked_worktree_is_its_own_tree(code: Repo, tmp_path: Path):
    git(top(code), "worktree", "add", "-q", str(tmp_path / "linked"), "-b", "linked")
    repo = Repo.find(tmp_path / "linked")
    assert repo
    (top(repo) / "a.py").write_text("linked")
    (top(code) / "a.py").write_text("main")

    assert snapshot(repo)[1]["a.py"] == "linked"
    assert snapshot(code)[1]["a.py"] == "main"
    assert repo.own == code.own


def test_a_submodule_is_taken_as_the_commit_it_stands_at(code: Repo, tmp_path: Path):
    git(tmp_path, "clone", "-q", str(top(code)), "library")
    git(top(code), "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(tmp_path / "library"), "lib")
    git(top(code), "commit", "-qm", "lib")
    (top(code) / "lib/a.py").write_text("changed")
    git(top(code) / "lib", "commit", "-qam", "forward")
    (top(code) / "lib/dirty").write_text("x")
    here, inner = Repo.find(top(code)), Repo.find(top(code) / "lib")
    assert here
    assert inner

    found = snapshot(here)[1]

    assert found["lib"] == git(top(code) / "lib", "rev-parse", "HEAD")
    assert snapshot(inner)[1]["dirty"] == "x"


def test_a_split_index_is_taken(code: Repo):
    git(top(code), "update-index", "--split-index")
    (top(code) / "a.py").write_text("changed")

    taken = take(code)

    assert files(code, taken.commit) == {"a.py": "changed", "b.py": "b"}


def test_nobodys_hooks_run(code: Repo):
    hooks = top(code) / ".git/hooks"
    for name in ("pre-commit", "post-index-change", "reference-transaction", "post-checkout", "prepare-commit-msg"):
        (hooks / name).write_text('#!/bin/sh\ntouch "$(git rev-parse --git-common-dir)/ran"\nexit 1\n')
        (hooks / name).chmod(0o755)
    (hooks / "monitor").write_text(f"#!/bin/sh\ntouch {top(code)}/.git/ran\nexit 1\n")
    (hooks / "monitor").chmod(0o755)
    (top(code) / "a.py").write_text("changed")
    git(top(code), "config", "core.fsmonitor", str(hooks / "monitor"))

    taken = take(code)
    code.commit_on("refs/heads/exp/a", {"x": b"1"}, "x", expect=None)

    assert files(code, taken.commit)["a.py"] == "changed"
    assert not (top(code) / ".git/ran").exists()


@pytest.mark.parametrize("name", ["GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX"])
def test_inside_a_hook_the_repository_is_still_the_right_one(
    code: Repo, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    (top(code) / "a.py").write_text("changed")
    git(tmp_path, "init", "-q", "wrong")
    monkeypatch.setenv(name, str(tmp_path / "wrong" / ".git"))

    found = Repo.find(top(code))
    assert found
    taken = take(found)
    monkeypatch.delenv(name)

    assert files(code, taken.commit) == {"a.py": "changed", "b.py": "b"}


def test_a_folder_deep_inside_finds_the_whole_repository(code: Repo):
    (top(code) / "deep/er").mkdir(parents=True)
    found = Repo.find(top(code) / "deep/er")

    assert found
    assert found.work_tree == top(code)


def test_a_repository_whose_work_tree_is_configured_elsewhere_is_found(code: Repo, tmp_path: Path):
    (tmp_path / "elsewhere").mkdir()
    git(top(code), "config", "core.worktree", str(tmp_path / "elsewhere"))
    found = Repo.find(top(code))

    assert found
    assert found.work_tree == tmp_path / "elsewhere"


@pytest.mark.parametrize("name", ["with space", "ünï", "li\u2028ne", "-dash", "tab\t", "quo'te\"", "$(id)"])
def test_a_repository_may_have_any_name(code: Repo, tmp_path: Path, name: str):
    git(tmp_path, "clone", "-q", str(top(code)), str(tmp_path / name))
    repo = Repo.find(tmp_path / name)
    assert repo
    (top(repo) / "a.py").write_text("changed")

    assert snapshot(repo)[1]["a.py"] == "changed"


def test_a_folder_outside_is_in_no_repository(tmp_path: Path):
    assert Repo.find(tmp_path) is None


def test_a_git_folder_that_is_none_is_in_no_repository(tmp_path: Path):
    (tmp_path / "x/.git").mkdir(parents=True)

    assert Repo.find(tmp_path / "x") is None
