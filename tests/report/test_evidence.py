import json
from dataclasses import replace

import pytest

from mlgit.core.run import Run, State
from mlgit.documents.reader import plain
from mlgit.errors import MlgitError, NotFoundError
from mlgit.git import merge, snapshot
from mlgit.git.repo import Move, Repo, message_trailer, split_commit
from mlgit.report import evidence

NAMED = "run: {params: params.yaml}\n"
PARAMS = """\
# what train.py reads
lr: 0.01  # the step
net:
  width: 64
epochs: 10
"""


def run(repo: Repo, run_id: str, rev: str, **fields: object) -> Run:
    """A finished run of the code at *rev*."""
    source = repo.resolve(rev)
    tree = repo.git("rev-parse", f"{rev}^{{tree}}")
    given = {"name": f"run-{run_id}", "state": State.FINISHED, "created": 100.0, "finished": 110.0} | fields
    return Run(id=run_id, project="digits", source=source, tree=tree, ref=f"refs/heads/exp/digits/{run_id}", **given)  # type: ignore[arg-type]


def code(repo: Repo, *, on: str | None = "main", message: str = "change", **files: str) -> str:
    """Commit *files* on the branch main, or, with `on` a commit, on no branch."""
    changes = {path.replace("__", "."): text.encode() for path, text in files.items()}
    if on == "main":
        return repo.commit_on("refs/heads/main", changes, message, expect=repo.resolve("refs/heads/main"))
    return repo.commit(on, changes, message)


def tip(repo: Repo, branch: str) -> tuple[dict[str, str], list[str], str]:
    with repo.reader() as reader:
        found = reader.read(f"refs/heads/{branch}")
    assert found
    return split_commit(found[2])


def test_the_run_of_exactly_this_commit_is_its_evidence(repo: Repo) -> None:
    one = run(repo, "one", "main")
    code(repo, train__py="x")
    two = run(repo, "two", "main")

    found = evidence.find(repo, repo.resolve("main") or "", [two, one])

    assert found == evidence.Evidence(two, 0)


def test_a_base_without_a_run_looks_back_and_says_how_far(repo: Repo) -> None:
    one = run(repo, "one", "main")
    code(repo, train__py="x")
    head = code(repo, train__py="y")

    assert evidence.find(repo, head, [one]) == evidence.Evidence(one, 2)
    assert evidence.find(repo, head, [one], most=1) is None
    assert evidence.find(repo, head, []) is None


def test_equal_code_is_enough_whoever_committed_it(repo: Repo) -> None:
    (repo.folder / "train.py").write_text("x")
    shot = snapshot.take(repo)
    dirty = run(repo, "dirty", shot.commit, dirty=True)

    head = code(repo, train__py="x", message="my own commit")

    assert head != shot.commit
    assert evidence.find(repo, head, [dirty]) == evidence.Evidence(dirty, 0)


def test_results_committed_beside_the_code_do_not_hide_it(repo: Repo) -> None:
    head = code(repo, train__py="x")
    one = run(repo, "one", "main")
    mixed = repo.commit(head, {"experiment/metrics.yaml": b"a: 1\n"}, "results beside code", parents=[])

    assert evidence.find(repo, mixed, [one]) == evidence.Evidence(one, 0)


def test_the_trailer_has_the_first_word(repo: Repo) -> None:
    newest = run(repo, "newest", "main", finished=999.0)
    named = run(repo, "named", "main", state=State.CRASHED)
    head = code(repo, on=repo.resolve("main"), message="try\n\nMlgit-Evidence: named\n")
    lost = code(repo, on=repo.resolve("main"), message="try\n\nMlgit-Evidence: deleted\n")

    assert evidence.find(repo, head, [newest, named]) == evidence.Evidence(named, 0)
    assert evidence.find(repo, lost, [newest, named]) == evidence.Evidence(newest, 0)


def test_a_run_with_params_from_outside_does_not_speak_for_the_plain_code(repo: Repo) -> None:
    head = repo.resolve("main") or ""
    plain = run(repo, "plain", "main", finished=200.0)
    varied = run(repo, "varied", "main", finished=500.0, given=("lr",))

    assert evidence.find(repo, head, [varied, plain]) == evidence.Evidence(plain, 0)
    assert evidence.find(repo, head, [varied]) == evidence.Evidence(varied, 0)


def test_a_sweeps_trial_does_not_speak_for_the_code_it_overrode(repo: Repo) -> None:
    baseline = run(repo, "baseline", "main", finished=110.0)
    trial = run(repo, "trial", "main", finished=500.0, sweep="s1")
    failed = run(repo, "failed", "main", finished=900.0, state=State.FAILED)
    head = repo.resolve("main") or ""

    assert evidence.find(repo, head, [failed, trial, baseline]) == evidence.Evidence(baseline, 0)
    assert evidence.find(repo, head, [failed, trial]) == evidence.Evidence(trial, 0)
    assert evidence.find(repo, head, [failed]) is None


def test_a_merged_pull_request_brings_its_evidence_along(repo: Repo) -> None:
    code(repo, mlgit__yaml=NAMED, params__yaml=PARAMS)
    baseline = run(repo, "baseline", "main")
    trial = run(repo, "trial", "main", sweep="s1", params={"lr": 0.5})
    branch = evidence.branch(repo, trial)
    repo.git("reset", "-q", "--hard")

    merged = merge.merge(repo, "refs/heads/main", repo.resolve(branch) or "", "Merge")

    assert evidence.find(repo, merged, [trial, baseline]) == evidence.Evidence(trial, 0)


def test_a_merge_that_mixed_two_codes_has_nobodys_evidence(repo: Repo) -> None:
    start = repo.resolve("main") or ""
    one = run(repo, "one", start)
    side = code(repo, on=start, a="1", message="side\n\nMlgit-Evidence: two\n")
    two = run(repo, "two", side)
    code(repo, b="2")
    repo.git("reset", "-q", "--hard")

    merged = merge.merge(repo, "refs/heads/main", side, "Merge")

    assert evidence.find(repo, merged, [two, one]) == evidence.Evidence(one, 2)


def test_a_branch_carries_the_runs_params_and_keeps_the_files_comments(repo: Repo) -> None:
    source = code(repo, mlgit__yaml=NAMED, params__yaml=PARAMS, train__py="x")
    one = run(repo, "k3f9a2xx", "main", params={"lr": 1e-4, "net": {"width": 64}, "new": 1}, metrics={"accuracy": 0.9})

    branch = evidence.branch(repo, one)

    assert branch == "run/k3f9a2xx"
    _, parents, message = tip(repo, branch)
    assert parents == [source]
    assert message.startswith("Take the params of run-k3f9a2xx: lr 0.0001\n\nexp/digits/k3f9a2xx: accuracy 0.9\n")
    assert message_trailer(message, "Mlgit-Evidence") == "k3f9a2xx"
    text = (repo.read(branch, "params.yaml") or b"").decode()
    assert plain(text, source="params.yaml") == {"lr": 1e-4, "net": {"width": 64}, "epochs": 10}
    assert [line.partition("#")[2] for line in text.splitlines()] == [" what train.py reads", " the step", "", "", ""]
    assert repo.git("diff", "--name-only", source, branch) == "params.yaml"


def test_a_json_params_file_is_changed_too(repo: Repo) -> None:
    code(repo, mlgit__yaml="run: {params: params.json}\n", params__json='{"lr": 0.1, "name": "a"}\n')
    one = run(repo, "one", "main", params={"lr": 0.2, "name": "a"})

    branch = evidence.branch(repo, one)

    assert repo.read(branch, "params.json") == b'{\n  "lr": 0.2,\n  "name": "a"\n}\n'


@pytest.mark.parametrize("settings", ["", NAMED, "run: {params: nowhere.yaml}\n", "run: {params: ../outside.yaml}\n"])
def test_where_nothing_differs_an_empty_commit_names_the_run(repo: Repo, settings: str) -> None:
    source = code(repo, mlgit__yaml=settings, params__yaml=PARAMS)
    one = run(repo, "one", "main", params={"lr": 0.01})

    branch = evidence.branch(repo, one)

    headers, parents, message = tip(repo, branch)
    assert parents == [source]
    assert headers["tree"] == repo.git("rev-parse", f"{source}^{{tree}}")
    assert message_trailer(message, "Mlgit-Evidence") == "one"
    assert evidence.find(repo, repo.resolve(branch) or "", [one]) == evidence.Evidence(one, 0)


def test_asked_again_the_same_branch_answers_also_when_somebody_built_on_it(repo: Repo) -> None:
    one = run(repo, "one", "main", params={})
    branch = evidence.branch(repo, one)
    first = repo.resolve(branch)

    assert evidence.branch(repo, one) == branch
    assert repo.resolve(branch) == first

    further = repo.commit(first, {"note.md": b"n"}, "a note")
    repo.move([Move(f"refs/heads/{branch}", first, further)], why="test")
    assert evidence.branch(repo, one) == branch
    assert repo.resolve(branch) == further


def test_a_foreign_branch_of_that_name_is_left_alone(repo: Repo) -> None:
    one = run(repo, "one", "main")
    repo.git("branch", "run/one", "main")

    with pytest.raises(MlgitError, match="holds something else"):
        evidence.branch(repo, one)

    assert repo.resolve("run/one") == repo.resolve("main")


def test_uncommitted_code_is_one_commit_on_what_it_was_based_on(repo: Repo) -> None:
    base = code(repo, mlgit__yaml=NAMED, params__yaml=PARAMS)
    repo.git("reset", "-q", "--hard")
    (repo.folder / "train.py").write_text("new idea")
    shot = snapshot.take(repo)
    one = run(repo, "one", shot.commit, dirty=True, params={"lr": 0.5})

    branch = evidence.branch(repo, one)

    _, parents, _ = tip(repo, branch)
    assert parents == [base]
    assert repo.git("diff", "--name-only", base, branch).split() == ["params.yaml", "train.py"]
    assert (repo.folder / "train.py").read_text() == "new idea"
    assert repo.head() == "refs/heads/main"


@pytest.mark.parametrize("folder", ["", "projects/digits"])
def test_the_branch_never_holds_results(repo: Repo, folder: str) -> None:
    place = f"{folder}/experiment" if folder else "experiment"
    repo.commit_on(
        "refs/heads/main", {f"{place}/metrics.yaml": b"a: 1\n", "train.py": b"x"}, "mixed", expect=repo.resolve("main")
    )
    one = run(repo, "one", "main", folder=folder)

    branch = evidence.branch(repo, one)

    assert repo.git("ls-tree", "-r", "--name-only", branch) == "train.py"


def test_a_hostile_name_cannot_forge_a_trailer(repo: Repo) -> None:
    one = run(repo, "one", "main", name="x\n\nMlgit-Evidence: other\n", metrics={"m\nMlgit-Evidence: other": 1})

    branch = evidence.branch(repo, one)

    _, _, message = tip(repo, branch)
    assert [line for line in message.splitlines() if line.startswith("Mlgit-")] == ["Mlgit-Evidence: one"]


def test_code_that_is_not_here_is_said_so(repo: Repo) -> None:
    gone = Run(id="gone", name="gone", project="p", source="1" * 40, ref="refs/heads/exp/p/gone-1")

    with pytest.raises(NotFoundError, match="not in this repository"):
        evidence.branch(repo, gone)


def told(repo: Repo, run_id: str, *command: str, **fields: object) -> Run:
    """A run of main whose branch says how it was started."""
    about = json.dumps({"command": command}).encode()
    commit = repo.commit("main", {"experiment/run.yaml": about}, "result")
    return replace(run(repo, run_id, "main", **fields), commit=commit)


def test_the_base_is_a_run_of_the_same_command(repo: Repo) -> None:
    head = told(repo, "head", "/usr/bin/env", "/usr/bin/python3.11", "train.py", "--lr=0.3", params={"lr": 0.3})
    same = told(repo, "same", "python", "train.py", "--lr=0.1", finished=1.0, params={"lr": 0.1})
    given = told(repo, "given", "python", "train.py", finished=2.0, given=("lr",))
    quick = told(repo, "quick", "python", "train.py", "--quick", finished=3.0)
    other = told(repo, "other", "python", "evaluate.py", finished=4.0)
    tuned = told(repo, "tuned", "python", "train.py", finished=5.0, job_type="tune")
    main = repo.resolve("main") or ""

    def base(*runs: Run) -> str:
        found = evidence.find(repo, main, runs, like=head)
        return found.run.id if found else ""

    assert base(other, quick, given, same, tuned) == "same"
    assert base(other, quick, given, tuned) == "given"
    assert base(other, quick, tuned) == "tuned"
    assert base(other, quick) == "quick"
    assert base(other) == ""
