"""The registry in git: files below `registry/` and annotated tags, as records and back."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mlgit.core import refs
from mlgit.core.model import Emergency, Hold, ModelVersion, Stage
from mlgit.core.run import EMPTY, in_calendar
from mlgit.documents.reader import Document, Node, load, of_plain, parse
from mlgit.documents.writer import as_data, dump
from mlgit.errors import ConfigError, NotFoundError
from mlgit.git.objects import Reader
from mlgit.git.repo import Repo, message_trailer
from mlgit.store import records

FOLDER = "registry"
POLICY = f"{FOLDER}/policy.yaml"
AUTOMATIONS = f"{FOLDER}/automations.yaml"
TRAILER = "Mlgit-Version"
_TAGS = "refs/tags/"
_MANY = 200
"""Models from which on it is quicker to list all tags than to ask for theirs."""
_PLAIN_STAGE = re.compile(rb"version: (v[0-9.]+)\n")
_MODEL = re.compile(r"[^@#]+(?=[@#])")
_TAGGER = re.compile(rb"^tagger (.*?) ?<[^>\n]*> (-?\d{1,18}) ", re.MULTILINE)
_OF_COMMIT = re.compile(rb"object ([0-9a-f]+)\ntype commit\n")


@dataclass(frozen=True, kw_only=True)
class Tag:
    """An annotated tag: all that GTO's format is about."""

    name: str
    oid: str = ""
    """Of the tag itself, which is what its ref points at."""
    commit: str
    when: float
    """Seconds since the epoch."""
    who: str = ""
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class Card:
    """What `registry/<model>/model.yaml` says."""

    project: str = ""
    description: str = ""
    aliases: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    """Other name → version."""
    card: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    """The fields of the model card of each version that does not say otherwise: license, language, …."""


@dataclass(frozen=True, kw_only=True)
class _StageFile:
    version: str
    hold: Hold | None = None
    emergency: Emergency | None = None


def tags(repo: Repo, *models: str) -> list[Tag]:
    """The annotated tags of commits, in order of name; of *models* alone, where some are named: then few are read."""
    with repo.reader() as reader:
        return [tag for _, tag in tags_at(reader, _of(repo, {*models}) if models else repo.refs(_TAGS)) if tag]


def _of(repo: Repo, models: Collection[str]) -> dict[str, str]:
    """The tags of *models*, each with its object; git compares each ref with each pattern."""
    if len(models) > _MANY:
        return {ref: oid for ref, oid in repo.refs(_TAGS).items() if model_of(ref) in models}
    patterns = [pattern for model in models for pattern in refs.model_tags(model)]
    return repo.refs(*patterns) if patterns else {}


def tags_at(reader: Reader, listed: Mapping[str, str]) -> Iterator[tuple[str, Tag | None]]:
    """(full name, the annotated tag of a commit that it is) of each of *listed*, full name → object.

    None for what is another thing; nothing at all of one whose object is not at hand.
    """
    for (ref, oid), found in zip(listed.items(), reader.read_all(listed.values()), strict=True):
        if found:
            yield ref, _tag(ref.removeprefix(_TAGS), oid, found[2]) if found[1] == "tag" else None


def _tag(name: str, oid: str, content: bytes) -> Tag | None:
    """What *content* says, if it is of a commit."""
    head, _, said = content.partition(b"\n\n")
    target, tagger = _OF_COMMIT.match(content), _TAGGER.search(head)
    if target is None:
        return None
    who, when = tagger.groups() if tagger else (b"", b"0")
    text = said.lstrip(b"\n").decode(errors="surrogateescape")
    return Tag(
        name=name, oid=oid, commit=target[1].decode(), when=in_calendar(float(when)),
        who=who.decode(errors="surrogateescape"), message=text,
    )  # fmt: skip


def annotated(repo: Repo) -> dict[str, bool]:
    """Whether it is an annotated tag of a commit, by the name of each tag; what they say is not read."""
    lines = repo.git("for-each-ref", "--format=%(objecttype) %(*objecttype) %(refname:strip=2)", _TAGS).split("\n")
    parts = (line.split(" ", 2) for line in lines if line)
    return {name: (kind, of) == ("tag", "commit") for kind, of, name in parts}


def models(repo: Repo) -> list[str]:
    """The models that have tags, in order of name; no tag is read."""
    return sorted({model for ref in repo.refs(_TAGS) if (model := model_of(ref))})


def is_filed(repo: Repo, model: str | None = None) -> bool:
    """Whether `registry/` has versions of *model*, or of any, where HEAD is: a clone may lack their tags."""
    with repo.reader() as reader:
        folders = _folders(reader, "HEAD")
        some = folders.values() if model is None else filter(None, [folders.get(model)])
        return any("versions" in (reader.tree(oid) or {}) for oid in some)


def model_of(ref: str) -> str | None:
    """The model whose tag *ref* may be: what stands before the first `@` or `#`; None where it can be no model's."""
    found = _MODEL.match(ref, len(_TAGS))
    return found[0] if found else None


def message(version: ModelVersion) -> str:
    """The tag's message: what it is in a line, and the record."""
    about = f"\n\n{version.description}" if version.description else ""
    record = records.encode(as_data(version)).decode()
    return f"{version.model} {version.version}, made by run {version.run}{about}\n\n{TRAILER}: {record}"


def of_message(text: str) -> ModelVersion | None:
    """The record in a tag's message, or None: a tag of stock GTO has none, and one from elsewhere may hold anything."""
    value = message_trailer(text, TRAILER)
    try:
        found = _version(of_plain(records.told(value), source="tag")) if value else None
    except (ValueError, TypeError, ConfigError, RecursionError, OverflowError, OSError):
        return None
    return found if found and in_calendar(found.registered) == found.registered else None


def told(text: str) -> Mapping[str, Any]:
    """What the record in a tag's message says, unchecked, which is a hundred times as quick; nothing without one."""
    value = message_trailer(text, TRAILER)
    try:
        found = records.told(value) if value else None
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def of_text(text: str | bytes, *, source: str) -> ModelVersion:
    """The record in a version's file. Raises `ConfigError`."""
    return _version(parse(text, source=source))


def _version(document: Document) -> ModelVersion:
    root = document.root
    if root.kind == "mapping":
        pairs = [(key, _in_seconds(node) if key.value == "registered" else node) for key, node in root.value]
        root = replace(root, value=pairs)
    return replace(document, root=root).read(ModelVersion)


def _in_seconds(node: Node) -> Node:
    """A moment as the number of seconds that it was written as before; anything else as it is."""
    if node.kind == "scalar" and "T" in node.value:
        with contextlib.suppress(ValueError):
            return replace(node, value=repr(records.seconds_of(node.value)), plain=True, tag=None)
    return node


def version_path(model: str, version: str) -> str:
    """Where a version's file lies: `registry/digits/versions/v1.2.0.yaml`."""
    return f"{FOLDER}/{model}/versions/{version}.yaml"


def stage_path(model: str, stage: str) -> str:
    """Where a stage's file lies: `registry/digits/production.yaml`."""
    return f"{FOLDER}/{model}/{stage}.yaml"


def card_path(model: str) -> str:
    """Where a model's card lies: `registry/digits/model.yaml`."""
    return f"{FOLDER}/{model}/model.yaml"


def version_text(version: ModelVersion) -> str:
    """The text of a version's file, which never changes once it is on the base branch."""
    registered = records.moment(version.registered)
    return dump(as_data(version) | {"registered": registered}, header="Written by mlgit promote; immutable.")


def stage_text(stage: Stage) -> str:
    """The text of a stage's file."""
    return dump(as_data(_StageFile(version=stage.version, hold=stage.hold, emergency=stage.emergency)))


def card_text(card: Card) -> str:
    """The text of a model's card."""
    return dump(as_data(card))


def card_at(reader: Reader, commit: str, model: str) -> Card:
    """What the model's card at *commit* says; nothing where there is none. Raises `ConfigError`."""
    path = card_path(model)
    text = reader.blob(f"{commit}:{path}")
    return Card() if text is None else load(text, Card, source=path)


def version_at(reader: Reader, commit: str, model: str, version: str) -> ModelVersion | None:
    """The version that the file at *commit* describes, or None if there is none. Raises `ConfigError`."""
    path = version_path(model, version)
    text = reader.blob(f"{commit}:{path}")
    return None if text is None else of_text(text, source=path)


def stages_at(
    reader: Reader, commit: str, *, models: Collection[str] | None = None
) -> dict[tuple[str, str], str]:  # fmt: skip
    """(model, stage) → the version it should serve, as the files at *commit* say. Raises `ConfigError`.

    *models*: only theirs, or (None) of all there are.
    """
    return {key: stage.version for key, stage in stage_files(reader, commit, models=models).items()}


def stage_files(
    reader: Reader, commit: str, *, models: Collection[str] | None = None
) -> dict[tuple[str, str], Stage]:  # fmt: skip
    """(model, stage) → what the file at *commit* says of it, as in `stages_at`. Raises `ConfigError`."""
    said: dict[str, Stage] = {}
    """Files by their content: of many stages, many say the same."""
    found: dict[tuple[str, str], Stage] = {}
    files = _files_of_stages(reader, commit, models)
    for ((model, stage), oid), blob in zip(files.items(), reader.read_all(files.values()), strict=True):
        if oid not in said:
            said[oid] = stage_of(blob[2] if blob else b"", model, stage)
        found[model, stage] = replace(said[oid], model=model, stage=stage)
    return found


def _files_of_stages(
    reader: Reader, commit: str, models: Collection[str] | None
) -> dict[tuple[str, str], str]:  # fmt: skip
    """(model, stage) → the id of its file."""
    if models is None:
        folders = _folders(reader, commit)
    else:
        folders = {model: f"{commit}:{FOLDER}/{model}" for model in models if "/" not in model}
    return {
        (model, name.removesuffix(".yaml")): file.oid
        for model, tree in zip(folders, reader.trees(folders.values()), strict=True)
        for name, file in (tree or {}).items()
        if not file.is_tree and name.endswith(".yaml") and name != "model.yaml"
    }


def _folders(reader: Reader, commit: str) -> dict[str, str]:
    """Model → the id of its folder."""
    every = reader.tree(f"{commit}:{FOLDER}") or {}
    return {model: entry.oid for model, entry in every.items() if entry.is_tree}


def changed(reader: Reader, before: str, after: str) -> set[str]:
    """The models whose files are not the same at *before* and *after*; no file is read."""
    old, new = _folders(reader, before), _folders(reader, after)
    return {model for model in old.keys() | new.keys() if old.get(model) != new.get(model)}


def stage_at(reader: Reader, commit: str, model: str, stage: str) -> Stage | None:
    """What the file of *stage* at *commit* says; None where there is none. Raises `ConfigError`."""
    text = reader.blob(f"{commit}:{stage_path(model, stage)}")
    return None if text is None else stage_of(text, model, stage)


def stage_of(text: bytes, model: str, stage: str) -> Stage:
    """What *text*, the file of *stage*, says. Raises `ConfigError`."""
    if plain := _PLAIN_STAGE.fullmatch(text):  # as nearly all are, of thousands: a tenth of the time
        return Stage(model=model, stage=stage, version=plain[1].decode())
    said = load(text, _StageFile, source=stage_path(model, stage))
    return Stage(model=model, stage=stage, version=said.version, hold=said.hold, emergency=said.emergency)


def base_commit(repo: Repo, base: str) -> str:
    """Where the branch *base* stands: here, else as it was last fetched. Raises `NotFoundError`."""
    with repo.reader() as reader:
        for ref in (f"refs/heads/{base}", f"refs/remotes/origin/{base}"):
            if commit := reader.read(f"{ref}^{{commit}}"):
                return commit[0]
    raise NotFoundError(
        f"There is no branch {base[:120]!r}.",
        fix=f"commit your code on {base[:120]}, or name the branch to promote on with --base",
    )


def differences(one: ModelVersion, other: ModelVersion) -> list[str]:
    """The fields in which two records of a version differ."""
    left, right = _comparable(one), _comparable(other)
    return [key for key in sorted(left.keys() | right.keys()) if left.get(key) != right.get(key)]


def _comparable(version: ModelVersion) -> Mapping[str, Any]:
    """Its fields as text, so that nan is nan."""
    return {key: dump(value) for key, value in as_data(version).items()}


def base_name(repo: Repo, base: str | None = None) -> str:
    """*base*, or the branch that promotions go to where none is named: main, or master where there is only that."""
    if base:
        return base
    with repo.reader() as reader:
        main, master = reader.kinds(("refs/heads/main", "refs/heads/master"))
    return "master" if master and not main else "main"
