"""An artifact: a named, content-addressed file or folder that DVC holds."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from operator import itemgetter
from types import MappingProxyType
from typing import Any, NamedTuple

from mlgit.core.model_card import ModelCard

_ALWAYS = ("name", "type", "hash", "size", "path")
_LISTS = ("aliases", "tags")
_HASH = re.compile(r"[0-9a-f]{32}(\.dir)?")


def is_hash(text: str) -> bool:
    """Whether *text* is a content hash of DVC's: 32 hex digits, with `.dir` for a folder."""
    return _HASH.fullmatch(text) is not None


@dataclass(frozen=True, kw_only=True)
class Link:
    """A version in a collection of another name, as `link_artifact` puts it there."""

    collection: str
    aliases: tuple[str, ...] = ()
    linked: float = 0.0
    """Seconds since the epoch."""


@dataclass(frozen=True, kw_only=True)
class ArtifactVersion:
    """One content of an artifact, as one run tells of it.

    *hash* is DVC's: md5 of the file, or `<md5>.dir` for a folder. What it references elsewhere is listed in a file of
    that folder, so the hash speaks for it too.
    """

    name: str
    type: str
    hash: str
    size: int
    """Bytes."""
    path: str
    """Where it lay when it was logged, relative to the project's folder."""
    files: int = 0
    """How many files it has, references among them; 0 where an old record does not say."""
    created: float = 0.0
    """When the run logged it, in seconds since the epoch; 0 where an old record does not say."""
    aliases: tuple[str, ...] = ()
    """The names that the run gave it, `latest` among them; the newest claim of a name wins."""
    claimed: float = 0.0
    """When the aliases were set, where that was later than it was first logged."""
    edited: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """What of its words (`WORDS`) a person said, each part (`description`, `tags.paper`, `metadata.rows`, of what was
    taken out too) with when that was: no run that logs it again takes it back."""
    tags: tuple[str, ...] = ()
    description: str = ""
    metadata: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    card: ModelCard | None = None
    """What is known of a model."""
    links: tuple[Link, ...] = ()
    step: int | None = None
    """The last step that the run had logged at when it logged it; None where there was none."""
    use_as: str = ""
    """What the run used it as."""
    asked: str = ""
    """By what name the run asked for it, which may mean another version by now."""
    ttl: float | None = None
    """Seconds that it should live: a wish, for nothing is deleted by itself."""
    deleted: bool = False
    """Whether somebody has deleted it: its number stays its own, its bytes may go."""
    splits: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """Groups of its files by name (`train`), each a list of patterns of paths in it."""
    by: str = ""
    """Who added it, `Ada <ada@example.com>`, where that was a person and no run."""
    folder: str = ""
    """Of the project that it was added in by a person: a run has its own."""
    stays: bool = False
    """Whether its pointer, or the stage that made it, said `push: false`: its bytes go to no remote."""

    def worded(self, other: ArtifactVersion) -> ArtifactVersion:
        """The same with the words of *other*."""
        return replace(self, **{name: getattr(other, name) for name in (*WORDS, "edited")})

    def filled(self, other: ArtifactVersion) -> ArtifactVersion:
        """The same with the words of *other* where it has none."""
        told = {name: own if (own := getattr(self, name)) or own == 0.0 else getattr(other, name) for name in WORDS}
        return replace(self, **told)

    def differing(self, before: ArtifactVersion) -> list[str]:
        """The parts of its words that *before* has otherwise, as `edited` names them."""
        own, other = _parts(self), _parts(before)
        every = dict.fromkeys((*own, *other))
        return [part for part in every if part not in own or part not in other or own[part] != other[part]]

    def taking(self, other: ArtifactVersion, parts: Mapping[str, float]) -> ArtifactVersion:
        """The same with these *parts* as they are in *other*, or not there, where a person said that then."""
        told = {word: getattr(self, word) for word in WORDS}
        for part in parts:
            word, is_item, item = part.partition(".")
            words = getattr(other, word)
            told[word] = _taking(told[word], item, words) if is_item else words
        return replace(self, **told, edited={**self.edited, **parts})

    def edited_by(self, others: Iterable[ArtifactVersion]) -> ArtifactVersion:
        """The same with what people said in *others*, which speak of it too: of each part, what was said last."""
        found = self
        said = [(when, part, one) for one in (self, *others) for part, when in one.edited.items()]
        for when, part, one in sorted(said, key=itemgetter(0)):
            found = found.taking(one, {part: when})
        return found

    def as_used(self, use_as: str | None, asked: str = "") -> ArtifactVersion:
        """What a run that used it tells of it: what it is, as what, and by what name it was *asked* for."""
        return ArtifactVersion(
            name=self.name, type=self.type, hash=self.hash, size=self.size, path=self.path, files=self.files,
            use_as=use_as or "", asked=asked,
        )  # fmt: skip

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> ArtifactVersion:
        """What `document` made of it; what a newer mlgit wrote beside that is passed over.

        Raises `ValueError`, `KeyError`, `TypeError` or `AttributeError` for what is no version.
        """
        if not is_hash(document["hash"]):
            raise ValueError("this is no hash of DVC's")
        known: dict[str, Any] = {name: document[name] for name in _NAMES if name in document}
        known |= {name: tuple(map(str, known[name])) for name in _LISTS if name in known}
        if "splits" in known:
            known["splits"] = {str(key): tuple(map(str, files)) for key, files in known["splits"].items()}
        if "metadata" in known:
            known["metadata"] = dict(known["metadata"])
        if "card" in known:
            known["card"] = ModelCard.of(known["card"])
        if "edited" in known:
            known["edited"] = {part: float(when) for part, when in known["edited"].items() if _is_part(part)}
        if "links" in known:
            known["links"] = tuple(
                Link(
                    collection=str(item["collection"]),
                    aliases=tuple(map(str, item.get("aliases", ()))),
                    linked=item.get("linked", 0.0),
                )
                for item in known["links"]
            )
        return cls(**known)

    def document(self) -> dict[str, Any]:
        """The version as plain data, what is not said left out."""
        told: dict[str, Any] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name in _ALWAYS or (one.name == "step" and value is not None):
                told[one.name] = value
            elif one.name == "links" and value:
                told["links"] = [
                    {"collection": link.collection, "aliases": list(link.aliases), "linked": round(link.linked, 3)}
                    for link in value
                ]
            elif one.name == "card" and value:
                told["card"] = value.document()
            elif one.name in _LISTS and value:
                told[one.name] = list(value)
            elif one.name == "metadata" and value:
                told["metadata"] = dict(value)
            elif one.name == "edited" and value:
                told["edited"] = {name: round(when, 3) for name, when in value.items()}
            elif one.name == "splits" and value:
                told["splits"] = {key: list(files) for key, files in value.items()}
            elif isinstance(value, float):
                told |= {one.name: round(value, 3)} if value or one.name == "ttl" else {}
            elif value:
                told[one.name] = value
        return told


WORDS = ("description", "tags", "metadata", "ttl", "splits")
"""What is said of a version, beside what it is, and what it is called."""
_OF_SEVERAL = ("tags", "metadata", "splits")
_NAMES = tuple(one.name for one in fields(ArtifactVersion))


def _parts(one: ArtifactVersion) -> dict[str, Any]:
    """The words of *one* in parts that are edited apart from one another, each with what it says."""
    found: dict[str, Any] = {}
    for word in WORDS:
        value = getattr(one, word)
        if word not in _OF_SEVERAL:
            found[word] = value
        else:
            several = value if isinstance(value, Mapping) else dict.fromkeys(value)
            found |= {f"{word}.{item}": told for item, told in several.items()}
    return found


def _is_part(text: str) -> bool:
    word, is_item, _ = text.partition(".")
    return word in WORDS and bool(is_item) == (word in _OF_SEVERAL)


def _taking(words: Any, item: str, source: Any) -> Any:
    """The tags, or the mapping, *words* with *item* as it is in *source*, or without it if it is not there."""
    if isinstance(words, tuple):
        return (
            words
            if (item in words) == (item in source)
            else tuple(one for one in (*words, item) if one != item or item in source)
        )
    others = {key: told for key, told in words.items() if key != item or item in source}
    return others | ({item: source[item]} if item in source else {})


def called(versions: Iterable[ArtifactVersion]) -> tuple[str, ...]:
    """The names by which *versions* are found: their own, and those of the collections that they are linked to."""
    names = [name for one in versions for name in (one.name, *(link.collection for link in one.links))]
    return tuple(dict.fromkeys(names))


class Claim(NamedTuple):
    """A run's word that it logged a content under a name; whoever is first gives it its number there."""

    content: str
    logged: float
    """Seconds since the epoch."""
    name: str

    @property
    def text(self) -> str:
        """The claim as the index keeps it, its content first."""
        return f"{self.content} {self.logged!r} {self.name}"


def claims(versions: Sequence[ArtifactVersion], began: float) -> list[Claim]:
    """What a run that *began* so many seconds after the epoch claims: its *versions*' own names, then their links."""
    own = [
        Claim(one.hash, one.created or began + place * 1e-6, one.name)  # old records do not say when
        for place, one in enumerate(versions)
    ]
    links = [Claim(one.hash, link.linked, link.collection) for one in versions for link in one.links]
    return [*own, *links]


class Naming(NamedTuple):
    """What the content of a claim is called by the one who makes it."""

    content: str
    name: str
    when: float
    """Since when, in seconds since the epoch."""
    aliases: tuple[str, ...] = ("latest",)
    is_deleted: bool = False
    edited: float = 0.0
    """When a person last said something of the version there; 0 where nobody did."""

    def is_plain(self, logged: float) -> bool:
        """Whether it is just `latest`, since it was *logged*: as most are."""
        return self.when == logged and self.aliases == ("latest",) and not self.is_deleted and not self.edited

    @property
    def text(self) -> str:
        """It as the index keeps it, its content first."""
        since = f"{self.content} {self.when!r}{f' {self.edited!r}' if self.edited else ''}"
        return "\t".join((since, self.name, "deleted" * self.is_deleted, *self.aliases))

    @classmethod
    def of(cls, text: str) -> Naming:
        """What `text` was made of. Raises `ValueError` for what is none."""
        told, name, deleted, *aliases = text.split("\t")
        content, when, *edited = told.split(" ")
        return cls(content, name, float(when), tuple(aliases), bool(deleted), float(*edited))


def namings(versions: Sequence[ArtifactVersion], began: float) -> list[Naming]:
    """What a run calls the contents of its `claims`, one after another."""
    own = [_own_naming(one, began + place * 1e-6) for place, one in enumerate(versions)]
    return [*own, *(_link_naming(one, link) for one in versions for link in one.links)]


def _own_naming(one: ArtifactVersion, began: float) -> Naming:
    aliases = () if one.deleted else one.aliases if one.created else ("latest",)  # old records do not say it
    return Naming(one.hash, one.name, one.claimed or one.created or began, aliases, one.deleted, _edited(one))


def _link_naming(one: ArtifactVersion, link: Link) -> Naming:
    aliases = () if one.deleted else tuple(dict.fromkeys((*link.aliases, "latest")))
    return Naming(one.hash, link.collection, link.linked, aliases, one.deleted, _edited(one))


def _edited(one: ArtifactVersion) -> float:
    return max(one.edited.values(), default=0.0)


def odd_namings(versions: Sequence[ArtifactVersion], began: float) -> list[Naming]:
    """`namings`, without those that are plain; but all where a content is claimed under one name more than once, as by
    a link to the artifact's own name: which of the claims one belongs to shows in their order alone.
    """
    several = list(zip(claims(versions, began), namings(versions, began), strict=True))
    times = Counter((claim.content, claim.name) for claim, _ in several) if len(several) > 1 else {}
    return [
        naming
        for claim, naming in several
        if not naming.is_plain(claim.logged) or times.get((claim.content, claim.name), 1) > 1
    ]


def both(earlier: Iterable[ArtifactVersion], later: Iterable[ArtifactVersion]) -> tuple[ArtifactVersion, ...]:
    """All of them, each as it was told last."""
    return tuple({(version.name, version.hash): version for version in (*earlier, *later)}.values())
