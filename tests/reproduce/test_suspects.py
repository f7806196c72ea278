"""What was otherwise around a run that came out otherwise."""

from __future__ import annotations

from typing import Any

from mlgit.reproduce import suspects


def about(**changed: Any) -> dict[str, Any]:
    return {
        "python": "3.12.1", "packages": {"numpy": "2.1", "mlgit": "1"}, "system": {"cpus": 2, "memory_gb": 8},
        "environment": {"OMP_NUM_THREADS": "1", "SLURM_JOB_ID": "7"}, "seeds": {"numpy": 1}, "host": "a", **changed,
    }  # fmt: skip


def names(**changed: Any) -> list[str]:
    return [one.name for one in suspects.find(about(), about(**changed), {})]


def test_where_and_when_it_ran_is_no_suspect():
    assert names(host="b", environment={"OMP_NUM_THREADS": "1", "GITHUB_RUN_ID": "8"}) == []
    assert names(system={"cpus": 2, "memory_gb": 16}, packages={"numpy": "2.1", "mlgit": "2"}) == []


def test_what_may_change_what_a_training_does_is_told_with_both_values():
    found = suspects.find(
        about(), about(packages={"numpy": "2.2", "torch": "2"}, libraries={"threads": {"mkl": 4}}), {}
    )

    assert [(one.name, one.before, one.after) for one in found] == [
        ("packages.numpy", "2.1", "2.2"), ("packages.torch", "—", "2"), ("libraries.threads.mkl", "—", "4"),
    ]  # fmt: skip


def test_that_no_seed_is_known_is_a_suspect_unless_a_param_is_called_so():
    unseeded = about(seeds={})

    assert [one.name for one in suspects.find(unseeded, unseeded, {"lr": 1})] == ["seed"]
    assert suspects.find(unseeded, unseeded, {"model": {"random_state": 3}}) == []


def test_a_run_that_its_command_alone_did_not_make_is_a_suspect():
    before = about(earlier={"how": "resume", "step": 4}, nth=3)

    found = {one.name: (one.before, one.after) for one in suspects.find(before, about(), {})}

    assert found == {
        "resumed": ("after step 4", "in one go"), "process": ("run 3 of its process", "alone in its process"),
    }  # fmt: skip


def test_data_that_were_not_what_is_brought_are_suspects():
    changed = {"a.csv": {"pointer": "f0", "now": "f1", "during": True}, "b.csv": {"pointer": "f0", "now": "f1"}}
    before = about(changed_data=changed, data_by_size=["c.csv"])

    found = {one.name: one.before for one in suspects.find(before, about(), {})}

    assert found == {"data a.csv": "changed during the run", "data c.csv": "judged by its size alone"}
