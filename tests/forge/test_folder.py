import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlgit.errors import ConfigError, MlgitError, NotFoundError, RefMovedError
from mlgit.forge.base import PullState, Status, StatusState
from mlgit.forge.folder import FolderForge
from mlgit.forge.sticky import upsert
from mlgit.git.repo import Repo
from tests.conftest import make_repo

HOSTILE = "\x1b]0;owned\x07\x1b[2J<script>alert(1)</script>\u202e`$(touch x)` @all #1 | a: b\n---\nstate: merged\n---\n"


@pytest.fixture
def forge(repo: Repo) -> FolderForge:
    return FolderForge(repo, clock=lambda: 1_782_900_000.0)


def add(repo: Repo, name: str, files: dict[str, bytes], *, on: str = "main") -> str:
    commit = repo.commit(repo.resolve(on), files, f"work on {name}")
    repo.git("update-ref", f"refs/heads/{name}", commit)
    return commit


def test_a_person_can_read_a_pull_request(forge: FolderForge, repo: Repo):
    add(repo, "run/a", {"a": b""})

    number = forge.open(head="run/a", base="main", title="lr: 0.1", body="Because.\n", labels=("model",)).number
    forge.comment(number, "Nice.\n")

    folder = repo.own / "forge" / "pulls" / "1"
    assert number == 1
    assert (folder / "pull.md").read_text() == (
        '---\ntitle: "lr: 0.1"\nhead: run/a\nbase: main\nauthor: Ada\ncreated: "2026-07-01T10:00:00Z"\n'
        "labels: [model]\n---\n\nBecause.\n"
    )
    assert (folder / "comment-1.md").read_text().endswith("---\n\nNice.\n")


def test_our_name_is_the_one_under_which_git_commits(forge: FolderForge):
    assert forge.me == "Ada"


def test_a_picture_opens_from_where_the_comment_lies(forge: FolderForge, repo: Repo):
    add(repo, "a", {"a": b""})
    number = forge.open(head="a", base="main", title="t").number

    link = forge.image(b"picture", "x.png")
    forge.comment(number, f"![]({link})")

    place = repo.own / "forge" / "pulls" / str(number)
    assert (place / link).read_bytes() == b"picture"
    assert repo.git("ls-tree", "-r", "--name-only", "mlgit-assets") == link.removeprefix("../../assets/")


def test_a_picture_is_found_on_its_branch_when_the_copy_is_gone(forge: FolderForge, repo: Repo):
    link = forge.image(b"picture", "x.png")
    for copy in (repo.own / "forge" / "assets").rglob("*.png"):
        copy.unlink()

    assert forge.picture(link) == b"picture"


def test_processes_at_once_never_share_a_number(repo: Repo):
    opener = (
        "import sys; from pathlib import Path; from mlgit.git.repo import Repo\n"
        "from mlgit.forge.folder import FolderForge\n"
        "forge = FolderForge(Repo.find(Path.cwd()))\n"
        "sys.stdin.read()\n"
        "for name in sys.argv[1:]: print(forge.open(head=name, base='main', title=name).number)\n"
    )
    names = [[f"{who}{count}" for count in range(4)] for who in "ab"]
    every = [*names[0], *names[1]]
    for name in every:
        add(repo, name, {name: b""})
    processes = [
        subprocess.Popen([sys.executable, "-c", opener, *own], cwd=repo.folder, stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(Path.cwd())})
        for own in names
    ]  # fmt: skip
    for process in processes:
        process.stdin.close()  # the starting gun
        process.stdin = None

    numbers = [int(line) for process in processes for line in process.communicate()[0].split()]

    assert sorted(numbers) == list(range(1, 9))
    assert {pull.head for pull in FolderForge(repo).pulls()} == set(every)


def test_a_number_whose_maker_died_is_skipped(forge: FolderForge, repo: Repo):
    add(repo, "a", {"a": b""})
    (repo.own / "forge" / "pulls" / "7").mkdir(parents=True)

    number = forge.open(head="a", base="main", title="t").number

    assert number == 8
    assert [pull.number for pull in forge.pulls()] == [8]
    with pytest.raises(NotFoundError):
        forge.get(7)


def test_a_base_that_is_checked_out_follows(forge: FolderForge, repo: Repo):
    add(repo, "a", {"new.py": b"x = 1\n"})
    number = forge.open(head="a", base="main", title="t").number
    (repo.work_tree / "notes.txt").write_text("mine")

    forge.merge(number)

    assert (repo.work_tree / "new.py").read_text() == "x = 1\n"
    assert repo.git("status", "--porcelain") == "?? notes.txt"


def test_a_merge_over_local_changes_is_refused_and_loses_nothing(forge: FolderForge, repo: Repo):
    train = repo.work_tree / "train.py"
    train.write_text("lr = 1\n")
    repo.git("add", "train.py")
    repo.git("commit", "-q", "-m", "train")
    add(repo, "a", {"train.py": b"lr = 2\n"})
    number = forge.open(head="a", base="main", title="t").number
    train.write_text("lr = 3  # half-typed\n")
    before = repo.resolve("main")

    with pytest.raises(MlgitError, match="local changes"):
        forge.merge(number)

    assert train.read_text() == "lr = 3  # half-typed\n"
    assert repo.resolve("main") == before
    assert forge.get(number).state is PullState.OPEN
    train.write_text("lr = 1\n")
    assert forge.merge(number).state is PullState.MERGED
    assert train.read_text() == "lr = 2\n"


def test_a_detached_head_is_left_where_it_is(forge: FolderForge, repo: Repo):
    add(repo, "a", {"a": b""})
    repo.git("checkout", "-q", "--detach")
    here = repo.resolve("HEAD")

    pull = forge.merge(forge.open(head="a", base="main", title="t").number)

    assert repo.resolve("main") == pull.merge_commit
    assert repo.resolve("HEAD") == here
    assert repo.head() is None


def test_a_bare_repository_has_pull_requests_too(tmp_path: Path, repo: Repo):
    add(repo, "a", {"a": b""})
    subprocess.run(["git", "clone", "-q", "--bare", str(repo.folder), str(tmp_path / "bare.git")], check=True)
    bare = Repo.find(tmp_path / "bare.git")
    forge = FolderForge(bare)

    pull = forge.merge(forge.open(head="a", base="main", title="t").number)

    assert bare.resolve("main") == pull.merge_commit
    assert forge.picture(forge.image(b"x", "x.png")) == b"x"


def test_worktrees_share_one_forge(forge: FolderForge, repo: Repo, tmp_path: Path):
    add(repo, "a", {"a": b""})
    number = forge.open(head="a", base="main", title="t").number
    repo.git("worktree", "add", "-q", str(tmp_path / "other"), "a")

    other = FolderForge(Repo.find(tmp_path / "other"))

    assert other.get(number) == forge.get(number)


def test_a_sha256_repository_has_pull_requests_too(tmp_path: Path):
    folder = tmp_path / "sha256"
    subprocess.run(["git", "init", "-q", "-b", "main", "--object-format=sha256", str(folder)], check=True)
    repo = Repo.find(folder)
    repo.git("commit", "-q", "--allow-empty", "-m", "start")
    commit = add(repo, "a", {"a": b""})
    forge = FolderForge(repo)
    number = forge.open(head="a", base="main", title="t").number

    forge.set_status(Status(context="ci", state=StatusState.SUCCESS, commit=commit))

    assert len(forge.statuses(commit)) == 1
    assert forge.merge(number).merge_commit == repo.resolve("main")


def test_hostile_words_stay_words(forge: FolderForge, repo: Repo):
    commit = add(repo, "a", {"a": b""})
    mallory, label = FolderForge(repo, me=HOSTILE), "<i>`$(touch x)` @all #1 | a: - 'b'"

    number = mallory.open(head="a", base="main", title=HOSTILE, body=HOSTILE, labels=(label,)).number
    comment = mallory.comment(number, HOSTILE)
    mallory.set_status(Status(context=f"../../{HOSTILE}", state=StatusState.ERROR, description=HOSTILE, commit=commit))

    pull = forge.get(number)
    assert pull.state is PullState.OPEN
    assert "\x1b" not in pull.title
    assert (pull.body, pull.author, pull.labels) == (HOSTILE, HOSTILE, (label,))
    assert forge.comments(number) == [comment]
    assert [path.name for path in (repo.own / "forge").iterdir() if not path.is_dir()] == ["lock"]
    assert "\x1b" not in forge.statuses(commit)[0].context


def test_what_no_file_can_hold_is_replaced_not_refused(forge: FolderForge, repo: Repo):
    add(repo, "a", {"a": b""})

    number = forge.open(head="a", base="main", title="t", body="lone \ud800 surrogate").number

    assert forge.get(number).body == "lone ? surrogate"


def test_a_title_that_poses_as_a_trailer_is_quoted_in_the_merge(forge: FolderForge, repo: Repo):
    add(repo, "a", {"a": b""})

    forge.merge(forge.open(head="a", base="main", title="Mlgit-Evidence: someone-elses").number)

    assert repo.git("log", "-1", "--format=%b", "main") == '"Mlgit-Evidence: someone-elses"\n'.rstrip()
    assert repo.git("log", "-1", "--format=%(trailers:key=Mlgit-Evidence)", "main") == ""


def test_a_minimised_comment_is_not_revived(forge: FolderForge, repo: Repo):
    add(repo, "a", {"a": b""})
    number = forge.open(head="a", base="main", title="t").number
    first = upsert(forge, number, "mlgit:report", "one")
    paper = repo.own / "forge" / "pulls" / str(number) / f"comment-{first.id}.md"
    paper.write_text(paper.read_text().replace("---\n\n", "minimised: true\n---\n\n", 1))

    second = upsert(forge, number, "mlgit:report", "two")

    assert second.id != first.id


def test_a_branch_deleted_after_more_work_is_kept_as_last_seen(forge: FolderForge, repo: Repo):
    add(repo, "a", {"a": b""})
    number = forge.open(head="a", base="main", title="t").number
    later = add(repo, "a", {"b": b""}, on="a")
    forge.get(number)
    repo.git("branch", "-D", "a")

    assert forge.get(number).head_commit == later
    assert repo.resolve(f"refs/mlgit/forge/pull/{number}/head") == later
    repo.git("branch", "a", later)
    assert forge.merge(number, expect=later).state is PullState.MERGED


def test_a_branch_reset_to_its_base_is_closed_and_not_called_merged(forge: FolderForge, repo: Repo):
    add(repo, "a", {"a": b""})
    number = forge.open(head="a", base="main", title="t").number
    repo.git("update-ref", "refs/heads/a", "main")

    assert forge.get(number).state is PullState.CLOSED


def test_a_fast_forward_by_hand_counts_as_merged(forge: FolderForge, repo: Repo):
    commit = add(repo, "a", {"a": b""})
    number = forge.open(head="a", base="main", title="t").number
    repo.git("merge", "-q", "--ff-only", "a")

    pull = forge.get(number)

    assert (pull.state, pull.merge_commit) == (PullState.MERGED, commit)


def test_expecting_a_commit_that_is_gone_is_refused(forge: FolderForge, repo: Repo):
    add(repo, "a", {"a": b""})
    number = forge.open(head="a", base="main", title="t").number

    with pytest.raises(RefMovedError, match=f"#{number}"):
        forge.merge(number, expect="0" * 40)


@pytest.mark.parametrize(
    "text", ["", "no facts", "---\ntitle: t\n", "---\ntitle: t\nstat: open\n---\n", "---\n- 1\n---\n"]
)
def test_a_file_that_somebody_spoiled_is_named(forge: FolderForge, repo: Repo, text):
    add(repo, "a", {"a": b""})
    number = forge.open(head="a", base="main", title="t").number
    (repo.own / "forge" / "pulls" / "1" / "pull.md").write_text(text)

    with pytest.raises(ConfigError, match=r"pull\.md:\d"):
        forge.get(number)


def test_a_disk_that_refuses_is_said_so(repo: Repo):
    add(repo, "a", {"a": b""})
    (repo.own).mkdir(exist_ok=True)
    (repo.own / "forge").write_text("in the way")

    with pytest.raises(MlgitError, match="cannot be written"):
        FolderForge(repo).open(head="a", base="main", title="t")


def test_an_empty_repository_has_no_pull_requests(tmp_path: Path):
    forge = FolderForge(make_repo(tmp_path / "empty", commit=False))

    assert forge.pulls(state=None) == []
    with pytest.raises(NotFoundError):
        forge.open(head="main", base="main", title="t")
