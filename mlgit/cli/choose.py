"""Names of runs, and of what they have, on the command line: completed by the shell, looked up in the index."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from mlgit.core import escape
from mlgit.errors import MlgitError

if TYPE_CHECKING:
    from mlgit.store.place import Place

Known = Iterable[tuple[str, str]]
"""What a word may be, and beside each what it is about: a run's name, the aliases of a version; or nothing."""


class Name(click.ParamType, abc.ABC):  # type: ignore[type-arg]  # click 8.1, which we take too, has no such argument
    """What is called by a text; each kind of it says what there is."""

    @abc.abstractmethod
    def known(self, place: Place, typed: str) -> Known:
        """What there is in *place* that goes on as *typed*, or might: what does not is left out."""

    def beside(self, _given: Mapping[str, Any]) -> Name:
        """The same, where those words stand on the line already."""
        return self

    def shell_complete(self, ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """What begins so, or is about what does; nothing outside of a repository."""
        from mlgit import wiring

        try:
            return [
                CompletionItem(word, help=escape.line(about))
                for word, about in self.beside(_given(ctx)).known(wiring.place(), incomplete)
                if word.isprintable() and (word.startswith(incomplete) or about.startswith(incomplete))
            ]
        except MlgitError:
            return []


def _given(ctx: click.Context) -> Mapping[str, Any]:
    """The arguments that stand on the line already; where an option waits for its word, click leaves them apart."""
    names = [one.name for one in ctx.command.params if isinstance(one, click.Argument)]
    return ctx.params | {name: word for name, word in zip(names, ctx.args, strict=False) if name}


class RunName(Name):
    """A run: its id, branch, name, or an unambiguous beginning; `latest`."""

    name = "run"

    def known(self, place: Place, typed: str) -> Known:
        """The runs by the last part of their branch, as `mlgit ls` has it; or by all of it."""
        from mlgit.index import query

        every = query.branches(place.repo)
        return every if "/" in typed else [(branch.rpartition("/")[2], name) for branch, name in every]


class Thing(RunName):
    """Whatever has a lineage: a run, an artifact, a model's version or stage."""

    name = "ref"

    def known(self, place: Place, typed: str) -> Known:
        """The models and artifacts, then the runs."""
        from mlgit.index import query
        from mlgit.wiring import promoting

        model, at, _ = typed.replace("#", "@").partition("@")
        known = promoting.registered(place, model if at else None)
        models = [name for one in known for name in (one.name, *one.served)]
        artifacts = sorted(query.logged(place.repo, project=place.meant))
        return [*((name, "") for name in (*models, *artifacts)), *super().known(place, typed)]


class SweepName(Name):
    """A sweep: its id, its name, an unambiguous beginning of its id; `latest`."""

    name = "sweep"

    def known(self, place: Place, _typed: str) -> Known:
        """The sweeps by their ids, newest first."""
        from mlgit.sweeps import record

        return ((sweep.id, sweep.name) for sweep in record.known(place.repo, place.meant))


class StageName(Name):
    """A stage of the project's dvc.yaml."""

    name = "stage"

    def known(self, place: Place, _typed: str) -> Known:
        """The stages of the pipeline here."""
        from mlgit.store.place import here
        from mlgit.tracking.command import pipeline

        folder = pipeline.folder_of(place, here())
        return ((name, "") for name in pipeline.names(folder)) if folder else ()


class JobName(Name):
    """A job of the project: its id, its name, or `latest`."""

    name = "job"

    def known(self, place: Place, _typed: str) -> Known:
        """The jobs by their ids, newest first."""
        from mlgit.store import jobs

        known = jobs.known(place.repo, place.settings.project)
        return ((job.id, f"{job.name}, {job.state.value}") for job in known)


class CiRunName(RunName):
    """What CI does, by the branch, the run or the sweep that it does it for; GitHub is not asked for its numbers."""

    name = "run"

    def known(self, place: Place, typed: str) -> Known:
        """`latest`, the branches but those of runs, the sweeps, the runs."""
        branches = [ref.removeprefix("refs/heads/") for ref in place.repo.refs("refs/heads/")]
        own = [(name, "a branch") for name in branches if not name.startswith("exp/") and name != "mlgit-assets"]
        return [("latest", ""), *own, *SweepName().known(place, typed), *super().known(place, typed)]


class QueueName(Name):
    """A queue of mlgit.yaml, or a backend."""

    name = "queue"

    def known(self, place: Place, _typed: str) -> Known:
        """The queues, then the backends."""
        from mlgit.launch import backends, queues

        return ((name, "") for name in dict.fromkeys((*queues.read(place.settings), *backends.NAMES)))


class RunnerName(Name):
    """A runner that `mlgit runner start` has started."""

    name = "runner"

    def known(self, place: Place, _typed: str) -> Known:
        """Those whose job has not ended, newest first."""
        from mlgit.launch.runners import keeping

        return ((name, job.queue) for name, job in keeping.listed(place).items() if not job.state.ended)


class ModelName(Name):
    """A registered model, or a version of it by its number or a stage: `digits@v1.0.0`, `digits@production`."""

    name = "model"

    def known(self, place: Place, typed: str) -> Known:
        """The models; behind an `@`, the versions, stages and aliases of the one before it."""
        from mlgit.store import registry
        from mlgit.wiring import promoting

        model, at, _ = typed.partition("@")
        if not at:
            return ((name, "") for name in registry.models(place.repo))
        called = [name for one in promoting.registered(place, model) for name in (one.name, *one.served)]
        called += promoting.aliased(place, model)
        return ((name, "") for name in dict.fromkeys(name.replace("#", "@") for name in called))


class ServingStage(Name):
    """A stage of registered models."""

    name = "stage"

    def __init__(self, model: str | None = None) -> None:
        self.model = model
        """Whose; None: any model's."""

    def beside(self, given: Mapping[str, Any]) -> ServingStage:
        """Those of the model."""
        return ServingStage(given.get("model"))

    def known(self, place: Place, _typed: str) -> Known:
        """The stages that serve something."""
        from mlgit.wiring import promoting

        served = (name.partition("#")[2] for one in promoting.registered(place, self.model) for name in one.served)
        return ((name, "") for name in dict.fromkeys(served))


class ListedStage(Name):
    """A stage that a model may be promoted to."""

    name = "stage"

    def __init__(self, model: str | None = None) -> None:
        self.model = model
        """Whose; None: any model's."""

    def beside(self, given: Mapping[str, Any]) -> ListedStage:
        """Those of the model, also where a version of it is named."""
        named = given.get("version") or given.get("model") or ""
        return ListedStage(named.partition("@")[0] or None)

    def known(self, place: Place, typed: str) -> Known:
        """Those that the policy lists; where there is none, those that serve something."""
        from mlgit.wiring import promoting

        listed = promoting.stages(place, self.model)
        return ServingStage(self.model).known(place, typed) if listed is None else ((name, "") for name in listed)


class EarlierVersion(Name):
    """A version of a model that a stage served before."""

    name = "version"

    def __init__(self, model: str | None = None, stage: str | None = None) -> None:
        self.model, self.stage = model, stage

    def beside(self, given: Mapping[str, Any]) -> EarlierVersion:
        """Those of the model and the stage."""
        return EarlierVersion(given.get("model"), given.get("stage"))

    def known(self, place: Place, _typed: str) -> Known:
        """What the stage served, the latest first."""
        from mlgit.wiring import halting

        return (
            ((one, "") for one in halting.earlier(place, self.model, self.stage)) if self.model and self.stage else ()
        )


class Key(Name):
    """A metric, param or field by its name; the last one of a text, where it stands in a condition or an order."""

    name = "key"

    def known(self, place: Place, typed: str) -> Known:
        """The names that go on so, after what is there already."""
        from mlgit.index import query

        start = max(map(typed.rfind, " (")) + 1
        start += typed.startswith("-", start)
        before, word = typed[:start], typed[start:]
        fitting = sorted(name for name in query.keys(place.repo) if name.startswith(word))
        bare = [name for name in fitting if not name.startswith(("metrics.", "params."))]
        return ((before + name, "") for name in bare or fitting)


class ArtifactName(Name):
    """An artifact by its name, or a version of it: `digits`, `digits:v2`, `digits:gold`."""

    name = "artifact"

    def __init__(self, *, hidden: bool = False) -> None:
        self.hidden = hidden
        """Whether it is about versions that are hidden."""

    def known(self, place: Place, typed: str) -> Known:
        """The artifacts; behind a colon, the aliases and versions of the one before it."""
        from mlgit.artifacts import telling

        name, colon, _ = typed.partition(":")
        if not colon:
            return [(one, "") for one in sorted(telling.names(place.repo, project=place.meant))]
        rolls = telling.asked(place.repo, lambda known: known.rolls(name, place.meant))
        left = [
            (f"v{roll.numbers[content]}", roll.aliases(content))
            for roll in rolls
            for content in reversed(roll.contents)
            if roll.is_deleted(content) is self.hidden
        ]
        by_alias = [(f"{name}:{alias}", label) for label, aliases in left for alias in aliases]
        return [*by_alias, *((f"{name}:{label}", ", ".join(aliases)) for label, aliases in left)]


class PullNumber(click.IntRange):
    """The number of a pull request."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """*value*, or where to look for one; people give runs, too."""
        try:
            return int(super().convert(value, param, ctx))
        except click.BadParameter:
            self.fail(
                f"{value!r} is no pull request: mlgit pr ls lists them; mlgit report --head takes runs.", param, ctx
            )


ARTIFACT = ArtifactName()
CI_RUN = CiRunName()
EARLIER = EarlierVersion()
HIDDEN_ARTIFACT = ArtifactName(hidden=True)
JOB = JobName()
KEY = Key()
MODEL = ModelName()
LISTED = ListedStage()
NUMBER = PullNumber(1)
QUEUE = QueueName()
RUN = RunName()
RUNNER = RunnerName()
SERVING = ServingStage()
THING = Thing()
