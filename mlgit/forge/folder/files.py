"""The forge's files, which a person can read in any Markdown viewer, pictures included:

    pulls/7/pull.md        the pull request: facts on top, then its description
    pulls/7/comment-1.md   its comments and reviews
    pulls/7/review-2.md
    statuses/<commit>/     one YAML file a check
    assets/                the pictures of `mlgit-assets`, for readers of the files

Files appear whole or not at all, and whoever changes one holds the lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from mlgit import whole
from mlgit.core import figures
from mlgit.documents import reader, writer
from mlgit.errors import ConfigError, MlgitError, NotFoundError
from mlgit.forge.base import Comment, PullRequest, PullState, Review, ReviewVerdict, Status, StatusState

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class _Pull:
    """The facts on top of `pull.md`."""

    title: str
    head: str
    base: str
    author: str
    created: str
    state: PullState = PullState.OPEN
    draft: bool = False
    labels: tuple[str, ...] = ()
    merge_commit: str | None = None
    merged_by: str = ""


@dataclass(frozen=True, kw_only=True)
class _Comment:
    """The facts on top of `comment-<id>.md`."""

    author: str
    created: str
    updated: str
    minimised: bool = False


@dataclass(frozen=True, kw_only=True)
class _Review:
    """The facts on top of `review-<id>.md`."""

    author: str
    verdict: ReviewVerdict
    commit: str
    created: str


@dataclass(frozen=True, kw_only=True)
class _Status:
    """The content of a status file."""

    context: str
    state: StatusState
    description: str = ""
    url: str = ""


@dataclass(frozen=True)
class Files:
    """Records ⇄ files, in *folder*. Whatever reads raises `NotFoundError`, and `ConfigError` for a spoiled file."""

    folder: Path

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Alone with the files, until the block ends or the process does."""
        with _words(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            fd = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    # Pull requests

    def numbers(self) -> list[int]:
        """The numbers that were given, in no order."""
        try:
            places = list((self.folder / "pulls").iterdir())
        except FileNotFoundError:
            return []
        return [int(place.name) for place in places if re.fullmatch(r"[1-9]\d{0,8}", place.name)]

    def new_number(self) -> int:
        """A number that nobody has: making its folder takes it."""
        pulls = self.folder / "pulls"
        with _words(pulls):
            pulls.mkdir(parents=True, exist_ok=True)
            number = max(self.numbers(), default=0) + 1
            while True:
                try:
                    (pulls / str(number)).mkdir()
                except FileExistsError:
                    number += 1
                else:
                    return number

    def pull(self, number: int) -> PullRequest:
        """A pull request as it is written: where its head stands is for git to say."""
        place = self._pull(number) / "pull.md"
        missing = f"There is no pull request #{number}."
        facts, body = _parse(place, _Pull, missing=missing, fix="mlgit pr ls --state all lists them")
        return PullRequest(
            number=number, title=facts.title, body=body, head=facts.head, head_commit="", base=facts.base,
            state=facts.state, author=facts.author, created=_seconds(facts.created, place),
            merge_commit=facts.merge_commit, merged_by=facts.merged_by, draft=facts.draft, labels=facts.labels,
        )  # fmt: skip

    def write_pull(self, pull: PullRequest) -> None:
        """Write a pull request, in place of what was there."""
        facts = _Pull(
            title=pull.title, head=pull.head, base=pull.base, author=pull.author, created=figures.moment(pull.created),
            state=pull.state, draft=pull.draft, labels=pull.labels, merge_commit=pull.merge_commit,
            merged_by=pull.merged_by,
        )  # fmt: skip
        _write(self._pull(pull.number) / "pull.md", _paper(facts, pull.body))

    # Comments and reviews

    def next_id(self, number: int) -> int:
        """The id of the next comment or review; they share one count, so that ids tell what came first."""
        return max(self._ids(number, "(?:comment|review)"), default=0) + 1

    def comments(self, number: int) -> list[Comment]:
        """Every comment, oldest first."""
        return [self.comment(number, id) for id in self._ids(number, "comment")]

    def comment(self, number: int, id: int) -> Comment:
        """One comment."""
        place = self._pull(number) / f"comment-{id}.md"
        facts, body = _parse(place, _Comment, missing=f"#{number} has no comment {id}.")
        return Comment(
            id=id, author=facts.author, body=body, created=_seconds(facts.created, place),
            updated=_seconds(facts.updated, place), minimised=facts.minimised,
        )  # fmt: skip

    def write_comment(self, number: int, comment: Comment) -> None:
        """Write a comment, in place of what was there."""
        facts = _Comment(
            author=comment.author, created=figures.moment(comment.created), updated=figures.moment(comment.updated),
            minimised=comment.minimised,
        )  # fmt: skip
        _write(self._pull(number) / f"comment-{comment.id}.md", _paper(facts, comment.body))

    def remove_comment(self, number: int, id: int) -> None:
        """Have that comment no more; its id may be given again."""
        (self._pull(number) / f"comment-{id}.md").unlink(missing_ok=True)

    def reviews(self, number: int) -> list[Review]:
        """Every review, oldest first."""
        return [self.review(number, id) for id in self._ids(number, "review")]

    def review(self, number: int, id: int) -> Review:
        """One review."""
        place = self._pull(number) / f"review-{id}.md"
        facts, body = _parse(place, _Review, missing=f"#{number} has no review {id}.")
        created = _seconds(facts.created, place)
        return Review(author=facts.author, verdict=facts.verdict, body=body, commit=facts.commit, created=created)

    def write_review(self, number: int, id: int, review: Review) -> None:
        """Write a review."""
        created = figures.moment(review.created)
        facts = _Review(author=review.author, verdict=review.verdict, commit=review.commit, created=created)
        _write(self._pull(number) / f"review-{id}.md", _paper(facts, review.body))

    def _pull(self, number: int) -> Path:
        return self.folder / "pulls" / str(number)

    def _ids(self, number: int, kind: str) -> list[int]:
        """The ids of what is of one *kind* on a pull request, in their order."""
        self.pull(number)
        names = (place.name for place in self._pull(number).iterdir())
        return sorted(int(found[1]) for name in names if (found := re.fullmatch(rf"{kind}-([1-9]\d{{0,8}})\.md", name)))

    # Checks

    def statuses(self, commit: str) -> list[Status]:
        """The latest status of each context on *commit*, by context."""
        found = [
            reader.load(place.read_bytes(), _Status, source=str(place))
            for place in (self.folder / "statuses" / commit).glob("*.yaml")
        ]
        return [
            Status(context=one.context, state=one.state, description=one.description, url=one.url, commit=commit)
            for one in sorted(found, key=lambda one: one.context.lower())
        ]

    def write_status(self, status: Status) -> None:
        """Write a status, in place of an earlier one of the same context."""
        name = hashlib.sha256(status.context.lower().encode()).hexdigest()[:16]
        facts = _Status(context=status.context, state=status.state, description=status.description, url=status.url)
        text = writer.dump(writer.as_data(facts))
        _write(self.folder / "statuses" / status.commit / f"{name}.yaml", text)

    # Pictures

    def picture(self, path: str) -> bytes | None:
        """The copy of a picture, or None."""
        with contextlib.suppress(OSError):
            return (self.folder / "assets" / path).read_bytes()
        return None

    def write_picture(self, path: str, content: bytes) -> None:
        """Keep a copy of a picture; its *path* is made of its content."""
        place = self.folder / "assets" / path
        if not place.exists():
            _write(place, content)


def _paper(facts: object, body: str) -> str:
    """A Markdown file with *facts* on top, as YAML between two lines of dashes."""
    return f"---\n{writer.dump(writer.as_data(facts))}---\n\n{body}"


def _parse(place: Path, into: type[T], *, missing: str, fix: str = "") -> tuple[T, str]:
    """The facts and the body of the file *place*. Raises `NotFoundError`, saying *missing*, or `ConfigError`."""
    try:
        text = place.read_bytes().decode()
    except FileNotFoundError:
        raise NotFoundError(missing, fix=fix) from None
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{place}:1: not UTF-8 text ({exc.reason} at byte {exc.start}).") from None
    facts, rule, body = text.partition("\n---\n")
    if not rule or not facts.startswith("---\n"):
        raise ConfigError(f"{place}:1: the facts on top, between two lines of dashes, are missing.")
    return reader.load(f"{facts}\n", into, source=str(place)), body.removeprefix("\n")


def _seconds(moment: str, place: Path) -> float:
    try:
        return datetime.fromisoformat(moment).timestamp()
    except ValueError:
        fix = "write it like 2026-07-01T10:00:00Z"
        raise ConfigError(f"{place}:1: {moment[:40]!r} is no time.", fix=fix) from None


def _write(place: Path, content: str | bytes) -> None:
    """*content* as the file *place*: durable, and whole or not at all. The lock must be held."""
    raw = content if isinstance(content, bytes) else content.encode(errors="replace")
    with _words(place.parent):
        with whole.at(place) as scratch, scratch.open("wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        folder = os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextlib.contextmanager
def _words(folder: Path) -> Iterator[None]:
    """A disk that refuses, said so that it can be mended."""
    try:
        yield
    except OSError as exc:
        fix = "make room, or the folder writable"
        raise MlgitError(f"{folder} cannot be written.", why=exc.strerror or str(exc), fix=fix) from None
