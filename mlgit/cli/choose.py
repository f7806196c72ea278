"""Names of runs, and of what they have, on the command line: completed by the shell, looked up in the index."""

from __future__ import annotations

from typing import Any

import click
from click.shell_completion import CompletionItem

from mlgit.core import escape
from mlgit.errors import MlgitError


class Name(click.ParamType):  # type: ignore[type-arg]  # click 8.1, which we take too, has no such argument
    """What is called by a text; each kind of it says how the shell completes one."""


class RunName(Name):
    """A run: its id, branch, name, or an unambiguous beginning; `latest`."""

    name = "run"

    def shell_complete(self, _ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The runs whose name begins so, by the last part of their branch, as `mlgit ls` has it; or by all of it."""
        from mlgit import wiring
        from mlgit.index import query

        try:
            known = query.branches(wiring.place().repo)
        except MlgitError:
            return []
        called = known if "/" in incomplete else [(branch.rpartition("/")[2], name) for branch, name in known]
        return [
            CompletionItem(label, help=escape.line(name))
            for label, name in called
            if label.startswith(incomplete) or name.startswith(incomplete)
        ]


class Thing(RunName):
    """Whatever has a lineage: a run, an artifact, a model's version or stage."""

    name = "ref"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The models and artifacts that go on so, then the runs."""
        from mlgit import wiring
        from mlgit.index import query
        from mlgit.wiring import promoting

        try:
            place = wiring.place()
            models = [name for one in promoting.registered(place) for name in (one.name, *one.served)]
            artifacts = query.logged(place.repo, project=place.meant)
        except MlgitError:
            return []
        fitting = (name for name in (*models, *sorted(artifacts)) if name.startswith(incomplete))
        return [*map(CompletionItem, fitting), *super().shell_complete(ctx, param, incomplete)]


class SweepName(Name):
    """A sweep: its id, its name, an unambiguous beginning of its id; `latest`."""

    name = "sweep"

    def shell_complete(self, _ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The sweeps whose id or name begins so, newest first."""
        from mlgit import wiring
        from mlgit.sweeps import record

        try:
            place = wiring.place()
            known = record.known(place.repo, place.settings.project)
        except MlgitError:
            return []
        return [
            CompletionItem(sweep.id, help=escape.line(sweep.name))
            for sweep in known
            if sweep.id.startswith(incomplete) or sweep.name.startswith(incomplete)
        ]


class StageName(Name):
    """A stage of the project's dvc.yaml."""

    name = "stage"

    def shell_complete(self, _ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The stages whose name begins so."""
        from mlgit import wiring
        from mlgit.store.place import here
        from mlgit.tracking.command import pipeline

        try:
            folder = pipeline.folder_of(wiring.place(), here())
            return (
                [CompletionItem(name) for name in pipeline.names(folder) if name.startswith(incomplete)]
                if folder
                else []
            )
        except MlgitError:
            return []


class JobName(Name):
    """A job of the project: its id, its name, or `latest`."""

    name = "job"

    def shell_complete(self, _ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The jobs whose id or name begins so, the newest first, by their ids."""
        from mlgit import wiring
        from mlgit.store import jobs

        try:
            place = wiring.place()
            known = jobs.known(place.repo, place.settings.project)
        except MlgitError:
            return []
        return [
            CompletionItem(job.id, help=escape.line(f"{job.name}, {job.state.value}"))
            for job in known
            if job.id.startswith(incomplete) or job.name.startswith(incomplete)
        ]


class ModelName(Name):
    """A registered model, or a version of it by its number or a stage: `digits@v1.0.0`, `digits@production`."""

    name = "model"

    def shell_complete(self, _ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The models that are called so; behind an `@`, the versions and stages of the one before it."""
        from mlgit import wiring
        from mlgit.wiring import promoting

        try:
            known = promoting.registered(wiring.place())
        except MlgitError:
            return []
        called = [name for one in known for name in ((one.name, *one.served) if "@" in incomplete else (one.model,))]
        plain = dict.fromkeys(name.replace("#", "@") for name in called)
        return [CompletionItem(name) for name in plain if name.startswith(incomplete)]


class Key(Name):
    """A metric, param or field by its name; the last one of a text, where it stands in a condition or an order."""

    name = "key"

    def shell_complete(self, _ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The names that go on so, after what is there already."""
        from mlgit import wiring
        from mlgit.core.query import FIELDS
        from mlgit.index import query

        start = max(map(incomplete.rfind, " (")) + 1
        start += incomplete.startswith("-", start)
        before, word = incomplete[:start], incomplete[start:]
        try:
            known = query.keys(wiring.place().repo)
        except MlgitError:
            known = set(FIELDS)
        fitting = sorted(name for name in known if name.startswith(word))
        bare = [name for name in fitting if not name.startswith(("metrics.", "params."))]
        return [CompletionItem(before + name) for name in bare or fitting]


class ArtifactName(Name):
    """An artifact by its name, or a version of it: `digits`, `digits:v2`, `digits:gold`."""

    name = "artifact"

    def __init__(self, *, hidden: bool = False) -> None:
        self.hidden = hidden
        """Whether it is about versions that are hidden."""

    def shell_complete(self, _ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The artifacts that are called so; behind a colon, the versions and aliases of the one before it."""
        from mlgit import wiring
        from mlgit.artifacts import telling

        try:
            place = wiring.place()
            name, colon, _ = incomplete.partition(":")
            if not colon:
                called = [(one, "") for one in sorted(telling.names(place.repo, project=place.meant))]
            else:
                rolls = telling.asked(place.repo, lambda known: known.rolls(name, place.meant))
                left = [
                    (f"v{roll.numbers[content]}", roll.aliases(content))
                    for roll in rolls
                    for content in reversed(roll.contents)
                    if roll.is_deleted(content) is self.hidden
                ]
                called = [(f"{name}:{alias}", label) for label, aliases in left for alias in aliases]
                called += [(f"{name}:{label}", ", ".join(aliases)) for label, aliases in left]
        except MlgitError:
            return []
        fitting = [one for one in called if one[0].startswith(incomplete) and one[0].isprintable()]
        return [CompletionItem(one, help=escape.line(about)) for one, about in fitting]


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
HIDDEN_ARTIFACT = ArtifactName(hidden=True)
JOB = JobName()
KEY = Key()
MODEL = ModelName()
NUMBER = PullNumber(1)
RUN = RunName()
THING = Thing()
