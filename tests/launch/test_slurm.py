"""Jobs of a real Slurm, and its commands played where it would take an hour: what it has forgotten, what it refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlgit.core.job import JobSpec, JobState, Member, member
from mlgit.errors import MlgitError, NotFoundError, SilentError, UsageError
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.launch import backends, slurm
from mlgit.launch.slurm import Settings
from tests import slurmd
from tests.conftest import need
from tests.contracts import launching
from tests.contracts.launching import Place, until

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
PRINT = ("sh", "-c", 'printf "%s\\0" "$V" "$@"', "-")
SLEEP = "import time; print('up', flush=True); time.sleep(60)"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with launching.slurm(tmp_path_factory) as found:
        yield found


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts a command of Slurm's on PATH that prints *text*, or complains and exits with *code*."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")

    def play(name: str, text: str = "", *, code: int = 0) -> None:
        path = tmp_path / "bin" / name
        path.with_suffix(".txt").write_text(text)
        path.write_text(f"#!/bin/sh\ncat {path}.txt {'>&2' if code else ''}\nexit {code}\n")
        path.chmod(0o755)

    return play


@given(name=TEXT, words=st.lists(TEXT, max_size=4), value=TEXT, task=st.integers(0, 1))
def test_whatever_an_author_writes_arrives_as_text(
    tmp_path_factory: pytest.TempPathFactory, name: str, words: list[str], value: str, task: int
):  # fmt: skip
    array = (Member(command=(*PRINT, *words), env={"V": value}), Member(command=(*PRINT, *words, name), env={"V": "2"}))
    script = slurm.render(JobSpec(name=name, array=array, folder="/"), Settings())
    head = [line for line in script.splitlines() if line.startswith("#SBATCH")]

    env = {**os.environ, "SLURM_ARRAY_TASK_ID": str(task)}
    here = tmp_path_factory.getbasetemp()
    done = subprocess.run(["sh", "-c", script], env=env, cwd=here, capture_output=True, check=True)

    assert done.stdout.decode().split("\0")[:-1] == [["2", *words, name], [value, *words]][task == 0]
    assert len(head) == 6
    assert done.stderr == b""


def test_what_is_asked_for_stands_in_the_script(tmp_path: Path):
    spec = JobSpec(
        name="My lr/3", command=("python", "train.py"), folder=str(tmp_path), secrets=("TOKEN",), cpus=4, gpus=2,
        memory_gb=1.5, minutes=89.5, preemptible=True,
    )  # fmt: skip
    settings = Settings(
        partition="gpu", account="lab", qos="low", constraint="a100&nvlink", setup=("module load cuda",),
        options={"exclude": "node[1-3]"},
    )  # fmt: skip

    assert (
        slurm.render(spec, settings)
        == f"""#!/bin/sh
#SBATCH --job-name=my-lr-3
#SBATCH --comment=mlgit:JOB
#SBATCH --output=0.log
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --cpus-per-task=4
#SBATCH --gres=gpu:2
#SBATCH --mem=1536M
#SBATCH --time=90
#SBATCH --partition=gpu
#SBATCH --account=lab
#SBATCH --qos=low
#SBATCH --constraint=a100&nvlink
#SBATCH --exclude=node[1-3]
_mlgit_here=$PWD _mlgit_task=0
rm -f "$_mlgit_task.code"
: "${{TOKEN:?}}"
module load cuda
cd {tmp_path} || exit
case $_mlgit_task in
0) set -- env -- python train.py ;;
esac
"$@"
_mlgit_code=$?
test $_mlgit_code = 143 && exit 143
cd "$_mlgit_here" && echo $_mlgit_code > ".$_mlgit_task.code" && mv ".$_mlgit_task.code" "$_mlgit_task.code"
exit $_mlgit_code
"""
    )


@pytest.mark.parametrize("options", [{"x": "a b"}, {"x": "a\n#SBATCH --y"}, {"X y": "a"}, {"x": "$(a)"}])
def test_an_option_that_is_no_word_is_refused(options: dict[str, str]):
    with pytest.raises(UsageError, match="cannot be the value of sbatch's option"):
        slurm.render(JobSpec(name="x", command=("a",)), Settings(options=options))
    with pytest.raises(UsageError, match="apptainer exec"):
        slurm.render(JobSpec(name="x", command=("a",), image="i"), Settings())


def test_a_program_with_an_equals_sign_in_its_name_is_started(place: Place):
    program = place.folder / "a=b"
    program.write_text("#!/bin/sh\necho $0 $1 $V")
    program.chmod(0o755)

    job = place.submit(place.spec("", command=(str(program), "x y"), env={"V": "1"}))

    assert place.printed(job) == [f"{program} x y 1"]


def test_a_job_that_a_task_of_an_array_submits_is_none_of_it(place: Place, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")

    assert place.printed(place.submit(place.spec("print('ran')"))) == ["ran"]


def test_a_job_has_the_gpus_that_it_asks_for(place: Place):
    job = place.submit(place.spec("import os; print(os.environ['CUDA_VISIBLE_DEVICES'])", gpus=2))

    assert place.printed(job) == ["0,1"]


def test_why_slurm_lets_a_job_wait_is_told(place: Place):
    job = place.submit(place.spec("", cpus=100))

    assert until(lambda: place.standing(job).why) == "Slurm says PartitionConfig"
    assert place.standing(job).state is JobState.QUEUED
    place.cancel(job)


def test_what_slurm_refuses_is_said_in_its_words_and_leaves_nothing(place: Place):
    before = set(place.settings.home.iterdir())
    with pytest.raises(MlgitError, match=r"Slurm does not take the job.\n.*not available"):
        place.submit(place.spec("", gpus=100))
    with pytest.raises(MlgitError, match="invalid partition"):
        replace(place, settings=replace(place.settings, partition="none")).submit(place.spec(""))
    assert set(place.settings.home.iterdir()) == before


def test_only_a_preemptible_job_goes_back_into_the_queue(place: Place):
    jobs = [place.submit(place.spec(SLEEP, preemptible=can)) for can in (True, False)]
    until(lambda: all(list(place.backend.logs(job, place.settings)) for job in jobs))

    codes = [subprocess.run(["scontrol", "requeue", job], capture_output=True, check=False).returncode for job in jobs]

    assert codes == [0, 1]
    until(lambda: place.standing(jobs[0]).state is JobState.QUEUED)
    assert place.standing(jobs[1]).state is JobState.RUNNING
    place.cancel(*jobs)
    assert [place.ended(job).state for job in jobs] == [JobState.CANCELLED] * 2


def test_a_submission_that_was_cut_off_after_slurm_had_the_job_finds_it(place: Place):
    spec = place.spec("", key="cut off")
    job = place.submit(spec)
    link = Path(place.settings.folder) / job
    (link / "number").unlink()
    link.unlink()

    assert place.submit(spec) == job
    assert place.ended(job).state is JobState.SUCCEEDED


def kept(folder: Path, played: Callable[..., None], spec: JobSpec) -> Place:
    """*spec* as job 7 of a played Slurm that has forgotten it."""
    played("sbatch", "7;cluster")
    played("squeue")
    played("sacct", "Slurm accounting storage is disabled", code=1)
    place = Place(backend=backends.backend("slurm"), settings=Settings(folder=str(folder / "jobs")), folder=folder)
    assert place.submit(spec) == "7"
    return place


def test_what_slurm_has_forgotten_is_known_by_its_exit_code(tmp_path: Path, played: Callable[..., None]):
    spec = JobSpec(name="x", array=tuple(Member(command=("a",)) for _ in range(5)))
    place = kept(tmp_path, played, spec)
    (tmp_path / "jobs/7/0.code").write_text("0\n")
    (tmp_path / "jobs/7/1.code").write_text("9\n")
    (tmp_path / "jobs/7/2.cancelled").touch()
    (tmp_path / "jobs/7/4.cancelled").touch()
    (tmp_path / "jobs/7/4.code").write_text("143\n")

    found = slurm.status([member("7", number) for number in range(5)], place.settings).values()

    assert [one.state.value for one in found] == ["succeeded", "failed", "cancelled", "lost", "cancelled"]
    assert [one.why for one in found][1] == "it exited with 9"


def test_what_slurm_has_ended_and_forgotten_stands_in_its_log(tmp_path: Path, played: Callable[..., None]):
    spec = JobSpec(name="x", array=tuple(Member(command=("a",)) for _ in range(3)))
    place = kept(tmp_path, played, spec)
    for number, why in enumerate(("DUE TO TIME LIMIT ***", "DUE TO PREEMPTION ***")):
        line = f"slurmstepd-n1: error: *** JOB 7 ON n1 CANCELLED AT 2026-11-27T01:40:35 {why}"
        (tmp_path / f"jobs/7/{number}.log").write_text(f"its own\n{line}\nmlgit: preempted after 1m 26s\n")

    found = slurm.status([member("7", number) for number in range(3)], place.settings).values()

    assert [one.state.value for one in found] == ["timed out", "preempted", "lost"]


def test_what_slurm_has_forgotten_its_database_tells(tmp_path: Path, played: Callable[..., None]):
    spec = JobSpec(name="x", array=tuple(Member(command=("a",)) for _ in range(4)))
    place = kept(tmp_path, played, spec)
    played("sacct", "7_0|COMPLETED\n7_1|CANCELLED by 1000\n7_2|OUT_OF_MEMORY\n7_3|TIMEOUT")

    found = slurm.status([member("7", number) for number in range(4)], place.settings).values()

    assert [one.state.value for one in found] == ["succeeded", "cancelled", "failed", "timed out"]
    assert [one.why for one in found][2] == "it was killed: out of memory"


def test_forgetting_a_name_that_is_no_job_removes_nothing(tmp_path: Path, played: Callable[..., None]):
    played("squeue")
    theirs = tmp_path / "papers/2026"
    theirs.mkdir(parents=True)
    (tmp_path / "papers/latest").symlink_to("2026")

    slurm.forget(["latest"], Settings(folder=str(tmp_path / "papers")))

    assert theirs.exists()


def test_a_cluster_that_is_away_slow_or_not_there_is_said_so(
    tmp_path: Path, played: Callable[..., None], monkeypatch: pytest.MonkeyPatch
):  # fmt: skip
    spec = JobSpec(name="x", command=("a",))
    settings = Settings(folder=str(tmp_path / "jobs"), answer_seconds=0.3)
    played("sbatch", "sbatch: error: Batch job submission failed: Unable to contact slurm controller", code=1)
    with pytest.raises(SilentError, match="sinfo tells whether the cluster is up"):
        slurm.submit(spec, settings)
    (tmp_path / "bin/sbatch").write_text("#!/bin/sh\nexec sleep 60\n")
    with pytest.raises(SilentError, match=r"sbatch did not answer in 0.3 s"):
        slurm.submit(spec, settings)
    (tmp_path / "bin/sbatch").unlink()
    monkeypatch.setenv("PATH", f"{tmp_path}/bin")
    with pytest.raises(NotFoundError, match="no sbatch on this machine"):
        slurm.submit(spec, settings)


def test_a_controller_that_does_not_run_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    need("slurm", slurmd.is_here())
    conf = slurmd.configured(tmp_path)
    conf.write_text(conf.read_text() + "MessageTimeout=1\n")
    monkeypatch.setenv("SLURM_CONF", str(conf))

    with pytest.raises(SilentError, match="Slurm does not tell how its jobs stand"):
        slurm.status(["1"], Settings(folder=str(tmp_path)))


def test_a_job_that_slurm_begins_again_goes_on_with_its_run(
    place: Place, inside: Repo, mlgit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    (inside.folder / "train.py").write_text(
        "import mlgit, time\n"
        "run = mlgit.init()\n"
        "run.log({'loss': 0.5 if run.resumed else 1.0})\n"
        "print('at', run.step, run.resumed, flush=True)\n"
        "while not run.resumed: time.sleep(0.02)\n"
    )
    queue = f"queues:\n  big:\n    slurm: {{folder: {place.settings.folder}}}\n"
    (inside.folder / "mlgit.yaml").write_text(f"project: p\n{queue}")
    job = json.loads(mlgit("launch", "--preemptible", "--json", "--", "python", "train.py").stdout)
    until(lambda: "at 1 False" in mlgit("jobs", "logs", job["id"]).stdout)

    subprocess.run(["scontrol", "requeue", job["job"]], check=True)

    assert "at 2 True" in mlgit("jobs", "logs", "-f", job["id"]).stdout
    (run,) = query.runs(inside)
    assert (run.id, run.state.value, run.metrics["loss"]) == (job["run"], "finished", 0.5)
    (shown,) = json.loads(mlgit("jobs", "ls", "--json").stdout)
    assert (shown["state"], shown.get("host")) == ("succeeded", None)
