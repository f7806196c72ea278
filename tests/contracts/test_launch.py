"""What every backend does: the same jobs on each, run for real."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlgit.core.job import JobState, Member, member
from mlgit.errors import NotFoundError, UsageError
from mlgit.launch import backends
from tests.contracts.launching import PLACES, Place, until

HOSTILE = (
    "it's",
    'a "b"',
    "$(touch owned)",
    "`touch owned`",
    "a\nb",
    "-x",
    "",
    "*",
    "$HOME",
    "\\n %j #",
    "naïve 🙂",
    "!",
)
SLEEP = "import time; print('up', flush=True); time.sleep(120)"


@pytest.fixture(scope="module", params=[*backends.NAMES, "cluster"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with PLACES[request.param](tmp_path_factory) as found:
        yield found


def test_a_job_runs_and_its_lines_can_be_read(place: Place):
    job = place.submit(place.spec("import sys, os; print('one'); print(os.getcwd()); print('three', file=sys.stderr)"))

    assert place.ended(job).state is JobState.SUCCEEDED
    folder = next(line for line in place.printed(job) if "/" in line)
    assert sorted(place.printed(job)) == sorted(["one", folder, "three"])
    assert place.is_elsewhere or folder == str(place.folder)
    assert sorted(place.backend.logs(job, place.settings)) == sorted(place.printed(job))


def test_a_job_may_write_to_its_folder(place: Place):
    job = place.submit(place.spec("open('made.txt', 'w').write('x'); print(open('made.txt').read())"))

    assert place.printed(job) == ["x"]
    assert place.is_elsewhere or not place.shares_folder or (place.folder / "made.txt").read_text() == "x"


def test_a_job_that_fails_says_how(place: Place):
    found = place.ended(place.submit(place.spec("raise SystemExit(3)")))

    assert (found.state, found.why) == (JobState.FAILED, "it exited with 3")


def test_names_words_and_variables_arrive_as_text(place: Place):
    read = "[os.environ[f'V{n}'] for n in range(int(sys.argv[1]))]"
    code = f"import json, os, sys; print(json.dumps([sys.argv[1:], {read}]))"
    env = {f"V{n}": text for n, text in enumerate(HOSTILE)}
    jobs = [place.submit(place.spec(code, str(len(HOSTILE)), *HOSTILE, env=env, name=name)) for name in HOSTILE[:6]]

    for job in jobs:
        assert place.ended(job).state is JobState.SUCCEEDED
        assert json.loads(place.printed(job)[-1]) == [[str(len(HOSTILE)), *HOSTILE], list(HOSTILE)]
    assert not place.shares_folder or not list(place.folder.rglob("owned"))
    assert not Path("owned").exists()


def test_a_key_starts_one_job(place: Place):
    count = place.folder / "count.txt"
    spec = place.spec("import sys; open(sys.argv[1], 'a').write('x'); print('x')", str(count), key="lr sweep/3")
    first = place.submit(spec)
    second = place.submit(spec)
    place.ended(first)
    third = place.submit(spec)
    place.ended(place.submit(place.spec("")))  # another job has run since

    assert first == second == third
    assert place.printed(first) == ["x"]
    assert not place.shares_folder or (place.folder / "count.txt").read_text() == "x"
    assert place.submit(place.spec("")) != place.submit(place.spec(""))


def test_a_key_that_several_submit_at_once_starts_one_job(place: Place):
    if place.is_elsewhere:
        pytest.skip("GitHub shows a run some seconds after it was begun")
    count = place.folder / "at-once.txt"
    spec = place.spec("import sys; open(sys.argv[1], 'a').write('x'); print('x')", str(count), key="at once")

    with ThreadPoolExecutor(4) as pool:
        (job,) = set(pool.map(place.submit, [spec] * 4))

    assert place.ended(job).state is JobState.SUCCEEDED
    assert place.printed(job) == ["x"]
    assert not place.shares_folder or count.read_text() == "x"


def test_a_long_word_arrives_or_is_refused(place: Place):
    word = "it's " * 20_000
    spec = place.spec('import sys; print(len(sys.argv[1]), sys.argv[1].count("it\'s "))', word)
    if place.is_elsewhere:
        with pytest.raises(UsageError, match="GitHub takes at most"):
            place.submit(spec)
        return

    assert place.printed(place.submit(spec)) == ["100000 20000"]


def test_a_job_is_cancelled_and_not_again(place: Place):
    job, done = place.submit(place.spec(SLEEP)), place.submit(place.spec(""))
    place.ended(done)
    until(lambda: place.is_elsewhere or "up" in list(place.backend.logs(job, place.settings)))
    until(lambda: place.standing(job).state is JobState.RUNNING)
    assert place.standing(job).state is JobState.RUNNING

    place.cancel(job, done)
    place.cancel(job)

    assert place.ended(job).state is JobState.CANCELLED
    assert place.standing(done).state is JobState.SUCCEEDED
    place.cancel(job)
    assert place.standing(job).state is JobState.CANCELLED


def test_a_job_past_its_minutes_is_timed_out(place: Place):
    if not place.has_seconds:
        pytest.skip("it ends jobs by the minute")
    job = place.submit(place.spec(SLEEP, minutes=0.5 / 60))

    assert place.ended(job).state is JobState.TIMED_OUT


def test_an_arrays_tasks_stand_each_for_itself(place: Place):
    if not place.has_arrays:
        pytest.skip("this cluster is too old for arrays")
    code = "import os, sys; print(os.environ['LR'], os.environ['ALL'], sys.argv[1:]); sys.exit(int(sys.argv[1]))"
    given = (("0", "a b"), ("4", "$(x)"), ("0", "c\nd"))
    array = tuple(
        Member(command=place.spec(code, *words).command, env={"LR": f"0.{n}"}) for n, words in enumerate(given)
    )
    job = place.submit(place.spec("", env={"ALL": "yes"}, array=array))
    ids = [member(job, number) for number in range(3)]

    assert [place.ended(one).state.value for one in ids] == ["succeeded", "failed", "succeeded"]
    assert [place.printed(one) for one in ids] == [[f"0.{n} yes {list(words)}"] for n, words in enumerate(given)]
    assert place.ended(job).state is JobState.FAILED
    assert place.standing(job).why == "2 succeeded, 1 failed"
    assert place.backend.status([job, *ids], place.settings).keys() == {job, *ids}
    assert len(place.printed(job)) == 3


def test_one_task_of_an_array_can_be_cancelled(place: Place):
    if place.is_elsewhere:
        pytest.skip("it ends all of an array or none of it")
    if not place.has_arrays:
        pytest.skip("this cluster is too old for arrays")
    quick = place.spec("print('done')").command
    job = place.submit(place.spec("", array=(Member(command=place.spec(SLEEP).command), Member(command=quick))))

    place.cancel(member(job, 0))

    assert place.ended(member(job, 0)).state is JobState.CANCELLED
    assert place.ended(member(job, 1)).state is JobState.SUCCEEDED


def test_lines_come_while_the_job_runs(place: Place):
    if place.is_elsewhere:
        pytest.skip("it tells what a job printed when that has ended")
    go = place.folder / "go"
    wait = "while not os.path.exists('go'): time.sleep(0.02)"
    code = f"import os, time\nprint('first', flush=True)\n{wait}\nprint('last', end='')"
    job = place.submit(place.spec(code))
    lines = place.backend.logs(job, place.settings, follow=True)

    assert next(lines) == "first"
    if place.shares_folder:
        go.touch()
        assert list(lines) == ["last"]
    else:
        place.cancel(job)
        assert list(lines) == []


def test_a_secret_reaches_the_job_and_nothing_that_is_written(place: Place, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_TOKEN", "hush it's\n$x")
    spec = place.spec(
        "import os; print(list(os.environ['HF_TOKEN']) == list('hu' 'sh it\\'s\\n$x'))", secrets=("HF_TOKEN",)
    )
    job = place.submit(spec)

    assert place.printed(job) == ["True"]
    assert "HF_TOKEN" in place.backend.render(spec, place.settings)
    assert "hush" not in place.backend.render(spec, place.settings)


def test_a_secret_that_is_not_set_is_said_before(place: Place):
    with pytest.raises(UsageError, match=r"needs the secret NOT_SET, which .*\nTo fix: "):
        place.submit(place.spec("", secrets=("NOT_SET",)))


def test_a_job_whose_command_is_not_there_fails(place: Place):
    assert place.ended(place.submit(place.spec("", command=("no-such-program",)))).state is JobState.FAILED


def test_a_job_that_nobody_knows_is_lost(place: Place):
    assert place.backend.status(["987654", "no-such_1"], place.settings).keys() == {"987654", "no-such_1"}
    assert place.standing("987654").state is JobState.LOST
    with pytest.raises(NotFoundError, match="no job 987654"):
        list(place.backend.logs("987654", place.settings))
    place.cancel("987654")


def test_what_has_ended_can_be_forgotten(place: Place):
    if place.is_elsewhere:
        pytest.skip("GitHub forgets by itself")
    job, going = place.submit(place.spec("print('done')")), place.submit(place.spec(SLEEP))
    place.ended(job)
    until(lambda: "up" in list(place.backend.logs(going, place.settings)))

    place.backend.forget([job, going, "987654"], place.settings)

    assert place.standing(going).state is JobState.RUNNING
    with pytest.raises(NotFoundError):
        place.printed(job)
    place.cancel(going)
    place.ended(going)


def test_what_is_asked_for_in_vain_is_refused(place: Place):
    with pytest.raises(UsageError, match="asks for 0 cpus"):
        place.submit(place.spec("", cpus=0))
    with pytest.raises(UsageError, match="NUL"):
        place.submit(place.spec("a\0b"))
