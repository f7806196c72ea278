"""What is purged is nowhere any more: not in git's objects, loose or packed, nor beside them; and nothing else goes."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import threading
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from mlgit import wiring
from mlgit.core import refs
from mlgit.errors import UsageError
from mlgit.git import erase
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import archive, edit, folding, listings, purge, runs
from mlgit.tracking import session
from mlgit.wiring import erasing
from tests.dying import last_moment

Script = Callable[..., "subprocess.CompletedProcess[str]"]
SECRET = "the-patient-is-Jane-Doe"


def recorded(*ids: str, note: str = SECRET) -> None:
    """Runs that say *note* in a param, in their notes, on the console and in a file."""
    for run_id in ids:
        with session.init(id=run_id, name=f"name-{run_id}", project="digits", config={"who": note}, notes=note) as run:
            run.log({"loss": 0.5, "text": f"{note} {run_id}"})


def places_of(repo: Repo, secret: str) -> list[str]:
    """Where *secret* can still be read: objects of git's, whatever form they have, and every other file of `.git`."""
    out = subprocess.run(
        ["git", "cat-file", "--batch-all-objects", "--batch", "--buffer"],
        cwd=repo.folder,
        capture_output=True,
        check=True,
    ).stdout
    found = ["an object"] if secret.encode() in out else []
    for path in repo.common_dir.rglob("*"):
        if path.is_file() and (raw := path.read_bytes()):
            texts = [raw]
            if len(path.parent.name) == 2 and path.parent.parent.name == "objects":
                texts.append(zlib.decompress(raw))
            if any(secret.encode() in text for text in texts):
                found.append(str(path.relative_to(repo.common_dir)))
    return found


def purged(repo: Repo, *ids: str) -> int:
    place = wiring.place(repo.folder)
    known = {run.id: run for run in (*query.runs(repo), *runs.hidden(repo))}
    return erasing.purge(place, *erasing.doomed(place, [known[run_id] for run_id in ids]))


@pytest.mark.parametrize("packed", [False, True], ids=["loose", "packed"])
@pytest.mark.parametrize("way", ["branch", "edited", "archived", "unarchived", "hidden"])
def test_nothing_of_it_is_left_wherever_the_run_was(inside: Repo, way: str, packed: bool):
    recorded("a")
    recorded("b", note="nothing to hide")
    if way == "edited":
        edit.edit(inside, query.find(inside, "a"), lambda run: replace(run, notes="", params={"who": "nobody"}))
    if way in ("archived", "unarchived"):
        folded = folding.fold(inside, query.runs(inside))
        edit.edit(inside, folded[0], lambda run: replace(run, tags=("t",)))
    if way == "unarchived":
        folding.unfold(inside, [query.find(inside, "a")])
    if way == "hidden":
        runs.hide(inside, [query.find(inside, "a")])
    if packed:
        inside.git("-c", "pack.writeBitmaps=true", "repack", "-adq")
        inside.git("multi-pack-index", "write")
        inside.git("commit-graph", "write", "--reachable")
    other = query.find(inside, "b")
    assert places_of(inside, SECRET)

    assert purged(inside, "a") > 5

    assert places_of(inside, SECRET) == []
    assert query.runs(inside) == [other]
    assert runs.history(inside, other)["loss"].values == [0.5]
    inside.git("fsck", "--strict", "--no-dangling")
    assert inside.resolve(other.commit)


def test_changes_that_were_in_no_commit_go_too_and_what_others_share_stays(inside: Repo):
    recorded("b", note="fine")
    (inside.folder / "train.py").write_text(f"# {SECRET}")
    (inside.folder / "shared.py").write_text("# shared")
    recorded("a")
    (inside.folder / "train.py").write_text("# clean")
    recorded("c", note="fine")
    for name in ("train.py", "shared.py"):
        (inside.folder / name).unlink()
    inside.git("switch", "--quiet", "--detach", query.find(inside, "a").source or "")  # it is in HEAD's reflog
    inside.git("switch", "--quiet", "main")
    inside.git("commit", "--quiet", "--allow-empty", "-m", "more")

    purged(inside, "a")

    assert places_of(inside, SECRET) == []
    shared = query.find(inside, "c")
    assert inside.read(shared.commit, "shared.py") == b"# shared"
    assert inside.git("reflog", "-1").endswith("commit: more")
    inside.git("fsck", "--strict", "--no-dangling")


def test_what_nobody_points_at_but_somebody_may_want_stays(inside: Repo):
    recorded("a")
    mine = inside.commit(None, {"lost.txt": b"a commit that I may look for"}, "lost")
    inside.git("repack", "-adkq")

    purged(inside, "a")

    assert inside.read(mine, "lost.txt") == b"a commit that I may look for"


def test_its_bytes_in_dvc_s_cache_go_but_for_those_that_others_use(inside: Repo, tmp_path: Path):
    secret, common = tmp_path / "secret.bin", tmp_path / "common.bin"
    secret.write_bytes(SECRET.encode() * 100)
    common.write_bytes(b"common " * 100)
    for run_id, paths in (("a", [secret, common]), ("b", [common])):
        with session.init(id=run_id, project="digits") as run:
            for path in paths:
                run.log_artifact(path, name=path.stem, type="dataset")
    (common_hash,) = [version.hash for version in query.find(inside, "b").logged]
    place = wiring.place(inside.folder)

    _, files = erasing.doomed(place, [query.find(inside, "a")])
    purged(inside, "a")

    assert files == {"": [hashlib.md5(secret.read_bytes()).hexdigest()]}
    assert places_of(inside, SECRET) == []
    cache = inside.own / "cache" / "files" / "md5"
    assert (cache / common_hash[:2] / common_hash[2:]).exists()


def test_what_a_tag_or_a_fork_leads_to_is_refused(inside: Repo):
    recorded("a")
    inside.git("tag", "kept", query.find(inside, "a").commit)
    with pytest.raises(UsageError, match="refs/tags/kept leads to it"):
        purged(inside, "a")
    inside.git("tag", "-d", "kept")
    with session.init(id="b", project="digits", fork_from="a?_step=0"):
        pass
    with pytest.raises(UsageError, match="refs/heads/exp/digits/"):
        purged(inside, "a")
    folding.fold(inside, query.runs(inside))
    with pytest.raises(UsageError, match="archived fork"):
        purged(inside, "a")

    purged(inside, "a", "b")

    assert places_of(inside, SECRET) == []
    assert query.runs(inside) == []


def test_what_only_a_reflog_remembers_is_neither_broken_nor_in_silence_the_keeper(inside: Repo):
    recorded("a")
    run = query.find(inside, "a")
    home = inside.git("branch", "--show-current")
    inside.git("checkout", "--quiet", "--detach", run.commit)
    inside.git("commit", "--quiet", "--allow-empty", "--message", "my own work on top")
    mine = inside.git("rev-parse", "HEAD")
    inside.git("checkout", "--quiet", home)
    with pytest.raises(UsageError, match=r"HEAD@\{1\} leads to it"):
        purged(inside, "a")
    assert inside.is_ancestor(run.commit, mine)

    inside.git("reflog", "delete", "--rewrite", "HEAD@{1}")
    purged(inside, "a")

    assert places_of(inside, SECRET) == []


def test_what_is_staged_of_it_is_refused(inside: Repo, tmp_path: Path):
    (inside.folder / "train.py").write_text("mine")
    recorded("a", "b")
    other = tmp_path / "other"
    inside.git("worktree", "add", "--quiet", "--detach", str(other))
    run = query.find(inside, "a")
    inside.git("-C", str(other), "checkout", run.commit, "--", "experiment")
    inside.git("add", "train.py")  # as the run had it, and no secret of the run's
    with pytest.raises(UsageError, match=r"experiment/metrics.yaml.* staged"):
        purged(inside, "a")

    purged(inside, "b")
    inside.git("-C", str(other), "reset", "--quiet", "--hard")
    purged(inside, "a")

    assert places_of(inside, SECRET) == []
    assert inside.git("cat-file", "-p", ":train.py") == "mine"


def test_reflogs_are_read_while_branches_come_and_go(inside: Repo):
    before, log = erase.remembered(inside, ()), inside.common_dir / "logs/refs/heads/exp/digits/one"
    through = threading.Event()

    def come_and_go() -> None:
        while not through.is_set():
            log.parent.mkdir(parents=True)
            log.touch()
            shutil.rmtree(log.parent.parent)

    with ThreadPoolExecutor() as pool:
        others = pool.submit(come_and_go)
        try:
            seen = [erase.remembered(inside, ()) for _ in range(100)]
        finally:
            through.set()
        others.result()

    assert before
    assert all(one == before for one in seen)


def test_an_older_stash_on_a_run_is_in_the_way(inside: Repo):
    recorded("a")
    home = inside.git("branch", "--show-current")
    inside.git("checkout", "--quiet", "--detach", query.find(inside, "a").commit)
    for where in ("HEAD", home):
        inside.git("checkout", "--quiet", where)
        (inside.folder / "mine.txt").write_text("not ready")
        inside.git("add", "mine.txt")
        inside.git("stash", "--quiet")

    with pytest.raises(UsageError, match=r"refs/stash@\{1\} leads to it"):
        purged(inside, "a")
    inside.git("stash", "drop", "1")
    purged(inside, "a")

    assert places_of(inside, SECRET) == []
    assert "stash@{0}" in inside.git("stash", "list")


def test_what_somebody_did_after_a_visit_to_a_run_stays_in_the_reflog(inside: Repo):
    recorded("a")
    home = inside.git("branch", "--show-current")
    inside.git("checkout", "--quiet", "--detach", query.find(inside, "a").commit)
    other = inside.commit(None, {"other.txt": b"something else"}, "other")
    inside.git("checkout", "--quiet", other)
    inside.git("checkout", "--quiet", home)

    purged(inside, "a")

    assert inside.git("rev-parse", "HEAD@{1}") == other
    assert places_of(inside, SECRET) == []


def test_what_has_come_to_lead_to_it_since_it_was_planned_is_refused(inside: Repo):
    recorded("a")
    doomed = purge.plan(inside, [query.find(inside, "a")])
    inside.git("tag", "kept", query.find(inside, "a").commit)

    with pytest.raises(UsageError, match="refs/tags/kept leads to it"):
        purge.carry_out(inside, doomed)

    assert [run.id for run in query.runs(inside)] == ["a"]


def test_history_that_git_is_told_not_to_show_stays(inside: Repo):
    inside.git("commit", "--quiet", "--allow-empty", "--message", "more")
    home, older, newer = inside.git("branch", "--show-current"), *inside.git("rev-parse", "HEAD^", "HEAD").split()
    inside.git("checkout", "--quiet", "--detach", older)
    recorded("a")
    inside.git("checkout", "--quiet", home)
    inside.git("reflog", "expire", "--expire=now", "--all")
    inside.git("replace", "--graft", newer)

    purged(inside, "a")

    inside.git("replace", "--delete", newer)
    assert inside.is_ancestor(older, newer)
    assert places_of(inside, SECRET) == []


def cloned(repo: Repo, folder: Path, *options: str) -> Repo:
    """A clone of *repo*, which has fetched its runs."""
    repo.git("config", "uploadpack.allowFilter", "true")
    repo.git("config", "uploadpack.allowAnySHA1InWant", "true")
    subprocess.run(["git", "clone", "--quiet", *options, repo.folder.as_uri(), str(folder)], check=True)
    found = Repo.find(folder)
    assert found
    return found


def test_a_shallow_clone_can_be_deepened_afterwards(inside: Repo, tmp_path: Path):
    recorded("a", "b")
    shallow = cloned(inside, tmp_path / "shallow", "--depth", "1", "--no-single-branch")

    purged(shallow, "a")
    shallow.git("fetch", "--quiet", "--unshallow")

    assert not (shallow.git_dir / "shallow").exists()
    shallow.git("fsck")


def test_a_partial_clone_does_not_fetch_it_again(inside: Repo, tmp_path: Path):
    recorded("a", "b")
    partial = cloned(inside, tmp_path / "partial", "--filter=blob:none")
    run = query.find(partial, "a")

    purged(partial, "a")

    assert not erase.is_cut_short(partial)
    listed = partial.git("cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split()
    assert (run.commit in listed, query.find(partial, "b").commit in listed) == (False, True)


def test_what_another_repository_lends_is_its_own_to_destroy(inside: Repo, tmp_path: Path, mlgit: Script):
    recorded("a", "b")
    subprocess.run(["git", "clone", "--quiet", "--shared", inside.folder, tmp_path / "borrower"], check=True)
    borrower = Repo.find(tmp_path / "borrower")
    assert borrower

    said = mlgit("purge", "a", "--yes", cwd=borrower.folder).stderr

    assert "another repository, which objects/info/alternates names, lends them; purge there" in said
    assert not erase.is_cut_short(borrower)
    assert [run.id for run in query.runs(borrower)] == ["b"]
    assert inside.read(query.find(inside, "a").commit, "experiment/run.yaml")


def test_where_no_object_may_ever_go_nothing_does(inside: Repo):
    recorded("a")
    inside.git("config", "core.repositoryFormatVersion", "1")
    inside.git("config", "extensions.preciousObjects", "true")

    with pytest.raises(UsageError, match="never to lose an object"):
        purged(inside, "a")


def test_what_is_under_way_or_checked_out_is_refused(inside: Repo):
    with session.init(id="a", project="digits"), pytest.raises(UsageError, match="still running"):
        purge.plan(inside, [query.find(inside, "a")])
    run = query.find(inside, "a")
    inside.git("checkout", "--quiet", run.branch)
    with pytest.raises(UsageError, match="checked out"):
        purged(inside, "a")


def test_a_purge_that_was_cut_short_is_finished_by_the_run_s_id(inside: Repo):
    recorded("a", "b")
    (run,) = folding.fold(inside, [query.find(inside, "a")])
    doomed = purge.plan(inside, [run])
    archive.purge(inside, run.archive, doomed.results, anew=True)  # and no more of it

    assert [run.id for run in query.runs(inside)] == ["b"]
    (left,) = purge.remains(inside, "a")
    purge.carry_out(inside, purge.plan(inside, [left]))
    purged(inside, "b")

    assert places_of(inside, SECRET) == []


# A child for some of the file operations and git processes of a purge, at which it is killed; then it is done again.
DEATHS = """
import subprocess, sys
from pathlib import Path
import mlgit
from mlgit import wiring
from mlgit.wiring import erasing
from mlgit.git import erase
from mlgit.index import query
from mlgit.store import folding, purge
from tests.dying import dies_at

place = wiring.place(Path("."))
repo, moment, step = place.repo, int(sys.argv[1]), int(sys.argv[2])

while True:
    name = f"run{moment}"
    with mlgit.init(id=name, project="p", config={"who": f"secret-of-{name}."}) as run: run.log({"a": 1})
    if moment % 2: folding.fold(repo, [query.find(repo, name)])
    if moment % 3: repo.git("repack", "-adkq")
    died = dies_at(moment, lambda: erasing.purge(place, *erasing.doomed(place, [query.find(repo, name)])))
    if moment % 2 or not erase.finish(repo):
        known = query.of_id(repo, name)
        left = [known] if known else purge.remains(repo, name)[:1]
        if left: erasing.purge(place, *erasing.doomed(place, left))
    erase.finish(repo)
    said = subprocess.run(["git", "cat-file", "--batch-all-objects", "--batch"], capture_output=True).stdout
    if f"secret-of-{name}.".encode() in said: sys.exit(f"{moment}: still there")
    if query.of_id(repo, name): sys.exit(f"{moment}: still a run")
    if not died: break
    moment += step
print(moment)
"""


@pytest.mark.parametrize("first", ["1", "6"])
def test_a_purge_that_is_killed_at_any_moment_can_be_finished(inside: Repo, first: str):
    recorded("b", note="fine")

    assert last_moment(DEATHS, first, "10", folder=inside.folder) > 20
    assert query.of_id(inside, "b")
    inside.git("fsck", "--strict", "--no-dangling")


def test_no_other_machine_s_archive_brings_it_back(inside: Repo, tmp_path: Path):
    recorded("a", "b")
    folding.fold(inside, query.runs(inside))
    inside.git("clone", "--quiet", "--config=remote.origin.fetch=+refs/*:refs/*", ".", str(tmp_path / "other"))
    other = Repo.find(tmp_path / "other")
    assert other
    month = query.find(inside, "a").archive
    edited = edit.edit(other, query.find(other, "b"), lambda run: replace(run, tags=("theirs",)))
    edit.edit(other, query.find(other, "a"), lambda run: replace(run, tags=("theirs",)))

    purged(inside, "a")

    before = inside.refs(month)[month]
    other.git("fetch", "--quiet", str(inside.folder), f"+{month}:refs/there")
    listings.join(other, month, other.refs("refs/there")["refs/there"])
    assert query.runs(other) == [edited]
    assert other.is_ancestor(before, month)
    inside.git("fetch", "--quiet", str(other.folder), f"{month}:refs/there")
    listings.join(inside, month, inside.refs("refs/there")["refs/there"])
    assert query.runs(inside) == [edited]


def test_a_month_that_was_purged_is_not_gone_on_from_the_other_machine_s(inside: Repo, tmp_path: Path):
    recorded("a", "b", "c")
    folding.fold(inside, [query.find(inside, "a"), query.find(inside, "b")])
    inside.git("clone", "--quiet", "--config=remote.origin.fetch=+refs/*:refs/*", ".", str(tmp_path / "other"))
    other = Repo.find(tmp_path / "other")
    assert other
    (run,) = folding.fold(other, [query.find(other, "c")])
    doomed = purge.plan(inside, [query.find(inside, "a")])
    archive.purge(inside, run.archive, doomed.results, anew=True)

    inside.git("fetch", "--quiet", str(other.folder), f"{run.archive}:refs/there")
    theirs, ours = inside.refs("refs/there")["refs/there"], inside.refs(run.archive)[run.archive]
    listings.join(inside, run.archive, theirs)

    assert listings.goes_before(inside, ours, theirs)
    assert not listings.goes_before(inside, ours, "1" * 40), "who has not seen it does not overwrite it"
    assert {one.id for one in query.runs(inside) if one.archive} == {"b", "c"}
    assert query.of_id(inside, "a") is None
    reachable = inside.git("rev-list", run.archive).split()
    assert set(doomed.results).isdisjoint(reachable)
    assert inside.refs(refs.RUNS) == {}, "c was archived over there"


def test_a_run_of_a_name_that_is_purged_can_be_made_again(inside: Repo):
    recorded("a")
    folding.fold(inside, query.runs(inside))
    purged(inside, "a")

    recorded("a", note="fine")
    folding.fold(inside, query.runs(inside))

    assert query.find(inside, "a").params == {"who": "fine"}


def test_no_sync_brings_a_purged_run_back_or_sends_it_again(inside: Repo, tmp_path: Path, mlgit: Script):
    far = Repo(work_tree=None, git_dir=tmp_path / "far.git", common_dir=tmp_path / "far.git")
    inside.git("init", "--quiet", "--bare", str(far.git_dir))
    inside.git("remote", "add", "origin", str(far.git_dir))
    recorded("a", "b", "c")
    folding.fold(inside, [query.find(inside, "b")])
    mlgit("sync", cwd=inside.folder)
    inside.git("clone", "--quiet", str(far.git_dir), str(tmp_path / "other"))
    other = Repo.find(tmp_path / "other")
    assert other
    mlgit("sync", cwd=other.folder)
    edit.edit(other, query.find(other, "a"), lambda run: replace(run, tags=("theirs",)))

    purged(inside, "a", "b")
    mlgit("sync", cwd=inside.folder)
    said = mlgit("sync", cwd=other.folder).stderr

    assert "it was purged elsewhere: mlgit purge destroys it here too" in said
    assert [run.id for run in query.runs(far)] == [run.id for run in query.runs(inside)] == ["c"]
    assert {run.id for run in query.runs(other)} == {"a", "c"}
    ref = query.find(other, "a").ref
    told = json.loads(mlgit("fsck", "--remote", "--json", cwd=other.folder, check=False).stdout)
    assert [(one["where"], one["fix"]) for one in told] == [(ref, f"mlgit purge {ref.rpartition('/')[2]}")]
    mlgit("purge", "a", "--yes", cwd=other.folder)
    assert "purged" not in mlgit("sync", cwd=other.folder).stderr
    assert query.runs(inside) == query.runs(other) == query.runs(far)
