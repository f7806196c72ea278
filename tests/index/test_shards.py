"""Shards say what the runs say, from the first that is archived to one that is purged; and nobody has to trust them."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import crowd
from mlgit import wiring
from mlgit.core import refs
from mlgit.core.query import HELD, TREE
from mlgit.core.run import Run
from mlgit.git.objects import Entry
from mlgit.git.remote import Remote
from mlgit.git.repo import Repo
from mlgit.index import build, cells, query, shard, sharding
from mlgit.index.shard import Shard
from mlgit.store import archive, edit, folding, records, result, shards, sync
from mlgit.store.meeting import Wish
from mlgit.store.shards import Shelf
from mlgit.store.telling import Account
from mlgit.wiring import erasing, upkeep
from tests.conftest import make_repo

MARCH = 1_772_400_000.0
MONTH = "refs/mlgit/archive/digits/2026-03"
COUNT = 600


def made(repo: Repo, count: int, *, seed: int = 0) -> list[Run]:
    """*count* runs of March."""
    source = repo.resolve("HEAD")
    assert source
    plain = (
        replace(run, project="digits", created=MARCH + at, finished=MARCH + at + 60.0, notes="" if at % 7 else "ä\n")
        for at, run in enumerate(crowd.runs(count, source, seed=seed))
    )
    return list(result.record_all(repo, [Account(run=run) for run in plain]))


def archived(repo: Repo, some: list[Run]) -> list[Run]:
    return upkeep.fold(wiring.place(repo.folder), some)


def shelf_of(repo: Repo, month: str = MONTH) -> Shelf:
    with repo.reader() as reader:
        return shards.shelves(reader, shards.tip(repo), [month])[month]


def rows(repo: Repo) -> list[dict[str, Any]]:
    """All that the index says of all runs, by columns."""
    frame = query.frame(repo)
    columns = {name: [repr(value) for value in values.tolist()] for name, values in frame.items()}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def is_as_git_says(repo: Repo) -> bool:
    """Whether an index made with the shards says what one without them does."""
    build.forget(repo)
    return build.check(repo) == []


def is_true(repo: Repo) -> bool:
    """`is_as_git_says`, and whether each shard says what the runs say."""
    return is_as_git_says(repo) and list(sharding.check(repo)) == []


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    repo = make_repo(tmp_path_factory.mktemp("template"))
    archived(repo, made(repo, COUNT))
    return repo.folder


@pytest.fixture
def full(template: Path, tmp_path: Path) -> Repo:
    """A repository of `COUNT` archived runs."""
    folder = shutil.copytree(template, tmp_path / "full")
    subprocess.run(["git", "remote", "add", "origin", str(tmp_path / "far.git")], cwd=folder, check=True)
    found = Repo.find(Path(folder))
    assert found
    return found


def test_the_first_question_of_a_fresh_clone_reads_no_archived_run(full: Repo, tmp_path: Path):
    """A repository that has the listings and the shards, and not one of the runs, answers as the whole one does."""
    bare = make_repo(tmp_path / "bare", commit=False)
    month, columns = full.refs(MONTH)[MONTH], shards.tip(full)
    assert columns
    objects = [month, *full.git("ls-tree", "-r", "-t", "--format=%(objectname)", columns).split(), columns]
    objects += [full.git("rev-parse", f"{commit}^{{tree}}").strip() for commit in (month, columns)]
    told = "".join(f"{oid}\n" for oid in objects).encode()
    pack = subprocess.run(
        ["git", "pack-objects", "-q", "--stdout"], cwd=full.folder, input=told, capture_output=True, check=True
    )
    subprocess.run(
        ["git", "index-pack", "--stdin"], cwd=bare.folder, input=pack.stdout, capture_output=True, check=True
    )
    for ref, oid in ((MONTH, month), (refs.SHARDS, columns)):
        path = bare.common_dir / ref
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{oid}\n")

    assert rows(bare) == rows(full)
    assert len(rows(bare)) == COUNT


def test_shards_follow_the_archive(full: Repo):
    fifty = made(full, 50, seed=1)
    archived(full, fifty[:30])
    edit.edit(full, query.find(full, fifty[0].id), lambda run: replace(run, tags=("edited",)))
    archived(full, fifty[30:])
    some = [query.find(full, run.id) for run in fifty[10:20]]
    folding.unfold(full, some)

    assert is_true(full)
    sharding.keep_up(full)
    assert is_true(full)
    assert query.find(full, fifty[0].id).tags == ("edited",)
    assert len(rows(full)) == COUNT + 50


def test_a_month_of_many_small_folds_has_few_shards(repo: Repo):
    every = made(repo, 120)
    for at in range(0, 120, 3):
        archived(repo, every[at : at + 3])

    files = shelf_of(repo).files
    assert len(files) <= 7
    assert sum(count for _, count in files) == 120
    assert is_true(repo)


def test_a_shard_that_would_be_large_is_several(repo: Repo, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sharding, "_MOST_BYTES", 8000)
    archived(repo, made(repo, 250))

    assert len(shelf_of(repo).files) > 4
    assert is_true(repo)


def test_whoever_keeps_up_at_the_same_time_loses_nothing(full: Repo):
    folding.fold(full, made(full, 20, seed=2))
    before = shards.tip(full)
    sharding.keep_up(full)
    theirs = shards.tip(full)
    full.git("update-ref", refs.SHARDS, str(before))

    shards.move(full, before, str(theirs))
    sharding.keep_up(full)

    assert shards.tip(full) == theirs
    assert is_true(full)


def test_two_machines_make_the_same_shards_of_the_same_runs(full: Repo, tmp_path: Path):
    other = Repo.find(Path(shutil.copytree(full.folder, tmp_path / "other")))
    assert other
    for repo in (full, other):
        shards.drop(repo, [MONTH])
        sharding.keep_up(repo)

    assert shards.tip(full) == shards.tip(other)


def test_shards_of_a_newer_mlgit_are_left_alone(full: Repo):
    newer = replace(shelf_of(full), version=shard.VERSION + 1)
    shards.move(full, shards.tip(full), shards.write(full, full.writer(), {MONTH: newer}))

    archived(full, made(full, 3, seed=3))

    assert shelf_of(full) == newer
    assert is_true(full)
    assert len(rows(full)) == COUNT + 3


def test_shards_of_an_older_one_are_made_anew(full: Repo):
    older = replace(shelf_of(full), version=shard.VERSION - 1)
    shards.move(full, shards.tip(full), shards.write(full, full.writer(), {MONTH: older}))

    sharding.keep_up(full)

    assert shelf_of(full).version == shard.VERSION
    assert is_true(full)


# --------------------------------------------------------------------------------------------- hostile


def put(repo: Repo, raw: bytes) -> None:
    """Let the only shard of `MONTH` be *raw*."""
    writer = repo.writer()
    one = Shelf(shard.VERSION, repo.refs(MONTH)[MONTH], ((writer.blob(raw), COUNT),))
    shards.move(repo, shards.tip(repo), shards.write(repo, writer, {MONTH: one}))
    build.forget(repo)


def content(repo: Repo) -> bytes:
    with repo.reader() as reader:
        return reader.blob(shelf_of(repo).files[0][0]) or b""


def decoded(repo: Repo) -> Shard:
    return shard.decode(content(repo))


def damaged(raw: bytes, rng: random.Random) -> bytes:
    """*raw*, the bytes of a shard, with something wrong."""
    at = rng.randrange(len(raw))
    head, _, body = raw.partition(b"\n")
    about = records.decode(head)
    odd = (None, 1, "x", [], {}, [None] * COUNT, ["a"] * COUNT, {"0": "x"}, {"x": 1}, [["a", 2, 3, 4, 5, 6]])
    match rng.choice(("bit", "cut", "bytes", "head", "column")):
        case "bit":
            return raw[:at] + bytes([raw[at] ^ 1 << rng.randrange(8)]) + raw[at + 1 :]
        case "cut":
            return raw[:at]
        case "bytes":
            return raw[:at] + rng.randbytes(40) + raw[at + 40 :]
        case "head":
            about[rng.choice(sorted(about))] = rng.choice(odd)
        case _:
            rng.choice(about["cells"])[rng.randrange(6)] = rng.choice((*odd, -1, 1200, "[1]", '["x"]'))
    return records.encode(about) + b"\n" + body


@pytest.mark.parametrize("seed", range(40))
def test_whatever_a_shard_holds_every_question_is_answered_and_fsck_tells_it(full: Repo, seed: int):
    true = content(full)
    raw = damaged(true, random.Random(seed))
    put(full, raw)

    assert query.search(full).total == COUNT
    query.search(full, order=("-accuracy", "created", "tags"))
    rows(full)
    assert bool(list(sharding.check(full))) is (raw != true)
    sharding.renew(full, MONTH)
    assert content(full) == true
    assert is_true(full)


@pytest.mark.parametrize(
    "about",
    [b"", b"[]", b"{", b'{"version":"x"}', b'{"version":1,"state":"","runs":[]}',
     b'{"version":1,"state":"","runs":{"0000":"x"}}', b'{"version":1,"runs":{"9":1}}',
     b'{"version":1,"state":"%s","runs":{"0000":1e999}}', b'{"version":1e999,"state":"%s","runs":{"0000":600}}',
     b'{"version":1,"state":"%s","runs":{"0000":600},"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
     b'{"version":1,"state":"%s","runs":{"0000":600,"about.json":7}}'],
)  # fmt: skip
def test_what_says_of_what_they_were_made_may_be_anything(full: Repo, about: bytes):
    writer, before = full.writer(), shards.tip(full)
    with full.reader() as reader:
        tree = writer.edit(
            reader.tree(f"{before}^{{tree}}") or {},
            {"digits/2026-03/about.json": about.replace(b"%s", full.refs(MONTH)[MONTH].encode())},
            lambda oid: reader.tree(oid) or {},
        )
    writer.flush()
    shards.move(full, before, full.git("commit-tree", "-m", "x", tree).strip())

    build.forget(full)
    assert query.search(full).total == COUNT
    sharding.renew(full, MONTH)
    assert len(shelf_of(full).files) == 1
    assert is_true(full)


def test_a_folder_in_place_of_a_shard_breaks_no_tree_of_ours(full: Repo):
    writer, before = full.writer(), shards.tip(full)
    folder = Entry("40000", full.git("rev-parse", "HEAD^{tree}").strip())
    with full.reader() as reader:
        tree = writer.edit(
            reader.tree(f"{before}^{{tree}}") or {}, {"digits/2026-03/0000": folder}, lambda oid: reader.tree(oid) or {}
        )
    writer.flush()
    shards.move(full, before, full.git("commit-tree", "-m", "x", tree).strip())

    archived(full, made(full, 3, seed=3))

    full.git("fsck", "--strict")
    assert is_true(full)


@pytest.mark.parametrize(
    ("key", "value"),
    [("logged", 1.5), ("logged", True), ("logged", [["x"]]), ("used", {"a": 1}), ("tags", "x"), (HELD, "x"),
     ("finished", "x"), ("state", 1), (TREE, 1), ("id", "x"), ("metrics.deep", "x")],
)  # fmt: skip
def test_a_column_that_no_run_has_is_not_believed(full: Repo, key: str, value: Any):
    true = decoded(full)
    column = cells.pack(range(COUNT), [value] * COUNT)
    if key == "metrics.deep":
        column = replace(cells.pack([0], ["x"]), others="[" * 980 + "]" * 980)
    put(full, shard.encode(replace(true, cells={**true.cells, key: column})))

    assert query.search(full, order=("-accuracy", "tags")).total == COUNT
    assert query.told(full, "x") == {}
    assert query.logged(full) == set()
    assert is_as_git_says(full)


def test_what_is_too_large_for_a_shard_is_not_looked_into(full: Repo, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sharding, "_LARGEST", 1000)

    assert is_as_git_says(full)
    assert [what for _, what in sharding.check(full)] == ["1 of its shards say otherwise than the runs"]


def test_a_lie_is_told_by_fsck_and_mended(full: Repo):
    true = decoded(full)
    positions, values = [list(part) for part in zip(*true.column("metrics.accuracy").items(), strict=True)]
    best = query.search(full, order=("-accuracy",), limit=1).runs[0]
    values[0] = 2.0
    put(full, shard.encode(replace(true, cells={**true.cells, "metrics.accuracy": cells.pack(positions, values)})))
    assert query.search(full, order=("-accuracy",), limit=1).runs[0] != best

    place = wiring.place(full.folder)
    found = [one for one in upkeep.findings(place, None, lambda _: None) if one.repair]
    assert (found[0].where, found[0].what) == (MONTH, "1 of its shards say otherwise than the runs")
    for one in found:
        assert one.repair
        one.repair()

    assert query.search(full, order=("-accuracy",), limit=1).runs[0] == best
    assert not list(upkeep.findings(place, None, lambda _: None))


# ------------------------------------------------------------------------------------- together and gone


def exchange(repo: Repo, **wish: Any) -> sync.Outcome:
    return sync.exchange(Remote(repo=repo, name="origin"), Wish(**wish), wait=lambda _seconds: None)


@pytest.fixture
def far(full: Repo, tmp_path: Path) -> Repo:
    """A remote that has what *full* has."""
    far = make_repo(tmp_path / "far.git", commit=False, bare=True)
    full.git("push", "-q", "origin", "main")
    exchange(full)
    return far


def clone(far: Repo, folder: Path) -> Repo:
    subprocess.run(["git", "clone", "-q", str(far.folder), str(folder)], check=True)
    found = Repo.find(folder)
    assert found
    exchange(found, pushes=False)
    return found


def test_a_clone_gets_them_and_both_add_to_them(full: Repo, far: Repo, tmp_path: Path):
    other = clone(far, tmp_path / "other")
    assert shards.tip(other) == shards.tip(far) == shards.tip(full)

    archived(full, made(full, 30, seed=4))
    archived(other, made(other, 20, seed=5))
    for repo in (full, other, full):
        exchange(repo)

    assert shards.tip(full) == shards.tip(far) == shards.tip(other)
    assert len(rows(full)) == len(rows(other)) == COUNT + 50
    for repo in (full, other):
        assert is_true(repo)
        sharding.keep_up(repo)
        assert is_true(repo)


def test_who_only_pushes_takes_no_month_s_shards_away(full: Repo, far: Repo, tmp_path: Path):
    other = clone(far, tmp_path / "other")
    later = [replace(run, created=run.created + 40 * 86400) for run in crowd.runs(5, str(full.resolve("HEAD")))]
    archived(full, list(result.record_all(full, [Account(run=replace(run, project="later")) for run in later])))
    exchange(full)
    archived(other, made(other, 20, seed=5))

    exchange(other, pulls=False)

    with far.reader() as reader:
        assert shards.shelves(reader, shards.tip(far), archive.months(far)).keys() == archive.months(far).keys()
    exchange(other)
    assert is_true(other)


def test_a_remote_that_refuses_them_gets_everything_else(full: Repo, far: Repo):
    archived(full, made(full, 30, seed=4))
    hook = far.common_dir / "hooks" / "update"
    hook.write_text(f'#!/bin/sh\n[ "$1" != {refs.SHARDS} ] || {{ echo no shards here >&2; exit 1; }}\n')
    hook.chmod(0o755)
    before = shards.tip(far)

    outcome = exchange(full)

    assert far.refs(MONTH) == full.refs(MONTH)
    assert shards.tip(far) == before
    assert refs.SHARDS in outcome.stuck


SECRET = "the-patient-is-Jane-Doe"


def objects_with(repo: Repo, secret: str) -> bool:
    out = subprocess.run(
        ["git", "cat-file", "--batch-all-objects", "--batch", "--buffer"],
        cwd=repo.folder,
        capture_output=True,
        check=True,
    )
    return secret.encode() in out.stdout


def test_nothing_of_a_purged_run_is_left_in_shards_here_or_on_the_remote(full: Repo, far: Repo, tmp_path: Path):
    (run,) = made(full, 1, seed=6)
    edit.edit(full, run, lambda before: replace(before, notes=SECRET))
    archived(full, [query.find(full, run.id)])
    archived(full, made(full, 2, seed=7))  # what was written first lies about, and no ref leads to it
    exchange(full)
    other = clone(far, tmp_path / "other")
    assert objects_with(full, SECRET)

    place = wiring.place(full.folder)
    plan, files = erasing.doomed(place, [query.find(full, run.id)])
    erasing.purge(place, plan, files)
    erasing.purge_there(place, "origin", plan, files)

    assert not objects_with(full, SECRET)
    assert is_true(full)
    assert sum(count for _, count in shelf_of(full).files) == COUNT + 2
    exchange(other, pulls=False)
    assert shards.tip(far) == shards.tip(full)
    exchange(other)
    assert is_true(other)
    assert shards.tip(other) == shards.tip(full)


def secret(repo: Repo) -> str:
    """The id of an archived run that says what it should not."""
    (run,) = made(repo, 1, seed=6)
    edit.edit(repo, run, lambda before: replace(before, notes=SECRET))
    folding.fold(repo, [query.find(repo, run.id)])
    return run.id


PURGE = """
import sys
from mlgit import wiring
from mlgit.wiring import erasing, upkeep
from mlgit.index import query
place = wiring.place()
erasing.purge(place, *erasing.doomed(place, [query.find(place.repo, sys.argv[1])]))
"""


def purging(repo: Repo, run_id: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen((sys.executable, "-c", PURGE, run_id), cwd=repo.folder)


def test_nothing_of_a_purged_run_is_left_in_what_a_killed_process_had_made_of_it(full: Repo):
    run_id = secret(full)
    writer = full.writer()
    with full.reader() as reader:
        (some,) = sharding.read(reader, archive.listing_of(full, MONTH))
    writer.blob(shard.encode(some))
    writer.flush()

    assert purging(full, run_id).wait() == 0

    assert not objects_with(full, SECRET)
    assert is_true(full)


def test_a_purge_waits_for_who_is_just_making_shards(full: Repo):
    shards.drop(full, [MONTH])
    run_id = secret(full)
    with shards.alone(full):
        other = purging(full, run_id)
        while archive.listing_of(full, MONTH).keys() and not waits(other):
            assert other.poll() is None
        sharding._keep_up(full)
    assert other.wait() == 0

    assert not objects_with(full, SECRET)
    assert is_true(full)


def waits(process: subprocess.Popen[bytes]) -> bool:
    """Whether *process* waits for a lock."""
    waiting = (line.split() for line in Path("/proc/locks").read_text().splitlines() if "->" in line)
    return any(str(process.pid) in words for words in waiting)


def test_a_fold_is_done_where_no_shards_can_be_written(full: Repo):
    (full.own / "shards.lock").unlink()
    (full.own / "shards.lock").mkdir()

    assert len(archived(full, made(full, 3, seed=3))) == 3
    assert is_as_git_says(full)


def test_who_gets_a_month_that_began_anew_lets_go_of_its_old_shards(full: Repo, far: Repo, tmp_path: Path):
    run_id = secret(full)
    sharding.keep_up(full)
    exchange(full)
    other = clone(far, tmp_path / "other")
    assert purging(full, run_id).wait() == 0
    full.git("push", "-q", "origin", f"+{MONTH}:{MONTH}")  # and was killed before the shards went too

    exchange(other)

    for repo in (other, far):
        with repo.reader() as reader:
            assert shards.shelves(reader, shards.tip(repo), [MONTH]) == {}


def test_a_partial_clone_has_them_whole(full: Repo, far: Repo, tmp_path: Path):
    far.git("config", "uploadpack.allowFilter", "true")
    far.git("config", "uploadpack.allowAnySHA1InWant", "true")
    folder = tmp_path / "partial"
    subprocess.run(["git", "clone", "-q", "--filter=blob:none", far.folder.as_uri(), str(folder)], check=True)
    repo = Repo.find(folder)
    assert repo
    exchange(repo, pushes=False)
    far.folder.rename(tmp_path / "away")

    assert rows(repo) == rows(full)


def test_what_no_branch_can_be_called_does_not_stand_in_them(full: Repo):
    listed = archive.listing_of(full, MONTH)
    writer = full.writer()
    odd = dict.fromkeys(("odd-\udcff", "a b", "..x"), next(iter(listed.values())))
    tree = writer.tree({name: Entry("160000", tip) for name, tip in {**listed, **odd}.items()})
    writer.flush()
    full.git("update-ref", MONTH, full.git("commit-tree", "-m", "x", "-p", MONTH, tree).strip())

    sharding.keep_up(full)

    assert sum(count for _, count in shelf_of(full).files) == COUNT
    assert is_true(full)


def test_what_is_archived_and_no_run_stands_in_them_as_that(full: Repo):
    listed = {**archive.listing_of(full, MONTH), "odd-1": str(full.resolve("HEAD"))}
    writer = full.writer()
    tree = writer.tree({name: Entry("160000", tip) for name, tip in listed.items()})
    writer.flush()
    full.git("update-ref", MONTH, full.git("commit-tree", "-m", "x", "-p", MONTH, tree).strip())

    sharding.keep_up(full)

    assert sum(count for _, count in shelf_of(full).files) == COUNT + 1
    assert is_true(full)
    assert query.search(full).total == COUNT
