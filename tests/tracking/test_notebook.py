"""A run in a real kernel, cell by cell."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mlgit.core.run import Run, State
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.public import files
from mlgit.store import recover, runs
from tests.conftest import need

pytestmark = pytest.mark.filterwarnings("ignore")  # of Jupyter's own sockets


@pytest.fixture(autouse=True)
def path(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel finds this mlgit."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))


def execute(repo: Repo, *cells: str, allow_errors: bool = True, connection: str = "") -> list[str]:
    """What the *cells* show, each as HTML or text, run in a kernel of their own that is then shut down.

    *connection* is the file that tells of the kernel.
    """
    need("ipykernel", all(importlib.util.find_spec(name) for name in ("ipykernel", "nbclient")))
    import nbclient
    import nbformat

    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = nbclient.NotebookClient(
        book, timeout=60, kernel_name="python3", allow_errors=allow_errors,
        resources={"metadata": {"path": str(repo.folder)}},
    )  # fmt: skip
    if connection:
        client.create_kernel_manager().connection_file = connection
    client.execute()
    return [
        "".join(
            output.get("data", {}).get("text/html", "")
            or output.get("text", "")
            or "\n".join(output.get("traceback", []))
            for output in cell.outputs
        )
        for cell in book.cells
    ]


def test_a_notebook_makes_runs_cell_by_cell(repo: Repo, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MLGIT_NOTEBOOK_NAME", "train.ipynb")
    shown = execute(
        repo,
        "import mlgit\nrun = mlgit.init(name='first <b>', config={'lr': 0.1})",
        "mlgit.log({'loss': 0.5})\nprint('in a cell')",
        "raise ValueError('oh')",
        "mlgit.log({'loss': 0.25})\nmlgit.run",
        "run = mlgit.init(name='second')",
        "mlgit.log({'loss': 1.0})",
    )
    found = {run.name: run for run in query.runs(repo)}

    assert "first &lt;b&gt;" in shown[3]
    assert "0.25" in shown[3]
    assert "running" in shown[3]
    assert "finished" in shown[4]
    assert (found["first <b>"].state, dict(found["first <b>"].metrics)) == (State.FINISHED, {"loss": 0.25})
    assert (found["second"].state, dict(found["second"].metrics)) == (State.FINISHED, {"loss": 1.0})
    assert runs.provenance(repo, found["second"])["command"] == ["jupyter", "execute", "train.ipynb"]
    assert "in a cell" in runs.output(repo, found["first <b>"])


def command(repo: Repo, *cells: str, connection: str = "") -> tuple[object, str]:
    """(how the run of these *cells* is run again, what they show)."""
    shown = execute(repo, *cells, "import mlgit\nmlgit.init().finish()", connection=connection)
    [run] = query.runs(repo)
    return runs.provenance(repo, run).get("command"), "".join(shown)


def test_a_notebook_without_a_name_gets_none_that_is_invented(repo: Repo, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("JPY_SESSION_NAME", str(repo.folder / "renamed-since.ipynb"))
    found, shown = command(repo)

    assert found is None
    assert "MLGIT_NOTEBOOK_NAME" in shown


@pytest.mark.parametrize("teller", ["WANDB_NOTEBOOK_NAME", "JPY_SESSION_NAME", "vscode"])
def test_a_notebook_is_called_as_its_editor_says(repo: Repo, monkeypatch: pytest.MonkeyPatch, teller: str):
    path = repo.folder / "train.ipynb"
    path.write_text("{}")
    if teller != "vscode":
        monkeypatch.setenv(teller, str(path))
    found, shown = command(repo, f"__vsc_ipynb_file__ = {str(path)!r}" if teller == "vscode" else "")
    [run] = query.runs(repo)

    assert found == ["jupyter", "execute", "train.ipynb"]
    assert runs.provenance(repo, run)["program"] == "train.ipynb"
    assert "MLGIT_NOTEBOOK_NAME" not in shown


def test_a_notebook_that_was_renamed_is_called_as_its_server_says(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("JPY_SESSION_NAME", str(repo.folder / "Untitled.ipynb"))
    tokens = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            tokens.append(self.headers["Authorization"])
            sessions = [
                {"kernel": {"id": kernel}, "type": "notebook", "path": f"{kernel}.ipynb"}
                for kernel in ("another", "renamed")
            ]
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(sessions).encode())

        def log_message(self, *words: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever).start()
        (tmp_path / "jpserver-1.json").write_text("torn {")
        (tmp_path / "jpserver-2.json").write_text('{"url": "http://127.0.0.1:9/"}')
        (tmp_path / "jpserver-3.json").write_text(
            json.dumps({"url": f"http://127.0.0.1:{server.server_port}/", "token": "abc", "root_dir": str(repo.folder)})
        )
        found, _ = command(repo, connection=str(tmp_path / "kernel-renamed.json"))
        server.shutdown()

    assert found == ["jupyter", "execute", "renamed.ipynb"]
    assert tokens == ["token abc"]


def sources(repo: Repo, run: Run) -> list[str]:
    """The cells that are kept with *run*."""
    import nbformat

    book = nbformat.reads(files.of_run(repo, run)["code/_session_history.ipynb"].content().decode(), as_version=4)
    nbformat.validate(book)
    return [cell.source for cell in book.cells]


def test_the_cells_that_were_executed_go_with_the_run(repo: Repo):
    token = f"hf_{'x' * 34}"
    cells = ("import mlgit", "mlgit.init(name='first')", f"key = '{token}'", "mlgit.init(name='second').finish()")
    execute(repo, *cells, "'not with it'")
    found = {run.name: run for run in query.runs(repo)}

    assert sources(repo, found["first"]) == [*cells[:2], "key = '***'", cells[3]]
    assert sources(repo, found["second"]) == sources(repo, found["first"])


def test_the_cells_of_a_kernel_that_is_killed_are_kept(repo: Repo):
    cells = ("import mlgit, os", "run = mlgit.init()", "1 + 1", "os.kill(os.getpid(), 9)")
    with pytest.raises(Exception, match=r"[Kk]ernel died"):
        execute(repo, *cells)
    recover.recover_all(repo, lambda text: None)
    [run] = query.runs(repo)

    assert run.state == State.CRASHED
    assert sources(repo, run) == [*cells]


def test_of_very_many_cells_the_last_are_kept_and_without_save_code_none(repo: Repo):
    (repo.folder / "mlgit.yaml").write_text("project: digits\nrun:\n  snapshot:\n    max_file_mb: 0.0001\n")
    execute(
        repo, "import mlgit", f"'{'x' * 100}'", "mlgit.init(name='short').finish()",
        "mlgit.init(name='none', save_code=False).finish()",
    )  # fmt: skip
    found = {run.name: run for run in query.runs(repo)}

    assert sources(repo, found["short"]) == ["mlgit.init(name='short').finish()"]
    assert not [name for name in files.of_run(repo, found["none"]) if name.startswith("code/")]


@pytest.mark.parametrize(
    ("cell", "state", "error"),
    [
        ("raise ValueError('oh')", State.FAILED, "ValueError: oh"),
        ("raise KeyboardInterrupt", State.CRASHED, "KeyboardInterrupt"),
        ("import sys; sys.exit(3)", State.FAILED, ""),
        ("1 +", State.FAILED, "SyntaxError"),
        ("%%mlgit\nraise ValueError('oh')", State.FAILED, "ValueError: oh"),
    ],
)
def test_a_kernel_that_ends_after_a_cell_that_failed_ends_the_run_so(repo: Repo, cell: str, state: State, error: str):
    execute(repo, "import mlgit; run = mlgit.init()", cell)
    [run] = query.runs(repo)

    assert run.state == state
    assert error in runs.provenance(repo, run).get("error", "")


def test_what_failed_in_a_notebook_and_then_did_not_is_forgotten(repo: Repo):
    execute(repo, "import mlgit; run = mlgit.init()", "import sys; sys.exit(3)", "1 / 0", "1 / 1")
    [run] = query.runs(repo)

    assert run.state == State.FINISHED


def test_loggers_of_earlier_cells_child_processes_and_c_code_are_in_the_log(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
):  # fmt: skip
    monkeypatch.delenv("PYTEST_CURRENT_TEST")  # where it is set, ipykernel does not look at what C code writes
    execute(
        repo,
        "import logging, os, sys, mlgit\nlogging.basicConfig(stream=sys.stdout)",
        "run = mlgit.init()\nlogging.warning('logged')",
        "os.system('echo of a child')\nos.write(1, b'of C code\\n')",
        "end = __import__('time').time() + 30\nlog = os.path.join(run.sync_dir, 'output.log')\n"
        "while 'of C code' not in open(log).read() and __import__('time').time() < end:\n    pass",
        "run.finish()",
    )
    [run] = query.runs(repo)
    kept = runs.output(repo, run)

    assert [text for text in ("WARNING:root:logged", "of a child", "of C code") if text not in kept] == []


def test_a_magic_shows_the_run_of_its_cell_while_it_works_and_one_that_is_named(repo: Repo):
    shown = execute(
        repo,
        "import mlgit as wandb",
        "%wandb",
        "%%wandb -h 1024\nwith wandb.init(name='first', id='first1') as run:\n    run.log({'loss': 0.5})",
        "%mlgit first1",
        "run = wandb.init(name='second')\nwandb.log({'loss': 0.25})",
        "%wandb\nprint('and more')",
        "%%mlgit\n1 / 0",
        "%wandb nobody",
    )

    assert "There is no run" in shown[1]
    assert shown[2].count("first</b>") == 1
    assert "finished" in shown[2]
    assert "0.5" in shown[3]
    assert "second</b>" in shown[5]
    assert "0.25" in shown[5]
    assert "and more" in shown[5]
    assert "second</b>" in shown[6]
    assert shown[6].count("Traceback") == 1
    assert "nobody" in shown[7]
    assert "Traceback" not in shown[7]


def test_a_card_is_brought_up_to_date_while_its_cell_works(repo: Repo):
    shown = execute(
        repo,
        "import mlgit\nfrom mlgit.public import notebook",
        "%%mlgit\nimport time\nrun = mlgit.init()\nend = time.time() + 60\n"
        "while not notebook.cards and time.time() < end:\n    time.sleep(0.05)\n"
        "print('shown' if notebook.cards else 'not shown')\nrun.log({'loss': 0.125})",
    )

    assert "shown" in shown[1]
    assert "not shown" not in shown[1]
    assert "0.125" in shown[1]
    assert shown[1].count("running") == 1


def test_an_error_in_the_cell_of_a_magic_stops_the_notebook(repo: Repo):

    with pytest.raises(Exception, match="division by zero"):
        execute(repo, "import mlgit", "%%mlgit\n1 / 0", allow_errors=False)


def test_without_ipython_no_magic_is_loaded():
    code = "import sys, mlgit; print([name for name in ('IPython', 'mlgit.tracking.magics') if name in sys.modules])"

    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"
