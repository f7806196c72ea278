"""The stages of a project's `dvc.yaml`, run by DVC's own library; what became of each, as records.

Nothing here decides what has changed, what is run or what `dvc.lock` says: stock `dvc repro` would do the same, and has
nothing left to do afterwards.
"""

from __future__ import annotations

import functools
import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlgit.core.artifact import is_hash
from mlgit.dvc.pipelines import repro

if TYPE_CHECKING:
    from dvc.output import Output
    from dvc.repo import Repo as Dvc
    from dvc.stage import Stage

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
    stays: bool = False
    """Whether it says `push: false`."""


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
    urls: Mapping[str, str]
    """What of it lies elsewhere: its address, and the mark of the version that was there (an ETag, for one)."""
    made: Sequence[Product]
    exit_code: int = 0
    """That of its command, where this is why it failed."""


def reproduce(
    words: Sequence[str], tell: Callable[[Done], None], *, is_over: Callable[[], bool], is_trial: bool = False
) -> int:
    """`dvc repro` with *words*, in the current folder; *tell* hears of each stage when it is done. Its exit code.

    Before each stage *is_over* is asked whether there shall be no more. What DVC says goes to our own streams. Of a
    *trial*, whose files are given back, nothing is staged, nor is a person told to.
    """
    from dvc.exceptions import DvcException
    from dvc.logger import set_loggers_level
    from dvc.ui import ui
    from dvc_data.hashfile.cache import DiskError

    try:
        with repro.command(words) as command, set_loggers_level(_level(command.args)):
            dvc: Dvc = command.repo
            if not command.args.quiet:
                ui.enable()
            if is_trial:
                dvc.scm_context.autostage, dvc.scm_context.quiet = False, True
            one = _One(tell, is_over, _note_restored(dvc))
            dvc.reproduce = functools.partial(dvc.reproduce, repro_fn=one)
            return int(command.run())
    except (DvcException, DiskError):
        logging.getLogger("dvc").exception("")  # as `dvc` itself tells it
        return FAILURE
    except KeyboardInterrupt:
        return FAILURE


def _level(args: Any) -> int:
    """How much DVC says, by its options `--quiet` and `--verbose`."""
    if args.quiet:
        return logging.CRITICAL
    return logging.DEBUG if args.verbose else logging.INFO


@dataclass(frozen=True)
class _One:
    """Reproduces one stage as DVC does, and tells what became of it."""

    tell: Callable[[Done], None]
    is_over: Callable[[], bool]
    restored: set[str]

    def __call__(self, stage: Stage, **how: Any) -> Stage | None:
        """The stage, where it was run or restored."""
        from dvc.stage.exceptions import StageCmdFailedError

        if self.is_over():
            raise KeyboardInterrupt  # which DVC takes for no failure of a stage
        if stage.frozen and not stage.is_import:
            logging.getLogger("dvc").warning("%s is frozen. Its dependencies are not going to be reproduced.", stage)
        begun = time.monotonic()
        did, exit_code = FAILED, 0
        try:
            made: Stage | None = stage.reproduce(**how)
            if made:
                stage.dump(update_pipeline=False)
            did = RESTORED if stage.addressing in self.restored else RAN
            if made is None or stage.frozen:  # of a frozen one DVC has only looked whether it is all there
                did = UNCHANGED
            return made
        except StageCmdFailedError as exc:
            exit_code = _exit_code(str(exc))
            raise
        finally:
            self.tell(_done(stage, did, time.monotonic() - begun, exit_code))


def _exit_code(text: str) -> int:
    """The exit code that DVC's complaint about a command speaks of, as a shell would say it."""
    code = int(found[1]) if (found := re.search(r"exited with (-?\d+)$", text)) else 0
    return 128 - code if code < 0 else code


def _note_restored(dvc: Dvc) -> set[str]:
    """The stages that *dvc* restores from its run cache, from now on."""
    restored: set[str] = set()
    restore = dvc.stage_cache.restore

    def noting(stage: Stage, *args: Any, **how: Any) -> None:
        restore(stage, *args, **how)
        restored.add(stage.addressing)

    dvc.stage_cache.restore = noting
    return restored


# -- what a stage did


def _done(stage: Stage, did: str, seconds: float, exit_code: int) -> Done:
    from dvc.dependency import ParamsDependency

    params = [dep for dep in stage.deps if isinstance(dep, ParamsDependency)]
    reads = [dep for dep in stage.deps if dep not in params and dep.protocol == "local"]
    return Done(
        name=stage.addressing, did=did, seconds=seconds, file=Path(stage.path), is_data=repro.is_data(stage),
        is_frozen=stage.frozen,
        reads={Path(dep.fs_path): content for dep in reads if (content := _hash(dep))},
        params={Path(dep.fs_path): dep.hash_info.value for dep in params if isinstance(dep.hash_info.value, dict)},
        urls={dep.def_path: _mark(dep) for dep in stage.deps if dep.protocol != "local"},
        made=[_product(out) for out in stage.outs if out.protocol == "local"],
        exit_code=exit_code,
    )  # fmt: skip


def _hash(out: Output) -> str:
    content = out.hash_info.value if out.hash_info and out.hash_info.name == "md5" else None
    return content if isinstance(content, str) and is_hash(content) else ""


def _mark(dep: Output) -> str:
    """What DVC knows the version of *dep* by that lies elsewhere."""
    known = (dep.hash_info.value if dep.hash_info else None, dep.meta.version_id, dep.meta.etag, dep.meta.checksum)
    return str(next(filter(None, known), ""))


def _product(out: Output) -> Product:
    return Product(
        path=Path(out.fs_path), hash=_hash(out), size=out.meta.size or 0, files=out.meta.nfiles or 1,
        is_cached=bool(out.use_cache), is_metrics=bool(out.metric),
        plot=(out.plot if isinstance(out.plot, dict) else {}) if out.plot else None, said=out.annot.to_dict(),
        stays=not out.can_push,
    )  # fmt: skip
