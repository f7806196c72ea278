"""Which earlier run a new one goes on from: resume, rewind and fork, by W&B's words."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace

from mlgit.core import escape
from mlgit.core.run import Run
from mlgit.errors import NotFoundError, UsageError
from mlgit.git.repo import Repo
from mlgit.store import live, locks, own, recover, result, resume, unfinished
from mlgit.store.own import Before
from mlgit.store.place import Place
from mlgit.tracking import handed
from mlgit.tracking.notice import notify
from mlgit.tracking.wish import Wish

_ADDRESS = re.compile(r"(?P<run>[^?]+)\?_step=(?P<step>-?\d+)")


@dataclass(frozen=True, kw_only=True)
class Life:
    """What a run goes on from, and how it stood there."""

    earlier: Run
    before: Before

    @property
    def words(self) -> str:
        """For a person, after the run's name: where it goes on."""
        how = {"resume": "resumed", "rewind": "rewound", "fork": f"forked from {escape.line(self.earlier.name, 60)}"}
        step = "" if self.before.step is None else f" after step {self.before.step}"
        return f", {how[self.before.how]}{step}"

    def continued(self, run: Run, wish: Wish) -> Run:
        """*run*, as it begins now, with what it keeps from before: all that *wish* does not say anew."""
        earlier = self.earlier
        kept = replace(
            run, group=wish.group or earlier.group, job_type=wish.job_type or earlier.job_type,
            sweep=wish.sweep or earlier.sweep, notes=wish.notes or earlier.notes,
            tags=tuple(wish.tags) or earlier.tags, params={**earlier.params, **run.params},
            given=tuple(dict.fromkeys((*earlier.given, *run.given))),
        )  # fmt: skip
        if self.before.how == "fork":
            return replace(kept, parent=earlier.id)
        return replace(
            kept, id=earlier.id, name=wish.name or earlier.name, project=earlier.project, created=earlier.created,
            parent=earlier.parent, reruns=earlier.reruns,
            paused=run.created - earlier.created - self.before.runtime,
        )  # fmt: skip


def asked(
    repo: Repo, *, resume: str | None, fork: str | None, rewind: str | None, run_id: str | None = None
) -> dict[str, str]:  # fmt: skip
    """The words of a wish that mean what `mlgit run` was told: a run's name, `auto`, or `<run>@<step>`.

    Raises `UsageError` and `NotFoundError` where they name no run, or no step.
    """
    from mlgit.index import query

    if run_id:
        if resume or fork or rewind:
            raise UsageError("--id cannot be given beside --resume, --fork or --rewind.", fix="leave one of them out")
        return {"id": run_id, "resume": "allow"}
    found: dict[str, str] = {}
    if resume == "auto":
        found = {"resume": "auto"}
    elif resume:
        found = {"resume": "must", "id": query.find(repo, resume).id}
    for name, text in (("fork_from", fork), ("resume_from", rewind)):
        if text:
            run, _, step = text.rpartition("@")
            if not run or not step.isdecimal():
                raise UsageError(f"{text[:80]!r} names no step of a run.", fix="write it like radiant-glade-12@200")
            found[name] = f"{query.find(repo, run).id}?_step={step}"
    return found


def life(home: Place, wish: Wish) -> Life | None:
    """What the run that *wish* asks for goes on from; None for one that begins by itself.

    Raises `UsageError` for a run that must not exist and does, for one that is alive and for a step or an address that
    cannot be; `NotFoundError` for a run that must exist and does not.
    """
    if wish.fork_from and wish.resume_from:
        raise UsageError("A run cannot both be forked and rewound.", fix="give fork_from or resume_from")
    if (wish.fork_from or wish.resume_from) and wish.resume:
        raise UsageError("resume cannot be given beside fork_from or resume_from.", fix="leave resume out")
    if wish.fork_from:
        return _forked(home, wish)
    if wish.resume_from:
        return _rewound(home, wish)
    project = wish.project or home.settings.project
    wanted = wish.id or (unfinished.of(home.repo, project) if wish.resume == "auto" else None)
    if wanted is None:
        if wish.resume == "must":
            raise UsageError("resume='must' needs to know which run.", fix="init(id=…, resume='must'), or MLGIT_RUN_ID")
        return None
    if not live.is_id(wanted):
        raise UsageError(f"{wanted[:80]!r} cannot be a run's id.", why="Letters, digits, '.', '_' and '-', at most 64.")
    run = _run_of(home.repo, wanted)
    if run is None:
        if wish.resume == "must":
            raise _missing(home.repo, wanted)
        return None
    if wish.resume is None:
        fix = "init(id=…, resume='allow') goes on with it; or leave the id out"
        raise UsageError(f"There is a run with the id {wanted!r}: {run.branch or run.name}.", fix=fix)
    if wish.resume == "never":
        raise UsageError(
            f"There is a run with the id {wanted!r}: {run.branch or run.name}.",
            why="resume='never' was asked for.", fix="leave the id out, or choose another",
        )  # fmt: skip
    if not run.commit and wish.resume == "auto" and not wish.id:
        notify(f"{run.name}, the last run of {project}, is still under way: this one begins by itself")
        return None
    return _taken_up(home.repo, run, "resume")


def _run_of(repo: Repo, run_id: str) -> Run | None:
    """The run of this id; one that somebody is just recovering, once that is done."""
    from mlgit.index import query

    if live.is_id(run_id) and locks.await_recovery(live.folder_of(repo, run_id)):
        recover.recover_all(repo, notify)  # should the other one have died of it
    return query.of_id(repo, run_id)


def _missing(repo: Repo, run_id: str) -> NotFoundError:
    import difflib

    from mlgit.index import query

    newest = query.search(repo, limit=1000).runs
    words = {word: run for run in newest for word in (run.id, run.name)}
    close = [words[word] for word in difflib.get_close_matches(run_id, words, 3)] or newest[:3]
    shown = ", ".join(dict.fromkeys(f"{run.id} ({run.name})" for run in close))
    fix = f"did you mean {shown}?" if shown else "there are no runs yet; leave resume out"
    return NotFoundError(f"There is no run with the id {run_id!r} to go on with.", fix=fix)


def _taken_up(repo: Repo, run: Run, how: own.How, until: int | None = None) -> Life:
    """*run*, ready to be gone on with on its branch. Raises `UsageError` where it is alive."""
    _check_over(repo, run)
    earlier = resume.adopt(repo, run)
    return Life(earlier=earlier, before=resume.point(repo, earlier, how, until))


def _check_over(repo: Repo, run: Run) -> None:
    folder = live.folder_of(repo, run.id)
    if run.commit and not (folder / "run.yaml").exists():
        return
    if not live.is_ours(folder):
        raise UsageError(
            f"The run {run.name} ({run.id}) began on another machine and has not ended, as far as can be seen.",
            fix="if it is dead: mlgit recover --elsewhere",
        )
    if handed.found().run_id == run.id:
        raise UsageError(
            f"The run {run.name} ({run.id}) is the one of the mlgit run around this script, and ends with it.",
            fix="go on with it from a script of its own, or run this one without mlgit run",
        )
    holders = locks.holders(folder)
    who = f"process {', '.join(map(str, holders))} holds it" if holders else "a process of this machine holds it"
    raise UsageError(
        f"The run {run.name} ({run.id}) is still under way: {who}.",
        fix=f"end it first (kill {holders[0]})" if holders else "end it first",
    )


def address(text: str) -> tuple[str, int]:
    """(run, step) of W&B's `<run id>?_step=<step>`. Raises `UsageError`."""
    found = _ADDRESS.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"{text[:80]!r} names no step of a run.", fix="write it like k3f9a2bc?_step=200")
    return found["run"], int(found["step"])


def _addressed(repo: Repo, text: str) -> tuple[Run, int]:
    name, step = address(text)
    run = _run_of(repo, name)
    if run is None:
        raise _missing(repo, name)
    return run, step


def _forked(home: Place, wish: Wish) -> Life:
    run, step = _addressed(home.repo, wish.fork_from or "")
    if wish.id == run.id:
        raise UsageError("A fork is a run of its own: it cannot have its parent's id.", fix="leave the id out")
    if wish.id and (there := _run_of(home.repo, wish.id)):
        raise UsageError(f"There is a run with the id {wish.id!r}: {there.branch or there.name}.", fix="choose another")
    if not run.commit:  # it is under way
        run = result.checkpoint(home.repo, live.folder_of(home.repo, run.id), time.time())
    return Life(earlier=run, before=resume.point(home.repo, run, "fork", step))


def _rewound(home: Place, wish: Wish) -> Life:
    run, step = _addressed(home.repo, wish.resume_from or "")
    if wish.id and wish.id != run.id:
        raise UsageError(
            f"resume_from names the run {run.id}, id the run {wish.id}.",
            fix="fork_from begins another run; resume_from goes on with the same",
        )
    return _taken_up(home.repo, run, "rewind", step)
