"""A run in a real kernel, cell by cell."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from mlgit.core.run import State
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import runs
from tests.conftest import need


def execute(repo: Repo, *cells: str) -> list[str]:
    """What the *cells* show, each as HTML or text, run in a kernel of their own that is then shut down."""
    need("ipykernel", all(importlib.util.find_spec(name) for name in ("ipykernel", "nbclient")))
    import nbclient
    import nbformat

    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = nbclient.NotebookClient(
        book, timeout=60, kernel_name="python3", allow_errors=True,
        resources={"metadata": {"path": str(repo.folder)}},
    )  # fmt: skip
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


@pytest.mark.filterwarnings("ignore")
def test_a_notebook_makes_runs_cell_by_cell(repo: Repo, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MLGIT_NOTEBOOK_NAME", "train.ipynb")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
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
