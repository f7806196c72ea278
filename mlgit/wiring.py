"""The one place where adapters are chosen, and rooms are handed to one another as callables."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from mlgit.core import escape
from mlgit.errors import MlgitError, NotFoundError, UsageError
from mlgit.git import objects
from mlgit.store import place as places
from mlgit.store import recover
from mlgit.store.place import Place
from mlgit.tracking import tied

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from mlgit.core.findings import Findings, Point
    from mlgit.core.job import JobSpec
    from mlgit.core.posted import Posted
    from mlgit.core.registered import Registered
    from mlgit.core.run import Run
    from mlgit.core.sweep import Sweep
    from mlgit.core.verdict import Verdict
    from mlgit.forge.base import Forge, PullRequest
    from mlgit.git.remote import Remote
    from mlgit.git.repo import Repo
    from mlgit.launch.asked import Asked
    from mlgit.launch.queues import Queue
    from mlgit.lineage.affected import Affected
    from mlgit.lineage.croissant import Dataset
    from mlgit.lineage.gather import Wish as LineageWish
    from mlgit.lineage.graph import Graph
    from mlgit.lineage.happening import Happening
    from mlgit.registry.propose import Plan, Promotion
    from mlgit.registry.settle import Settled
    from mlgit.report.proposal import Opened
    from mlgit.store.check import Finding
    from mlgit.store.garbage import Garbage
    from mlgit.store.purge import Doomed
    from mlgit.sweeps.agent import Outcome
    from mlgit.sweeps.plan import Trial
    from mlgit.sweeps.record import Task


def place(start: Path | None = None) -> Place:
    """The repository and project of *start*, or of the current folder; runs that died there become branches first.

    Outside of every repository: the scratch repository, if a run ever went there. Raises `NotFoundError`.
    """
    folder = start or places.here()
    here = places.of_reader(folder)
    if here is None:
        raise NotFoundError(f"{folder} is in no git repository.", fix="git init, or cd into your project")
    recover.recover_all(here.repo, lambda text: print(f"mlgit: {escape.terminal(text)}", file=sys.stderr))
    tied.hand_over()
    return here


def init_project(folder: Path, *, project: str | None, dvc: bool, github: bool = False) -> list[str]:
    """Make *folder* an mlgit project; return the files that were written."""
    from mlgit.store import project as projects

    return projects.create(folder, name=project, dvc=dvc, github=github)


def forge(place: Place) -> Forge:
    """Where the pull requests of *place* live: a folder in the repository's own git folder."""
    from mlgit.forge.folder import FolderForge

    return FolderForge(place.repo)


def archivable(place: Place, runs: Sequence[Run]) -> tuple[list[Run], dict[str, str]]:
    """(those of *runs* that can be folded into the archive now, id → why for each that stays)."""
    from mlgit.store import folding

    why = folding.staying(place.repo, runs, {pull.head for pull in forge(place).pulls()})
    return [run for run in runs if run.id not in why], why


def fold(place: Place, runs: Sequence[Run], done: Callable[[int], None] = lambda _: None) -> list[Run]:
    """Fold *runs*, which are `archivable`; return those that are archived now. *done* hears how many."""
    from mlgit.store import folding

    folded = folding.fold(place.repo, runs, done=done)
    _keep_shards(place.repo)
    return folded


def _keep_shards(repo: Repo) -> None:
    """Bring the shards of the archive up to date, if that can be done now: nothing rests on them."""
    from mlgit.index import sharding

    with suppress(MlgitError, OSError):
        sharding.keep_up(repo)


def doomed(place: Place, runs: Sequence[Run]) -> tuple[Doomed, dict[str, list[str]]]:
    """(what purging *runs* destroys in git, by project folder the files of DVC's that nobody else uses).

    Raises `UsageError` where something stands in the way.
    """
    from mlgit.store import purge
    from mlgit.store import runs as stored

    plan = purge.plan(place.repo, runs)
    if going := next((job for job in _jobs_of(place, runs) if not job.state.ended), None):
        what = f"The job {going.name} ({going.id}) has not ended, and runs the code that would be destroyed."
        raise UsageError(what, fix=f"mlgit jobs cancel {going.id}")
    with place.repo.reader() as reader:
        told = list(stored.read_all(reader, [("", commit) for commit in plan.results]))
    return plan, _only_of(place.repo, told)


def _jobs_of(place: Place, runs: Iterable[Run]) -> Sequence[Posted]:
    """The jobs that recorded *runs*, as they stand now."""
    from mlgit.launch import asked, asking
    from mlgit.store import jobs

    ids = {run.id for run in runs}
    found: list[Posted] = []
    for project in sorted({run.project for run in runs}):
        recorded = [job for job in jobs.known(place.repo, project) if not ids.isdisjoint(asked.runs_of(job))]
        found += asking.look(place, recorded).jobs
    return found


def _only_of(repo: Repo, told: Sequence[Run]) -> dict[str, list[str]]:
    """By project folder, the files in DVC's caches that the runs *told* of made and nothing but them names."""
    from mlgit.dvc import cache

    files: dict[str, list[str]] = {}
    for folder in {run.folder for run in told}:
        own = {content for run in told if run.folder == folder for content in _contents(run, made=True)}
        used = _used(repo, {run.id for run in told}, own)
        found = cache.only_in(repo, own - used, used, folder=folder)
        if only := _still_only_of(repo, told, found, folder):  # a pointer may name a file of a folder
            files[folder] = only
    return files


def _used(repo: Repo, but: Collection[str], asked: Collection[str]) -> set[str]:
    """The contents of DVC's that runs name, all *but* some by id, and those of *asked* that pointers do."""
    if not asked:
        return set()  # what all runs name is a long list
    from mlgit.core.query import DATA, HELD
    from mlgit.dvc import mentions
    from mlgit.index import query
    from mlgit.store import archive, ledgers
    from mlgit.store import runs as stored

    naming = query.having(repo, DATA, HELD, "used", "logged")
    with repo.reader() as reader:  # the index may have archived ones from a shard, on whose word nothing is destroyed
        archived = stored.read_all(reader, archive.entries(repo).items())
        others = (run for run in chain(naming, archived, stored.hidden(repo)) if run.id not in but)
        used = {content for run in others for content in _contents(run)}
    used |= {version.hash for _, version in ledgers.added(repo)}
    return used | mentions.mentioned(repo, set(asked) - used)


def _contents(run: Run, *, made: bool = False) -> set[str]:
    """The contents of DVC's that *run* names; only those that it *made* itself."""
    found = {*run.held.values(), *(version.hash for version in run.logged)}
    return found if made else found | {*run.data.values(), *(version.hash for version in run.used)}


def purge(place: Place, plan: Doomed, files: Mapping[str, Sequence[str]]) -> int:
    """Destroy what `doomed` has found; return how many of git's objects that were."""
    from mlgit.dvc import cache
    from mlgit.index import build
    from mlgit.store import purge as purging

    if recorded := _jobs_of(place, plan.runs):  # a job's worktree would keep the code
        from mlgit.launch import code

        code.take_away(place.repo, {job.id for job in recorded})
    count = purging.carry_out(place.repo, plan)
    for folder, some in files.items():
        cache.destroy(place.repo, _still_only_of(place.repo, plan.runs, some, folder), folder=folder)
    build.forget(place.repo)
    _keep_shards(place.repo)
    return count


def kept_bytes(place: Place, runs: Iterable[Run]) -> list[str]:
    """The contents of DVC's that the purged *runs* made and that are still here, for something else names them."""
    from mlgit.dvc import cache

    made = {(content, run.folder) for run in runs for content in _contents(run, made=True)}
    return sorted({content for content, folder in made if cache.exists(place.repo, content, folder=folder)})


def purge_there(place: Place, to: str, plan: Doomed, files: Mapping[str, Sequence[str]]) -> tuple[list[str], bool]:
    """Take what was purged off the remote *to* too, and off the DVC remote; (refs moved there, files were deleted)."""
    from mlgit.dvc.remotes import remote
    from mlgit.git.remote import Remote
    from mlgit.store import purge as purging

    moved = purging.carry_out_there(Remote(repo=place.repo, name=to), plan)
    off = [remote.destroy(place.repo, some, folder=folder) for folder, some in files.items()]
    return moved, all(off)


def _still_only_of(repo: Repo, runs: Iterable[Run], files: Collection[str], folder: str) -> list[str]:
    """Those of *files* that nothing but *runs* has come to name since they were found: a question takes its time."""
    from mlgit.dvc import cache

    only = cache.only_in(repo, files, _used(repo, {run.id for run in runs}, files), folder=folder)
    return sorted(set(files).intersection(only))  # of a folder that is among them, what it holds need not be


def garbage(place: Place, now: float, *, hidden_for: float) -> Garbage:
    """What there is to be freed at the time *now*, hidden runs after so many seconds."""
    from mlgit.dvc import cache
    from mlgit.store import garbage as collecting

    repo = place.repo
    found = collecting.find(repo, now, hidden_for=hidden_for)
    files = {oid for some in _only_of(repo, found.hidden).values() for oid in some}
    old = {oid for oid, about in cache.private(repo).items() if now - collecting.touched(about) > collecting.GRACE}
    files.update(cache.only_in(repo, old, _used(repo, {run.id for run in found.hidden}, old)))
    return replace(found, files=sorted(files), file_bytes=cache.size(repo, files))


def free(place: Place, garbage: Garbage) -> None:
    """Free what `garbage` has found."""
    from mlgit.dvc import cache
    from mlgit.store import garbage as collecting

    collecting.free(place.repo, garbage)
    for folder in {place.folder, *(run.folder for run in garbage.hidden)}:
        cache.destroy(place.repo, _still_only_of(place.repo, garbage.hidden, garbage.files, folder), folder=folder)


def unneeded(place: Place, before: float) -> tuple[list[Path], list[Path]]:
    """(files of DVC's caches that nobody names and nobody touched since *before*; caches that were not looked into).

    Nobody: no run, no ledger of an artifact, no pointer in a work tree or in the history of a branch or a tag, no model
    of the registry. Raises `MlgitError` where it cannot be said what somebody names.
    """
    from mlgit.dvc import cache

    old, others = cache.aged(place.repo, before, folder=place.folder)
    used = _used(place.repo, (), set(old.values()))
    if torn := cache.torn(place.repo, used, folder=place.folder):
        raise MlgitError(
            f"What is in {torn[0]} is not known: its listing in the cache is damaged.",
            fix="mlgit data verify --all --repair",
        )
    only = set(cache.only_in(place.repo, old.values(), used, folder=place.folder))
    return [path for path, oid in old.items() if oid in only], others


def findings(place: Place, to: str | None, done: Callable[[int], None]) -> Iterator[Finding]:
    """What is wrong with what mlgit keeps, and between here and the remote *to*. *done* hears of runs that are read."""
    from mlgit.git.remote import Remote
    from mlgit.index import build, sharding
    from mlgit.store import check

    yield from check.everything(place.repo, done)
    yield from _lost(place.repo, asks=to is not None)
    for month, what in sharding.check(place.repo):
        yield check.Finding(where=month, what=what, repair=partial(sharding.renew, place.repo, month))
    for line in build.check(place.repo):
        yield check.Finding(
            where=f"mlgit/{build.file(place.repo).name}", what=line, repair=lambda: build.forget(place.repo)
        )
    if to is not None:
        yield from check.elsewhere(Remote(repo=place.repo, name=to))


def _lost(repo: Repo, *, asks: bool) -> Iterator[Finding]:
    """The bytes of runs' artifacts that are nowhere."""
    from mlgit.core.query import HELD
    from mlgit.dvc import cache
    from mlgit.index import query
    from mlgit.store import ledgers
    from mlgit.store.check import Finding

    known = [run for run in query.having(repo, HELD, "logged") if run.ref.startswith("refs/heads/")]
    # content → where it is told of, as what, and the project's folder
    made = {version.hash: (ref, version.name, version.folder) for ref, version in ledgers.added(repo)}
    for run in known:
        made |= dict.fromkeys(run.held.values(), (run.ref, "its long history or files", run.folder))
        made |= {version.hash: (run.ref, version.name, run.folder) for version in run.logged}
    for folder in {folder for _, _, folder in made.values()}:
        own = [content for content, told in made.items() if told[2] == folder]
        for content in cache.lost(repo, own, folder=folder, asks=asks):
            where, name, _ = made[content]
            what = f"the bytes of {name} ({content}) are nowhere"
            yield Finding(where=where, what=what, fix="mlgit data push where they were made")


def report_on(place: Place, number: int, *, verdicts: Sequence[Verdict] = ()) -> str:
    """Put the report onto pull request *number*, in place of what it said before; return it as Markdown.

    Raises `NotFoundError` for a number that does not exist.
    """
    from mlgit.report import publish

    return publish.on_pull(place, forge(place), number, verdicts=verdicts, sweep_of=lambda text: sweep(place, text))


def propose(
    place: Place, what: str | None, *, base: str | None, title: str | None = None,
    body: Callable[[], str] | None = None, draft: bool = False, labels: Sequence[str] = (),
) -> Opened:  # fmt: skip
    """The pull request of what *what* names: a branch, or a run with its params. Raises as `proposal.of` does."""
    from mlgit.report import proposal
    from mlgit.store import registry

    into = registry.base_name(place.repo, base)
    proposed = proposal.of(place, what, into=into, searched=lambda run: _given_by_sweep(place, run))
    return proposal.propose(forge(place), proposed, into=into, title=title, body=body, draft=draft, labels=labels)


def _given_by_sweep(place: Place, run: Run) -> Collection[str]:
    """The params that the sweep of *run* gave it, if it is a trial; a sweep that cannot be read gave none."""
    from mlgit.sweeps import record

    if not run.sweep:
        return ()
    with suppress(MlgitError):
        return record.params_of(record.find(place.repo, run.project, run.sweep), run)
    return ()


def sweep_findings(place: Place, text: str, *, with_importance: bool = True) -> Findings:
    """What the sweep that *text* names has found. Raises `NotFoundError`, `UsageError`."""
    from mlgit.sweeps import record
    from mlgit.sweeps.findings import gather

    known = record.find(place.repo, place.settings.project, text)
    file, trials = record.trials(place.repo, known)
    return gather.gather(known, file, trials, with_importance=with_importance)


def post_findings(place: Place, found: Findings, number: int) -> None:
    """Put what a sweep has *found* onto pull request *number*, in place of what was said of that sweep before."""
    from mlgit.report import findings as reports

    reports.post(forge(place), found, number)


def apply(place: Place, found: Findings, point: Point, *, base: str | None, draft: bool) -> Opened:
    """The pull request of the params of *point*, with what its sweep has *found* as its description."""
    from mlgit.report import findings as reports

    return propose(
        place, point.run, base=base, title=reports.title(found, point),
        body=lambda: reports.illustrated(forge(place), found, point), draft=draft,
    )  # fmt: skip


def applied(place: Place, found: Findings) -> list[tuple[PullRequest, Point]]:
    """The open pull requests of trials of the sweep that has *found* this."""
    from mlgit.index import query
    from mlgit.report import evidence

    points = {point.run: point for point in found.points if point.run}
    names = {evidence.branch_name(run): points[run.id] for run in query.of_ids(place.repo, list(points))}
    return [(pull, names[pull.head]) for pull in forge(place).pulls() if pull.head in names]


def to_write(place: Place, point: Point) -> Mapping[str, bytes]:
    """The files that a pull request of *point* changes for its params. Raises `MlgitError`, `NotFoundError`."""
    from mlgit.index import query
    from mlgit.report import params

    run = query.find(place.repo, point.run or "", project=place.meant)
    with place.repo.reader() as reader:
        return params.written(reader, run, run.source or "", searched=_given_by_sweep(place, run)).files


def sweep(place: Place, sweep_id: str) -> Sweep | None:
    """The sweep of that id, with what it searches, if this project has it."""
    from mlgit.sweeps import record

    known = record.known(place.repo, place.settings.project)
    return next((record.described(one) for one in known if one.id == sweep_id), None)


def before_merge(place: Place, pull: PullRequest) -> list[Settled]:
    """What the merge of *pull* would do to the stages; the status of its gates says so too.

    Raises `MlgitError` for a conflict, `ConfigError` where what would be merged cannot be read.
    """
    from mlgit.registry import settle

    if not _moves_stages(place, pull):
        return []
    found = settle.foresee(place.repo, pull.base, pull.head_commit, goals=place.settings.goals)
    settle.tell(forge(place), pull.head_commit, found)
    return found


def after_merge(place: Place, pull: PullRequest) -> list[Settled]:
    """Do what the merge of *pull* asks for: what became of each stage that it changed.

    Raises `ConfigError` where what was merged cannot be read; then no stage moved.
    """
    from mlgit.registry import settle

    if pull.merge_commit is None or not _moves_stages(place, pull):
        return []
    tip = place.repo.resolve(f"refs/heads/{pull.base}")
    return settle.settle(place.repo, pull.merge_commit, goals=place.settings.goals, tip=tip)


def _moves_stages(place: Place, pull: PullRequest) -> bool:
    """Stages move where promotions go, not wherever a branch takes in another."""
    from mlgit.store import registry

    return pull.base == registry.base_name(place.repo) or pull.head.startswith(("promote/", "revert/"))


def settle_stages(place: Place, *, base: str | None = None, dry_run: bool = False) -> list[Settled]:
    """Let the tags say what the branch of promotions says now: what becomes of each stage where they differ.

    Raises `ConfigError` for a registry that cannot be read, `UsageError` where the branch lags behind its remote.
    """
    from mlgit.registry import settle
    from mlgit.store import registry

    name = registry.base_name(place.repo, base)
    return settle.reconcile(place.repo, name, goals=place.settings.goals, dry_run=dry_run)


def undo(place: Place, pull: PullRequest, settled: Settled) -> PullRequest | None:
    """The pull request that takes back what *pull* merged for a stage that did not move; None if it was closed."""
    from mlgit.registry import undo as taking_back

    return taking_back.propose(place.repo, forge(place), pull, settled)


def promotion(place: Place, model: str, version: str, stage: str, *, base: str | None = None) -> Plan:
    """What promoting *version* of *model* to *stage* would do, and what the gates say of it."""
    from mlgit.registry import propose
    from mlgit.store import registry

    name = registry.base_name(place.repo, base)
    return propose.plan(place.repo, model, version, stage, base=name, goals=place.settings.goals)


def promote(place: Place, plan: Plan) -> Promotion:
    """The pull request of *plan*, opened or brought up to date. Raises `GateFailedError`."""
    from mlgit.registry import propose

    return propose.promote(place.repo, forge(place), plan, goals=place.settings.goals)


def registered(place: Place, *, base: str | None = None) -> list[Registered]:
    """All registered versions in brief, with the stages that serve them."""
    from mlgit.registry import registered as versions
    from mlgit.store import registry

    return versions.every(place.repo, base=registry.base_name(place.repo, base))


def lineage(place: Place, text: str, wish: LineageWish, *, base: str | None = None) -> Graph:
    """What the thing that *text* names was made of, and what it led to. Raises `NotFoundError`, `UsageError`."""
    from mlgit.lineage import gather

    with objects.one_process():
        known = registered(place, base=base)
        return gather.gather(place.repo, text, known, wish, project=place.meant, folder=places.here())


def happenings(
    place: Place, text: str, wish: LineageWish, *, base: str | None = None, with_columns: bool = False
) -> list[Happening]:
    """The runs in the lineage of what *text* names, as other programs want to hear of them."""
    from mlgit.lineage import gather

    with objects.one_process():
        known = registered(place, base=base)
        return gather.happenings(
            place.repo, text, known, wish, project=place.meant, folder=places.here(), with_columns=with_columns
        )


def dataset(place: Place, text: str) -> Dataset:
    """The dataset that *text* names, with what is in its files. Raises `NotFoundError`, `UsageError`."""
    from mlgit.lineage import gather

    return gather.dataset(place.repo, text, registered(place), project=place.meant, folder=places.here())


def affected(place: Place, text: str, *, base: str | None = None, most: int | None = None) -> Affected:
    """What the data that *text* names has reached. Raises `NotFoundError`, `UsageError`."""
    from mlgit.lineage import affected as reaching

    with objects.one_process():
        known = registered(place, base=base)
        return reaching.affected(place.repo, text, known, project=place.meant, folder=places.here(), most=most)


def sweep_lines(task: Task) -> tuple[list[str], bool]:
    """The shell lines of the trials that are known beforehand, and whether these are all."""
    from mlgit.launch import process
    from mlgit.sweeps import starting

    specs, complete = starting.foreseen(task)
    return [process.render(spec, process.Settings(log_dir=task.scratch)) for spec in specs], complete


def agents(
    place: Place, sweep: Sweep, on: Mapping[str, int], *, through: Remote | None = None
) -> list[tuple[Queue, Asked, str]]:
    """The jobs that would be agents of *sweep*, so many on each queue: each with exactly what is sent.

    Raises `UsageError`, `NotFoundError` for a queue that there is not.
    """
    from mlgit.git import remote as remotes
    from mlgit.launch import asked, queues, submitting

    found = []
    if on and through and through.name != remotes.bare(through.name):
        raise UsageError(
            "The address that agents are to go through holds a password.",
            why="What jobs run is kept in git.",
            fix=f"git -C {place.repo.folder} remote add NAME URL, and --through NAME",
        )
    for name, count in on.items():
        queue = queues.find(place.settings, name)
        if queue.is_away:
            raise UsageError(
                f"Agents cannot be jobs of the queue {queue.name}.",
                why=f"Jobs of {queue.kind} do not see this repository, by which agents share the trials among them.",
                fix="a queue of local, docker or slurm",
            )
        words = (*asked.program(queue), "sweep", "agent", sweep.id, *(("--through", through.name) if through else ()))
        tasks = count if count > 1 else None
        wish = asked.Asked(name=sweep.name, command=words, is_bare=True, tasks=tasks, preemptible=True)
        found.append((queue, wish, submitting.preview(place, queue, wish, places.here(), in_place=False)))
    return found


def launch_agents(
    place: Place, wanted: Iterable[tuple[Queue, Asked, str]], tell: Callable[[str], None]
) -> list[Posted]:
    """Launch what `agents` has found. Raises `MlgitError` where a backend refuses."""
    from mlgit.launch import submitting

    here = places.here()
    return [submitting.submit(place, queue, wish, here, in_place=False, tell=tell)[0] for queue, wish, _ in wanted]


def sweep_metric(place: Place, task: Task) -> Callable[[], Mapping[str, float]]:
    """What tells the last value of *task*'s metric of each trial under way here, by the name of its run."""
    from mlgit.sweeps import watching

    metric = task.file.metric
    return watching.Latest(watching.Alive(place.repo, task.sweep), metric.name).look if metric else dict


def run_sweep(
    place: Place, task: Task, tell: Callable[[Trial, tuple[Trial, ...]], None], *, through: Remote | None,
    say: Callable[[str], None],
) -> Outcome:  # fmt: skip
    """Be an agent of *task* on this machine; *tell* hears of each trial that begins or ends. Raises `MlgitError`.

    It agrees with others in this repository, or *through* a remote; *say* hears where that is away, and back.
    """
    import time

    from mlgit.git.remote import bare
    from mlgit.index import query
    from mlgit.launch import process, warm
    from mlgit.sweeps import agent, claiming, claims, holding, starting, watching
    from mlgit.sweeps import through as remotes

    settings = process.Settings(log_dir=task.scratch)
    begin = warm.Warm(("mlgit.cli.run", "mlgit.tracking.command.run"))

    def runs(known: Mapping[str, str]) -> list[Run]:
        recover.recover_all(place.repo, lambda _: None)  # the run of a trial that was killed becomes a branch here
        return query.moved(place.repo, known, sweep=task.sweep.id)

    with claiming.present(place.repo, task.sweep, slots=task.agents) as me:

        def start(spec: JobSpec) -> process.Job:
            env = {**spec.env, "MLGIT_PROJECT": task.sweep.project}  # which is another's where its whole id was given
            return begin.start(replace(spec, env=env), settings, held=(me.lock,))

        launcher = agent.Launcher(
            submit=starting.submitting(task, start),
            state=warm.state,
            cancel=process.cancel,
            tail=process.tail,
            pause=lambda: time.sleep(0.02),
        )
        board: holding.Board = claiming.Board(place.repo, task.sweep)
        pace = claiming.pace(remotes.PACE if through else claims.Pace())
        if through:
            board = remotes.Board(through, task.sweep, say, every=pace.look)
            pace = replace(pace, look=min(pace.look, claims.Pace().look))  # what runs here is seen as often as ever
        alive = watching.Alive(place.repo, task.sweep)
        outcome = agent.run(
            task, me.agent, board, launcher, runs, tell, pace=pace, alive=alive.look,
            watch=watching.watch(place.repo, task.sweep, task.file),
        )  # fmt: skip
        if isinstance(board, remotes.Board) and board.is_away:
            say(f"What ended here is kept, and may not be there yet: mlgit push --to {bare(board.remote.name)}")
        return outcome
