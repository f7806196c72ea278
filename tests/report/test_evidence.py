import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from mlgit.core.run import Run, State
from mlgit.documents.reader import plain
from mlgit.errors import MlgitError, NotFoundError
from mlgit.git import merge, snapshot
from mlgit.git.repo import Move, Repo, message_trailer, split_commit
from mlgit.report import evidence
from mlgit.store import result

NAMED = "run: {params: params.yaml}\n"
PARAMS = """\
# what train.py reads
lr: 0.01  # the step
net:
  width: 64
epochs: 10
"""


def run(repo: Repo, run_id: str, rev: str, command: Sequence[str] = (), **fields: object) -> Run:
    """A finished run of the code at *rev*, on its branch."""
    source = repo.resolve(rev)
    tree = repo.git("rev-parse", f"{rev}^{{tree}}")
    given = {"name": f"run-{run_id}", "state": State.FINISHED, "created": 100.0, "finished": 110.0} | fields
    one = Run(id=run_id, project="digits", source=source, tree=tree, ref=f"refs/heads/exp/digits/{run_id}", **given)
    about = json.dumps({"command": command}).encode()
    commit = repo.commit(source, {"experiment/run.yaml": about}, result.message(one))
    repo.move([Move(one.ref, None, commit)], why="test")
    return replace(one, commit=commit)


def evidence_for(repo: Repo, commit: str, *, most: int = 10_000, like: Run | None = None) -> tuple[str, int] | None:
    """The id of the run that speaks for *commit*, and how far back it lies."""
    found = evidence.find(evidence.Known(repo=repo, project="digits"), commit, most=most, like=like)
    return (found.run.id, found.distance) if found else None


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
    run(repo, "one", "main")
    head = code(repo, train__py="x")
    run(repo, "two", "main")

    assert evidence_for(repo, head) == ("two", 0)


def test_a_base_without_a_run_looks_back_and_says_how_far(repo: Repo) -> None:
    start = repo.resolve("main") or ""
    code(repo, train__py="x")
    head = code(repo, train__py="y")
    nobody = evidence_for(repo, head)
    run(repo, "one", start)

    assert nobody is None
    assert evidence_for(repo, head) == ("one", 2)
    assert evidence_for(repo, head, most=1) is None


def test_a_run_of_another_project_does_not_speak(repo: Repo) -> None:
    run(repo, "one", "main")
    head = code(repo, on=repo.resolve("main"), message="try\n\nMlgit-Evidence: one\n")

    other = evidence.Known(repo=repo, project="ranking")

    assert evidence.find(other, head) is None
    assert evidence.find(replace(other, project=None), head) is not None


def test_equal_code_is_enough_whoever_committed_it(repo: Repo) -> None:
    (repo.folder / "train.py").write_text("x")
    shot = snapshot.take(repo)
    run(repo, "dirty", shot.commit, dirty=True)

    head = code(repo, train__py="x", message="my own commit")

    assert head != shot.commit
    assert evidence_for(repo, head) == ("dirty", 0)


def test_results_committed_beside_the_code_do_not_hide_it(repo: Repo) -> None:
    head = code(repo, train__py="x")
    run(repo, "one", "main")
    mixed = repo.commit(head, {"experiment/metrics.yaml": b"a: 1\n"}, "results beside code", parents=[])

    assert evidence_for(repo, mixed) == ("one", 0)


def test_the_trailer_has_the_first_word(repo: Repo) -> None:
    run(repo, "newest", "main", finished=999.0)
    run(repo, "named", "main", state=State.CRASHED)
    head = code(repo, on=repo.resolve("main"), message="try\n\nMlgit-Evidence: named\n")
    lost = code(repo, on=repo.resolve("main"), message="try\n\nMlgit-Evidence: deleted\n")

    assert evidence_for(repo, head) == ("named", 0)
    assert evidence_for(repo, lost) == ("newest", 0)


def test_a_run_with_params_from_outside_does_not_speak_for_the_plain_code(repo: Repo) -> None:
    head = repo.resolve("main") or ""
    run(repo, "varied", "main", finished=500.0, given=("lr",))
    alone = evidence_for(repo, head)
    run(repo, "plain", "main", finished=200.0)

    assert alone == ("varied", 0)
    assert evidence_for(repo, head) == ("plain", 0)


def test_the_plain_run_is_found_below_any_number_of_newer_ones(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "MOST_READ", 2)
    head = repo.resolve("main") or ""
    run(repo, "plain", "main", finished=200.0)
    for at in range(5):
        run(repo, f"given-{at}", "main", finished=300.0 + at, given=("lr",))
        run(repo, f"trial-{at}", "main", finished=400.0 + at, sweep="s")

    assert evidence_for(repo, head) == ("plain", 0)


def test_a_sweeps_trial_does_not_speak_for_the_code_it_overrode(repo: Repo) -> None:
    head = repo.resolve("main") or ""
    found = []
    for run_id, fields in (
        ("failed", {"finished": 900.0, "state": State.FAILED}),
        ("trial", {"finished": 500.0, "sweep": "s1"}),
        ("baseline", {"finished": 110.0}),
    ):
        run(repo, run_id, "main", **fields)
        found.append(evidence_for(repo, head))

    assert found == [None, ("trial", 0), ("baseline", 0)]


def test_the_only_run_by_hand_speaks_however_many_trials_its_code_had(repo: Repo) -> None:
    head = repo.resolve("main") or ""
    run(repo, "baseline", "main")
    for number in range(evidence.MOST_READ + 5):
        run(repo, f"trial-{number}", "main", finished=500.0 + number, sweep="s1")

    assert evidence_for(repo, head) == ("baseline", 0)


def test_a_merged_pull_request_brings_its_evidence_along(repo: Repo) -> None:
    code(repo, mlgit__yaml=NAMED, params__yaml=PARAMS)
    run(repo, "baseline", "main")
    trial = run(repo, "trial", "main", sweep="s1", params={"lr": 0.5})
    branch = evidence.branch(repo, trial)
    repo.git("reset", "-q", "--hard")

    merged = merge.merge(repo, "refs/heads/main", repo.resolve(branch) or "", "Merge")

    assert evidence_for(repo, merged) == ("trial", 0)


def test_a_merge_that_mixed_two_codes_has_nobodys_evidence(repo: Repo) -> None:
    start = repo.resolve("main") or ""
    run(repo, "one", start)
    side = code(repo, on=start, a="1", message="side\n\nMlgit-Evidence: two\n")
    run(repo, "two", side)
    code(repo, b="2")
    repo.git("reset", "-q", "--hard")

    merged = merge.merge(repo, "refs/heads/main", side, "Merge")

    assert evidence_for(repo, merged) == ("one", 2)


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
    assert evidence_for(repo, repo.resolve(branch) or "") == ("one", 0)


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


def test_the_base_is_a_run_of_the_same_command(repo: Repo) -> None:
    main = repo.resolve("main") or ""
    by_env = ("/usr/bin/env", "/usr/bin/python3.11", "train.py", "--lr=0.3")
    head = run(repo, "head", "main", by_env, params={"lr": 0.3}, state=State.FAILED)
    found = []
    for run_id, command, fields in (
        ("other", ("python", "evaluate.py"), {"finished": 4.0}),
        ("quick", ("python", "train.py", "--quick"), {"finished": 3.0}),
        ("tuned", ("python", "train.py"), {"finished": 5.0, "job_type": "tune"}),
        ("given", ("python", "train.py"), {"finished": 2.0, "given": ("lr",)}),
        ("same", ("python", "train.py", "--lr=0.1"), {"finished": 1.0, "params": {"lr": 0.1}}),
    ):
        run(repo, run_id, "main", command, **fields)
        found.append(evidence_for(repo, main, like=head))

    assert found == [None, ("quick", 0), ("tuned", 0), ("given", 0), ("same", 0)]
