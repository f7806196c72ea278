"""What follows when a registry changes: automations, deployments and comments."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from mlgit.errors import ConfigError, MlgitError, NotFoundError, UsageError
from mlgit.wiring import forge, on_github

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mlgit.forge.base import Forge
    from mlgit.forge.github.forge import GitHubForge
    from mlgit.git.remote import Remote
    from mlgit.registry.automation.events import Event
    from mlgit.registry.automation.file import AutomationsFile, Command, Follower
    from mlgit.registry.automation.running import Delivery, Registry
    from mlgit.registry.automation.state import Memory
    from mlgit.registry.ledger import Ledger
    from mlgit.store.place import Place

    _Act = Callable[[Event], str]

DEPLOYMENTS, COMMENTS = "mlgit.deployments", "mlgit.comments"
"""What follows without anybody saying so. No name in the file has a point."""

_SKEW = 60
"""Seconds by which the clocks of GitHub and of whoever tags may differ."""


def is_own(name: str) -> bool:
    """Whether it follows without anybody saying so."""
    return name in (DEPLOYMENTS, COMMENTS)


def file(place: Place, *, base: str | None = None) -> AutomationsFile:
    """What `registry/automations.yaml` on the branch of promotions says. Raises `ConfigError`, `NotFoundError`."""
    from mlgit.registry.automation import file as files
    from mlgit.store import registry

    text = place.repo.read(commit_of(place, base), registry.AUTOMATIONS)
    return files.AutomationsFile() if text is None else files.read(text, source=registry.AUTOMATIONS)


def automate(
    place: Place, *, base: str | None = None, remote: Remote | None = None, since: float | None = None
) -> list[Delivery]:  # fmt: skip
    """Do what is due by the branch of promotions; what was done is kept on *remote*, else where pull requests live.

    *since*: the moment from which on a follower counts that was never seen; None: now.

    Raises `ConfigError` for a file that cannot be read, after what follows by itself was done.
    """
    from mlgit.registry.automation import acting, running
    from mlgit.registry.automation.file import Automation, AutomationsFile
    from mlgit.registry.automation.state import State

    own, broken = _own(place), None
    try:
        said = file(place, base=base)
    except ConfigError as exc:
        said, broken = AutomationsFile(), exc
    hands = acting.Hands(
        environ=os.environ, serves=partial(_serves, place),
        dispatch=partial(_dispatched, place, base), run=partial(_ran, place, commit_of(place, base)),
    )  # fmt: skip

    def act(one: Follower, event: Event) -> str:
        return acting.act(hands, one, event) if isinstance(one, Automation) else own[one.name][1](event)

    followers = [*(follower for follower, _ in own.values()), *said.automations]
    look = partial(registry, place, base=base)
    state = State(repo=place.repo, remote=remote or _shared(place))
    done = running.run(state, followers, look, act, now=time.time, since=since)
    if broken:
        raise broken
    return done


def commit_of(place: Place, base: str | None) -> str:
    """Where the branch of promotions stands. Raises `NotFoundError`."""
    from mlgit.store import registry

    return registry.base_commit(place.repo, registry.base_name(place.repo, base))


def follow(
    place: Place, *, base: str | None = None, remote: Remote | None = None, since: float | None = None,
    merged: str | None = None,
) -> list[Delivery]:  # fmt: skip
    """`automate`, where it is this process's to do: of a repository on GitHub a job of CI does it, who has the secrets.

    *merged*: the commit that asked for what has happened; what that led to counts, too, whoever did it.

    Raises `ConfigError`, `GitError` as it does.
    """
    there = on_github(place)
    if there and not os.environ.get("GITHUB_ACTIONS"):
        return []
    if merged and since is not None:
        made = float(place.repo.git("show", "-s", "--format=%ct", merged))
        since = min(since, made - (_SKEW if there else 0))
    return automate(place, base=base, remote=remote, since=since)


def memories(place: Place) -> dict[str, Memory]:
    """What each automation has done, by its name, as the repository where pull requests live has it."""
    from mlgit.registry.automation.state import State

    return State(repo=place.repo, remote=_shared(place)).read()


def _shared(place: Place) -> Remote | None:
    there = on_github(place)
    return there[0].clone.remote if there and there[0].clone else None


def registry(place: Place, since: float | None = None, *, base: str | None = None) -> Registry:
    """The registry as the tags and the branch of promotions have it now.

    *since*: of the models of which no tag is of that moment, or of a later one, the tags are not read.
    """
    from mlgit.registry.automation.running import Registry
    from mlgit.registry.versions import catalogue
    from mlgit.store import registry as store

    repo = place.repo
    try:
        commit = store.base_commit(repo, store.base_name(repo, base))
    except NotFoundError:
        return Registry(ledgers=(), stages=())
    with repo.reader() as reader:
        stages = store.stage_files(reader, commit)
    models = None if since is None else catalogue.moved(repo, since)
    return Registry(ledgers=tuple(ledgers_of(place, models).values()), stages=tuple(stages.values()))


def _serves(place: Place, model: str, stage: str) -> str | None:
    known = ledgers_of(place, [model]).get(model)
    return known.stages.get(stage) if known else None


def ledgers_of(place: Place, models: Sequence[str] | None) -> dict[str, Ledger]:
    """What the tags say of *models*, or (None) of all there are, by name."""
    from mlgit.registry import ledger
    from mlgit.store import registry as store

    if models is None:
        return ledger.read(store.tags(place.repo))
    return ledger.read(store.tags(place.repo, *models)) if models else {}


def _own(place: Place) -> dict[str, tuple[Follower, _Act]]:
    """What follows by itself, by its name: a comment where it was proposed, a deployment where a forge knows those."""
    from mlgit.registry.automation.file import Follower, On

    on = (On.PROMOTED, On.ROLLED_BACK)
    found: dict[str, tuple[Follower, _Act]] = {
        COMMENTS: (Follower(name=COMMENTS, on=on), partial(_commented, forge(place)))
    }
    if there := on_github(place):
        follower = Follower(name=DEPLOYMENTS, on=on)
        found[DEPLOYMENTS] = (follower, partial(_deployed, place, there[0]))
    return found


def _commented(there: Forge, event: Event) -> str:
    """Say where it was proposed that it serves now."""
    from mlgit.core import escape
    from mlgit.forge.sticky import upsert

    if event.pull is None:
        return "no pull request proposed it"
    what = escape.code(f"{event.model} {event.version}")
    approved = f", approved by {escape.markdown(', '.join(event.approvers))}" if event.approvers else ""
    instead = f" in place of {event.instead}" if event.instead else ""
    emergency = " ⚠️ **Its gates were not asked: an emergency.**" if event.emergency else ""
    body = (
        f"**{escape.markdown(event.stage or '')}** serves {what}{instead}{approved}: "
        f"tag {escape.code(event.tag or '')}.{emergency}\n"
    )
    known = hashlib.sha256(event.id.encode()).hexdigest()[:12]
    return upsert(there, event.pull, f"serves:{known}", body).body and f"said on #{event.pull}"


def _deployed(place: Place, there: GitHubForge, event: Event) -> str:
    """Have a deployment on GitHub that says so; the one that says it already, if it was made before.

    The newest is what GitHub takes for what is there: so there is none of what something else has taken the place of.
    """
    from mlgit.forge.github import deployments
    from mlgit.forge.github.deployments import DeploymentState

    where = f"{event.model}/{event.stage}"
    earlier = deployments.deployments(there.rest, there.name, environment=where)
    made = next((one for one in earlier if one.payload.get("tag") == event.tag), None)
    serves = _serves(place, event.model, event.stage or "")
    if made is None and serves != event.version:
        return f"no deployment to {where}, which serves {serves or 'nothing'} by now"
    if made is None:
        payload = {"model": event.model, "version": event.version, "tag": event.tag, "digest": event.digest}
        made = deployments.deploy(
            there.rest, there.name, f"{event.model}@{event.version}", environment=where, payload=payload,
            description=f"{event.model} {event.version}", is_production=event.stage == "production",
        )  # fmt: skip
    if deployments.state(there.rest, there.name, made.id) is None:
        deployments.set_state(
            there.rest, there.name, made.id,
            DeploymentState.SUCCESS if serves == event.version else DeploymentState.INACTIVE,
            description=f"{event.stage} serves {event.model} {event.version}",
        )  # fmt: skip
    return f"deployment {made.id} to {where}"


def _dispatched(place: Place, base: str | None, workflow: str, ref: str, inputs: Mapping[str, str]) -> str:
    from mlgit.forge.github import dispatching
    from mlgit.store import registry

    there = on_github(place)
    if there is None:
        raise UsageError(f"There is no CI here that could run {workflow}.", fix="do: {command: […]}")
    into = ref or registry.base_name(place.repo, base)
    url = dispatching.dispatch(there[0].rest, there[0].name, workflow, ref=into, inputs=inputs)
    return url or f"{workflow} was started for {into}"


def _ran(place: Place, commit: str, asked: Command, content: bytes) -> str:
    from mlgit.core import figures
    from mlgit.registry import programs
    from mlgit.registry.automation.acting import without

    if lacking := [name for name in asked.secrets if name not in os.environ]:
        raise UsageError(f"The environment has no {lacking[0]}, which {asked.command[0]} asks for.")
    secrets, seconds = {name: os.environ[name] for name in asked.secrets}, figures.seconds(asked.timeout) or 0
    with programs.copy(place.repo, commit) as folder:
        ended = programs.run(asked.command, folder, seconds=seconds, content=content, env=secrets)
    ended = replace(ended, printed=without(ended.printed, secrets.values()))
    if ended.code == 0:
        return ended.last
    how = f"went on for more than {asked.timeout}" if ended.code is None else f"ended with {ended.code}"
    raise MlgitError(f"{asked.command[0]} {how}.", why=ended.last, fix="it is tried again")
