"""What the log of a job, and the page of its step, show of runs while they are under way.

The log is live. A step's page is shown by GitHub once its job has ended, however that was: so it is written anew at
each look, and what is cut off leaves the last one. Looking takes no more than a hundredth of a run's time.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mlgit import whole
from mlgit.ci import progress
from mlgit.ci.progress import Curve, Stand
from mlgit.core import history
from mlgit.core.compare import Goal
from mlgit.core.history import Series
from mlgit.core.run import Run
from mlgit.errors import MlgitError
from mlgit.git.repo import Repo
from mlgit.store import live, own, rows, runs, telling
from mlgit.store.following import Tail

VARIABLE = "GITHUB_STEP_SUMMARY"
TOLD = "MLGIT_TOLD"
"""The run that somebody around it tells of already."""
_MOST_BYTES = 1 << 20
"""GitHub takes no more of one step, and nothing of what is longer."""
_TOO_LONG = "What the program wrote here itself is left out, for GitHub takes no more than 1 MiB of a step."
_SHARE = 100
_PATIENCE, _BLINK = 5.0, 0.2
"""Seconds that a line which a program has begun is waited for, and between two looks for its end."""


def of_step() -> Path | None:
    """Where GitHub looks for what it shows of the step that we are in; None outside of one.

    None as well for a device, a pipe or a link (`/dev/stdout`, by who tries a workflow at hand): it could not be read
    back, and another file in its place would be its end.
    """
    if not (name := os.environ.get(VARIABLE)):
        return None
    path = Path(name)
    is_another = path.is_symlink() or (path.exists() and not path.is_file())
    return None if is_another else path


@dataclass
class Page:
    """The runs of one step, one after the other. Others may write to the page, too: what they say stays."""

    repo: Repo
    tell: Callable[[str], None]
    """Takes lines for the log."""
    goals: Mapping[str, Goal]
    seconds: float
    """Between two looks; 0 for none but the last."""
    summary: Path | None
    """What GitHub shows of the step."""
    _ours: str = ""
    """What stands there of the run under way."""
    _own: str = ""
    """What its program has written there itself."""

    @contextlib.contextmanager
    def beside(self, run_id: str, title: str, *, most_seconds: float | None = None) -> Iterator[Mapping[str, str]]:
        """Look at the run of this id meanwhile; what its process finds in the environment besides.

        Its program adds to a file of its own, so that nothing of it is lost while the page is written anew.
        """
        with tempfile.TemporaryDirectory(prefix="mlgit-") as folder:
            page = Path(folder) / "summary.md"
            page.touch()
            sight = _Sight(repo=self.repo, folder=live.folder_of(self.repo, run_id), most_seconds=most_seconds)
            stop = threading.Event()
            watcher = threading.Thread(target=self._watch, args=(sight, title, page, stop), daemon=True)
            if self.seconds:
                watcher.start()
            try:
                yield {TOLD: run_id} | ({VARIABLE: str(page)} if self.summary else {})
            finally:
                stop.set()
                if self.seconds:
                    watcher.join()
                self._own = _text(page)

    def ended(self, title: str, run: Run | None, *, seconds: float) -> None:
        """Tell how a run stands at its end; None where it has come to none."""
        if run:
            curves = progress.curves(runs.history(self.repo, run))
            stand = Stand(title=title, run=run, curves=curves, goals=self.goals, seconds=seconds, is_over=True)
            self.tell(progress.lines(stand))
            self._show(stand)
        elif self._own and not self._ours:
            self._write([self._own])
        self._ours = self._own = ""

    def _watch(self, sight: _Sight, title: str, page: Path, stop: threading.Event) -> None:
        pause = self.seconds
        while not stop.wait(pause):
            before = time.thread_time()
            if sight.look():
                amid = _is_amid_a_line(sight.folder / "output.log", stop)
                sight.look()  # that may have taken a while
                stand = sight.stand(title, self.goals)
                self._own = _text(page)
                self._show(stand)
                self.tell(("\n" if amid else "") + progress.lines(stand))
            pause = max(self.seconds, (time.thread_time() - before) * _SHARE)

    def _show(self, stand: Stand) -> None:
        full, brief = progress.markdown(stand), progress.markdown(stand, with_charts=False)
        self._write([f"{full}\n{self._own}", f"{brief}\n{self._own}", f"{brief}\n{_TOO_LONG}\n"])

    def _write(self, choices: Sequence[str]) -> None:
        """Let the first of *choices* that there is room for be there in place of what is ours; half is for charts."""
        if self.summary is None:
            return
        with _alone(self.summary.parent):
            there = _text(self.summary)
            others = there.replace(self._ours, "", 1) if self._ours else there
            for at, new in enumerate(choices):
                room = _MOST_BYTES if at else _MOST_BYTES // 2
                if len(others.encode()) + len(new.encode()) < room:
                    break
            else:
                return
            has_ours = bool(self._ours) and self._ours in there
            gap = "\n\n" if there.strip("\n") else ""
            text = there.replace(self._ours, new, 1) if has_ours else f"{there}{gap}{new}"
            try:
                with whole.at(self.summary) as scratch:
                    scratch.write_text(text, encoding="utf-8")
            except OSError as exc:
                self.tell(f"the summary of this step cannot be written: {exc.strerror}")
                self.summary = None
        self._ours = new


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """While others who ask for the same wait; where a folder can be locked."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            handle = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, handle)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@dataclass
class _Sight:
    """A run under way, as it was when it was last looked at."""

    repo: Repo
    folder: Path
    most_seconds: float | None
    began: float = field(default_factory=time.monotonic)
    curves: dict[str, Curve] = field(default_factory=dict)
    run: Run = field(default_factory=lambda: Run(id="", name="", project=""))
    speed: float | None = None
    _has_begun: bool = False
    _before: tuple[int, float] | None = None
    """The last step that was seen, and when that was logged."""

    def __post_init__(self) -> None:
        self._tail = Tail(self.folder / "history.jsonl")

    def look(self) -> bool:
        """Take in what it has said since; whether that was anything."""
        told, is_new = rows.Rows(), False
        for block in self._tail.more():
            told.take(rows.parsed(block))
            is_new = True
        if is_new and not self._has_begun:
            self._has_begun = True
            self._go_on()
        series = told.series()
        for name, one in series.items():
            self.curves.setdefault(name, Curve()).add(one)
        if longest := max(series.values(), key=len, default=None):
            self._clock(longest)
        metrics: dict[str, Any] = {**self.run.metrics, **told.last}
        kept = {name: value for name, value in metrics.items() if name not in told.gone or name in told.last}
        self.run = replace(self.run, metrics=kept, rules={**self.run.rules, **told.rules})
        return is_new

    def _go_on(self) -> None:
        """Take in what was recorded before of a run that goes on: its best value may be of then."""
        with contextlib.suppress(OSError, MlgitError):  # it has just ended
            before = own.before(telling.begin(self.folder))
            earlier = runs.read(self.repo, before.commit) if before else None
            if not before or not earlier:
                return
            kept: dict[str, Series] = dict(runs.history(self.repo, earlier))
            if before.how != "resume":
                step = -1 if before.step is None else before.step
                cut = {name: history.until(one, step) for name, one in kept.items()}
                kept = {name: one for name, one in cut.items() if len(one)}
            last = {name: one.values[-1] for name, one in kept.items()}
            metrics = dict(earlier.metrics) if before.how == "resume" else last
            self.curves, self.run = progress.curves(kept), replace(self.run, metrics=metrics, rules=earlier.rules)

    def _clock(self, series: Series) -> None:
        """Take the speed since the last look, of a run that logs once in many, too."""
        step, moment = self._before or (series.steps[0], series.timestamps[0])
        if (passed := series.timestamps[-1] - moment) > 0:
            self.speed = (series.steps[-1] - step) / passed
        self._before = series.steps[-1], series.timestamps[-1]

    def stand(self, title: str, goals: Mapping[str, Goal]) -> Stand:
        """How it stands."""
        return Stand(
            title=title, run=self.run, curves=self.curves, goals=goals, seconds=time.monotonic() - self.began,
            most_seconds=self.most_seconds, speed=self.speed,
        )  # fmt: skip


def _is_amid_a_line(log: Path, stop: threading.Event) -> bool:
    """Whether what the run has printed ends within a line, and goes on to for some seconds."""
    deadline = time.monotonic() + _PATIENCE
    while (is_amid := _last_byte(log) not in (b"", b"\n", b"\r")) and time.monotonic() < deadline:
        if stop.wait(_BLINK):
            break
    return is_amid


def _last_byte(path: Path) -> bytes:
    with contextlib.suppress(OSError), path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1)
    return b""


def _text(path: Path | None) -> str:
    """What stands in the file; nothing where there is none."""
    with contextlib.suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace") if path else ""
    return ""
