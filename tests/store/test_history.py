"""What a run said is read back whole: fast or slow, from its live folder, its branch or DVC's cache."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import sys
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlgit.core.history import Logged, Series
from mlgit.core.run import Run
from mlgit.core.summary import Rule
from mlgit.dvc import cache
from mlgit.errors import MlgitError
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.public.files import of_run
from mlgit.store import attached, parquet, rows, runs, tables, telling
from mlgit.store.rows import Rows
from mlgit.store.telling import Account
from tests.conftest import make_repo, need

Script = Callable[..., "subprocess.CompletedProcess[str]"]
LONG = """
import math, mlgit
mlgit.init(name="long")
for n in range(1500):
    mlgit.log({"loss": math.nan if n == 7 else 1 / (n + 1), "n": 2**60 + n, "train/é .x": n / 2})
"""


def only(repo: Repo) -> Run:
    (run,) = query.runs(repo)
    return run


@pytest.fixture
def long(repo: Repo, python: Script) -> Run:
    python("-c", LONG, cwd=repo.folder)
    return only(repo)


def told(path: Path, lines: Sequence[object]) -> Rows:
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    found = Rows()
    found.read(path)
    return found


def points(series: Series) -> list[tuple[int, float]]:
    return list(zip(series.steps, series.values, strict=True))


def row(step: Any, **values: Any) -> dict[str, Any]:
    return {"_step": step, "_runtime": step / 10, "_timestamp": 1000.0 + step, **values}


# -- lines as columns

PADDING = [row(-1, padding="x" * 70_000)]  # so that the file is read in blocks


@pytest.mark.parametrize("before", [[], PADDING], ids=["short", "in blocks"])
def test_lines_of_one_step_are_one_row_and_the_last_value_counts(tmp_path: Path, before: list[Any]):
    lines = [row(0, a=1), row(0, a=2, b=1), row(1, a=3), row(1, b=2), row(1, a=4), row(2, b=3)]
    found = told(tmp_path / "x", [*before, *lines]).series()

    assert points(found["a"]) == [(0, 2), (1, 4)]
    assert points(found["b"]) == [(0, 1), (1, 2), (2, 3)]


@pytest.mark.parametrize("before", [[], PADDING], ids=["short", "in blocks"])
def test_torn_lines_and_garbage_are_passed_over(tmp_path: Path, before: list[Any]):
    garbage = ['{"a": 1, "_st', '"b": 2}', "\x00\xff", "[1, 2]", "3", "", '{"a": 9},{"a": 9}', "[" * 5000]
    found = told(tmp_path / "x", [*before, row(0, a=1), *garbage, row(1, a=2), '{"_step": 2, "a": 3']).series()

    assert points(found["a"]) == [(0, 1), (1, 2)]


@pytest.mark.parametrize("before", [[], PADDING], ids=["short", "in blocks"])
def test_numbers_stay_what_they_are(tmp_path: Path, before: list[Any]):
    values = [1, 1.0, 2**53 + 1, 2**70, -(2**64), math.nan, math.inf, -math.inf, 0.1, True]
    found = told(tmp_path / "x", [*before, *(row(step, a=value) for step, value in enumerate(values))]).series()

    assert [repr(value) for value in found["a"].values] == [repr(value) for value in [*values[:-1], 1]]


@pytest.mark.parametrize("before", [[], PADDING], ids=["short", "in blocks"])
def test_what_is_no_number_is_kept_step_by_step(tmp_path: Path, before: list[Any]):
    picture = {"_type": "image-file", "path": "media/x.png", "size": {"w": 1}}
    found = told(tmp_path / "x", [*before, row(0, a="x", p=picture), row(1, a=2, p=picture, n=None), row(1, a=[1])])

    assert found.objects["a"] == [Logged(0, 0.0, 1000.0, "x"), Logged(1, 0.1, 1001.0, [1])]
    assert [one.value for one in found.objects["p"]] == [picture, picture]
    assert "p.size.w" not in found.last
    assert "n" not in found.objects


@pytest.mark.parametrize("before", [[], PADDING], ids=["short", "in blocks"])
def test_mappings_are_read_as_dotted_names(tmp_path: Path, before: list[Any]):
    found = told(tmp_path / "x", [*before, row(0, a={"b": {"c": 1}, "d": 2}), row(1, a={"d": 3})]).series()

    assert (points(found["a.b.c"]), points(found["a.d"])) == ([(0, 1)], [(0, 2), (1, 3)])


@pytest.mark.parametrize("before", [[], PADDING], ids=["short", "in blocks"])
def test_a_clock_that_jumps_back_changes_no_order(tmp_path: Path, before: list[Any]):
    lines = [{"_step": n, "_runtime": at, "_timestamp": at, "a": n} for n, at in enumerate((5.0, -3.0, 4.0))]
    found = told(tmp_path / "x", [*before, *lines])

    assert list(found.series()["a"].runtimes) == [5.0, -3.0, 4.0]
    assert list(found.series()["a"].values) == [0, 1, 2]


@pytest.mark.parametrize("before", [[], PADDING], ids=["short", "in blocks"])
def test_odd_steps_and_times_do_no_harm(tmp_path: Path, before: list[Any]):
    lines = [{"a": 1}, {"_step": "x", "_runtime": None, "a": 2}, {"_step": 2**70, "a": 3}, {"_step": 1.5, "a": 4}]
    found = told(tmp_path / "x", [*before, *lines]).series()

    assert points(found["a"]) == [(0, 2), (2**70, 3), (1.5, 4)]


LINES = st.lists(
    st.dictionaries(
        st.sampled_from(["a", "b", "c", "d.e"]),
        st.one_of(
            st.integers(-(2**66), 2**66), st.floats(), st.booleans(), st.text("xy\n", max_size=3), st.none(),
            st.lists(st.integers(), max_size=2), st.just({"_type": "x"}), st.just({"f": 1, "g": "x"}),
        ),
        max_size=4,
    ),
    max_size=30,
)  # fmt: skip


@given(LINES, st.data())
@settings(max_examples=100, deadline=None)
def test_blocks_tell_what_lines_tell_one_by_one(lines: list[dict[str, Any]], data: st.DataObject):
    step = 0
    said = []
    for line in lines:
        step += data.draw(st.integers(0, 1))
        said.append({"_step": step, "_runtime": 1.5, "_timestamp": step, **line})
    slow, fast = Rows(), Rows()
    text = "".join(f"{json.dumps(line)}\n" for line in said)
    slow._each(rows._slowly(text.encode()))
    if said:
        fast._block(rows.parsed(text.encode()))

    assert repr(dict(sorted(fast.last.items()))) == repr(dict(sorted(slow.last.items())))
    assert repr(sorted((name, points(one)) for name, one in fast.series().items())) == repr(
        sorted((name, points(one)) for name, one in slow.series().items())
    )
    assert fast.objects == slow.objects


# -- tables and Parquet

VALUES = st.one_of(st.floats(), st.integers(-(2**70), 2**70), st.just(10**400))


@given(st.dictionaries(st.text(max_size=5), st.lists(VALUES, min_size=1, max_size=20), max_size=5))
@settings(max_examples=50, deadline=None)
def test_parquet_gives_back_what_it_was_given(tmp_path_factory: Any, values: dict[str, list[float]]):
    series = {
        name.encode("utf-8", "replace").decode(): Series(range(len(some)), [0.5] * len(some), [1.5] * len(some), some)
        for name, some in values.items()
    }
    path = tmp_path_factory.mktemp("p") / "x.parquet"
    parquet.write(path, series)
    found = parquet.read(path)

    assert {name: list(map(repr, one.values)) for name, one in found.items()} == {
        name: list(map(repr, one.values)) for name, one in series.items()
    }
    assert all(list(one.steps) == list(series[name].steps) for name, one in found.items())


def test_a_series_longer_than_a_row_group_stays_one(tmp_path: Path):
    count = 300_000
    steps, values = array("q", range(count)), array("d", [0.5]) * count
    series = {"a": Series(steps, values, values, values), "b": Series(steps, values, values, steps)}
    parquet.write(tmp_path / "x", series)
    found = parquet.read(tmp_path / "x")

    assert found["a"] == series["a"]
    assert found["b"].values == steps


def test_pandas_reads_the_file_and_tells_nan_from_nothing(tmp_path: Path):
    pandas = pytest.importorskip("pandas")
    one = Series([0, 1], [0.0, 1.0], [5.0, 6.0], [math.nan, 2**60])
    parquet.write(tmp_path / "x.parquet", {"a": one})
    frame = pandas.read_parquet(tmp_path / "x.parquet", dtype_backend="numpy_nullable")

    assert list(frame.columns) == ["metric", "step", "_runtime", "_timestamp", "value", "integer", "digits"]
    assert list(frame["step"]) == [0, 1]
    assert frame["integer"][1] == 2**60


PIECES = [
    "/", "//", ".", "..", "/.", "./", "%", "%2E", "%25", " ", "\t", "\n", "\\", "\\t", "~", "-", ":", "*?<>|", "é",
    "\u202e", "\x1b[31m", "con", "CON", "aux", "NUL", "com1", ".git", ".tsv", ".jsonl", "a", "A",
    "x" * 149, "é" * 60, "." * 149,
]  # fmt: skip
NASTY = (
    st.lists(st.sampled_from(PIECES) | st.text(max_size=20), min_size=1, max_size=8)
    .map("".join)
    .map(lambda text: text.encode("utf-8", "replace").decode())
)
FORBIDDEN = re.compile(r"|\..*|.*[. ]|.*[\x00-\x1f<>:\"|?*\\].*|(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Names that a file or a folder cannot have on some system, or that lead elsewhere."""


@given(NASTY)
@settings(max_examples=500, deadline=None)
def test_a_name_is_read_back_from_its_table_and_its_lines(name: str):
    path, lines = tables.path_of(name), tables.path_of(name, "jsonl")
    table = tables.tsv(name, Series([0], [0.0], [0.0], [1])).encode()

    assert tables.of_tsv(path, table) == (name, Series([0], [0.0], [0.0], [1]))
    assert tables.of_jsonl(lines, tables.jsonl(name, [Logged(0, 0.0, 0.0, "x")])) == (name, [Logged(0, 0.0, 0.0, "x")])
    for part in path.split("/"):
        assert len(part.encode()) <= 255
        assert not FORBIDDEN.fullmatch(part)


@given(st.lists(NASTY, unique=True, min_size=2, max_size=2))
def test_two_names_have_two_paths(names: list[str]):
    one, other = map(tables.path_of, names)

    assert one != other
    assert not one.startswith(f"{other}/")
    assert not other.startswith(f"{one}/")


def test_very_many_objects_keep_the_first_and_the_last():
    logged = [Logged(n, 0.0, 0.0, "x" * 100) for n in range(5000)]
    files, thinned = tables.objects({"a": logged, "b": logged[:3]}, most=1000, most_bytes=50_000, most_names=2)
    kept = tables.of_jsonl("a.jsonl", files["a.jsonl"])

    assert thinned == {"a": 5000}
    assert kept
    assert (kept[1][0].step, kept[1][-1].step) == (0, 4999)
    assert len(files["a.jsonl"]) <= 50_000


# -- a long run


def test_a_long_history_is_there_in_full(repo: Repo, long: Run):
    full = runs.history(repo, long, full=True)
    thin = runs.history(repo, long)

    assert (full.is_full, thin.is_full) == (True, False)
    assert len(full["loss"]) == 1500
    assert math.isnan(full["loss"].values[7])
    assert list(full["n"].values) == [2**60 + n for n in range(1500)]
    assert list(full) == ["loss", "n", "train/é .x"]
    assert len(thin["loss"]) <= 1000
    assert long.held.keys() == {"history.parquet"}
    assert repo.read(long.commit, "experiment/history.parquet.dvc")


def test_a_script_that_ends_by_itself_keeps_its_long_history(repo: Repo, python: Script):
    done = python("-c", LONG, cwd=repo.folder)

    assert "not a branch yet" not in done.stderr
    assert "Traceback" not in done.stderr
    assert runs.history(repo, only(repo), full=True).is_full


def test_a_history_that_is_elsewhere_is_thinned_and_says_so(repo: Repo, long: Run, mlgit: Script):
    for database in (repo.own / "cache").rglob("*"):
        if database.is_file():
            database.unlink()
    found = runs.history(repo, long, full=True)
    shown = mlgit("show", "--history", cwd=repo.folder)

    assert not found.is_full
    assert len(found["loss"]) <= 1000
    assert "Thinned" in shown.stderr
    assert not runs.account(repo, long).is_full


def test_a_damaged_history_is_no_traceback(repo: Repo, long: Run, mlgit: Script):
    (place,) = (path for path in (repo.own / "cache").rglob("*") if path.is_file())
    place.chmod(0o644)
    place.write_bytes(b"PAR1 no")
    done = mlgit("show", "--history", cwd=repo.folder, check=False)

    assert done.returncode == 1
    assert "damaged" in done.stderr
    assert "Traceback" not in done.stderr


def test_show_prints_every_row_and_how_many_there_are(repo: Repo, long: Run, mlgit: Script):
    table = mlgit("show", "--history", cwd=repo.folder).stdout.splitlines()

    assert len(table) == 1501
    assert table[0] == "step\tloss\tn\ttrain/é .x"
    assert table[8].split("\t")[:3] == ["7", "nan", str(2**60 + 7)]
    assert "1,500 rows logged" in mlgit("show", cwd=repo.folder).stdout


def test_stock_dvc_reads_the_long_history_after_a_sync(repo: Repo, python: Script, mlgit: Script, tmp_path: Path):
    dvc = [sys.executable, "-m", "dvc"]
    far = make_repo(tmp_path / "far.git", commit=False, bare=True)
    subprocess.run([*dvc, "init", "-q"], cwd=repo.folder, check=True)
    subprocess.run([*dvc, "remote", "add", "-q", "-d", "store", str(tmp_path / "store")], cwd=repo.folder, check=True)
    repo.git("add", "-A")
    repo.git("commit", "-qm", "dvc")
    python("-c", LONG, cwd=repo.folder)
    run = only(repo)
    pushed = mlgit("sync", "--to", str(far.folder), cwd=repo.folder)
    for target in ("got.parquet", "again.parquet"):
        words = ["get", "-q", "--rev", run.branch, str(repo.folder), "experiment/history.parquet", "-o", target]
        subprocess.run([*dvc, *words], cwd=tmp_path, check=True)
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", "-b", run.branch, str(far.folder), str(clone)], check=True)
    subprocess.run([*dvc, "pull", "-q", "experiment/history.parquet.dvc"], cwd=clone, check=True)

    assert "1 run is pushed" in pushed.stdout
    assert "1 long history or folder is pushed to the DVC remote" in pushed.stdout
    assert len(parquet.read(tmp_path / "got.parquet")["loss"]) == 1500
    assert len(parquet.read(clone / "experiment/history.parquet")["loss"]) == 1500
    elsewhere = Repo.find(clone)
    assert elsewhere
    for path in (clone / ".dvc/cache").rglob("*"):
        if path.is_file():
            path.unlink()
    (there,) = query.runs(elsewhere)
    assert not runs.history(elsewhere, there, full=True).is_full
    assert runs.history(elsewhere, there, full=True, fetch=True).is_full


def test_a_branch_is_read_back_as_the_account_it_was_made_of(inside: Repo, python: Script):
    code = """
import mlgit
run = mlgit.init(id="abc", mode="online")
run.define_metric("loss", summary="min,max")
for n in range(1200):
    run.log({"loss": n % 7, "text": f"t{n}"})
run.summary["best"] = 1
print("said")
"""
    python("-c", f"{code}\nimport os, signal; os.kill(os.getpid(), signal.SIGKILL)", cwd=inside.folder, check=False)
    before = telling.read(inside.own / "live/abc")
    python("-m", "mlgit", "recover", cwd=inside.folder)
    after = runs.account(inside, only(inside))

    assert points(after.series["loss"]) == points(before.series["loss"])
    assert list(after.series["loss"].runtimes) == list(before.series["loss"].runtimes)
    assert dict(after.objects) == dict(before.objects)
    assert after.rules == before.rules == {"loss": Rule(name="loss", summary=("min", "max"))}
    assert after.by_hand == before.by_hand == {"best"}
    assert after.run.metrics == before.run.metrics == {"loss": {"min": 0, "max": 6}, "text": "t1199", "best": 1}
    assert after.is_full
    assert after.output == b"said\n"


# -- one account of several lives


def account(**series: list[tuple[int, float]]) -> Account:
    told = {
        name: Series([at for at, _ in some], [0.0] * len(some), [0.0] * len(some), [value for _, value in some])
        for name, some in series.items()
    }
    run = Run(id="x", name="x", project="p", metrics={name: one.values[-1] for name, one in told.items()})
    return Account(run=run, series=told)


def test_a_run_that_went_on_is_one_account():
    both = telling.joined(account(a=[(0, 1), (1, 2)], b=[(0, 5)]), account(a=[(1, 3), (2, 4)], c=[(2, 9)]))

    assert points(both.series["a"]) == [(0, 1), (1, 3), (2, 4)]
    assert both.run.metrics == {"a": 4, "b": 5, "c": 9}


def test_a_run_that_was_rewound_forgets_what_lay_beyond():
    both = telling.joined(account(a=[(0, 1), (1, 2), (2, 3)], b=[(2, 5)]), account(a=[(2, 7)]), upto=1)

    assert points(both.series["a"]) == [(0, 1), (1, 2), (2, 7)]
    assert both.run.metrics == {"a": 7}


def test_rules_speak_of_all_lives():
    first = account(a=[(0, 1), (1, 9)])
    first = telling.joined(first, Account(run=first.run, rules={"a": Rule(name="a", summary=("max", "min"))}))
    both = telling.joined(first, account(a=[(2, 3)]))

    assert first.run.metrics == {"a": {"min": 1, "max": 9}}
    assert both.run.metrics == {"a": {"min": 1, "max": 9}}


# -- media, files, objects, system


def folder(repo: Repo, python: Script, code: str) -> Run:
    begin = "import mlgit, os, pathlib\nrun = mlgit.init()\nmine = pathlib.Path(run.dir)\n"
    python("-c", begin + code, cwd=repo.folder)
    return only(repo)


def paths(repo: Repo, run: Run, place: str) -> set[str]:
    found = repo.git("ls-tree", "-r", "-z", "--name-only", run.commit, f"experiment/{place}")
    return {path for path in found.rstrip("\0").split("\0") if path}


def test_small_files_go_into_the_tree(repo: Repo, python: Script):
    run = folder(repo, python, "(mine / 'a').mkdir(); (mine / 'a/b.txt').write_text('x'); (mine / 'empty').mkdir()")

    assert paths(repo, run, "files") == {"experiment/files/a/b.txt"}
    assert run.held == {}


def test_large_files_go_to_dvc_with_a_pointer_in_their_place(repo: Repo, python: Script, tmp_path: Path):
    run = folder(repo, python, "(mine / 'big').write_bytes(b'x' * (2 << 20)); (mine / 'small').write_text('y')")
    cache.fetch(repo, run.held["files"], tmp_path / "out")

    assert paths(repo, run, "files") == set()
    assert b"path: files" in (repo.read(run.commit, "experiment/files.dvc") or b"")
    assert (tmp_path / "out/big").stat().st_size == 2 << 20
    assert (tmp_path / "out/small").read_text() == "y"


def test_what_must_not_go_along_stays_out_and_is_said(repo: Repo, python: Script, tmp_path: Path, mlgit: Script):
    (tmp_path / "private").write_text("mine alone")
    token = "ghp_" + "a" * 36
    code = f"""
(mine / ".env").write_text("A=1")
(mine / "note.txt").write_text("{token}")
(mine / "out").symlink_to({str(tmp_path / "private")!r})
(mine / "home").symlink_to({str(tmp_path)!r})
(mine / "loop").symlink_to(mine / "loop")
(mine / "in").symlink_to(mine / "good")
(mine / "good").write_text("good")
os.mkfifo(mine / "pipe")
"""
    run = folder(repo, python, code)
    said = "\n".join(runs.provenance(repo, run)["left_out"])

    assert paths(repo, run, "files") == {"experiment/files/good", "experiment/files/in"}
    assert all(f"files/{name}: " in said for name in (".env", "note.txt", "out", "home", "loop", "pipe"))
    assert token not in repo.git("log", "-p", run.branch)
    assert "a link that leads elsewhere" in mlgit("show", cwd=repo.folder).stdout


def test_a_token_in_a_text_that_is_logged_stays_out(repo: Repo, python: Script):
    token = "ghp_" + "a" * 36
    run = folder(repo, python, f"run.log({{'t': 'x {token}', 'd': {{'_type': 'x', 'caption': '{token}'}}}})")

    assert token not in repo.git("log", "-p", run.branch)
    assert [one.value for one in runs.objects(repo, run)["t"]] == ["x ***"]


def test_objects_are_lines_and_all_of_them_are_kept(repo: Repo, python: Script, mlgit: Script):
    run = folder(repo, python, "for n in range(1200): run.log({'val/t': f't{n}', 'a': {'_type': 'x', 'n': n}})")
    text = repo.read(run.commit, "experiment/objects/val/t.jsonl") or b""
    printed = mlgit("show", "--objects", cwd=repo.folder).stdout.splitlines()

    assert len(text.splitlines()) == 1000
    assert runs.provenance(repo, run)["thinned_objects"] == {"a": 1200, "val/t": 1200}
    assert len(runs.objects(repo, run)["val/t"]) == 1000
    assert len(runs.objects(repo, run, full=True)["val/t"]) == 1200
    assert json.loads(printed[2]) == {"step": 1, "name": "val/t", "value": "t1"}
    assert len(printed) == 2400


def test_what_the_machine_did_is_in_the_branch(repo: Repo, python: Script, mlgit: Script):
    code = """
import json
with open(mine.parent / "system.jsonl", "w") as file:
    for n in range(5):
        row = {"_timestamp": 100.0 + n, "_runtime": n * 15.0, "gpu.0.temp": 40 + n, "cpu": 2.5}
        file.write(json.dumps(row) + "\\n")
"""
    run = folder(repo, python, f"run.at_end.append(lambda: exec({code!r}, {{'mine': mine, 'run': run}}))")
    found = runs.system(repo, run)

    assert found["gpu.0.temp"].values[:5] == [40, 41, 42, 43, 44]
    assert found["gpu.0.temp"].runtimes[:2] == [0.0, 15.0]
    assert repo.read(run.commit, "experiment/system/gpu.0.temp.tsv")
    assert mlgit("show", "--system", cwd=repo.folder).stdout.startswith("seconds\t")


def test_media_are_listed_and_copied_out(repo: Repo, python: Script, mlgit: Script, tmp_path: Path):
    folder(repo, python, "run.log({'h': mlgit.Html('<p>hello</p>')})")
    listed = mlgit("show", "--media", cwd=repo.folder).stdout
    mlgit("show", "--media", "--into", str(tmp_path / "out"), cwd=repo.folder)

    assert "media/html/h_0_" in listed
    assert [path.suffix for path in (tmp_path / "out").rglob("*") if path.is_file()] == [".html"]


def test_very_many_metrics_leave_tables_to_the_full_history(repo: Repo, python: Script, mlgit: Script):
    code = "for n in range(5): run.log({f'layer{n}/{k}': k for k in range(600)})"
    run = folder(repo, python, code)

    assert len(paths(repo, run, "history")) == attached.MOST_TABLES
    assert runs.provenance(repo, run)["metrics_without_table"] == 1000
    assert len(run.metrics) == 3000
    assert len(runs.history(repo, run, full=True)) == 3000
    assert "1,000 metrics without a table" in mlgit("show", cwd=repo.folder).stdout


# -- trouble


@pytest.fixture
def small(tmp_path: Path) -> Any:
    place = tmp_path / "small"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)]
    mounted = subprocess.run(words, capture_output=True, check=False)
    need("the right to mount a small disk", mounted.returncode == 0)
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_disk_without_room_for_the_media_keeps_the_run_for_later(small: Path, python: Script, mlgit: Script):
    repo = make_repo(small)
    code = """
import mlgit, os, pathlib
run = mlgit.init()
run.log({"a": 1})
(pathlib.Path(run.dir) / "big").write_bytes(os.urandom(3 << 20))
(pathlib.Path(run.dir).parent.parent / "filler").write_bytes(b"x" * (7 << 19))
"""
    done = python("-c", code, cwd=small)
    (small / ".git/mlgit/live/filler").unlink()
    mlgit("recover", cwd=small)
    run = only(repo)

    assert "is not a branch yet" in done.stderr
    assert "No space left" in done.stderr
    assert run.held.keys() == {"files"}
    assert run.metrics == {"a": 1}


def test_a_killed_run_has_its_whole_history(repo: Repo, python: Script, mlgit: Script):
    code = f"{LONG}\nimport os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
    done = python("-c", code, cwd=repo.folder, check=False)
    mlgit("recover", cwd=repo.folder)

    assert done.returncode == -signal.SIGKILL
    assert len(runs.history(repo, only(repo), full=True)["loss"]) == 1500


def test_the_process_that_records_says_what_is_wrong(repo: Repo, python: Script, mlgit: Script):
    code = f"{LONG}\nimport os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
    python("-c", code, cwd=repo.folder, check=False)
    (folder,) = (repo.own / "live").iterdir()
    begin = json.loads((folder / "run.yaml").read_text())
    (folder / "run.yaml").write_text(json.dumps(begin | {"source": "0" * 40}))
    done = mlgit("recover", cwd=repo.folder, check=False)

    assert "cannot be recovered yet" in done.stdout + done.stderr
    assert "is not in the repository" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert folder.exists()


def test_a_short_run_loads_nothing_for_long_ones(repo: Repo, python: Script):
    code = """
import sys, mlgit
mlgit.init(); mlgit.log({"a": 1}); mlgit.finish()
print([name for name in ("numpy", "pyarrow", "dvc_data", "array") if name in sys.modules])
"""
    assert python("-c", code, cwd=repo.folder).stdout == "[]\n"


def test_a_file_that_is_no_parquet_is_an_error(tmp_path: Path):
    (tmp_path / "x").write_bytes(os.urandom(100))

    with pytest.raises(MlgitError, match="damaged"):
        parquet.read(tmp_path / "x")


# -- lives


RESUMED = """
import mlgit, os, pathlib, sys
run = mlgit.init(id="abc", resume="allow")
for n in range(int(sys.argv[1])):
    run.log({"n": run.step})
run.log({"html": mlgit.Html("<p>" + sys.argv[2] * int(sys.argv[3]) + "</p>")})
(pathlib.Path(run.dir) / sys.argv[2]).write_bytes(sys.argv[2].encode() * int(sys.argv[3]))
"""
SMALL, LARGE = "1000", str(2 << 20)


@pytest.mark.parametrize("sizes", [(SMALL, SMALL), (SMALL, LARGE), (LARGE, SMALL), (LARGE, LARGE)])
def test_media_and_files_of_all_lives_are_there(repo: Repo, python: Script, sizes: tuple[str, str]):
    for name, size in zip("ab", sizes, strict=True):
        python("-c", RESUMED, "3", name, size, cwd=repo.folder)
    run = only(repo)
    found = of_run(repo, run)

    assert {name: len(found[name].content()) for name in "ab"} == {"a": int(sizes[0]), "b": int(sizes[1])}
    assert len([name for name in found if name.startswith("media/html/")]) == 2
    assert all(found[one.value["path"]].content() for one in runs.objects(repo, run)["html"])
    for name in ("media", "files"):  # in one place alone, or stock DVC would not know whose it is
        in_tree = bool(paths(repo, run, name) - {f"experiment/{name}.dvc"})
        assert in_tree is not (name in run.held)
        assert (repo.read(run.commit, f"experiment/{name}.dvc") is not None) is (name in run.held)


def test_a_long_run_goes_on_in_full(repo: Repo, python: Script):
    for name in "ab":
        python("-c", RESUMED, "1200", name, SMALL, cwd=repo.folder)
    found = runs.history(repo, only(repo), full=True)

    assert found.is_full
    assert list(found["n"].values) == [*range(1200), *range(1201, 2401)]


def test_a_run_that_goes_on_where_its_bytes_are_not_keeps_the_pointer(repo: Repo, python: Script):
    python("-c", RESUMED, "1", "a", LARGE, cwd=repo.folder)
    before = only(repo)
    for path in (repo.own / "cache").rglob("*"):
        if path.is_file():
            path.unlink()
    python("-c", "import mlgit; mlgit.init(id='abc', resume='must').log({'n': 7})", cwd=repo.folder)
    after = only(repo)

    assert after.held == before.held
    assert repo.read(after.commit, "experiment/media.dvc") == repo.read(before.commit, "experiment/media.dvc")
