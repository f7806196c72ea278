"""Which versions of an artifact there are, by what runs and its ledger tell of them (pure).

Numbers are the ledger's, and behind those count the other contents in the order in which they were first logged; an
alias belongs to the newest claim of it (`core.roll`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from mlgit.core import refs
from mlgit.core.artifact import ArtifactVersion, called
from mlgit.core.ledger import Teller
from mlgit.core.roll import Roll, number_of
from mlgit.core.run import Run
from mlgit.errors import NotFoundError, UsageError

T = TypeVar("T")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_SCHEMES = ("wandb-artifact://", "mlgit-artifact://")
_REGISTRIES = ("model-registry", "wandb-registry-")
"""What W&B calls the projects that only collect links; here every project's links are meant."""


@dataclass(frozen=True, kw_only=True)
class Held:
    """A version among its like."""

    version: ArtifactVersion
    """As its newest record tells of it, in the words of who edited them last."""
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


@dataclass(frozen=True)
class Kind:
    """What a name stands for."""

    type: str
    """Of the newest version that is called so; of the newest that is linked, where none is."""
    is_own: bool
    """Whether one is called so, and not only linked."""


class Source(Protocol[T]):
    """Who knows what is told of artifacts; *T* is what they hold in the place of who tells it."""

    def rolls(self, name: str, project: str | None = None) -> Sequence[Roll[T]]:
        """The versions called or linked as *name*, a roll for each project that has some."""
        ...

    def read(self, some: Iterable[T]) -> Mapping[T, Teller]:
        """Who *some* stand for, without those that cannot be read here."""
        ...

    def owners(self, name: str) -> Iterable[Run]:
        """The runs that may have logged, by its path alone, what W&B calls *name*, `run-<id>-model.pt`."""
        ...


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


def held(source: Source[T], roll: Roll[T], contents: Iterable[str] | None = None) -> list[Held]:
    """The versions of *roll*, the first one first; with *contents* only these. Only who tells of them is read.

    Of those that a ledger lists and nobody tells of any more, only the number is left.
    """
    return held_all(source, [(roll, content) for content in (roll.contents if contents is None else contents)])


def held_all(source: Source[T], wanted: Sequence[tuple[Roll[T], str]]) -> list[Held]:
    """`held`, of contents of several rolls."""
    tellers = source.read({teller for roll, one in wanted for teller in roll.tellers(one)})
    made = (_held(roll, content, tellers) for roll, content in wanted)
    return [one for one in made if one]


def _held(roll: Roll[T], content: str, tellers: Mapping[T, Teller]) -> Held | None:
    first, newest = roll.first(content), roll.newest(content)
    if first not in tellers or newest not in tellers:
        return None
    teller, version = tellers[first], _meant(tellers[first], content, roll.name)
    run = teller if isinstance(teller, Run) else None
    edited = [_meant(tellers[one], content, roll.name) for one in roll.edited(content) if one in tellers]
    told = _meant(tellers[newest], content, roll.name).filled(version).edited_by(edited)
    return Held(
        version=replace(told, step=version.step), collection=roll.name, number=roll.numbers[content],
        aliases=roll.aliases(content), project=teller.project, folder=run.folder if run else version.folder, run=run,
        by=version.by, is_listed=roll.is_listed(content), created=roll.logged(content),
    )  # fmt: skip


def _meant(teller: Teller, content: str, name: str) -> ArtifactVersion:
    """What *teller* says of *content*, which it calls *name* itself, or links there."""
    alike = [one for one in teller.logged if one.hash == content and name in called([one])]
    return min(alike, key=lambda one: one.name != name)


def kind(source: Source[T], roll: Roll[T]) -> Kind | None:
    """What the name of *roll* stands for; None where nothing is left of it."""
    linked: Kind | None = None
    for content in (one for one in reversed(roll.contents) if not roll.is_deleted(one)):
        found = _kind(roll, content, source.read([roll.newest(content)]))
        if found and found.is_own:
            return found
        linked = linked or found
    return linked


def types(source: Source[T], rolls: Sequence[Roll[T]]) -> dict[str, str]:
    """The names of *rolls* of which something is left → the types that they stand for."""
    left = [(roll, content) for roll in rolls if (content := roll.left)]
    tellers = source.read({roll.newest(content) for roll, content in left})
    found = {roll.name: one for roll, content in left if (one := _kind(roll, content, tellers))}
    linked = [roll for roll, _ in left if roll.name in found and not found[roll.name].is_own]
    found |= {roll.name: own for roll in linked if (own := kind(source, roll))}
    return {name: one.type for name, one in found.items()}


def _kind(roll: Roll[T], content: str, tellers: Mapping[T, Teller]) -> Kind | None:
    teller = tellers.get(roll.newest(content))
    told = _meant(teller, content, roll.name) if teller else None
    return Kind(told.type, told.name == roll.name) if told else None


def find(
    source: Source[T], text: str, *, project: str | None = None,
    others: Callable[[], Iterable[str]] = tuple, hidden: bool = False,
) -> Held:  # fmt: skip
    """The version that *text* names (see `parse`): by alias, number, or six digits of its hash.

    *project*: whose runs and ledgers are asked where *text* names none; None for all, of which the newest that fits
    counts. *others*: what else there is, for who finds nothing. One that was deleted or hidden is found with *hidden*
    alone. Raises `NotFoundError`.
    """
    named = parse(text)
    wanted = named.project or project
    rolls = source.rolls(named.name, wanted) or (source.rolls(named.name) if wanted and not named.project else [])
    if not rolls and (of_path := _of_path(source, named.name, wanted)):
        roll, content = of_path
        if named.which in ("latest", "v0"):  # W&B's number for it; the artifact may have had others before
            named = replace(named, which=content)
        rolls = [roll]
    if not any(hidden or roll.left for roll in rolls):
        raise _all_hidden(named, rolls) if rolls else unknown(named, others())
    chosen = [(roll, meant) for roll in rolls if (meant := roll.chosen(named.which))]
    chosen.sort(key=lambda one: (one[0].is_deleted(one[1]), -one[0].logged(one[1])))
    found = next((one for roll, meant in chosen for one in held(source, roll, [meant])), None)
    if found is None:
        raise _no_version(rolls, named)
    if found.version.deleted and not hidden:
        fix = f"mlgit data restore {found.name} brings it back; {named.name}:latest is the newest that is left"
        raise NotFoundError(f"{found.name} was deleted, and is hidden.", fix=fix)
    return found


def unknown(named: Named, others: Iterable[str]) -> NotFoundError:
    """There is nothing called as is *named*, but *others*."""
    some = sorted(set(others))
    fix = f"there are: {', '.join(some[:10])}" if some else "mlgit data add PATH, log one in a run, or mlgit pull"
    return NotFoundError(f"There is no artifact {named.name[:120]!r}{_where(named.project)}.", fix=fix)


def _all_hidden(named: Named, rolls: Sequence[Roll[T]]) -> NotFoundError:
    numbers = [roll.numbers[content] for roll in rolls for content in roll.contents]
    which = f"{f'{named.project}/' if named.project else ''}{named.name}"
    return NotFoundError(
        f"Every version of the artifact {named.name[:120]!r} was deleted, and is hidden.",
        fix=f"mlgit data restore {which}:v{max(numbers)}",
    )


def _no_version(rolls: Sequence[Roll[T]], named: Named) -> NotFoundError:
    aliases = sorted({alias for roll in rolls for alias in roll.owners})
    last = max(max(roll.numbers.values()) for roll in rolls)
    numbers = f":v0 to :v{last}" if last else ":v0"
    return NotFoundError(
        f"The artifact {named.name!r} has no version {named.which[:80]!r}.",
        why="It has a number, and no run tells of it here: not pulled yet, hidden, or purged."
        if number_of(named.which) in range(last + 1) else "",
        fix=f"{''.join(f'{named.name}:{alias}, ' for alias in aliases[:8])}{named.name}{numbers}, or :<hash>",
    )  # fmt: skip


def _of_path(source: Source[T], name: str, project: str | None) -> tuple[Roll[T], str] | None:
    """The version that a run logged by a path alone, by W&B's name for that: `run-<id>-model.pt`."""
    for run in source.owners(name):
        for version in reversed(run.logged if project in (None, run.project) else ()):
            if name == f"run-{run.id}-{version.path.rpartition('/')[2]}":
                return next((roll, version.hash) for roll in source.rolls(version.name, run.project))
    return None


def _where(project: str | None) -> str:
    return f" in the project {project[:80]!r}" if project else ""
