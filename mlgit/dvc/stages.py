"""The stages of a project's `dvc.yaml`, run or planned by DVC's own library; what became of each, as records.

Nothing here decides what has changed, what is run or what `dvc.lock` says: stock `dvc repro` would do the same, and has
nothing left to do afterwards.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlgit.core.artifact import is_hash
from mlgit.dvc import plainly

if TYPE_CHECKING:
    from dvc.output import Output
    from dvc.repo import Repo as Dvc
    from dvc.stage import Stage

FILE, LOCK = "dvc.yaml", "dvc.lock"
RAN, UNCHANGED, RESTORED, FAILED = "ran", "unchanged", "restored", "failed"
FAILURE = 255
"""What `dvc repro` ends with where a stage fails."""


@dataclass(frozen=True, kw_only=True)
class Product:
    """A file or folder that a stage made."""

    path: Path
    hash: str
    """DVC's, or empty where it has none."""
    size: int = 0
    files: int = 0
    is_cached: bool = True
    """Whether DVC's cache holds it, and not git."""
    is_metrics: bool = False
    plot: Mapping[str, Any] | None = None
    """How it is drawn, where it is a plot."""
    said: Mapping[str, Any] = field(default_factory=dict)
    """What its stage says of it: type, desc, labels, meta."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """What became of a stage."""

    name: str
    """As `dvc repro` takes it."""
    did: str
    """`ran`, `unchanged`, `restored` (from DVC's run cache) or `failed`."""
    seconds: float
    file: Path
    """The `dvc.yaml` that holds it, or the `.dvc` file that it is."""
    is_data: bool
    """Whether it is no more than a `.dvc` file."""
    is_frozen: bool
    """Whether its `dvc.yaml` says that it shall not be run: what it made is taken as it is."""
    reads: Mapping[Path, str]
    """What it depends on, by its hash."""
    params: Mapping[Path, Mapping[str, Any]]
    """The params that it depends on, by their file."""
    made: Sequence[Product]


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A stage that `dvc repro` would look at."""

    name: str
    would_run: bool
    why: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Overview:
    """What the stages of a project make, whether they are run or not."""

    products: frozenset[Path]
    left_to_git: Sequence[Path]
    """Each `dvc.lock`, and outputs that no cache holds."""
    made: frozenset[str]
    """The stages whose outputs are all there now."""


def reproduce(
    words: Sequence[str], tell: Callable[[Done], None], *, is_over: Callable[[], bool], is_trial: bool = False
) -> int:
    """`dvc repro` with *words*, in the current folder; *tell* hears of each stage when it is done. Its exit code.

    Before each stage *is_over* is asked whether there shall be no more. What DVC says goes to our own streams. Of a
    *trial*, whose files are given back, nothing is staged, nor is a person told to.
    """
    from dvc.exceptions import DvcException
    from dvc.ui import ui
    from dvc_data.hashfile.cache import DiskError

    ui.enable()
    try:
        with _command(words) as command:
            dvc: Dvc = command.repo
            restored = _note_restored(dvc)
            if is_trial:
                dvc.scm_context.autostage, dvc.scm_context.quiet = False, True

            def one(stage: Stage, **how: Any) -> Stage | None:
                if is_over():
                    raise KeyboardInterrupt  # which DVC takes for no failure of a stage
                begun = time.monotonic()
                did = FAILED
                try:
                    made: Stage | None = stage.reproduce(**how)
                    if made:
                        stage.dump(update_pipeline=False)
                    if made is None or stage.frozen:  # of a frozen one DVC has only looked whether it is all there
                        did = UNCHANGED
                    else:
                        did = RESTORED if stage.addressing in restored else RAN
                    return made
                finally:
                    tell(_done(stage, did, time.monotonic() - begun))

            dvc.reproduce = functools.partial(dvc.reproduce, repro_fn=one)
            return int(command.run())
    except (DvcException, DiskError):
        logging.getLogger("dvc").exception("")  # as `dvc` itself tells it
        return FAILURE
    except KeyboardInterrupt:
        return FAILURE


def plan(words: Sequence[str]) -> list[Planned]:
    """What `dvc repro` with *words* would do now, in the current folder, stage by stage. Raises `DvcException`."""
    planned: list[Planned] = []
    going: set[Stage] = set()

    def one(stage: Stage, *, upstream: Sequence[Stage] = (), force: bool = False, **_how: Any) -> None:
        why = ["forced"] if force else _reasons(stage)
        why += [f"{other.addressing} would run" for other in upstream if other in going and not stage.frozen]
        if why:
            going.add(stage)
        if not _is_data(stage):
            planned.append(Planned(name=stage.addressing, would_run=bool(why), why=why))

    with _command(["--dry", *words]) as command:
        kwargs = {"targets": command.args.targets} | {
            name: getattr(command.args, name)
            for name in ("single_item", "force", "pipeline", "all_pipelines", "downstream", "recursive", "glob")
        }
        command.repo.reproduce(repro_fn=one, **kwargs)
    return planned


def overview() -> Overview:
    """The stages of the current folder's project; none where DVC cannot read them, which it says when they are run."""
    from dvc.exceptions import DvcException

    try:
        with plainly.repository() as dvc:
            stages = [stage for stage in dvc.index.stages if not _is_data(stage)]
            return Overview(
                products=frozenset(Path(out.fs_path) for stage in stages for out in stage.outs),
                left_to_git=sorted(
                    {Path(stage.path).with_name(LOCK) for stage in stages}
                    | {Path(out.fs_path) for one in stages for out in one.outs if not out.use_cache and out.is_in_repo}
                ),
                made=frozenset(stage.addressing for stage in stages if all(out.exists for out in stage.outs)),
            )
    except DvcException:
        return Overview(products=frozenset(), left_to_git=(), made=frozenset())


def check_out(names: Sequence[str]) -> str:
    """Let the outputs of the stages *names* lie there as their `dvc.lock` says; return what hinders that, if anything.

    What no `dvc.lock` speaks of stays.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import lock_repo

    lost: list[str] = []
    try:
        with plainly.repository() as dvc, lock_repo(dvc):
            for stage in (stage for name in names for stage in dvc.stage.collect(name)):
                if not all(out.hash_info for out in stage.outs):
                    continue
                if stage.outs_cached():
                    stage.checkout(force=True)
                else:
                    lost.append(stage.addressing)
    except (DvcException, OSError) as exc:
        return str(exc)
    return f"DVC's cache lacks those of {', '.join(lost)}" if lost else ""


# -- DVC's own command


@contextlib.contextmanager
def _command(words: Sequence[str]) -> Iterator[Any]:
    """DVC's own command `repro` with its options *words*, its repository open in the current folder."""
    from dvc.cli import parse_args

    plainly.guard()
    args = parse_args(["repro", *words])
    command = args.func(args)
    with command.repo:
        yield command


def _note_restored(dvc: Dvc) -> set[str]:
    """The stages that *dvc* restores from its run cache, from now on."""
    restored: set[str] = set()
    restore = dvc.stage_cache.restore

    def noting(stage: Stage, *args: Any, **how: Any) -> None:
        restore(stage, *args, **how)
        restored.add(stage.addressing)

    dvc.stage_cache.restore = noting
    return restored


def _reasons(stage: Stage) -> list[str]:
    """Why *stage* would run: `lr modified`, `train.py modified`, …"""
    reasons: list[str] = []

    def walk(name: str, found: Any) -> None:
        if isinstance(found, Mapping):
            for inner, value in found.items():
                walk(inner, value)
        else:
            reasons.append(f"{name} {found}")

    for of_stage in stage.status().values():
        for item in of_stage:
            if isinstance(item, str):
                reasons.append(item)
            else:
                walk("", item)
    return reasons


# -- what a stage did


def _is_data(stage: Stage) -> bool:
    return not stage.cmd


def _done(stage: Stage, did: str, seconds: float) -> Done:
    from dvc.dependency import ParamsDependency

    params = [dep for dep in stage.deps if isinstance(dep, ParamsDependency)]
    reads = [dep for dep in stage.deps if dep not in params and dep.protocol == "local"]
    return Done(
        name=stage.addressing, did=did, seconds=seconds, file=Path(stage.path), is_data=_is_data(stage),
        is_frozen=stage.frozen,
        reads={Path(dep.fs_path): content for dep in reads if (content := _hash(dep))},
        params={Path(dep.fs_path): dep.hash_info.value for dep in params if isinstance(dep.hash_info.value, dict)},
        made=[_product(out) for out in stage.outs if out.protocol == "local"],
    )  # fmt: skip


def _hash(out: Output) -> str:
    content = out.hash_info.value if out.hash_info and out.hash_info.name == "md5" else None
    return content if isinstance(content, str) and is_hash(content) else ""


def _product(out: Output) -> Product:
    return Product(
        path=Path(out.fs_path), hash=_hash(out), size=out.meta.size or 0, files=out.meta.nfiles or 1,
        is_cached=bool(out.use_cache), is_metrics=bool(out.metric),
        plot=(out.plot if isinstance(out.plot, dict) else {}) if out.plot else None, said=out.annot.to_dict(),
    )  # fmt: skip
