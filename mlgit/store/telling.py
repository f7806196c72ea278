"""What a run told, read back: a live folder as it stands on disk, or as a branch keeps it.

A finished run and a killed one are read by the same function, so a crash loses nothing that was acknowledged.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO

from mlgit.core import history, refs, summary
from mlgit.core.artifact import ArtifactVersion
from mlgit.core.history import Logged, Series
from mlgit.core.merging import united
from mlgit.core.run import EMPTY, Run, State, in_calendar
from mlgit.core.summary import Fold, Rules
from mlgit.errors import MlgitError
from mlgit.store import records, rows
from mlgit.store.rows import Rows

LOG_BYTES = 1 << 20
"""A console log beyond twice this keeps its first and its last such piece."""
CODE = "code"
"""The folder in a live folder with what belongs to the run's code as it is after the run: what its stages wrote."""
_UNKNOWN = "mlgit run was killed: its script was done with the run, but how the command ended is not known."


@dataclass(frozen=True, kw_only=True)
class Account:
    """All that a run told, by name."""

    run: Run
    provenance: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    """What else `run.yaml` says: command, host, packages."""
    series: Mapping[str, Series] = field(default_factory=lambda: EMPTY)
    """What was logged as numbers."""
    objects: Mapping[str, Sequence[Logged]] = field(default_factory=lambda: EMPTY)
    """What was logged and is no number: texts, lists, and pictures and the like as mappings with a `_type`."""
    system: Mapping[str, Series] = field(default_factory=lambda: EMPTY)
    """What the machine did meanwhile; its steps count the samples."""
    rules: Rules = field(default_factory=lambda: EMPTY)
    """How metrics are to be summed up and drawn, as `define_metric` said."""
    by_hand: frozenset[str] = frozenset()
    """The metrics that were set, not logged, last: no rule speaks of them."""
    gone: frozenset[str] = frozenset()
    """The metrics that were taken away, also where they came again: none of an earlier life stays."""
    output: bytes = b""
    ended: bool = True
    """Whether the run said its own end."""
    left: float | None = None
    """When its script was done with it, though the command that holds it goes on; None while it is not."""
    outcome: State = State.FINISHED
    """How that script says that it went."""
    folder: Path | None = None
    """The live folder that it was read from, with its `media` and `files`."""
    earlier: Run | None = None
    """The run that it goes on from, whose media and files go along."""
    upto: int | None = None
    """The last step that it goes on from, where that was not the end: media of later steps do not go along."""
    is_full: bool = True
    """Whether everything is here; of a branch whose DVC bytes are elsewhere, long series are thinned."""

    def values(self, name: str) -> list[tuple[int, Any]]:
        """(step, value) of all that was logged by this name, numbers and others, in the order of the steps."""
        series = self.series.get(name, Series((), (), (), ()))
        others = ((one.step, one.value) for one in self.objects.get(name, ()))
        return list(heapq.merge(zip(series.steps, series.values, strict=True), others, key=itemgetter(0)))


def begin(folder: Path) -> dict[str, Any]:
    """How a live run began: YAML in its JSON form, which costs no YAML reader. Raises `MlgitError` where damaged."""
    try:
        document: dict[str, Any] = records.decode((folder / "run.yaml").read_bytes())
        records.run_of_document(document)
        return document
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        fix = f"look at {folder}, and remove it if nothing in it matters"
        raise MlgitError(f"{folder / 'run.yaml'} is damaged.", why=str(exc), fix=fix) from None


def read(folder: Path) -> Account:
    """All that the live folder tells, torn last lines left out. Raises `MlgitError` where it is damaged."""
    try:
        return _read(folder)
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        fix = f"look at {folder}, and remove it if nothing in it matters"
        raise MlgitError(f"{folder} is damaged.", why=f"{type(exc).__name__}: {exc}", fix=fix) from exc


def over(folder: Path) -> Account:
    """`read` of a run that nobody holds any more; where its script was only a part of what died, that is its error."""
    account = read(folder)
    if account.left is None or account.ended or account.run.state is not State.CRASHED:
        return account
    return replace(account, provenance={**account.provenance, "error": _UNKNOWN})


def is_pruned(folder: Path) -> bool:
    """Whether the run was told that its sweep ends it, before it had said its own end."""
    left = None
    for event in rows.lines(folder / "events.jsonl"):
        if event.keys() & {"pruned", "end", "went"}:
            return "pruned" in event and left is None
        left = event.get("left", left)
    return False


def _read(folder: Path) -> Account:
    document = begin(folder)
    params = document.pop("params")
    run, provenance = records.run_of_document(document)
    end: dict[str, Any] = {}
    went: dict[str, Any] = {}
    logged: dict[tuple[str, str], ArtifactVersion] = {}
    used: dict[tuple[str, str], ArtifactVersion] = {}
    data: dict[str, str] = {}
    alerts: list[Mapping[str, Any]] = []
    dead, left, pruned = State.CRASHED, None, ""
    for event in rows.lines(folder / "events.jsonl"):
        dead = State.PREEMPTED if event.get("preempting") is True else dead
        params |= event.get("params", {})
        pruned = pruned if end or went or left else event.get("pruned", pruned)
        end |= event.get("end", {})
        left, went = event.get("left", left), event.get("went", went)
        provenance |= event.get("about", {})
        data |= event.get("data", {})
        alerts += event.get("alerts", ())
        run = renamed(run, event.get("set", {}), event.get("was", {}))
        for kind, versions in (("logged", logged), ("used", used)):
            for item in event.get(kind, ()):
                versions[item["name"], item["hash"]] = ArtifactVersion.of(item)
    told = Rows()
    told.read(folder / "history.jsonl")
    changed = _last_change(folder, run.created)
    said = went | end
    finished = end.get("time") or min(told.last_time or changed, changed)  # a script may log any `_timestamp`
    run = replace(
        run, params=params, data=data, logged=tuple(logged.values()), used=tuple(used.values()),
        state=State.PRUNED if pruned else State(said.get("state", dead)),
        finished=in_calendar(max(finished, run.created)),
    )  # fmt: skip
    ending = {"exit_code"} if run.state is State.FINISHED else {"error", "exit_code"}  # one that was caught is none
    provenance |= {"pruned": pruned} if pruned else {key: value for key, value in said.items() if key in ending}
    provenance |= {"alerts": alerts} if alerts else {}
    return replace(
        summed_up(told, run), provenance=provenance, system=_system(folder), output=_output(folder / "output.log"),
        ended=bool(end), left=left, folder=folder,
        outcome=State.PRUNED if pruned else State(went.get("state", "failed" if "error" in provenance else "finished")),
    )  # fmt: skip


def summed_up(told: Rows, run: Run) -> Account:
    """What the lines of a history told of *run*, its metrics among it."""
    account = Account(
        run=run, series=told.series(), objects=told.objects, rules=told.rules, by_hand=frozenset(told.by_hand),
        gone=frozenset(told.gone),
    )  # fmt: skip
    account = _summed(account, told.last)
    given = summary.stepless(account.rules, (*account.series, *account.objects))
    metrics = {name: 0 for name in given if name not in told.last} | dict(account.run.metrics)
    return _synced(replace(account, run=replace(account.run, metrics=metrics)))


def elsewhere(
    run: Run, about: Mapping[str, Any], history: Rows, *, system: Rows, output: bytes, folder: Path
) -> Account:  # fmt: skip
    """What *run*, which was never alive here, told; *about* is what else `run.yaml` is to say.

    *folder* has its `media` and `files`. Raises `TypeError` or `ValueError` for what cannot be written down.
    """
    told, provenance = records.run_of_document(records.decode(records.encode(records.run_document(run, about))))
    run = replace(told, params=records.decode(records.encode(run.params)), logged=run.logged)
    return replace(
        summed_up(history, run), provenance=provenance, system=system.series(), folder=folder,
        output=_both_ends(BytesIO(output), len(output)),
    )  # fmt: skip


def snapshot(folder: Path) -> Run:
    """A live run as it stands, for a listing: one that its script is done with has ended for whoever asks."""
    account = read(folder)
    if account.left is None:
        return replace(account.run, rules=account.rules, state=State.RUNNING, finished=None)
    return replace(account.run, rules=account.rules, state=account.outcome, finished=account.left)


def joined(before: Account, after: Account, *, upto: int | None = None) -> Account:
    """One account of a run that went on: *before* up to and with the step *upto* (all of it, if None), then *after*.

    The run, its provenance and its end are *after*'s; series, objects, system metrics and output are both's, in that
    order. A step that both tell is *after*'s. Metrics are summed up anew over both; those that were set by hand stay,
    and what was only logged beyond *upto* goes. Params and artifacts are *after*'s alone: what a run takes over from
    another, the caller decides.
    """
    cut = before if upto is None else _until(before, upto)
    earlier = before.run.metrics if upto is None else _last_of(before, cut)
    last = {name: value for name, value in earlier.items() if name not in after.gone} | dict(after.run.metrics)
    rules = {**before.rules, **after.rules}
    account = replace(
        after,
        series=_merged(cut.series, after.series, history.joined),
        objects=_merged(cut.objects, after.objects, _one_after_other),
        system=_merged(cut.system, after.system, _resumed),
        rules=rules, by_hand=before.by_hand | after.by_hand, output=before.output + after.output,
        gone=after.gone | _taken_away(before), earlier=before.run, upto=upto, is_full=before.is_full and after.is_full,
    )  # fmt: skip
    return _summed(account, _unruled(account, last))


def _until(account: Account, step: int) -> Account:
    series = {name: history.until(one, step) for name, one in account.series.items()}
    objects = {name: [logged for logged in one if logged.step <= step] for name, one in account.objects.items()}
    runtimes = [one.runtimes[-1] for one in series.values() if len(one)]
    seconds = max([*runtimes, *(one[-1].runtime for one in objects.values() if one)], default=0.0)
    machine = {name: history.within(one, seconds) for name, one in account.system.items()}
    return replace(
        account,
        series={name: one for name, one in series.items() if len(one)},
        objects={name: one for name, one in objects.items() if one},
        system={name: one for name, one in machine.items() if len(one)},
    )


def _last_of(account: Account, cut: Account) -> dict[str, Any]:
    """The metrics of *account* as they were at the step that it is *cut* at."""
    logged = {*account.series, *account.objects}
    kept = {name: value for name, value in account.run.metrics.items() if name in account.by_hand or name not in logged}
    return kept | {name: _last(cut, name) for name in (*cut.series, *cut.objects) if name not in account.by_hand}


def _taken_away(account: Account) -> frozenset[str]:
    """What was logged and is no metric any more, though a rule wants it to be one."""
    ruled = ((name, _rule(account, name)) for name in {**account.series, **account.objects} if account.rules)
    return frozenset(name for name, rule in ruled if rule and "none" not in rule.summary) - account.run.metrics.keys()


def _unruled(account: Account, last: Mapping[str, Any]) -> dict[str, Any]:
    """*last*, with the last logged value in place of what a rule had made of a metric."""
    logged = (name for name in {**account.series, **account.objects} if name in last or name not in account.gone)
    return {**last, **{name: _last(account, name) for name in logged if summary.asks(_rule(account, name))}}


def _last(account: Account, name: str) -> Any:
    series, objects = account.series.get(name), account.objects.get(name)
    if series and (not objects or series.steps[-1] >= objects[-1].step):
        return series.values[-1]
    return objects[-1].value if objects else None


def _merged(before: Mapping[str, Any], after: Mapping[str, Any], join: Any) -> dict[str, Any]:
    both = {name: join(one, after[name]) if name in after else one for name, one in before.items()}
    return both | {name: one for name, one in after.items() if name not in before}


def _one_after_other(before: Sequence[Logged], after: Sequence[Logged]) -> Sequence[Logged]:
    if before and after and before[-1].step == after[0].step:
        before = before[:-1]
    return [*before, *after]


def _resumed(before: Series, after: Series) -> Series:
    """System metrics of a run's lives: the samples are counted on."""
    first = before.steps[-1] + 1 if len(before) else 0
    return history.joined(before, replace(after, steps=range(first, first + len(after))))


def renamed(run: Run, asked: Mapping[str, Any], was: Mapping[str, Any] = EMPTY) -> Run:
    """*run* as its script, or a person, wants it called and filed, who took it to be called and filed as it *was*.

    So tags that one of them puts on stand beside those of the other.
    """
    changes: dict[str, Any] = {key: asked[key] for key in ("name", "group", "job_type", "notes") if key in asked}
    if "tags" in asked:
        tags = tuple(asked["tags"])
        changes["tags"] = united(tuple(was["tags"]), run.tags, tags) if "tags" in was else tags
    changes |= {"project": refs.component(asked["project"], "project")} if "project" in asked else {}
    return replace(run, **changes)


def _summed(account: Account, last: Mapping[str, Any]) -> Account:
    """The account with its run's metrics: the *last* value of each name, or what its rule asks for."""
    metrics: dict[str, Any] = dict(last)
    logged = {*account.series, *account.objects} if account.rules else ()
    for name, value in last.items() if account.rules else ():
        rule = _rule(account, name)
        if rule is None or not summary.asks(rule) or summary.is_object(value):
            continue
        if name not in logged and value is not None:  # nobody logged it: an earlier life had it set
            continue
        del metrics[name]
        if "none" not in rule.summary and (told := _fold(account, name).told(rule, value)):
            metrics[name] = told
    return replace(account, run=replace(account.run, metrics=metrics))


def _rule(account: Account, name: str) -> summary.Rule | None:
    return None if name in account.by_hand else summary.rule_for(account.rules, name)


def _fold(account: Account, name: str) -> Fold:
    fold = Fold()
    if name in account.objects:
        fold.take([value for _, value in account.values(name)])
    elif name in account.series:
        fold.take(account.series[name].values)
    return fold


def _synced(account: Account) -> Account:
    """The account with the step metric of a rule in every row that its metrics are in: its latest value, 0 before."""
    series = dict(account.series)
    for step_metric, names in summary.stepless(account.rules, (*series, *account.objects)).items():
        own = series.get(step_metric, Series((), (), (), ()))
        steps, known = set(own.steps), {id(own.steps)}
        lacking: dict[int, tuple[float, float]] = {}
        for name in names:
            if (one := series.get(name)) and id(one.steps) not in known:
                known.add(id(one.steps))
                times = zip(one.steps, zip(one.runtimes, one.timestamps, strict=True), strict=True)
                lacking |= {step: at for step, at in times if step not in steps}
            for logged in account.objects.get(name, ()):
                if logged.step not in steps:
                    lacking[logged.step] = logged.runtime, logged.timestamp
        if lacking:
            series[step_metric] = _filled(own, lacking)
    return replace(account, series=series)


def _filled(series: Series, lacking: Mapping[int, tuple[float, float]]) -> Series:
    told = zip(series.steps, series.runtimes, series.timestamps, series.values, strict=True)
    filled: list[tuple[int, float, float, float]] = []
    value: float = 0
    for step, runtime, moment, own in heapq.merge(
        told, ((step, *times, None) for step, times in sorted(lacking.items())), key=lambda row: row[0]
    ):
        value = value if own is None else own
        filled.append((step, runtime, moment, value))
    steps, runtimes, moments, values = zip(*filled, strict=True)
    return Series(steps, runtimes, moments, values)


def _system(folder: Path) -> dict[str, Series]:
    path = folder / "system.jsonl"
    if not path.exists():
        return {}
    told = Rows(counted=True)
    told.read(path)
    return told.series()


def _output(path: Path) -> bytes:
    """What it printed."""
    try:
        with path.open("rb") as file:
            return _both_ends(file, os.fstat(file.fileno()).st_size)
    except FileNotFoundError:
        return b""


def _both_ends(file: BinaryIO, size: int) -> bytes:
    """The *size* bytes of *file*; of very many only the beginning and the end, in whole lines."""
    if size <= 2 * LOG_BYTES:
        return file.read()
    first = file.read(LOG_BYTES)
    file.seek(size - LOG_BYTES)
    last = file.read()
    first, last = first[: first.rfind(b"\n") + 1 or None], last[last.find(b"\n") + 1 :]
    return first + f"… {size - len(first) - len(last):,} bytes left out …\n".encode() + last


def _last_change(folder: Path, default: float) -> float:
    times = [entry.stat().st_mtime for entry in folder.iterdir() if entry.name != "lock"]
    return max(times, default=default)
