"""Which versions of an artifact there are, by what runs and its ledger tell of them (pure).

Numbers are the ledger's, and behind those count the other contents in the order in which they were first logged; an
alias belongs to the newest claim of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from mlgit.core import ledger, refs
from mlgit.core.artifact import ArtifactVersion
from mlgit.core.ledger import Teller
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
    project: str
    """Whose it is."""
    folder: str = ""
    """Of that project, in the repository."""
    run: Run | None
    """Who logged it first; None where a person added it (`by`)."""
    by: str = ""
    is_listed: bool = True
    """Whether its number is its own for good, and not only until it is shared."""
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
    """A run's word on one version, or a person's, under one name."""

    version: ArtifactVersion
    teller: Teller
    logged: float
    when: float
    aliases: tuple[str, ...]

    @property
    def run(self) -> Run | None:
        """The run that tells it, or None."""
        return self.teller if isinstance(self.teller, Run) else None

    @property
    def by_whom(self) -> str:
        """What sorts claims of one moment."""
        return self.run.id if self.run else ""

    @property
    def folder(self) -> str:
        """The project's, in the repository."""
        return self.run.folder if self.run else self.version.folder


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
    """*text* taken apart: `name`, `name:alias`, `name@v3`, `project/name:v3`, `entity/project/name:alias`,
    `wandb-artifact://…`.

    Raises `UsageError`.
    """
    plain = text
    for scheme in _SCHEMES:
        plain = plain.removeprefix(scheme)
    path, _, which = plain.partition(":") if ":" in plain else plain.partition("@")
    parts = path.split("/")
    if len(parts) > 3 or not all(parts):
        raise UsageError(f"{text[:120]!r} names no artifact.", fix="name:latest, name:v0, or project/name:alias")
    project = refs.project(parts[-2]) if len(parts) > 1 else None
    if project and project.startswith(_REGISTRIES):
        project = None
    return Named(name=parts[-1], which=which or "latest", project=project)


def versions(tellers: Iterable[Teller], name: str) -> list[Held]:
    """The versions called or linked as *name* that *tellers* tell of, the first one first; deleted ones among them.

    Of those that a ledger lists and nobody tells of any more, only the number is left.
    """
    asked = list(tellers)
    listed = ledger.listed(asked, name)
    first: dict[str, _Claim] = {}
    newest: dict[str, _Claim] = {}
    claims = sorted(_claims(asked, name), key=lambda claim: (claim.logged, claim.by_whom))
    for claim in claims:
        first.setdefault(claim.version.hash, claim)
    owner: dict[str, str] = {}
    for claim in sorted(claims, key=lambda claim: (claim.when, claim.logged, claim.by_whom)):
        newest[claim.version.hash] = claim
        owner |= dict.fromkeys(claim.aliases, claim.version.hash)
    return [
        Held(
            version=newest[content].version,
            collection=name,
            number=number,
            aliases=tuple(alias for alias, owned in owner.items() if owned == content),
            project=first[content].teller.project,
            folder=first[content].folder,
            run=first[content].run,
            by=first[content].version.by,
            is_listed=number < len(listed),
            created=first[content].logged,
        )
        for number, content in enumerate(ledger.order(asked, name))
        if content in first
    ]


def by_project(tellers: Iterable[Teller], name: str) -> list[list[Held]]:
    """`versions` of each project that has some: each counts its own."""
    apart: dict[str, list[Teller]] = {}
    for one in tellers:
        apart.setdefault(one.project, []).append(one)
    return [known for some in apart.values() if (known := versions(some, name))]


def known_as(tellers: Iterable[Teller], version: ArtifactVersion) -> Held | None:
    """What *version*, a run's word on an artifact, is among its like; None where nobody has logged it."""
    return next((held for held in versions(tellers, version.name) if held.version.hash == version.hash), None)


def _claims(tellers: Iterable[Teller], name: str) -> Iterator[_Claim]:
    for teller in tellers:
        for position, version in enumerate(teller.logged):
            if version.name == name:
                aliases = () if version.deleted else version.aliases or () if version.created else ("latest",)
                logged = ledger.when_logged(teller, position)
                yield _Claim(
                    version=version, teller=teller, logged=logged, when=version.claimed or logged, aliases=aliases
                )  # fmt: skip
            for link in version.links:
                if link.collection == name:
                    aliases = () if version.deleted else (*link.aliases, "latest")
                    yield _Claim(
                        version=version, teller=teller, logged=link.linked, when=link.linked, aliases=aliases
                    )  # fmt: skip


def names(tellers: Iterable[Teller]) -> dict[str, str]:
    """Every artifact's name → its type."""
    return {version.name: version.type for one in tellers for version in reversed(one.logged) if not version.deleted}


def find(
    tellers: Sequence[Teller], text: str, *, project: str | None = None,
    others: Callable[[], Iterable[str]] = tuple, hidden: bool = False,
) -> Held:  # fmt: skip
    """The version that *text* names (see `parse`): by alias, number, or six digits of its hash.

    *project*: whose runs and ledgers are asked where *text* names none; None for all, of which the newest that fits
    counts. *others*: what else there is, for who finds nothing. One that was deleted or hidden is found with *hidden*
    alone. Raises `NotFoundError`.
    """
    named = parse(text)
    wanted = named.project or project
    asked = [one for one in tellers if wanted in (None, one.project)]
    several = by_project(asked, named.name) or (by_project(tellers, named.name) if not named.project else [])
    if not several and (of_path := _of_path(asked, named.name)):
        several = [of_path]
        if _number(named.which) == 0:
            named = replace(named, which="latest")  # W&B's number for it; the artifact may have had others before
    known = list(chain(*several))
    if not any(hidden or not held.version.deleted for held in known):
        some = sorted({*names(asked), *others()})
        fix = f"there are: {', '.join(some[:10])}" if some else "mlgit data add PATH, log one in a run, or mlgit pull"
        raise NotFoundError(f"There is no artifact {named.name[:120]!r}{_where(named.project)}.", fix=fix)
    chosen = filter(None, (_chosen(some, named.which) for some in several))
    found = max(chosen, key=lambda held: (not held.version.deleted, held.created), default=None)
    if found is None:
        own, last = sorted({alias for held in known for alias in held.aliases}), max(held.number for held in known)
        fix = f"{', '.join(f'{named.name}:{alias}' for alias in own[:8])}, or :v0 to :v{last}, or :<hash>"
        raise NotFoundError(
            f"The artifact {named.name!r} has no version {named.which[:80]!r}.",
            why="It has a number, and no run tells of it here: not pulled yet, hidden, or purged."
            if _number(named.which) in range(last) else "", fix=fix,
        )  # fmt: skip
    if found.version.deleted and not hidden:
        raise NotFoundError(f"{found.name} was deleted.", fix=f"{named.name}:latest is the newest that is left")
    return found


def _of_path(tellers: Sequence[Teller], name: str) -> list[Held]:
    """The version that a run logged by a path alone, by W&B's name for that: `run-<id>-model.pt`."""
    for run in (one for one in tellers if isinstance(one, Run)):
        for version in reversed(run.logged):
            if name == f"run-{run.id}-{version.path.rpartition('/')[2]}":
                own = [other for other in tellers if other.project == run.project]
                return [held for held in versions(own, version.name) if held.version.hash == version.hash]
    return []


def _where(project: str | None) -> str:
    return f" in the project {project[:80]!r}" if project else ""


def _chosen(known: Sequence[Held], which: str) -> Held | None:
    if which == "latest":
        left = [held for held in known if not held.version.deleted] or known
        return next((held for held in left if which in held.aliases), left[-1])
    if (number := _number(which)) is not None:
        return next((held for held in known if held.number == number), None)
    if named := next((held for held in known if which in held.aliases), None):
        return named
    fitting = [held for held in known if len(which) >= _SHORTEST and held.version.hash.startswith(which)]
    return fitting[0] if len(fitting) == 1 else None


def _number(which: str) -> int | None:
    """3 for `v3`."""
    return int(which[1:]) if which[:1] == "v" and which[1:].isdecimal() and len(which) < 20 else None
