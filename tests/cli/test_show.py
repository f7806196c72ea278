"""`mlgit show`: one run."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Callable
from pathlib import Path

import mlgit as door
from mlgit.core import escape
from mlgit.git.repo import Repo

Script = Callable[..., "subprocess.CompletedProcess[str]"]
USES = """
import mlgit
open("data.csv", "w").write("1,2")
open("net.pt", "w").write("weights")
with mlgit.init(name="first") as run:
    run.log_artifact("data.csv", name="data", type="dataset")
with mlgit.init(name="second") as run:
    run.use_artifact("data:latest")
    run.log_artifact("net.pt", name="net", type="model", aliases=["best"])
"""


def test_artifacts_are_told_by_version_and_alias(repo: Repo, python: Script, mlgit: Script):
    python("-c", USES, cwd=repo.folder)
    shown = mlgit("show", "second", cwd=repo.folder).stdout
    told = json.loads(mlgit("show", "second", "--json", cwd=repo.folder).stdout)

    assert "artifacts\n  used    data:v0  dataset, 3 B, latest  " in shown
    assert "\n  logged  net:v0   model, 7 B, best, latest  " in shown
    assert [one["name"] for one in told["used"]] == ["data"]
    assert told["artifacts"][0]["aliases"] == ["best", "latest"]


def test_of_a_model_of_which_nothing_is_known_no_line_is_left_empty(inside: Repo, python: Script, mlgit: Script):
    (inside.folder / "model.txt").write_text("one")
    python("-c", "import mlgit; mlgit.init(name='made').log_artifact('model.txt', name='net', type='model')")

    lines = mlgit("show", "made").stdout.splitlines()

    assert "  logged  net:v0  model, 3 B, latest" in lines[-1]


def test_an_artifact_that_was_used_is_of_the_type_that_it_has_now(repo: Repo, python: Script, mlgit: Script):
    again = "mlgit.Api().artifact_collection('dataset', 'data').change_type('corpus')"
    python("-c", f"{USES}\n{again}", cwd=repo.folder)

    assert "\n  used    data:v0  corpus, 3 B, latest  " in mlgit("show", "second", cwd=repo.folder).stdout


NASTY = [
    "disk./.usageGB", ".hidden", "a/..", "..", "/", "a//b", "%", "%2E", "a%2Eb", "a b ", " a", "é/ü", "CON", "con",
    "COM1.x/LPT1", "x" * 300, "é" * 300, "x" * 300 + "\n", "A/b", "a/B", "a/b", "x.tsv/y", "a\tb", "a\\tb", "a\nb",
    "\x00", "\u202e", "\x1b[31mred", "step", "_mine", "a.b", "true", "1",
]  # fmt: skip


def test_whatever_a_metric_is_called_it_is_found_by_its_name(inside: Repo, mlgit: Script):
    logged = {name: number for number, name in enumerate(NASTY)}
    with door.init() as run:
        run.log(logged)
    found = door.Api().run(run.id)
    (row,) = found.scan_history()
    (line,) = mlgit("show", "--history", "--json", cwd=inside.folder).stdout.splitlines()
    head, cells = (one.split("\t") for one in mlgit("show", "--history", cwd=inside.folder).stdout.splitlines())
    shown = dict(zip(map(escape.of_cell, head[1:]), map(int, cells[1:]), strict=True))

    assert {name: row[name] for name in logged} == logged
    assert dict(found.history().iloc[0][NASTY]) == logged
    assert json.loads(line) == {"_step": 0, **logged}
    assert shown == logged


def test_a_history_as_json_is_a_line_a_row(inside: Repo, mlgit: Script):
    with door.init() as run:
        run.log({"loss": math.nan, "acc": 1})
        run.log({"loss": -math.inf, "text": "é"})
        run.log({"acc": 3})
    lines = mlgit("show", "--history", "--json", cwd=inside.folder).stdout.splitlines()
    objects = mlgit("show", "--objects", "--json", cwd=inside.folder).stdout.splitlines()

    assert [json.loads(line) for line in lines] == [
        {"_step": 0, "loss": "nan", "acc": 1}, {"_step": 1, "loss": "-inf"}, {"_step": 2, "acc": 3},
    ]  # fmt: skip
    assert [json.loads(line) for line in objects] == [{"step": 1, "name": "text", "value": "é"}]


def test_what_it_printed_as_json_is_a_line_a_line(repo: Repo, python: Script, mlgit: Script):
    python("-c", "import mlgit\nwith mlgit.init(): print('one\\x1b[1m \\u2028é\\n\\ntwo')", cwd=repo.folder)
    lines = mlgit("show", "--log", "--json", cwd=repo.folder).stdout.removesuffix("\n").split("\n")

    assert [json.loads(line) for line in lines[-3:]] == [{"line": "one \u2028é"}, {"line": ""}, {"line": "two"}]


def test_media_as_json_are_a_line_a_file_and_say_where_copies_are(inside: Repo, mlgit: Script, tmp_path: Path):
    with door.init() as run:
        run.log({"page": door.Html("<b>é</b>", inject=False)})
    (listed,) = mlgit("show", "--media", "--json", cwd=inside.folder).stdout.splitlines()
    (copied,) = mlgit("show", "--json", "--into", str(tmp_path / "out"), cwd=inside.folder).stdout.splitlines()
    told, copy = json.loads(listed), json.loads(copied).pop("copy")

    assert told.keys() == {"name", "size"}
    assert told["name"].startswith("media/html/page_0_")
    assert json.loads(copied) == {**told, "copy": copy}
    assert Path(copy).read_text() == "<b>é</b>"
    assert Path(copy).stat().st_size == told["size"]


def test_where_a_run_has_nothing_of_what_is_asked_for_that_is_said(inside: Repo, mlgit: Script):
    with door.init() as run:
        run.log({"loss": 1})

    told = [mlgit("show", what, cwd=inside.folder) for what in ("--objects", "--media")]

    assert [done.stdout for done in told] == ["", ""]
    assert [done.stderr for done in told] == ["It logged nothing but numbers.\n", "It logged no media.\n"]


def test_a_person_sees_how_each_metric_went(inside: Repo, mlgit: Script, terminal: Callable[..., tuple[int, str]]):
    with door.init(name="one", config={"acc": 1}) as run:
        for step in range(16):
            run.log({"acc": step, "flat": 1})
        run.log({"once": 5})
    assert "▁" not in mlgit("show").stdout

    _, shown = terminal("show")

    assert "\n  acc   15         ▁▁▂▂▃▃▄▄▅▅▆▆▇▇██\n" in shown
    assert "\n  once  5\n" in shown
    assert "\nparams\n  acc  1\n" in shown
