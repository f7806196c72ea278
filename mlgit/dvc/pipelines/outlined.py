"""What the stages of a project make, whether they are run or not; and their outputs, put back as `dvc.lock` says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlgit.dvc.pipelines import plainly, repro, unreadable


@dataclass(frozen=True, kw_only=True)
class Overview:
    """What the stages of a project make, whether they are run or not."""

    products: frozenset[Path]
    left_to_git: Sequence[Path]
    """Each `dvc.lock`, and outputs that no cache holds."""
    made: frozenset[str]
    """The stages whose outputs are all there now."""


def overview(words: Sequence[str]) -> Overview:
    """The stages of the current folder's project, which `dvc repro` is to be run on with *words*.

    Raises `UsageError` where DVC cannot read them, or has none that *words* ask for.
    """
    from dvc.exceptions import DvcException
    from dvc.repo.reproduce import collect_stages

    try:
        with repro.command(words) as command:
            dvc, args = command.repo, command.args
            if not args.all_pipelines:
                collect_stages(dvc, args.targets or [repro.FILE], recursive=args.recursive, glob=args.glob)
            if not args.single_item:
                dvc.index.check_graph()  # no circle, and no output of two stages
            stages = [stage for stage in dvc.index.stages if not repro.is_data(stage)]
            return Overview(
                products=frozenset(Path(out.fs_path) for stage in stages for out in stage.outs),
                left_to_git=sorted(
                    {Path(stage.path).with_name(repro.LOCK) for stage in stages}
                    | {Path(out.fs_path) for one in stages for out in one.outs if not out.use_cache and out.is_in_repo}
                ),
                made=frozenset(stage.addressing for stage in stages if all(out.exists for out in stage.outs)),
            )
    except DvcException as exc:
        raise unreadable.error(exc) from exc


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
