"""Recording a large run in a process of its own.

What a million rows need in memory is not the training's, and what brings bytes into DVC's cache starts threads, which
a process that is just ending cannot do any more.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from mlgit import errors
from mlgit.core.run import Run
from mlgit.errors import GitError, MlgitError
from mlgit.git.repo import Repo
from mlgit.store import records

MOST_BYTES = 16 << 20
"""Of a live folder's history, read in the process that asks: some hundred thousand rows."""
_CODE = """
import json, sys
told = json.load(sys.stdin)
sys.path += told["path"]
from mlgit.store import apart, result
apart.main(told, result.record_here)
"""
_MOST_METRICS = 100
"""Numbers that a person is told of a run with very many."""


def is_called_for(folder: Path) -> bool:
    """Whether the live *folder* says so much that reading it here would show."""
    return is_possible() and any(_size(folder / name) > MOST_BYTES for name in ("history.jsonl", "system.jsonl"))


def is_possible() -> bool:
    """Whether a Python can be started as this one was; a program that embeds Python would start itself again."""
    return bool(sys.executable) and "python" in Path(sys.executable).name.lower() and not hasattr(sys, "frozen")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def record(repo: Repo, folder: Path, locks: Sequence[int]) -> Run:
    """`result.record` in a process of its own. Raises what it raises; `GitError` where the process dies.

    Should this process die meanwhile, the other still has its *locks*, and nobody else begins to record the run.
    """
    told = json.dumps({"path": [place for place in sys.path if place], "repo": str(repo.folder), "folder": str(folder)})
    words = (sys.executable, "-P", "-c", _CODE)
    done = subprocess.run(
        words, input=told, capture_output=True, text=True, cwd=repo.folder, pass_fds=locks, check=False
    )
    try:
        answer = json.loads(done.stdout.rpartition("\n")[2])
        run = None if "error" in answer else records.run_of(records.decode(answer["run"]))
    except (ValueError, KeyError, TypeError):
        answer, run = {}, None
    if "error" in answer:
        raise _raised(answer["error"])
    if run is None:
        why = done.stderr[-2000:].strip() or f"It ended with code {done.returncode}."
        raise GitError("The process that records the run died.", why=why, fix="mlgit recover tries again")
    return replace(run, ref=answer["ref"], commit=answer["commit"])


def _raised(error: dict[str, str]) -> MlgitError:
    kind = getattr(errors, error["kind"], GitError)
    found: MlgitError = kind(error["what"], why=error["why"], fix=error["fix"])
    return found


def main(told: dict[str, str], record_here: Callable[[Repo, Path], Run]) -> None:
    """What the process does: record the run, and say on the last line of its standard output what came of it."""
    answer: dict[str, object]
    try:
        repo = Repo.find(Path(told["repo"]))
        if repo is None:
            raise GitError(f"{told['repo']} is no repository any more.")
        run = record_here(repo, Path(told["folder"]))
        answer = {"run": records.line(_short(run)), "ref": run.ref, "commit": run.commit}
    except MlgitError as exc:
        answer = {"error": {"kind": type(exc).__name__, "what": exc.what, "why": exc.why, "fix": exc.fix}}
    except OSError as exc:
        answer = {"error": {"kind": "GitError", "what": "The run could not be recorded.", "why": str(exc), "fix": ""}}
    sys.stdout.write(f"\n{json.dumps(answer)}")


def _short(run: Run) -> Run:
    """*run* with as many metrics as a person is told of."""
    if len(run.metrics) <= _MOST_METRICS:
        return run
    return replace(run, metrics=dict(list(run.metrics.items())[:_MOST_METRICS]))
