"""`mlgit run`: any command, in any language, as a run."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mlgit.core.compare import flatten
from mlgit.core.run import Run, State
from mlgit.errors import ConfigError, MlgitError, UsageError
from mlgit.store import borrow, live, recover, result
from mlgit.store.place import Place
from mlgit.tracking import files
from mlgit.tracking.begin import begin, notify
from mlgit.tracking.options import RunOptions
from mlgit.tracking.session import FIXED, GIVEN, JOIN, LOOSE, names_of
from mlgit.tracking.wish import Wish

_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.]*)\}")


@dataclass(frozen=True, kw_only=True)
class Command:
    """What to run, and with what."""

    words: Sequence[str]
    params: Mapping[str, Any]
    """Given on the command line, dotted keys; they stand against the script's own."""
    metrics: Sequence[str] = ()
    """Metrics files, beside those that mlgit.yaml names."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables that it finds in its environment, whatever ours says."""


@dataclass(frozen=True)
class Ended:
    """How it went: the run, now a branch, and the command's exit code."""

    run: Run
    exit_code: int


def run(home: Place, wish: Wish, command: Command, folder: Path) -> Ended:
    """Run *command* in *folder* as one run, and make it a branch.

    Params reach the program three ways: in the project's params file, put in for the time of the run; in the
    environment (`MLGIT_PARAM_<name>`, `MLGIT_PARAMS` as JSON, `MLGIT_PARAMS_FILE`); and as `{name}` in the command.
    Metrics come from `mlgit.log()` in the program, or from metrics files that it writes.
    """
    options = home.settings.section("run", RunOptions)
    file = home.settings.folder / options.params if options.params else None
    outer = os.environ.get(JOIN, "")
    borrowed = bool(file and live.is_id(outer) and borrow.holds(live.folder_of(home.repo, outer), file))
    if borrowed and command.params:
        raise UsageError(
            f"{options.params} is held by the run {outer}, inside of which this one would run.",
            why="Each of the two puts its own params into it.", fix="give -p to one of them only",
        )  # fmt: skip
    with files.held(None if borrowed else file, alone=bool(command.params), notify=notify) as release:
        recover.recover_all(home.repo, notify)  # one that was killed may have borrowed the params file
        nested = files.read_params(file) if file else {}
        known, params = flatten(nested), _merged(nested, command.params)
        about = {"metrics_files": list(command.metrics)}
        opened = begin(home, replace(wish, given=tuple(command.params)), params, command.words, folder, about)
        record = live.read(opened.folder).run
        notify(f"run {record.name} of {record.project}")
        given = opened.folder / "given.json"
        given.write_text(json.dumps(params, default=str))
        words = [_filled(word, flatten(params) | {"params_file": given}) for word in command.words]
        env = _environment(record, params, opened, wish, command, nested)
        in_file = {key: value for key, value in command.params.items() if key in known and known[key] != value}
        wanted = [home.settings.folder / name for name in options.metrics] + [folder / name for name in command.metrics]
        before = [_mark(path) for path in wanted]
        if not in_file:
            release()
        with files.params_in_place(file or Path(), in_file, opened.folder, notify):
            exit_code, ended_by = _execute(words, folder, env, opened.output)
    for path, mark in zip(wanted, before, strict=True):
        _take_metrics(opened, path, mark, record)
    state = State.PREEMPTED if ended_by == signal.SIGTERM else State.FAILED if exit_code else State.FINISHED
    return Ended(_ended(home, opened, state, exit_code), exit_code)


def _ended(home: Place, opened: live.Live, state: State, exit_code: int) -> Run:
    """The run of *opened*, now a branch; still without a commit where git or the disk refuses, which is said."""
    about: dict[str, Any] = {"state": state.value, "time": time.time()}
    try:
        opened.event(end=about | ({"exit_code": exit_code} if exit_code else {}))
        return result.record(home.repo, opened.folder)
    except (MlgitError, OSError) as exc:
        notify(f"the run is not a branch yet: {exc}\nIt is kept in {opened.folder}.")
        return replace(live.read(opened.folder).run, state=state)
    finally:
        opened.close()


def _merged(nested: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """*nested* with the dotted keys of *given* put where they belong; a key that is new stays as it was written."""
    merged: dict[str, Any] = json.loads(json.dumps(nested))
    for key, value in given.items():
        *folders, last = key.split(".")
        place: Any = merged
        for name in folders:
            place = place.get(name) if isinstance(place, dict) else None
        if isinstance(place, dict):
            place[last] = value
        else:
            merged[key] = value
    return merged


def _filled(word: str, params: Mapping[str, Any]) -> str:
    """*word* with `{name}` replaced for every param of that name; other braces are the program's own."""
    return _PLACEHOLDER.sub(lambda found: _text(params[found[1]]) if found[1] in params else found[0], word)


def _text(value: Any) -> str:
    if isinstance(value, bool) or value is None or isinstance(value, list | dict):
        return json.dumps(value)
    return str(value)


def _environment(
    record: Run, params: Mapping[str, Any], opened: live.Live, wish: Wish, command: Command, nested: Mapping[str, Any]
) -> dict[str, str]:
    given = [key for key in ("name", "project", "group", "job_type", "notes", "tags") if getattr(wish, key)]
    own = {
        JOIN: record.id,
        FIXED: "\n".join(sorted(names_of(nested) | command.params.keys())),
        GIVEN: ",".join(given),
        LOOSE: "\n".join(_loose(command, nested)),
        "MLGIT_PARAMS": json.dumps(params, default=str),
        "MLGIT_PARAMS_FILE": str(opened.folder / "given.json"),
    }
    own |= {f"MLGIT_PARAM_{re.sub(r'[^A-Za-z0-9_]', '_', k)}": _text(v) for k, v in flatten(params).items()}
    return {"PYTHONUNBUFFERED": "1"} | dict(os.environ) | own | dict(command.env)


def _loose(command: Command, nested: Mapping[str, Any]) -> list[str]:
    """The params given that neither the params file has nor the command names: they are for a script that asks."""
    line = " ".join(command.words)
    known = flatten(nested)
    named = "{params_file}" in line
    return [
        key for key in command.params
        if not named and key not in known and not re.search(rf"(?<!\w){re.escape(key)}(?!\w)", line)
    ]  # fmt: skip


def _execute(words: Sequence[str], folder: Path, env: Mapping[str, str], output: int) -> tuple[int, int | None]:
    """Run *words*, what they print copied to *output*; return (exit code, the signal that we were ended by).

    SIGINT and SIGTERM that reach us are passed on, and the end is waited for, so that the run can still be recorded.
    """
    terminal = sys.stdout.isatty()
    master, slave = os.openpty() if terminal else (-1, -1)
    try:
        child = subprocess.Popen(
            list(words), cwd=folder, env=env,
            stdout=slave if terminal else subprocess.PIPE, stderr=slave if terminal else subprocess.PIPE,
        )  # fmt: skip
    except (OSError, ValueError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else str(exc)
        if terminal:
            os.close(master)
        notify(f"{words[0]!r} cannot be run: {why}")
        os.write(output, f"{words[0]}: {why}\n".encode("utf-8", "replace"))
        return (127 if isinstance(exc, FileNotFoundError) else 126), None
    finally:
        if terminal:
            os.close(slave)
    ended_by: list[int] = []

    def pass_on(number: int, _frame: object) -> None:
        ended_by.append(number)
        if number != signal.SIGINT or not _terminal_tells_both():
            child.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        if terminal:
            _copy(master, 1, output)
        else:
            assert child.stdout
            assert child.stderr
            second = threading.Thread(target=_copy, args=(child.stderr.fileno(), 2, output), daemon=True)
            second.start()
            _copy(child.stdout.fileno(), 1, output)
            second.join()
        code = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if terminal:
            os.close(master)
    return (128 - code if code < 0 else code), (ended_by[0] if ended_by else None)


def _terminal_tells_both() -> bool:
    """Whether Ctrl-C reaches the command by itself: the terminal sends it to all of its foreground group."""
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False


def _copy(source: int, *targets: int) -> None:
    """Everything that *source* gives, to each of *targets*; one that is full or gone does not stop the others."""
    working = list(targets)
    while True:
        try:
            chunk = os.read(source, 65536)
        except OSError:  # a pseudo-terminal says so that its last writer has gone
            return
        if not chunk:
            return
        for target in list(working):
            try:
                os.write(target, chunk)
            except OSError:
                working.remove(target)


def _mark(path: Path) -> tuple[int, ...] | None:
    """What changes when somebody writes *path*; None where there is no such file."""
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_size, about.st_ino


def _take_metrics(opened: live.Live, path: Path, before: tuple[int, ...] | None, record: Run) -> None:
    """The metrics file *path* into the run's history; one that the program did not write is said, not taken."""
    try:
        if (mark := _mark(path)) is None or mark == before:
            there = "is as it was before the run" if mark else "does not exist"
            notify(f"{path.name} {there}: the program wrote no metrics")
            return
        for number, (step, row) in enumerate(files.read_metrics(path)):
            moment = time.time()
            line = {
                "_step": number if step is None else step,
                "_runtime": moment - record.created,
                "_timestamp": moment,
            }
            os.write(opened.history, f"{json.dumps(row | line)}\n".encode())
    except (ConfigError, OSError) as exc:
        notify(f"the metrics file {path.name} was not taken: {exc}")
