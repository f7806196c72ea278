"""All that a dvc.yaml can say is done as by stock `dvc repro` and taken into the run; what cannot be read is told."""

from __future__ import annotations

import contextlib
import functools
import http.server
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import live, runs
from tests.tracking.pipeline.made import Script, commit, did, newest, write

PIPELINE = """\
vars:
  - vars.yaml
  - who: world
params: [top.toml]
metrics: [top.json]
plots:
  - top.csv: {x: at, y: top}
  - both:
      x: {curve.csv: step, curve.tsv: step}
      y: {curve.csv: loss, curve.tsv: [speed]}
stages:
  make:
    desc: makes all
    meta: {owner: me}
    cmd: python make.py
    deps: [make.py]
    params:
      - p.toml: [depth, opt.name]
      - p.json: [width]
      - p.py: [BATCH, Net.layers]
    outs:
      - kept.txt: {persist: true}
    metrics:
      - m.json: {cache: false}
      - m.toml: {cache: false}
      - m.yaml: {cache: false}
      - bare: {cache: false}
    plots:
      - curve.csv: {cache: false}
      - curve.tsv: {cache: false}
      - list.json: {cache: false, x: step}
      - nested.yaml: {cache: false}
      - roc.csv: {cache: false, x: fpr, y: tpr}
      - guesses.csv: {cache: false, template: confusion, x: actual, y: predicted}
      - headless.csv: {cache: false, header: false}
      - one.png
      - one.svg
      - pictures
      - broken.png: {cache: false}
  greet: {cmd: 'echo ${greeting} ${who} > greet.txt', outs: [greet.txt]}
  loop:
    foreach: ${sizes}
    do:
      cmd: echo ${item} > loop${item}.txt
      outs:
        - loop${item}.txt
  grid:
    matrix: {a: [x, y], b: [1]}
    cmd: echo ${item.a} > grid-${key}.txt
    outs:
      - grid-${key}.txt
  inside: {wdir: sub, cmd: echo 1 > w.txt, outs: [w.txt]}
  always: {always_changed: true, cmd: cp roc.csv top.json.csv, deps: [roc.csv]}
  frozen: {frozen: true, cmd: exit 1, deps: [make.py], outs: [frozen.txt]}
  two_commands: {cmd: [echo 1 > both.txt, echo 2 >> both.txt], deps: [greet.txt], outs: [both.txt]}
  far: {cmd: cat imported.txt > far.txt, deps: [imported.txt, 'ADDRESS/d.txt'], outs: [far.txt]}
"""
MAKE = """\
import json, os
from PIL import Image
for name, text in {
    "m.json": '{"a": {"b": 1}}', "m.toml": "acc = 0.5\\n[sub]\\nx = 2\\n", "m.yaml": "tiny: 1e-3\\n", "bare": "0.25\\n",
    "curve.csv": "step,loss\\n0,1\\n3,0.5\\n", "curve.tsv": "step\\tspeed\\n0\\t7\\n",
    "list.json": json.dumps([{"step": 0, "listed": 1.5}]),
    "nested.yaml": "deep:\\n  rows:\\n  - {step: 1, nested: 2}\\n",
    "roc.csv": "fpr,tpr\\n0.0,0.1\\n0.5,0.9\\n", "guesses.csv": "actual,predicted\\ncat,dog\\ncat,cat\\n",
    "headless.csv": "0.5,a\\n0.7,b\\n", "top.json": '{"topmost": 4}', "top.csv": "at,top\\n2,9\\n",
    "one.svg": '<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"/>', "broken.png": "no picture",
}.items():
    open(name, "w").write(text)
os.makedirs("pictures/deep", exist_ok=True)
for name in ("one.png", "pictures/a.jpg", "pictures/deep/b.png"):
    Image.new("RGB", (3, 2)).save(name)
open("kept.txt", "a").write("more\\n")
"""
PROJECT = {
    "mlgit.yaml": "project: p\n", "params.yaml": "sizes: [1, 2]\n", "vars.yaml": "greeting: hello\n",
    "p.toml": "# kept\ndepth = 3\n[opt]\nname = 'adam'\n", "p.json": '{"width": 4}', "top.toml": "kind = 'all'\n",
    "p.py": "BATCH = 32\nclass Net:\n    layers = 2\n", "make.py": MAKE, "sub/there": "", "frozen.txt": "as it is\n",
    ".gitignore": "/frozen.txt\n/kept.txt\n", "kept.txt": "first\n",
    "two/dvc.yaml": "stages:\n  second: {cmd: cat ../greet.txt > s.txt, deps: [../greet.txt], outs: [s.txt]}\n",
}  # fmt: skip


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address at which a web server of our own serves *folder*."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def end_headers(self) -> None:
            self.send_header("ETag", '"first"')
            super().end_headers()

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_all_that_a_dvc_yaml_can_say_is_done_as_stock_dvc_does_it(
    repo: Repo, dvc: Script, mlgit: Script, tmp_path: Path
):
    (tmp_path / "www").mkdir()
    (tmp_path / "www/d.txt").write_text("far away\n")
    with served(tmp_path / "www") as address:
        write(repo, PROJECT | {"dvc.yaml": PIPELINE.replace("ADDRESS", address)})
        dvc("init", "-q")
        dvc("import-url", "-q", f"{address}/d.txt", "imported.txt")
        commit(repo)
        stock = shutil.copytree(repo.folder, tmp_path / "stock")
        dvc("repro", "-P", cwd=stock)
        told = mlgit("run", "--", "dvc", "repro", "-P", cwd=repo.folder)

    found = newest(repo)
    about = runs.provenance(repo, found)["stages"]
    history = runs.history(repo, found)
    for lock in ("dvc.lock", "two/dvc.lock"):
        assert (repo.folder / lock).read_bytes() == (stock / lock).read_bytes()
    assert {name for name, what in did(repo, found).items() if what == "unchanged"} == {"frozen"}
    assert "frozen. Its dependencies are not going to be reproduced" in told.stderr
    assert found.params == {
        "sizes": [1, 2], "depth": 3, "opt.name": "adam", "width": 4, "BATCH": 32, "Net.layers": 2, "kind": "all",
    }  # fmt: skip
    assert found.scalars == {
        "a.b": 1, "acc": 0.5, "sub.x": 2, "tiny": 0.001, "bare": 0.25, "topmost": 4,
        "loss": 0.5, "speed": 7, "listed": 1.5, "nested": 2, "top": 9,
    }  # fmt: skip
    assert (list(history["loss"].steps), list(history["top"].steps)) == ([0, 3], [2])
    assert {name: one.get("kind", one["_type"]) for name, one in found.objects.items()} == {
        "roc.csv": "line", "guesses.csv": "confusion_matrix", "headless.csv": "table-file", "one.png": "image-file",
        "one.svg": "html-file", "pictures": "images/separated",
    }  # fmt: skip
    assert found.objects["pictures"]["captions"] == ["a.jpg", "deep/b.png"]
    assert "broken.png was not taken" in told.stderr
    assert about["far"]["urls"] == {f"{address}/d.txt": '"first"'}
    assert found.data.keys() == {"imported.txt", "frozen.txt"}
    assert (repo.folder / "kept.txt").read_text() == "first\nmore\n", "an output that persists was taken away"


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ("stages:\n  a:\n    cmd: [x\n", "dvc.yaml:4: expected ',' or ']'"),
        ("stages:\n  a:\n    cmd: echo\n    outputs: [x]\n", "dvc.yaml:4: stages.a.outputs: extra keys not allowed"),
        ("stages:\n  a: {cmd: 'echo ${none}'}\n", "Could not find 'none'"),
        ("stages:\n  a: {cmd: echo, outs: [x]}\n  b: {cmd: echo, outs: [x]}\n", "output 'x' is specified in"),
        ("stages:\n  a: {cmd: echo, outs: [x], deps: [x]}\n", "both a dependency and an output"),
    ],
)
def test_a_dvc_yaml_that_cannot_be_read_leaves_no_run(project: Repo, run: Script, document: str, complaint: str):
    write(project, {"dvc.yaml": document})

    done = run(check=False)

    assert done.returncode == 2
    assert complaint in done.stderr
    assert "mlgit: run " not in done.stderr
    assert not query.search(project).runs
    assert not live.folders(project)


def test_a_lock_with_two_sides_of_a_merge_and_options_that_are_none_leave_no_run(project: Repo, run: Script):
    conflict = '<<<<<<< HEAD\nschema: "2.0"\n=======\nschema: "2.0"\n>>>>>>> other\n'
    options = run("--", "dvc", "repro", "--nonsense", check=False)
    dry = run("--", "dvc", "repro", "--dry", check=False)
    write(project, {"dvc.lock": conflict})
    merged = run(check=False)
    asked = run("--dry-run", check=False)
    write(project, {"dvc.lock": 'schema: "2.0"\n'})
    run("-s", "prepare")

    assert "dvc.lock:2: " in merged.stderr
    assert asked.stderr == merged.stderr
    assert "git checkout --ours dvc.lock" in merged.stderr
    assert "unrecognized arguments: --nonsense" in options.stderr
    assert "mlgit run --dry-run" in dry.stderr
    assert [done.returncode for done in (options, dry, merged, asked)] == [2, 2, 2, 2]
    assert [did(project, one) for one in query.search(project).runs] == [{"prepare": "ran"}]
