"""A job as its author thinks of it."""

from __future__ import annotations

import pytest

from mlgit.core.job import JobSpec, JobState, Member, Standing, checked, known_as, member, parted, secrets_in, together
from mlgit.errors import UsageError

Q, R, S, F, C = (JobState(word) for word in ("queued", "running", "succeeded", "failed", "cancelled"))


def test_an_arrays_members_have_their_own_words_and_all_of_the_rest():
    array = (Member(command=("a",), env={"LR": "1"}), Member(command=("b",)))
    spec = JobSpec(name="lr", env={"LR": "0", "X": "y"}, minutes=3, array=array, key="k")
    one, two = spec.members

    assert (one.name, one.command, one.env, one.minutes) == ("lr-0", ("a",), {"LR": "1", "X": "y"}, 3)
    assert (two.name, two.command, two.env, two.array) == ("lr-1", ("b",), {"LR": "0", "X": "y"}, ())


def test_a_job_without_an_array_is_its_only_member():
    spec = JobSpec(name="x", command=("a",))

    assert spec.members == (spec,)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ((S, S), S), ((S, F, C), F), ((S, R, F), R), ((Q, Q), Q), ((S, Q), R), ((C, S), C),
        ((S, JobState.LOST), JobState.LOST),
    ],
)  # fmt: skip
def test_an_array_stands_as_its_worst_once_none_is_under_way(states: tuple[JobState, ...], expected: JobState):
    assert together([Standing(state=state) for state in states]).state is expected


def test_an_array_says_how_many():
    assert together([Standing(state=state) for state in (S, F, S)]).why == "2 succeeded, 1 failed"
    assert together([Standing(state=F, why="no memory")]).why == "no memory"


def test_ids_of_tasks_are_told_from_ids_of_jobs():
    assert parted(member("123", 4)) == ("123", 4)
    assert parted("lr-3a") == ("lr-3a", None)


def test_one_key_has_one_name_whatever_the_job_is_called():
    one, same, other = (JobSpec(name=name, key=key) for name, key in (("a", "k"), ("b", "k"), ("a", "l")))

    assert known_as(one, "1") == known_as(same, "2") != known_as(other, "1")
    assert known_as(JobSpec(name="My lr/3"), "7") == "my-lr-3-7"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"command": ()}, "no command"),
        ({"array": (Member(command=("a",)), Member(command=()))}, "'x-1' has no command"),
        ({"env": {"A=B": "1"}}, "without a proper name"),
        ({"secrets": ("",)}, "without a proper name"),
        ({"secrets": ("A",), "env": {"A": "1"}}, "A among its variables and among its secrets"),
        ({"minutes": 0}, "asks for 0 minutes"),
        ({"memory_gb": float("nan")}, "asks for nan memory_gb"),
        ({"cpus": -1}, "asks for -1 cpus"),
        ({"gpus": -1}, "asks for -1 gpus"),
    ],
)
def test_what_no_backend_can_take_is_refused(more: dict[str, object], words: str):
    with pytest.raises(UsageError, match=words):
        checked(JobSpec(**{"name": "x", "command": ("a",), **more}))


def test_secrets_come_from_the_environment():
    spec = JobSpec(name="x", command=("a",), secrets=("TOKEN",))

    assert secrets_in(spec, {"TOKEN": "1", "OTHER": "2"}) == {"TOKEN": "1"}
    with pytest.raises(UsageError, match="export TOKEN"):
        secrets_in(spec, {})
