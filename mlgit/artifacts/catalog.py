"""Which versions of an artifact there are, by what runs tell of them (pure).

Numbers count contents in the order in which they were first logged; an alias belongs to the newest claim of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from mlgit.core import refs
from mlgit.core.artifact import ArtifactVersion
from mlgit.core.run import Run
from mlgit.errors import NotFoundError, UsageError

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_SHORTEST = 6
"""So many digits of a hash name a version."""
_SCHEMES = ("wandb-artifact://", "mlgit-artifact://")
_REGISTRIES = ("model-registry", "wandb-registry-")
"""What W&B calls the projects that only collect links; here every project's links are meant."""


@dataclass(frozen=True, kw_only=True)
class Held:
    """A version among its like."""

    version: ArtifactVersion
    """As its newest record tells of it."""
    collection: str
    """The name that it was found by: the artifact's own, or one that it is linked to."""
    number: int
    aliases: tuple[str, ...]
    """The names that nobody has claimed for another version since."""
    run: Run
    """Who logged it first."""
    created: float
    """When that was, in seconds since the epoch."""

    @property
    def label(self) -> str:
        """`v3`."""
        return f"v{self.number}"

    @property
    def name(self) -> str:
        """`mnist:v3`."""
        return f"{self.collection}:{self.label}"


@dataclass(frozen=True, kw_only=True)
class Named:
    """What a text names: an artifact and one of its versions."""

    name: str
    which: str = "latest"
    project: str | None = None


@dataclass(frozen=True, kw_only=True)
class _Claim:
    """A run's word on one version, under one name."""

    version: ArtifactVersion
    run: Run
    logged: float
    when: float
    aliases: tuple[str, ...]


def checked(name: str) -> str:
    """*name*, if an artifact can have it: by W&B's rule, for no ref is called so. Raises `UsageError`."""
    if not _NAME.fullmatch(name) or name in (".", ".."):
        raise UsageError(
            f"{name[:140]!r} cannot be the name of an artifact.",
            why="Such a name is a file's: letters, digits, '.', '_' and '-', at most 128.",
            fix=f"call it {close!r}" if (close := refs.slug(name)) else "use letters and digits",
        )
    if name.endswith(".dvc") or name == "dvc.yaml":
        raise UsageError(f"{name!r} cannot be the name of an artifact: DVC's own files are called so.")
    return name


def checked_type(type: str) -> str:
    """*type*, if an artifact can be of it. Raises `UsageError`."""
    if not type or not type.isprintable() or len(type) > 128:
        raise UsageError(f"{type[:80]!r} cannot be a type of artifact.", why="It is printable text, at most 128 long.")
    return type


def checked_alias(alias: str) -> str:
    """*alias*, if a version can have it. Raises `UsageError`."""
    if not alias or any(char in alias for char in "/:") or not alias.isprintable() or len(alias) > 128:
        raise UsageError(f"{alias[:80]!r} cannot be an alias.", why="It is printable text without '/' and ':'.")
    if alias[:1] == "v" and alias[1:].isdecimal():
        raise UsageError(f"{alias!r} cannot be an alias.", why="v0, v1, … count the versions.")
    return alias


def parse(text: str) -> Named:
    """*text* taken apart: `name`, `name:alias`, `project/name:v3`, `entity/project/name:alias`, `wandb-artifact://…`.

    Raises `UsageError`.
    """
    plain = text
    for scheme in _SCHEMES:
        plain = plain.removeprefix(scheme)
    path, _, which = plain.partition(":")
    parts = path.split("/")
    if len(parts) > 3 or not all(parts):
        raise UsageError(f"{text[:120]!r} names no artifact.", fix="name:latest, name:v0, or project/name:alias")
    project = refs.project(parts[-2]) if len(parts) > 1 else None
    if project and project.startswith(_REGISTRIES):
        project = None
    return Named(name=parts[-1], which=which or "latest", project=project)


def versions(runs: Iterable[Run], name: str) -> list[Held]:
    """The versions called or linked as *name* that *runs* logged, the first one first; deleted ones among them."""
    claims = sorted(_claims(runs, name), key=lambda claim: (claim.logged, claim.run.id))
    first: dict[str, _Claim] = {}
    newest: dict[str, _Claim] = {}
    for claim in claims:
        first.setdefault(claim.version.hash, claim)
    owner: dict[str, str] = {}
    for claim in sorted(claims, key=lambda claim: (claim.when, claim.logged, claim.run.id)):
        newest[claim.version.hash] = claim
        owner |= dict.fromkeys(claim.aliases, claim.version.hash)
    return [
        Held(
            version=newest[content].version,
            collection=name,
            number=number,
            aliases=tuple(alias for alias, owned in owner.items() if owned == content),
            run=claim.run,
            created=claim.logged,
        )
        for number, (content, claim) in enumerate(first.items())
    ]


def known_as(runs: Iterable[Run], version: ArtifactVersion) -> Held | None:
    """What *version*, a run's word on an artifact, is among its like; None where nobody has logged it."""
    return next((held for held in versions(runs, version.name) if held.version.hash == version.hash), None)


def _claims(runs: Iterable[Run], name: str) -> Iterator[_Claim]:
    for run in runs:
        for position, version in enumerate(run.logged):
            logged = version.created or run.created + position * 1e-6  # old records do not say when
            if version.name == name:
                aliases = () if version.deleted else version.aliases or () if version.created else ("latest",)
                yield _Claim(
                    version=version, run=run, logged=logged, when=version.claimed or logged, aliases=aliases
                )  # fmt: skip
            for link in version.links:
                if link.collection == name:
                    aliases = () if version.deleted else (*link.aliases, "latest")
                    yield _Claim(version=version, run=run, logged=link.linked, when=link.linked, aliases=aliases)


def names(runs: Iterable[Run]) -> dict[str, str]:
    """Every artifact's name → its type."""
    return {version.name: version.type for run in runs for version in reversed(run.logged) if not version.deleted}


def find(
    runs: Sequence[Run], text: str, *, project: str | None = None, others: Callable[[], Iterable[str]] = tuple
) -> Held:
    """The version that *text* names (see `parse`): by alias, number, or six digits of its hash.

    *project*: whose runs are asked where *text* names none; None for all. *others*: what else there is, for who finds
    nothing. Raises `NotFoundError`.
    """
    named = parse(text)
    wanted = named.project or project
    asked = [run for run in runs if wanted in (None, run.project)]
    known = versions(asked, named.name) or (versions(runs, named.name) if not named.project else [])
    known = known or _of_path(asked, named.name)
    if not any(not held.version.deleted for held in known):
        some = sorted({*names(asked), *others()})
        fix = f"there are: {', '.join(some[:10])}" if some else "log one in a run first"
        raise NotFoundError(f"There is no artifact {named.name[:120]!r}{_where(named.project)}.", fix=fix)
    found = _chosen(known, named.which)
    if found is None:
        own = sorted({alias for held in known for alias in held.aliases})
        fix = f"{', '.join(f'{named.name}:{alias}' for alias in own[:8])}, or :v0 to :v{len(known) - 1}, or :<hash>"
        raise NotFoundError(f"The artifact {named.name!r} has no version {named.which[:80]!r}.", fix=fix)
    if found.version.deleted:
        raise NotFoundError(f"{found.name} was deleted.", fix=f"{named.name}:latest is the newest that is left")
    return found


def _of_path(runs: Sequence[Run], name: str) -> list[Held]:
    """The version that a run logged by a path alone, by W&B's name for that: `run-<id>-model.pt`."""
    for run in runs:
        for version in reversed(run.logged):
            if name == f"run-{run.id}-{version.path.rpartition('/')[2]}":
                own = [other for other in runs if other.project == run.project]
                return [held for held in versions(own, version.name) if held.version.hash == version.hash]
    return []


def _where(project: str | None) -> str:
    return f" in the project {project[:80]!r}" if project else ""


def _chosen(known: Sequence[Held], which: str) -> Held | None:
    if which == "latest":
        left = [held for held in known if not held.version.deleted]
        return next((held for held in left if which in held.aliases), left[-1])
    if which[:1] == "v" and which[1:].isdecimal():
        return known[int(which[1:])] if int(which[1:]) < len(known) else None
    if named := next((held for held in known if which in held.aliases), None):
        return named
    fitting = [held for held in known if len(which) >= _SHORTEST and held.version.hash.startswith(which)]
    return fitting[0] if len(fitting) == 1 else None


def without(version: ArtifactVersion, alias: str) -> ArtifactVersion:
    """*version* as it no longer claims *alias*."""
    return replace(version, aliases=tuple(one for one in version.aliases if one != alias))
