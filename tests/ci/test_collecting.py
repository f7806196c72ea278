"""What jobs hand over, judged and pushed."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mlgit.ci import bundles, collecting
from mlgit.ci import plan as plans
from mlgit.ci.bundles import Said
from mlgit.ci.collecting import Collected, Outcome, Wish
from mlgit.cli.ci.collect import summary
from mlgit.core import refs
from mlgit.core.run import State
from mlgit.git import bundle
from mlgit.git.bundle import Limits
from mlgit.git.objects import Entry
from mlgit.git.remote import Remote
from mlgit.git.repo import Move, Repo
from mlgit.sweeps import record as sweeps
from tests.ci import handing
from tests.ci.handing import IDS, Place
from tests.dying import last_moment
from tests.git_http import serving

Mlgit = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return handing.make(tmp_path)


def collect(place: Place, **more: object) -> Collected:
    origin = Remote(repo=place.here, name="origin")
    place.handed.mkdir(exist_ok=True)
    return collecting.collect(
        Wish(**{"repo": place.here, "plan": place.plan, "folders": [place.handed], "remote": origin} | more)
    )


def branches(repo: Repo) -> dict[str, str]:
    return {refs.branch(ref): oid for ref, oid in repo.refs(refs.RUNS).items()}


def states(told: Collected) -> list[str]:
    return [one.state for one in told.outcomes]


def refused(place: Place) -> str:
    """Why the one bundle that was handed over is not taken; nothing of it is in the repository, nor on the remote."""
    before = objects(place.here), place.here.refs()
    there = place.far.refs()

    told = collect(place)

    assert (objects(place.here), place.here.refs()) == before
    assert place.far.refs() == there
    assert not told.is_whole
    (why,) = told.refused.values()
    return why


def objects(repo: Repo) -> set[str]:
    return set(repo.git("cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split())


def test_all_runs_and_their_sweep_are_pushed_at_once_over_http(place: Place, mlgit: Mlgit, tmp_path: Path) -> None:
    place.far.git("config", "http.receivepack", "true")
    runs = [place.record(number) for number in IDS]
    for number, run in zip(IDS, runs, strict=True):
        place.hand_over(number, run)
    heard: list[str] = []
    summary, said = tmp_path / "summary.md", tmp_path / "output"
    with serving(tmp_path, heard) as address:
        place.here.git("remote", "set-url", "origin", f"{address}/far.git")
        env = os.environ | {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(said)}
        words = ("ci", "collect", "--plan", str(place.plan_file), str(place.handed))

        first = mlgit(*words, "--json", cwd=place.here.folder, env=env)
        again = mlgit(*words, cwd=place.here.folder, env=env)

    told = json.loads(first.stdout)
    assert branches(place.far) == {refs.branch(run.ref): run.commit for run in runs}
    assert sum("service=git-receive-pack" in line for line in heard) == 1
    assert [(one["run"], one["state"], one["metrics"]) for one in told["trials"]] == [
        (run_id, "finished", {"loss": 1}) for run_id in IDS.values()
    ]
    assert told["next"] == {"runs": 3, "part": 0, "go": 0, "again": []}
    assert said.read_text().splitlines()[:3] == ["runs=3", "part=0", "go=0"]
    assert "| 2 | rates-2 | finished | 1m 00s | loss 1 |" in summary.read_text()
    assert "has them already" in again.stdout
    kept = sweeps.find(place.here, "digits", "abcd2345")
    assert (kept.name, kept.file, kept.state.value) == ("rates", handing.FILE, "finished")
    assert place.far.refs(sweeps.ref_of(kept)) == place.here.refs(sweeps.ref_of(kept))
    place.far.git("fsck", "--strict")


def test_a_job_pushes_by_its_token_which_lies_on_no_disk(place: Place, mlgit: Mlgit, tmp_path: Path) -> None:
    place.far.git("config", "http.receivepack", "true")
    place.hand_over(1)
    with serving(tmp_path, only="x-access-token:token-of-ada") as address:
        place.here.git("remote", "set-url", "origin", f"{address}/far.git")
        api = f"forge: {{repository: ada/digits, api: '{address}'}}\n"
        (place.here.folder / "mlgit.yaml").write_text(f"project: digits\n{api}")
        env = os.environ | {"GITHUB_ACTIONS": "true", "GH_TOKEN": "token-of-ada", "GITHUB_API_URL": address}
        words = ("ci", "collect", "--plan", str(place.plan_file), "--json", str(place.handed))

        done = mlgit(*words, cwd=place.here.folder, env=env, check=False)

    assert done.stdout, done.stderr
    assert len(json.loads(done.stdout)["pushed"]) == 2
    assert not any(b"token-of-ada" in file.read_bytes() for file in place.here.folder.rglob("*") if file.is_file())


def test_another_clone_that_collects_the_same_finds_it_there(place: Place, tmp_path: Path, mlgit: Mlgit) -> None:
    place.hand_over(1)
    words = ("ci", "collect", "--plan", str(place.plan_file), str(place.handed))
    mlgit(*words, cwd=place.here.folder, check=False)
    before = place.far.refs()
    other = handing.clone(place.far, tmp_path / "other")

    told = json.loads(mlgit(*words, "--json", cwd=other.folder, check=False).stdout)

    assert (told["pushed"], place.far.refs()) == ([], before)


def test_what_is_missing_and_what_never_ran_is_named_and_the_rest_is_pushed(place: Place, mlgit: Mlgit) -> None:
    run = place.record(1)
    place.hand_over(1, run)
    bundles.say(place.folder(2), Said(trial=2, became="no run", exit_code=127))
    words = ("ci", "collect", "--plan", str(place.plan_file), str(place.handed))

    told = mlgit(*words, cwd=place.here.folder, check=False)

    assert told.returncode == 1
    assert branches(place.far) == {refs.branch(run.ref): run.commit}
    assert "it ended with exit code 127 before it began to record" in told.stdout
    assert "3\trates-3\tmissing\t\tnothing of it was handed over" in told.stdout
    assert sweeps.find(place.here, "digits", "abcd2345").state.value == "running"


def test_where_every_job_has_died_all_is_missing(place: Place, mlgit: Mlgit) -> None:
    words = ("ci", "collect", "--plan", str(place.plan_file), "--json", str(place.handed))

    told = mlgit(*words, cwd=place.here.folder, check=False)

    assert told.returncode == 1
    assert json.loads(told.stdout)["next"] == {"runs": 0, "part": 0, "go": 0, "again": [1, 2, 3]}
    assert "is not there: nothing was handed over in it" in told.stderr


def test_what_was_preempted_is_to_be_done_again(place: Place) -> None:
    for number in IDS:
        place.hand_over(number, state=State.PREEMPTED if number == 2 else State.FAILED)

    told = collect(place)

    assert (told.is_whole, told.again) == (True, [2])


def test_among_several_of_a_trial_the_finished_one_counts(place: Place) -> None:
    first = place.record(1, state=State.FAILED)
    place.hand_over(1, first)
    (place.handed / "job-1").rename(place.handed / "job-1-before")
    place.job.move([Move(first.ref, first.commit, None)], why="another runner")
    second = place.record(1, finished=1e9 + 5)
    place.hand_over(1, second)

    collect(place)

    assert branches(place.far) == {refs.branch(second.ref): second.commit}


def test_a_run_that_was_edited_since_stays_as_it_is(place: Place) -> None:
    run = place.record(1)
    place.hand_over(1, run)
    collect(place)
    edited = place.job.commit_on(run.ref, {"experiment/notes": b"n"}, "edit", expect=run.commit)
    place.job.git("push", "-q", "origin", run.ref)
    place.here.move([Move(run.ref, run.commit, None)], why="a fresh clone")

    told = collect(place)

    assert (told.problems, branches(place.far)) == ([], {refs.branch(run.ref): edited})


def test_another_run_of_the_same_name_is_named_and_left(place: Place) -> None:
    run = place.record(1, metrics={"loss": 7})
    place.job.git("push", "-q", "origin", run.ref)
    place.job.move([Move(run.ref, run.commit, None)], why="another runner")
    place.hand_over(1)

    told = collect(place)

    assert branches(place.far) == {refs.branch(run.ref): run.commit}
    assert told.problems == [
        f"{refs.branch(run.ref)} is on file://{place.far.git_dir} already, and otherwise; it was left"
    ]


_DYING = """
import sys
from pathlib import Path
from mlgit.ci import collecting, plan
from mlgit.git.remote import Remote
from mlgit.git.repo import Repo
from tests.dying import dies_at, unlock

here, far = Repo.find(Path(sys.argv[1])), Repo.find(Path(sys.argv[2]))
text = Path(sys.argv[3]).read_bytes()
wish = collecting.Wish(repo=here, plan=plan.read(text, source=""), folders=[Path(sys.argv[4])],
                       remote=Remote(repo=here, name="origin"))
moment = 1
while dies_at(moment, collecting.collect, wish):
    unlock(here.git_dir)
    unlock(far.git_dir)
    there = far.refs("refs/heads/exp/")
    assert len(there) in (0, 3), there
    here.git("fsck", "--strict")
    moment += 2
print(moment)
"""


def test_a_collect_that_is_killed_at_any_moment_is_done_by_the_next(place: Place) -> None:
    runs = [place.record(number) for number in IDS]
    for number, run in zip(IDS, runs, strict=True):
        place.hand_over(number, run)

    last = last_moment(
        _DYING, str(place.here.folder), str(place.far.git_dir), str(place.plan_file), str(place.handed),
        folder=place.here.folder,
    )  # fmt: skip

    assert last > 20
    assert branches(place.far) == {refs.branch(run.ref): run.commit for run in runs}
    assert not list((place.here.own / "ci").iterdir())


def test_a_plan_that_another_job_has_replaced_is_refused_and_nothing_is_pushed(place: Place, mlgit: Mlgit) -> None:
    """Each job of a workflow may write the files of all others, that of a trial too, whose code nobody knows."""
    made = plans.digest(plans.written(place.plan).encode())
    own = replace(place.plan.trials[0], id="eeeeeee1")
    evil = replace(place, plan=replace(place.plan, sweep=None, trials=(own,), jobs=place.plan.jobs[:1]))
    evil.hand_over(1, evil.record(1, run_id="eeeeeee1"))
    before = place.far.refs()
    words = ("--plan", str(evil.plan_file), "--sha256", made)

    collected = mlgit("ci", "collect", *words, str(place.handed), cwd=place.here.folder, check=False)
    trained = mlgit("ci", "trial", *words, "--job", "0", "--to", "x", cwd=place.job.folder, check=False)

    assert (collected.returncode, trained.returncode) == (2, 2)
    assert "plan.json is not the plan that was made: nothing of it was read" in collected.stderr
    assert collected.stderr == trained.stderr
    assert place.far.refs() == before
    assert not place.here.refs(refs.RUNS)
    assert mlgit("ci", "collect", *words[:2], str(place.handed), cwd=place.here.folder).returncode == 0


def test_a_tampered_bundle_lets_all_others_through(place: Place) -> None:
    good = place.record(1)
    place.hand_over(1, good)
    bad = place.hand_over(2)
    content = bytearray(bad.read_bytes())
    content[-40] ^= 1
    bad.write_bytes(content)

    told = collect(place)

    assert states(told) == ["finished", "refused", "missing"]
    assert branches(place.far) == branches(place.here) == {refs.branch(good.ref): good.commit}


@pytest.mark.parametrize("kept", [0, 30, 300])
def test_a_bundle_that_is_cut_off_is_refused(place: Place, kept: int) -> None:
    path = place.hand_over(1)
    path.write_bytes(path.read_bytes()[:kept])

    assert "cut off" in refused(place) or "damaged" in refused(place)


def test_main_is_not_moved(place: Place) -> None:
    run = place.record(1)
    place.job.git("update-ref", "refs/heads/main", run.commit)
    place.hand_over(1, run, ref="refs/heads/main")

    assert refused(place) == "It moves 'refs/heads/main', and may only bring a run of the project digits."


def test_no_branch_but_the_trials_own_comes_along(place: Place) -> None:
    run = place.record(1)
    path = place.hand_over(1, run)
    place.job.git("update-ref", "refs/heads/exp/digits/other", run.commit)
    place.job.git("bundle", "create", "-q", str(path), run.ref, "refs/heads/exp/digits/other", f"^{place.plan.commit}")

    assert refused(place) == "It brings 2 refs, and a trial has one branch."


@pytest.mark.parametrize("name", ["../main", "a/b", "x;touch y", "$(id)", "-x", "rates-1-aaaaaa/y"])
def test_a_branch_with_another_kind_of_name_is_refused(place: Place, name: str) -> None:
    path = place.hand_over(1)
    run_ref = next(iter(bundle.read(path).refs)).encode()
    path.write_bytes(path.read_bytes().replace(run_ref, f"refs/heads/exp/digits/{name}".encode(), 1))

    assert "may only bring a run of the project digits" in refused(place)


def test_another_trials_run_is_refused(place: Place) -> None:
    run = place.record(2)
    place.hand_over(1, run)

    assert "is not the branch of the run aaaaaaa1" in refused(place)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"project": "faces"}, "may only bring a run of the project digits"),
        ({"sweep": "other123"}, "Its run has the sweep 'other123', and the plan says 'abcd2345'."),
        ({"run_id": "aaaaaaa9"}, "Its run has the id 'aaaaaaa9', and the plan says 'aaaaaaa1'."),
        ({"folder": "below"}, "Its run has the folder 'below', and the plan says ''."),
    ],
)
def test_a_run_of_something_else_is_refused(place: Place, fields: dict[str, str], why: str) -> None:
    place.hand_over(1, **fields)

    assert why in refused(place)


def test_a_run_of_other_code_is_refused(place: Place) -> None:
    other = place.job.commit(place.plan.commit, {"code.py": b"other"}, "other code")
    other = place.job.commit(other, {"code.py": b"more"}, "more")
    place.job.git("checkout", "-q", "--detach", other)
    place.hand_over(1)

    assert "neither the plan's commit nor right on top of it" in refused(place)


def test_code_with_changes_on_top_of_the_plans_commit_is_the_runs_own(place: Place) -> None:
    place.job.git("checkout", "-q", "--detach", place.job.commit(place.plan.commit, {"made.py": b"made"}, "snapshot"))
    place.hand_over(1)

    assert states(collect(place))[0] == "finished"


@pytest.mark.parametrize("path", [".github/workflows/mine.yml", ".github/actions/a/action.yml", ".gitlab-ci.yml"])
def test_a_run_with_a_workflow_of_its_own_is_refused(place: Place, path: str) -> None:
    place.job.git("checkout", "-q", "--detach", place.job.commit(place.plan.commit, {path: b"on: push"}, "snapshot"))
    run = place.record(1)
    tip = place.job.commit(run.commit, {path: None}, "as if nothing had been")
    place.job.move([Move(run.ref, run.commit, tip)], why="test")
    place.hand_over(1, run)

    assert refused(place) == f"It changes {path.split('/')[0]}, by which a push starts jobs, and a trial may not."


def test_a_run_on_another_commit_is_refused(place: Place) -> None:
    place.job.git("commit", "-q", "--allow-empty", "-m", "later")
    run = place.record(1)
    path = place.hand_over(1, run)
    place.job.git("bundle", "create", "-q", str(path), run.ref, "^HEAD")

    assert "It does not begin at" in refused(place)


def test_a_branch_that_tells_of_no_run_is_refused(place: Place) -> None:
    run = place.record(1)
    tip = place.job.commit(place.plan.commit, {"x": b""}, "no run")
    place.job.move([Move(run.ref, run.commit, tip)], why="test")
    place.hand_over(1, run)

    assert refused(place) == "Its branch tells of no run."


def rebuilt(place: Place, entry: tuple[bytes, bytes, str], *, deep: bool = True) -> None:
    """A bundle of a run into whose tree somebody has put *entry*: mode, name and id, which no git would write."""
    run = place.record(1)
    tree = place.job.git("ls-tree", run.commit, "experiment" if deep else "--").split("\n")[0].split()[2]
    tree = tree if deep else place.job.git("rev-parse", f"{run.commit}^{{tree}}")
    mode, name, oid = entry
    content = raw(place.job, tree) + mode + b" " + name + b"\0" + bytes.fromhex(oid)
    made = write(place.job, "tree", content)
    if deep:
        top = {"experiment": Entry("40000", made)}
        tip = place.job.commit(run.commit, top, raw_message(place.job, run.commit), parents=[place.plan.commit])
    else:
        tip = place.job.git("commit-tree", "-p", place.plan.commit, "-m", raw_message(place.job, run.commit), made)
    place.job.move([Move(run.ref, run.commit, tip)], why="test")
    place.hand_over(1, run)


def raw(repo: Repo, oid: str) -> bytes:
    return subprocess.check_output(["git", "cat-file", "tree", oid], cwd=repo.folder)


def raw_message(repo: Repo, commit: str) -> str:
    return repo.git("log", "-1", "--format=%B", commit)


def write(repo: Repo, kind: str, content: bytes) -> str:
    words = ["git", "hash-object", "-t", kind, "--literally", "-w", "--stdin"]
    return (
        subprocess.run(words, input=content, capture_output=True, check=True, cwd=repo.folder).stdout.decode().strip()
    )


@pytest.mark.parametrize("name", [b"..", b".git", b".GIT", b"zz/../../../etc", b"zz/x"])
def test_a_path_that_leads_out_is_found_by_git(place: Place, name: bytes) -> None:
    blob = write(place.job, "blob", b"x")
    rebuilt(place, (b"100644", name, blob))

    assert "Git finds it damaged, or not whole." in refused(place)


def test_a_link_among_the_files_of_a_run_is_refused(place: Place) -> None:
    rebuilt(place, (b"120000", b"zz", write(place.job, "blob", b"/etc/passwd")))

    assert "holds 'zz', which is a link and no file" in refused(place)


def nested(place: Place, folders: int, *, times: int = 1) -> tuple[bytes, bytes, str]:
    """An entry for `rebuilt`: so many *folders* in one another, each holding the next one *times* times."""
    writer = place.job.writer()
    tree = writer.tree({"x": Entry("100644", writer.blob(b"x"))})
    for _ in range(folders - 1):
        tree = writer.tree({f"d{number}": Entry("40000", tree) for number in range(times)})
    writer.flush()
    return b"40000", b"z\nHEAD", tree


def test_folders_deeper_than_anybody_makes_them_are_refused(place: Place) -> None:
    """A bundle of 150 KB with 2,000 of long names had git take more than a gigabyte to pack what it brings."""
    rebuilt(place, nested(place, 400))

    assert refused(place) == "It holds folders more than 100 deep."


def test_folders_as_deep_as_may_be_are_taken(place: Place) -> None:
    rebuilt(place, nested(place, 99))

    assert states(collect(place))[0] == "finished"


def test_a_folder_that_stands_deeper_another_time_is_seen_there(place: Place) -> None:
    mode, name, inner = nested(place, 60)
    tree = write(place.job, "tree", mode + b" a\0" + bytes.fromhex(inner))
    for _ in range(60):
        tree = write(place.job, "tree", mode + b" a\0" + bytes.fromhex(tree))
    both = mode + b" a\0" + bytes.fromhex(inner) + mode + b" b\0" + bytes.fromhex(tree)
    rebuilt(place, (mode, name, write(place.job, "tree", both)))

    assert refused(place) == "It holds folders more than 100 deep."


def test_a_million_million_paths_of_a_few_folders_are_refused(place: Place) -> None:
    rebuilt(place, nested(place, 13, times=10))

    assert refused(place).startswith("It changes 1,000,000,000,0")


def test_objects_beside_the_branch_do_not_come_along(place: Place) -> None:
    run = place.record(1)
    path = place.hand_over(1, run)
    extra = write(place.job, "blob", b"hidden")
    listed = place.job.git("rev-list", "--objects", run.commit, f"^{place.plan.commit}").split("\n")
    ids = "".join(f"{line.split()[0]}\n" for line in (*listed, extra))
    words = ["git", "pack-objects", "--stdout", "-q"]
    pack = subprocess.run(words, input=ids.encode(), capture_output=True, check=True, cwd=place.job.folder).stdout
    path.write_bytes(path.read_bytes()[: bundle.read(path).start] + pack)

    assert refused(place) == "It holds 1 objects that its branch does not lead to."


def test_what_is_not_in_the_pack_is_missed(place: Place) -> None:
    run = place.record(1)
    path = place.hand_over(1, run)
    words = ["git", "pack-objects", "--stdout", "-q"]
    only = f"{run.commit}\n".encode()
    pack = subprocess.run(words, input=only, capture_output=True, check=True, cwd=place.job.folder).stdout
    path.write_bytes(path.read_bytes()[: bundle.read(path).start] + pack)

    assert "Git finds it damaged, or not whole." in refused(place)


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        (Limits(objects=5), "objects, and may hold 5."),
        (Limits(object_bytes=100), "and may hold 100 B."),
        (Limits(bytes=1000), "It unpacks to more than 1000 B."),
    ],
)
def test_a_bundle_that_is_too_much_is_not_unpacked(place: Place, limits: Limits, why: str) -> None:
    place.hand_over(1)

    told = collect(place, limits=limits)

    assert why in next(iter(told.refused.values())).replace("1,000", "1000")


def test_long_paths_cost_no_more_than_their_names(place: Place, tmp_path: Path) -> None:
    writer = place.job.writer()
    tree = writer.tree({"x": Entry("100644", writer.blob(b"x"))})
    for _ in range(800):  # of 320 million characters in all
        tree = writer.tree({"d" * 1000: Entry("40000", tree)})
    writer.flush()
    rebuilt(place, (b"40000", b"z", tree))
    found = bundle.read(place.folder(1) / "trial-1.bundle")

    with bundle.quarantine(place.here, tmp_path / "apart") as quarantine, no_room_beyond(256 << 20):
        commits = quarantine.take(found, Limits(), above=place.plan.commit)

    assert commits == set(found.refs.values())


@contextlib.contextmanager
def no_room_beyond(size: int) -> Iterator[None]:
    """For this process and those that it starts, *size* more bytes of memory than now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def test_a_pack_that_unpacks_to_more_than_it_says_is_stopped(place: Place) -> None:
    path = place.hand_over(1)
    head = path.read_bytes()[: bundle.read(path).start]
    bomb = bytes([0x30 | 5]) + zlib.compress(bytes(50 << 20))  # a blob of five bytes, it says
    path.write_bytes(head + b"PACK" + (2).to_bytes(4, "big") + (1).to_bytes(4, "big") + bomb + bytes(20))

    assert refused(place) == "Its pack is damaged. An object is larger or smaller than it says."


def test_a_commit_without_end_is_not_read(place: Place) -> None:
    run = place.record(1)
    message = raw_message(place.job, run.commit) + "x" * (1 << 20)
    tip = place.job.commit(run.commit, {}, message, parents=[place.plan.commit])
    place.job.move([Move(run.ref, run.commit, tip)], why="test")
    place.hand_over(1, run)

    assert refused(place).startswith("It holds a commit of 1.0 M")


def test_a_link_in_the_place_of_a_bundle_is_not_followed(place: Place) -> None:
    path = place.hand_over(1)
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")

    assert refused(place) == "It is no file."


def test_what_a_job_says_is_no_truth(place: Place) -> None:
    (place.folder(1) / "trial-1.json").write_text("[" * 100_000)
    (place.folder(2) / "trial-2.json").write_text('{"trial": 2, "became": ["x"], "exit_code": "1"}')
    (place.folder(3) / "trial-3.json").write_text('{"trial": 1, "became": "no run", "exit_code": 1}')

    assert states(collect(place)) == ["missing"] * 3


@pytest.mark.parametrize("number", ["NaN", "1e999", f"1{'0' * 400}"])
def test_a_number_beyond_all_numbers_stops_nobody(place: Place, number: str) -> None:
    (place.folder(1) / "trial-1.json").write_text(f'{{"trial": 1, "became": "no run", "exit_code": {number}}}')
    (place.folder(2) / "trial-2.json").write_text(f'{{"trial": 2, "became": "no run", "seconds": {number}}}')
    os.mkfifo(place.folder(3) / "trial-3.json")  # who reads it waits for ever

    assert states(collect(place)) == ["missing"] * 3


def test_a_name_with_markup_and_shell_in_it_arrives_as_text(place: Place, mlgit: Mlgit, tmp_path: Path) -> None:
    place.hand_over(1, name="`id`;$(touch x)|<!-- @team #1 \x1b[31m")
    summary = tmp_path / "summary.md"
    env = os.environ | {"GITHUB_STEP_SUMMARY": str(summary)}

    mlgit(
        "ci", "collect", "--plan", str(place.plan_file), str(place.handed), cwd=place.here.folder, env=env, check=False
    )

    (line,) = [line for line in summary.read_text().splitlines() if line.startswith("| 1 |")]
    assert "<!--" not in line
    assert "\x1b" not in line
    assert "`id`" not in line


def test_what_a_run_is_called_is_no_command_to_the_runner(place: Place, mlgit: Mlgit) -> None:
    """A line of a job's log that begins with `::`, and `##[` anywhere in one, can set the outputs of its step."""
    name = "x ##[set-output name=part]7\n::set-output name=part::7"
    place.hand_over(1, name=name, metrics={"::a ##[b]": 1})
    words = ("ci", "collect", "--plan", str(place.plan_file), str(place.handed))
    env = os.environ | {"GITHUB_ACTIONS": "true"}

    done = mlgit(*words, cwd=place.here.folder, env=env, check=False)
    told = mlgit(*words, "--json", cwd=place.here.folder, env=env, check=False)

    for line in f"{done.stdout}{done.stderr}{told.stdout}{told.stderr}".splitlines():
        assert "##[" not in line
        assert not line.lstrip().startswith("::")
    assert json.loads(told.stdout)["trials"][0]["name"] == name


def test_without_a_remote_the_runs_are_here_alone(place: Place, mlgit: Mlgit) -> None:
    place.hand_over(1)
    place.here.git("remote", "remove", "origin")

    told = mlgit("ci", "collect", "--plan", str(place.plan_file), str(place.handed), cwd=place.here.folder, check=False)

    assert "Collected 1 run, here alone: there is no remote origin." in told.stdout
    assert len(branches(place.here)) == 1


def test_a_plan_of_another_repository_is_refused(place: Place) -> None:
    plan = replace(place.plan, commit="f" * 40)

    with pytest.raises(Exception, match="is not here"):
        collect(place, plan=plan)


def test_a_repository_of_sha256_is_one_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DEFAULT_HASH", "sha256")
    place = handing.make(tmp_path)
    run = place.record(1)
    place.hand_over(1, run)

    told = collect(place)

    assert (told.refused, branches(place.far)) == ({}, {refs.branch(run.ref): run.commit})


def test_a_summary_of_very_many_trials_and_troubles_is_what_github_takes(place: Place) -> None:
    odd = "`|<!-- @team #1 " * 100
    told = Collected(
        outcomes=[Outcome(trial=n, name=odd, state="missing", why=odd) for n in range(2000)],
        refused={f"{n}": f"{n} {odd}" for n in range(2000)}, problems=[odd] * 5000,
    )  # fmt: skip

    text = summary(place.plan, told)

    assert len(text.encode()) < 1 << 20
    assert "1800 more" in text.replace(",", "")
    assert "6,800 more" in text
