"""Runs that the real wandb recorded, brought in."""

from __future__ import annotations

import importlib.util
import json
import math
import subprocess
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.core.run import Run, State
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.integrations.importers import leveldb
from mlgit.integrations.importers import wandb as reader
from mlgit.store import live, runs
from tests.conftest import need

Call = Callable[..., subprocess.CompletedProcess[str]]

RECORD = """
import math, os, signal
import wandb
from wandb import Artifact, Histogram, Image, Table

run = wandb.init(
    project="my project", name="first", id="abc12345", group="night", job_type="train", tags=["a", "b"], notes="say",
    config={"lr": 0.1, "model": {"depth": 3, "none": None}, "layers": [1, 2]},
    settings={"x_stats_sampling_interval": 0.1},
)
run.define_metric("loss", summary="min")
for step in range(50):
    odd = {"odd": math.nan, "far": -math.inf, "word": "hé"}
    run.log({"loss": 1 / (step + 1), "deep": {"a": step, "b": {"c": 2}}, **odd})
    print("line", step)
run.log({"picture": Image("dot.png", caption="dot"), "heights": Histogram([1, 2, 3])})
run.log({"table": Table(columns=["a", "b"], data=[[1, "x"]])})
run.alert("watch out", "text", level="WARN")
run.summary["best"] = 3
run.config.update({"late": 5})
with open("weights.txt", "w") as file:
    file.write("weights")
run.save("weights.txt", policy="now")
data = Artifact("data", "dataset")
data.add_file("weights.txt")
run.log_artifact(data)
END
"""


@pytest.fixture
def record(python: Call, tmp_path: Path) -> Callable[..., Path]:
    """Run a script that W&B records, offline; return its folder."""
    need("wandb", importlib.util.find_spec("wandb") is not None)

    def call(end: str = "run.finish()", script: str = RECORD, check: bool = True) -> Path:
        from PIL import Image

        folder = tmp_path / "script"
        folder.mkdir(exist_ok=True)
        Image.new("RGB", (4, 4)).save(folder / "dot.png")
        python("-c", script.replace("END", end), cwd=folder, check=check, env=_environment(folder))
        return folder / "wandb"

    return call


def append(log: Path, record: bytes) -> None:
    """Put one more record behind the last of a log, as its writer would."""
    content = log.read_bytes()
    room = leveldb.BLOCK - len(content) % leveldb.BLOCK
    if room < leveldb._PIECE.size + len(record):
        content += bytes(room)
    checksum = zlib.crc32(record, leveldb._SEEDS[leveldb._FULL])
    log.write_bytes(content + leveldb._PIECE.pack(checksum, len(record), leveldb._FULL) + record)


def _environment(folder: Path) -> dict[str, str]:
    import os

    home = {name: str(folder / name) for name in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR")}
    return {**os.environ, **home, "WANDB_MODE": "offline", "WANDB_SILENT": "true"}


def the_run(repo: Repo) -> Run:
    (run,) = query.runs(repo)
    return run


def shown(repo: Repo, path: str) -> str:
    return (repo.read(the_run(repo).commit, f"experiment/{path}") or b"").decode()


def test_an_offline_run_becomes_a_branch_of_the_same_id_with_all_that_it_said(
    record: Callable[..., Path], inside: Repo, mlgit: Call
) -> None:
    folder = record()

    done = mlgit("import", "wandb", str(folder), "--json")

    (told,) = json.loads(done.stdout)
    run = the_run(inside)
    assert (told["outcome"], told["rows"], told["problems"]) == ("imported", 52, [])
    assert (run.id, run.name, run.project) == ("abc12345", "first", "my-project")
    assert (run.group, run.job_type, run.tags, run.notes) == ("night", "train", ("a", "b"), "say")
    assert run.state is State.FINISHED
    assert run.params == {"lr": 0.1, "model": {"depth": 3, "none": None}, "layers": [1, 2], "late": 5}
    assert run.metrics["best"] == 3
    assert run.metrics["loss.min"] == pytest.approx(0.02)
    assert "loss" not in run.metrics
    assert run.metrics["deep.b.c"] == 2
    assert math.isnan(run.metrics["odd"])
    assert run.metrics["far"] == -math.inf
    assert run.metrics["word"] == "hé"
    assert run.metrics["picture"]["_type"] == "image-file"
    assert [version.name for version in run.logged] == ["data"]
    assert "line 49" in shown(inside, "output.log")
    assert "from: wandb" in shown(inside, "run.yaml")
    assert "project: my project" in shown(inside, "run.yaml")
    assert "watch out" in shown(inside, "run.yaml")


def test_every_row_and_value_of_its_history_is_there(record: Callable[..., Path], inside: Repo, mlgit: Call) -> None:
    mlgit("import", "wandb", str(record()))

    series = runs.history(inside, the_run(inside))

    assert series["loss"].values == [1 / (step + 1) for step in range(50)]
    assert series["loss"].steps == list(range(50))
    assert series["deep.a"].values == list(range(50))
    assert [str(value) for value in series["odd"].values] == ["nan"] * 50
    assert series["far"].values == [-math.inf] * 50


def test_importing_again_changes_nothing_and_says_so(record: Callable[..., Path], inside: Repo, mlgit: Call) -> None:
    folder = record()
    mlgit("import", "wandb", str(folder))
    before = inside.refs("refs/")

    done = mlgit("import", "wandb", str(folder))

    assert "1 already here" in done.stdout
    assert inside.refs("refs/") == before


def test_a_dry_run_reads_everything_and_writes_nothing(record: Callable[..., Path], inside: Repo, mlgit: Call) -> None:
    done = mlgit("import", "wandb", str(record()), "--dry-run", "--project", "other", "--tag", "moved")

    assert "1 would be imported, 52 rows" in done.stdout
    assert query.runs(inside) == []


def test_a_killed_run_gives_what_had_reached_the_disk_and_is_crashed(
    record: Callable[..., Path], inside: Repo, mlgit: Call
) -> None:
    script = """
import os, pathlib, signal, time
import wandb
run = wandb.init(id="killed", project="p", config={"lr": 1})
for step in range(2000):
    run.log({"loss": step, "text": "x" * 200})
while sum(path.stat().st_size for path in pathlib.Path(run.dir).parent.glob("*.wandb")) < 150_000:
    time.sleep(0.05)
END
"""
    folder = record("os.kill(os.getpid(), signal.SIGKILL)", script, check=False)
    (log,) = {path.resolve() for path in folder.glob("*/run-killed.wandb")}
    log.write_bytes(log.read_bytes()[:100_000])

    done = mlgit("import", "wandb", str(folder), "--json")

    (told,) = json.loads(done.stdout)
    run = the_run(inside)
    assert run.state is State.CRASHED
    assert run.params == {"lr": 1}
    assert told["rows"] == run.metrics["loss"] + 1 > 100
    assert "the run was killed" in told["problems"][0]


def test_a_script_that_failed_is_a_failed_run(record: Callable[..., Path], inside: Repo, mlgit: Call) -> None:
    mlgit("import", "wandb", str(record("run.finish(exit_code=3)")))

    assert the_run(inside).state is State.FAILED


def test_a_damaged_log_gives_all_but_the_damaged_pieces_and_says_so(
    record: Callable[..., Path], inside: Repo, mlgit: Call
) -> None:
    script = """
import wandb
run = wandb.init(id="damaged", project="p")
for step in range(2000):
    run.log({"loss": step, "text": "x" * 100})
END
"""
    folder = record(script=script)
    (log,) = {path.resolve() for path in folder.glob("*/run-damaged.wandb")}
    content = bytearray(log.read_bytes())
    content[5 * 32768 + 1000] ^= 255
    log.write_bytes(content)

    done = mlgit("import", "wandb", str(folder), "--json")

    (told,) = json.loads(done.stdout)
    assert told["problems"] == ["1 damaged piece of run-damaged.wandb passed over"]
    assert 1800 < told["rows"] < 2000
    assert the_run(inside).metrics["loss"] == 1999


@pytest.mark.parametrize("number", [5, 6, 7], ids=["whole", "double", "text"])
def test_a_row_of_another_form_costs_that_row_and_is_said(
    record: Callable[..., Path], inside: Repo, mlgit: Call, number: int
) -> None:
    folder = record()
    (log,) = {path.resolve() for path in folder.glob("*/run-abc12345.wandb")}
    value = b"\x01x" if number == 5 else b"\x07"
    item = b"\x12\x04loss" + bytes([number << 3 | (2 if number == 5 else 0)]) + value
    history = b"\x0a" + bytes([len(item)]) + item
    append(log, bytes([2 << 3 | 2, len(history)]) + history)

    done = mlgit("import", "wandb", str(folder), "--json")

    assert "1 damaged row of run-abc12345.wandb passed over" in done.stderr
    assert json.loads(done.stdout)[0]["outcome"] == "imported"
    assert the_run(inside).state is State.FINISHED


@pytest.mark.parametrize(
    ("name", "value"), [("_summary", "5"), ("deep", "[" * 9000), ("_timestamp", "1e300"), ("_timestamp", '"soon"')]
)
def test_a_row_that_means_something_else_here_does_no_harm(
    record: Callable[..., Path], inside: Repo, mlgit: Call, name: str, value: str
) -> None:
    folder = record()
    (log,) = {path.resolve() for path in folder.glob("*/run-abc12345.wandb")}
    row = b"".join(
        _field(1, _field(1, key.encode()) + _field(16, told.encode())) for key, told in (("z", "7"), (name, value))
    )
    append(log, _field(2, row))

    done = mlgit("import", "wandb", str(folder), "--json")

    (told,) = json.loads(done.stdout)
    assert the_run(inside).metrics["z"] == 7
    assert (the_run(inside).duration or 0) < 600
    assert (told["problems"] == []) is (name != "_summary")
    assert live.folders(inside) == []


def _field(number: int, content: bytes) -> bytes:
    """A field of the wire: its number, its length, its content."""
    return b"".join(map(_varint, (number << 3 | 2, len(content)))) + content


def _varint(number: int) -> bytes:
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + _varint(number >> 7)


def test_a_run_that_was_resumed_is_one_run_from_all_its_folders(
    record: Callable[..., Path], inside: Repo, mlgit: Call
) -> None:
    script = """
import wandb
run = wandb.init(id="long", project="p", config={"part": PART}, resume="allow")
for step in range(5):
    run.log({"loss": PART * 10 + step})
END
"""
    for part in ("1", "2"):
        folder = record(script=script.replace("PART", part))
        second = int(time.time())
        while int(time.time()) == second:  # W&B names its folders by the second
            time.sleep(0.01)

    done = mlgit("import", "wandb", str(folder), "--json")

    (told,) = json.loads(done.stdout)
    series = runs.history(inside, the_run(inside))
    assert told["rows"] == 10
    assert series["loss"].values == [10, 11, 12, 13, 14, 20, 21, 22, 23, 24]
    assert series["loss"].steps == list(range(10))


def test_links_out_of_the_scripts_folder_are_left_out_with_a_word(
    record: Callable[..., Path], inside: Repo, mlgit: Call, tmp_path: Path
) -> None:
    (tmp_path / "secret.txt").write_text("mine")
    folder = record()
    (log,) = {path.resolve() for path in folder.glob("*/run-abc12345.wandb")}
    (log.parent / "files" / "stolen.txt").symlink_to(tmp_path / "secret.txt")

    done = mlgit("import", "wandb", str(folder), "--json")

    (told,) = json.loads(done.stdout)
    assert told["problems"] == ["stolen.txt was left out: a link out of script"]
    assert told["outcome"] == "imported"


@pytest.mark.parametrize("content", [b"", b"garbage" * 100, b":W&B\xe1\xbe\x00"])
def test_what_is_no_log_is_said_and_makes_no_run_of_nothing(
    content: bytes, inside: Repo, mlgit: Call, tmp_path: Path
) -> None:
    folder = tmp_path / "wandb" / "offline-run-20260101_000000-x"
    folder.mkdir(parents=True)
    (folder / "run-x.wandb").write_bytes(content)

    done = mlgit("import", "wandb", str(tmp_path / "wandb"), check=False)

    assert done.returncode == 1
    assert "run-x.wandb" in done.stderr
    assert query.runs(inside) == []


def test_a_folder_without_runs_is_refused_with_what_is_wanted(inside: Repo, mlgit: Call, tmp_path: Path) -> None:
    done = mlgit("import", "wandb", str(tmp_path), check=False)

    assert done.returncode == 1
    assert "holds no run of W&B's" in done.stderr
    assert "offline-run-" in done.stderr


def test_the_real_reader_of_the_wire_agrees_on_every_record(record: Callable[..., Path]) -> None:
    from wandb.proto import wandb_internal_pb2

    from mlgit.core import wire
    from mlgit.integrations.importers.leveldb import Log

    folder = record()

    for log in {path.resolve() for path in folder.glob("*/run-*.wandb")}:
        for data in Log(log):
            theirs = wandb_internal_pb2.Record.FromString(data)
            ours = wire.message(data)
            assert wire.integer(ours, 1) == theirs.num
            assert set(ours) == {field.number for field, _ in theirs.ListFields()}


def test_runs_are_found_from_any_folder_above_or_below(record: Callable[..., Path]) -> None:
    folder = record()

    found = [reader.folders([place]) for place in (folder, folder.parent, folder / "latest-run")]

    assert {path.resolve() for places in found for path in places} == {found[0][0].resolve()}


def test_what_is_no_message_inside_a_log_that_is_one_loses_no_other_run(
    record: Callable[..., Path], inside: Repo, mlgit: Call
) -> None:
    import struct
    import zlib

    folder = record()
    bad = folder / "offline-run-20260101_000000-bad"
    bad.mkdir()
    content = b"\x8a\x01\x07\x0a\x03bad\x1a\xff"  # a run's record, in which a field goes beyond the end
    head = struct.pack("<IHB", zlib.crc32(content, zlib.crc32(b"\x01")), len(content), 1)
    (bad / "run-bad.wandb").write_bytes(b":W&B" + struct.pack("<HB", 0xBEE1, 0) + head + content)

    done = mlgit("import", "wandb", str(folder), "--json", check=False)

    outcomes = {told["id"]: told["outcome"] for told in json.loads(done.stdout)}
    assert outcomes == {"bad": "failed", "abc12345": "imported"}
    assert done.returncode == 1


def test_system_metrics_and_media_files_are_on_the_branch(
    record: Callable[..., Path], inside: Repo, mlgit: Call
) -> None:
    mlgit("import", "wandb", str(record("import time; time.sleep(0.5); run.finish()")))

    files = inside.git("ls-tree", "-r", "--name-only", the_run(inside).commit).split()

    assert any(path.startswith("experiment/system/proc.memory") for path in files)
    assert any(path.startswith("experiment/media/images/picture_") for path in files)
    assert any(path.startswith("experiment/media/table/table_") for path in files)
    assert "experiment/files/weights.txt" in files
