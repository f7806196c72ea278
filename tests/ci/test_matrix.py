"""How trials are shared out over the jobs of a matrix."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlgit.ci.matrix import Job, Runner, spread

CPU, GPU = Runner(("ubuntu-latest",)), Runner(("self-hosted", "gpu"))


def test_few_trials_have_a_job_each() -> None:
    found = spread({1: CPU, 2: GPU, 3: CPU}, most_jobs=256, most_trials=8)

    assert found.jobs == (
        Job(runs_on=CPU, trials=(1,)),
        Job(runs_on=GPU, trials=(2,)),
        Job(runs_on=CPU, trials=(3,)),
    )
    assert not found.later


def test_many_trials_share_jobs_evenly() -> None:
    found = spread(dict.fromkeys(range(1, 601), CPU), most_jobs=256, most_trials=8)

    assert {len(job.trials) for job in found.jobs} == {3}
    assert len(found.jobs) == 200


def test_more_than_full_jobs_hold_wait_for_a_further_dispatch() -> None:
    found = spread(dict.fromkeys(range(1, 1001), CPU), most_jobs=256, most_trials=2)

    assert len(found.jobs) == 256
    assert found.later == tuple(range(513, 1001))


@given(
    trials=st.dictionaries(st.integers(1, 10_000), st.sampled_from([CPU, GPU, Runner(("big",), "pool")]), max_size=300),
    most_jobs=st.integers(1, 40),
    most_trials=st.integers(1, 9),
)
def test_each_trial_is_in_one_place_that_fits_it(trials: dict[int, tuple[str, ...]], most_jobs: int, most_trials: int):
    found = spread(trials, most_jobs=most_jobs, most_trials=most_trials)

    placed = [number for job in found.jobs for number in job.trials]
    assert sorted([*placed, *found.later]) == sorted(trials)
    assert len(found.jobs) <= most_jobs
    assert all(1 <= len(job.trials) <= most_trials for job in found.jobs)
    assert all(trials[number] == job.runs_on for job in found.jobs for number in job.trials)
    if found.later:
        assert len(found.jobs) == most_jobs
    again = spread({number: trials[number] for number in found.later}, most_jobs=most_jobs, most_trials=most_trials)
    assert len(again.later) < len(found.later) or not found.later


def test_a_matrix_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="0 jobs of 1 trials hold none"):
        spread({1: CPU}, most_jobs=0, most_trials=1)
