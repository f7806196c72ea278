"""From what a person asks for to a job: written into the project's list, its code laid out, handed to the backend.

The list names the job, and the code that it runs, before anything is made of it, and by a key that the backend knows it
by: whoever is killed in between has lost nothing, for the same job, submitted again, is found or begins, on the same
code, and never twice.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from mlgit.core import secrets
from mlgit.core.job import JobSpec, JobState, checked, secrets_in
from mlgit.core.posted import Posted
from mlgit.core.run import Run
from mlgit.documents.writer import as_data
from mlgit.errors import AwayError, MlgitError, NotFoundError, SilentError, UsageError
from mlgit.git import snapshot
from mlgit.git.snapshot import Snapshot
from mlgit.launch import asked, asking, code
from mlgit.launch.asked import Asked
from mlgit.launch.queues import Queue
from mlgit.store import jobs, live
from mlgit.store.place import Place
from mlgit.tracking import names
from mlgit.tracking.options import RunOptions

Tell = Callable[[str], None]


def preview(place: Place, queue: Queue, wish: Asked, here: Path, *, in_place: bool) -> str:
    """Exactly what would be sent to the backend, without the values of secrets. Raises `UsageError`."""
    job = _listed(place, queue, wish, here, "" if _is_as_it_is(queue, in_place=in_place) else "HEAD")
    spec = _spec(place, queue, wish, job, here)
    queue.check(spec)
    return _rendered(queue, spec, here)


def submit(
    place: Place, queue: Queue, wish: Asked, here: Path, *, in_place: bool, tell: Tell, code_of: str = "",
    known_as: Posted | None = None,
) -> tuple[Posted, bool]:  # fmt: skip
    """The job that does *wish*, which starts where *here* is in the code; and whether it was there already.

    *code_of*: the commit to run, else what the work tree holds now; *in_place*: none of it, but *here* as it is when
    the job begins. *known_as*: what the list says of it already, where its backend may have it. Raises `UsageError`,
    `SilentError`, `MlgitError`.
    """
    job = known_as or _listed(place, queue, wish, here, "")
    known = {one.id: one for one in jobs.known(place.repo, place.settings.project)}
    if (before := known.get(job.id)) is not None:
        if before.job:
            return before, True
        if why := asking.elsewhere(before):
            what = f"Whether {before.queue} has taken the job {before.title} is not known here."
            raise UsageError(what, why=why, fix=f"mlgit jobs retry {before.id}, on {before.host}")
        job, wish = before, replace(wish, name=before.name)
    else:
        others = [one for one in known.values() if one.queue == queue.name]
        if queue.limits.jobs is not None:
            others = list(asking.look(place, others).jobs)
        queue.check(_spec(place, queue, wish, job, here), _under_way(queue, others))
    as_it_is = _is_as_it_is(queue, in_place=in_place) or job.code or wish.apart is not None
    taken = None if as_it_is else _taken(place, code_of, tell)
    if taken:
        job = replace(job, code=taken.commit, folder=_inside(place, here))
    spec = _spec(place, queue, wish, job, here)
    _rendered(queue, spec, here)  # what can never be sent is refused before anything is written
    if not queue.is_away:  # there they may lie where the job runs, which its backend knows
        secrets_in(spec, os.environ)

    def added(there: Mapping[str, Posted], new: Posted = job) -> Mapping[str, Posted]:
        if new.id not in there:  # others may have come since we looked
            queue.check(spec, _under_way(queue, there.values()))
        return {new.id: new, **there}

    listed = jobs.change(place.repo, job.project, added, why=f"launch {job.title}")[job.id]
    is_ours = before is None and listed == job
    if listed != job:  # somebody with the same key was quicker: it is theirs that runs
        if listed.job:
            return listed, True
        job, taken, wish = listed, None, replace(wish, name=listed.name)
        spec = _spec(place, queue, wish, job, here)
    with contextlib.ExitStack() as undo:
        if is_ours:
            undo.callback(forget, place, [job.id], why=f"{job.title} cannot be prepared")
        if job.code:
            code.lay(place.repo, job.id, job.code, base=taken.head if taken and not code_of else None, tell=tell)
            spec = _with_program(spec, wish, here, Path(spec.folder))
        elif wish.apart is not None and not queue.is_away:
            code.top(place.repo, job.id).mkdir(parents=True, exist_ok=True)
        undo.pop_all()  # from here on its backend may have it
    try:
        number = queue.backend.submit(spec, queue.settings)
    except SilentError as exc:
        if isinstance(exc, AwayError) and is_ours:
            forget(place, [job.id], why=f"nobody was there to take {job.title}")
            raise
        # else it may have been taken
        again = f"mlgit jobs retry {job.id} asks again, and starts one job"
        first = exc.fix.removesuffix("then try again").rstrip(",; ")
        raise SilentError(exc.what, why=exc.why, fix=f"{first}; then {again}" if first else again) from exc
    except MlgitError:
        if is_ours:
            forget(place, [job.id], why=f"{queue.kind} does not take {job.title}")
        raise
    job = replace(job, job=number, seen=time.time())
    jobs.change(
        place.repo, job.project, lambda there: {**there, job.id: job}, why=f"{job.title} is {queue.name}'s {number}"
    )
    return job, False


def _under_way(queue: Queue, some: Iterable[Posted]) -> int:
    return sum(one.queue == queue.name and not one.state.ended for one in some)


def _rendered(queue: Queue, spec: JobSpec, here: Path) -> str:
    """What is sent. An image that is built of the code is told by *here*, as long as that is not laid out."""
    is_built = getattr(queue.settings, "build", None) is not None
    return queue.backend.render(replace(checked(spec), folder=str(here)) if is_built else checked(spec), queue.settings)


def _is_as_it_is(queue: Queue, *, in_place: bool) -> bool:
    """Whether no code is laid out. Raises `UsageError` where *in_place* is asked for in vain."""
    if in_place and queue.is_away:
        raise UsageError(f"Jobs of {queue.name} see no folder of this machine's.", fix="leave --here out")
    return in_place or queue.is_away


def forget(place: Place, some: list[str], *, why: str) -> None:
    """Take the jobs *some*, by id, off the list, and their folders away."""
    jobs.change(
        place.repo, place.settings.project,
        lambda there: {name: job for name, job in there.items() if name not in some}, why=why,
    )  # fmt: skip
    code.take_away(place.repo, some)


def _listed(place: Place, queue: Queue, wish: Asked, here: Path, commit: str) -> Posted:
    """The job as the list is to have it: nothing that looks like a secret."""
    project = place.settings.project
    name = asked.of_key(project, wish.key) if wish.key else names.run_id()
    filled = queue.filled(JobSpec(name=wish.name), wish)
    return Posted(
        id=name, name=secrets.redact(wish.name), project=project, queue=queue.name, backend=queue.kind,
        settings=as_data(queue.settings), command=secrets.redact_command(wish.command),
        params=tuple(map(_hidden, wish.params)), run="" if wish.is_bare else wish.run or name, code=commit,
        folder=_inside(place, here) if commit else "" if wish.apart is not None else str(here),
        env={key: str(value) for key, value in secrets.redact_params(wish.env).items()}, secrets=wish.secrets,
        tasks=wish.tasks, preemptible=wish.preemptible, submitted=round(time.time(), 3), by=place.repo.identity,
        host=os.uname().nodename if queue.is_here else "", machine=live.machine() if queue.is_here else "",
        key=secrets.redact(wish.key), state=JobState.QUEUED, **filled.needs,
    )  # fmt: skip


def _hidden(pair: str) -> str:
    name, _, value = pair.partition("=")
    return f"{name}={secrets.redact_params({name: value})[name]}"


def check_whole(job: Posted) -> None:
    """Raise `UsageError` where *job* had what looked like a secret, which the list does not hold."""
    said: Mapping[str, object] = {**job.env, **{str(n): word for n, word in enumerate((*job.command, *job.params))}}
    if any(secrets.HIDDEN in str(value) for value in said.values()):
        raise UsageError(
            f"The job {job.title} was launched with what looked like a secret, which was not written down.",
            fix="launch it anew, the secret by its name: --secret NAME",
        )


def code_of(place: Place, job: Posted, found: Iterable[Run]) -> str:
    """The commit of the code that *job* ran, or is to run; empty where none was kept for it.

    Where it was launched in another clone, that of the runs *found* of it, which a sync brings: they have its content.
    Raises `NotFoundError` where neither is here.
    """
    if not job.code:
        return ""
    commits = (job.code, *(run.source for run in found if run.source))
    if (here := next((one for one in commits if place.repo.resolve(one)), None)) is None:
        what = f"The code of the job {job.title}, {job.code[:10]}, is not in this repository."
        why = (
            f"It is where {job.by} launched it, if at all; a sync brings it with the job's run, once that is recorded."
        )
        fix = f"mlgit jobs retry {job.id} there; or mlgit sync there, then here; or launch it anew"
        raise NotFoundError(what, why=why, fix=fix)
    return here


def _inside(place: Place, here: Path) -> str:
    """The folder *here* in the repository, empty for its top."""
    inside = here.resolve().relative_to((place.repo.work_tree or here).resolve()).as_posix()
    return "" if inside == "." else inside


def _taken(place: Place, commit: str, tell: Tell) -> Snapshot | None:
    """The code as it is now, or that of *commit*; None where there is no repository to keep it."""
    if commit:
        return Snapshot(commit=commit, head=None, dirty=False)
    if place.is_scratch or place.repo.work_tree is None:
        tell("there is no git repository here: the job runs what this folder holds when it begins")
        return None
    taken = snapshot.take(place.repo, place.settings.section("run", RunOptions).snapshot.limits)
    if taken.left_out:
        from mlgit.git import sifting

        groups = [str(group) for group in sifting.grouped(taken.left_out)]
        tell(f"not in the job's code: {'; '.join(groups[:3])}{'; …' if groups[3:] else ''}")
    return taken


def _spec(place: Place, queue: Queue, wish: Asked, job: Posted, here: Path) -> JobSpec:
    """What is submitted for *job*."""
    repo = place.repo
    if wish.apart is not None:
        return asked.spec(wish, job, queue, code.top(repo, job.id))
    top = code.top(repo, job.id) if job.code else repo.work_tree or here
    folder = top / job.folder if job.code else Path(job.folder)
    data = (repo.common_dir.parent / ".dvc") if repo.common_dir.name == ".git" else None
    shared = () if place.is_scratch else (top, repo.common_dir, *((data,) if data and data.is_dir() else ()))
    return asked.spec(wish, job, queue, folder, tuple(one for one in dict.fromkeys(shared) if one != folder))


def _with_program(spec: JobSpec, wish: Asked, here: Path, there: Path) -> JobSpec:
    """*spec*, whose program is the one *here* where git ignores it and the code lacks it: that of an environment."""
    program = wish.command[0]
    if "/" not in program or program.startswith("/") or (there / program).exists() or not (here / program).exists():
        return spec
    own = replace(wish, command=(str(here / program), *wish.command[1:]))
    count = len(wish.command)
    if spec.array:
        return replace(
            spec,
            array=tuple(
                one if number in wish.done else replace(one, command=(*one.command[:-count], *own.command))
                for number, one in enumerate(spec.array)
            ),
        )
    return replace(spec, command=(*spec.command[:-count], *own.command))
