"""A forge inside the repository's own git folder: pull requests with no server and no network.

    mlgit/forge/pulls/7/pull.md        the pull request: facts on top, then its description
    mlgit/forge/pulls/7/comment-1.md   its comments and reviews
    mlgit/forge/pulls/7/review-2.md
    mlgit/forge/statuses/<commit>/     one YAML file a check
    mlgit/forge/assets/                the pictures of `mlgit-assets`, for readers of the files

A person can read all of it, pictures included, in any Markdown viewer. Files appear whole or not at all, and whoever
changes one holds the lock. Branches stay git's: where a head stands is asked of git each time, and
`refs/mlgit/forge/pull/<number>/head` keeps its last commit when the branch is gone.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TypeVar

from mlgit import documents
from mlgit.core import figures, refs
from mlgit.errors import ConfigError, GitError, MlgitError, NotFoundError, RefMovedError, UsageError
from mlgit.forge.base import (
    IMAGES,
    Capabilities,
    Comment,
    PullRequest,
    PullState,
    Review,
    ReviewVerdict,
    Status,
    StatusState,
    checked_body,
    checked_review,
    checked_status,
    checked_title,
)  # fmt: skip
from mlgit.git import process
from mlgit.git.merge import merge as merge_commit
from mlgit.git.repo import Move, Repo

T = TypeVar("T")

PULL_REFS = "refs/mlgit/forge/pull/"
_IMAGE = re.compile(r"\.\./\.\./assets/([0-9a-f]{2}/[0-9a-f]{64}\.[a-z]{3,4})")
_ATTEMPTS = 20


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


class FolderForge:
    """The forge of *repo*. *me* is our name there; without it, the one under which git commits."""

    capabilities = Capabilities(writable=True, drafts=True)

    def __init__(self, repo: Repo, *, me: str | None = None, clock: Callable[[], float] = time.time) -> None:
        self.repo = repo
        self.folder = repo.own / "forge"
        self._me = me
        self._clock = clock

    @property
    def me(self) -> str:
        """Our own name."""
        return self._me if self._me is not None else self.repo.identity.rpartition(" <")[0]

    # Pull requests

    def open(
        self, *, head: str, base: str, title: str, body: str = "", draft: bool = False, labels: Sequence[str] = ()
    ) -> PullRequest:
        """A new pull request from branch *head* into branch *base*; see `Forge.open`."""
        facts = _Pull(
            title=checked_title(title), head=head, base=base, author=self.me, created=self._now(), draft=draft,
            labels=tuple(labels),
        )  # fmt: skip
        checked_body(body, "A description", empty=True)
        commit = self._mergeable(head, base)
        with self._locked():
            self._refuse_second(head, base)
            number = self._number()
            self.repo.move([Move(_kept(number), None, commit)], why=f"pull request #{number}")
            self._save(number, facts, body)
        return self.get(number)

    def get(self, number: int) -> PullRequest:
        """One pull request, as it stands now. Raises `NotFoundError`."""
        facts, body = self._load(number)
        wanted = (f"refs/heads/{facts.head}", f"refs/heads/{facts.base}", _kept(number))
        return self._current(number, facts, body, self.repo.refs(*wanted))

    def pulls(self, *, state: PullState | None = PullState.OPEN, head: str | None = None) -> list[PullRequest]:
        """Pull requests in *state* (None: any), newest first; of branch *head* only, where one is named."""
        there = self.repo.refs("refs/heads/", PULL_REFS)
        found: list[PullRequest] = []
        for number in sorted(self._numbers(), reverse=True):
            with contextlib.suppress(NotFoundError):  # a number whose maker died before writing anything
                facts, body = self._load(number)
                if head is None or facts.head == head:
                    found.append(self._current(number, facts, body, there))
        return [pull for pull in found if state is None or pull.state is state]

    def merge(self, number: int, *, expect: str | None = None) -> PullRequest:
        """Merge by a merge commit; see `Forge.merge`. A base that is checked out follows in its work tree."""
        with self._locked():
            pull = self._open_pull(number, "merged")
            if pull.draft:
                raise MlgitError(f"#{number} is a draft.", fix=f"mlgit pr ready {number}, then merge")
            if expect is not None and expect != pull.head_commit:
                raise RefMovedError(
                    f"#{number} is not at {expect[:10]} any more.",
                    why=f"{pull.head} stands at {pull.head_commit[:10]}.", fix="look at what came, then merge again",
                )  # fmt: skip
            commit = merge_commit(self.repo, f"refs/heads/{pull.base}", pull.head_commit, _message(pull))
            self._change(number, state=PullState.MERGED, merge_commit=commit)
        return self.get(number)

    def close(self, number: int) -> PullRequest:
        """Close without merging."""
        with self._locked():
            self._open_pull(number, "closed")
            self._change(number, state=PullState.CLOSED)
        return self.get(number)

    def reopen(self, number: int) -> PullRequest:
        """Open again what was closed; refused for what is merged, or whose branches are gone."""
        with self._locked():
            pull = self.get(number)
            if pull.state is not PullState.CLOSED:
                raise MlgitError(f"#{number} is {pull.state.value}; only what is closed can be reopened.")
            self._mergeable(pull.head, pull.base)
            self._refuse_second(pull.head, pull.base)
            self._change(number, state=PullState.OPEN)
        return self.get(number)

    def ready(self, number: int) -> PullRequest:
        """Make a draft ready for review; what is no draft stays as it is."""
        with self._locked():
            if self._open_pull(number, "made ready").draft:
                self._change(number, draft=False)
        return self.get(number)

    # What people say

    def comment(self, number: int, body: str) -> Comment:
        """Write a comment, also on what is merged or closed."""
        facts = _Comment(author=self.me, created=self._now(), updated=self._now())
        checked_body(body, "A comment")
        with self._locked():
            place = self._next(number, "comment")
            _write(place, _paper(facts, body))
        return self._read_comment(place)

    def edit_comment(self, number: int, comment: int, body: str) -> Comment:
        """Replace the body of the comment with that id."""
        place = self._place(number) / f"comment-{comment}.md"
        checked_body(body, "A comment")
        with self._locked():
            self._load(number)
            facts, _ = _parse(place, _Comment, missing=f"#{number} has no comment {comment}.")
            _write(place, _paper(replace(facts, updated=self._now()), body))
        return self._read_comment(place)

    def comments(self, number: int) -> list[Comment]:
        """Every comment, oldest first."""
        return [self._read_comment(place) for place in self._papers(number, "comment")]

    def review(self, number: int, verdict: ReviewVerdict, body: str = "") -> Review:
        """Give a verdict on the head as it stands; see `Forge.review`."""
        pull = self.get(number)
        checked_review(verdict, body, own=pull.author == self.me)
        facts = _Review(author=self.me, verdict=verdict, commit=pull.head_commit, created=self._now())
        with self._locked():
            place = self._next(number, "review")
            _write(place, _paper(facts, body))
        return _read_review(place)

    def reviews(self, number: int) -> list[Review]:
        """Every review, oldest first."""
        return [_read_review(place) for place in self._papers(number, "review")]

    # Checks

    def set_status(self, status: Status) -> None:
        """Say how a check on a commit stands, in place of what it said before."""
        checked = checked_status(status)
        if self.repo.resolve(status.commit) != status.commit:
            raise NotFoundError(f"There is no commit {status.commit[:64]!r}.", fix="give its full id")
        name = hashlib.sha256(checked.context.lower().encode()).hexdigest()[:16]
        facts = _Status(
            context=checked.context, state=checked.state, description=checked.description, url=checked.url
        )  # fmt: skip
        text = documents.dump(documents.record(facts))
        with self._locked():
            _write(self.folder / "statuses" / status.commit / f"{name}.yaml", text)

    def statuses(self, commit: str) -> list[Status]:
        """The latest status of each context on *commit* (a full id), by context."""
        if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", commit):
            raise UsageError(f"{commit[:80]!r} is no full id of a commit.")
        found = [
            documents.load(place.read_bytes(), _Status, source=str(place))
            for place in (self.folder / "statuses" / commit).glob("*.yaml")
        ]
        return [
            Status(context=one.context, state=one.state, description=one.description, url=one.url, commit=commit)
            for one in sorted(found, key=lambda one: one.context.lower())
        ]

    # Pictures

    def image(self, content: bytes, name: str) -> str:
        """Keep a picture by its content on the branch `mlgit-assets`; return a link that works beside the comment."""
        kind = PurePosixPath(name).suffix.lower()
        if kind not in IMAGES:
            raise UsageError(f"{name[:80]!r} is no picture that a comment can show.", fix=f"use {', '.join(IMAGES)}")
        digest = hashlib.sha256(content).hexdigest()
        path = f"{digest[:2]}/{digest}{kind}"
        with self._locked():
            self._put(path, content)
            copy = self.folder / "assets" / path
            if not copy.exists():
                _write(copy, content)
        return f"../../assets/{path}"

    def picture(self, link: str) -> bytes | None:
        """The picture behind a link that `image` gave; None for any other link."""
        found = _IMAGE.fullmatch(link)
        if found is None:
            return None
        with contextlib.suppress(OSError):
            return (self.folder / "assets" / found[1]).read_bytes()
        return self.repo.read(refs.ASSETS, found[1])

    def _put(self, path: str, content: bytes) -> None:
        """*content* as *path* on the branch of pictures, whoever else adds to it at the same time."""
        for _ in range(_ATTEMPTS):
            tip = self.repo.resolve(refs.ASSETS)
            if tip and self.repo.read(tip, path) is not None:
                return
            with contextlib.suppress(RefMovedError):
                self.repo.commit_on(refs.ASSETS, {path: content}, f"Add a picture\n\n{path}\n", expect=tip)
                return
        raise MlgitError("mlgit-assets keeps moving: the picture could not be added.", fix="try again")

    # Git

    def _commit(self, branch: str) -> str | None:
        """Where *branch* stands, or None. Nothing but the exact short name of a branch is one."""
        ref = f"refs/heads/{branch}"
        return self.repo.refs(ref).get(ref) if branch and branch.isprintable() else None

    def _mergeable(self, head: str, into: str) -> str:
        """The commit of *head*, if there is something in it to merge into *into*."""
        commit, target = self._commit(head), self._commit(into)
        for branch, there in ((head, commit), (into, target)):
            if there is None:
                raise NotFoundError(f"There is no branch {branch[:120]!r} here.", fix="git branch lists them")
        assert commit is not None
        assert target is not None
        if self.repo.is_ancestor(commit, target):
            raise MlgitError(f"{into} holds all that {head} does: there is nothing to merge.")
        if not process.run("merge-base", "--end-of-options", target, commit, folder=self.repo.folder, ok=(0, 1)):
            raise MlgitError(f"{head} and {into} have no history in common.", fix="start the branch from the other one")
        return commit

    def _current(self, number: int, facts: _Pull, body: str, there: Mapping[str, str]) -> PullRequest:
        """The pull request as its branches say; *there* holds them and the commit that we keep."""
        kept = there.get(_kept(number), "")
        pull = PullRequest(
            number=number, title=facts.title, body=body, head=facts.head, head_commit=kept, base=facts.base,
            state=facts.state, author=facts.author, created=_seconds(facts.created, self._place(number) / "pull.md"),
            merge_commit=facts.merge_commit,
            draft=facts.draft, labels=facts.labels,
        )  # fmt: skip
        if pull.state is not PullState.OPEN:
            return pull
        head, into = there.get(f"refs/heads/{facts.head}"), there.get(f"refs/heads/{facts.base}")
        if head and into and not self.repo.is_ancestor(head, into):
            self._keep(number, kept, head)
            return replace(pull, head_commit=head)
        if kept and into and self.repo.is_ancestor(kept, into):  # somebody merged by hand
            return replace(pull, state=PullState.MERGED, merge_commit=self._brought_in(kept, into))
        return replace(pull, state=PullState.CLOSED)  # as GitHub does when a branch is deleted, or emptied

    def _brought_in(self, commit: str, into: str) -> str:
        """The first commit on *into*'s own line that holds *commit*."""
        own = {oid for oid, _ in self.repo.ancestors(into)}
        if commit in own:
            return commit
        path = self.repo.git("rev-list", "--ancestry-path", "--reverse", f"{commit}..{into}").splitlines()
        return next((oid for oid in path if oid in own), into)

    def _keep(self, number: int, old: str, new: str) -> None:
        """Remember the head's commit for the day its branch is gone; not at the price of a reading that fails."""
        if old != new:
            with contextlib.suppress(GitError):
                self.repo.move([Move(_kept(number), old or None, new)], why=f"head of pull request #{number}")

    # Files

    def _now(self) -> str:
        return figures.moment(self._clock())

    def _place(self, number: int) -> Path:
        return self.folder / "pulls" / str(number)

    def _numbers(self) -> list[int]:
        try:
            places = list((self.folder / "pulls").iterdir())
        except FileNotFoundError:
            return []
        return [int(place.name) for place in places if re.fullmatch(r"[1-9]\d{0,8}", place.name)]

    def _number(self) -> int:
        """A number that nobody has: making its folder takes it."""
        pulls = self.folder / "pulls"
        with _words(pulls):
            pulls.mkdir(parents=True, exist_ok=True)
            number = max(self._numbers(), default=0) + 1
            while True:
                try:
                    (pulls / str(number)).mkdir()
                except FileExistsError:
                    number += 1
                else:
                    return number

    def _load(self, number: int) -> tuple[_Pull, str]:
        missing = f"There is no pull request #{number}."
        return _parse(self._place(number) / "pull.md", _Pull, missing=missing, fix="mlgit pr ls --state all lists them")

    def _save(self, number: int, facts: _Pull, body: str) -> None:
        _write(self._place(number) / "pull.md", _paper(facts, body))

    def _change(self, number: int, **changes: object) -> None:
        facts, body = self._load(number)
        self._save(number, replace(facts, **changes), body)  # type: ignore[arg-type]

    def _open_pull(self, number: int, done: str) -> PullRequest:
        """The pull request, if it is open. Raises `MlgitError` saying why it cannot be *done* otherwise."""
        pull = self.get(number)
        if pull.state is PullState.MERGED:
            raise MlgitError(f"#{number} cannot be {done}: it is merged.")
        if pull.state is PullState.CLOSED:
            gone = [branch for branch in (pull.head, pull.base) if self._commit(branch) is None]
            why = f"Its branch {gone[0]} is gone; it last stood at {pull.head_commit[:10]}." if gone else ""
            fix = (
                f"git branch {gone[0]} {pull.head_commit[:10]}" if gone == [pull.head] else f"mlgit pr reopen {number}"
            )
            raise MlgitError(f"#{number} cannot be {done}: it is closed.", why=why, fix=fix)
        return pull

    def _refuse_second(self, head: str, into: str) -> None:
        for pull in self.pulls(head=head):
            if pull.base == into:
                raise MlgitError(f"#{pull.number} is already open for {head} into {into}.")

    def _papers(self, number: int, kind: str) -> list[Path]:
        """The files of one *kind* on a pull request, oldest first."""
        self._load(number)
        found = {
            int(match[1]): place
            for place in self._place(number).iterdir()
            if (match := re.fullmatch(rf"{kind}-([1-9]\d{{0,8}})\.md", place.name))
        }
        return [found[key] for key in sorted(found)]

    def _next(self, number: int, kind: str) -> Path:
        """Where the next comment or review goes; they share one count, so that ids tell what came first."""
        taken = [_id(place) for place in self._papers(number, "(?:comment|review)")]
        return self._place(number) / f"{kind}-{max(taken, default=0) + 1}.md"

    def _read_comment(self, place: Path) -> Comment:
        facts, body = _parse(place, _Comment, missing=f"There is no comment {place.stem}.")
        return Comment(
            id=_id(place), author=facts.author, body=body, created=_seconds(facts.created, place),
            updated=_seconds(facts.updated, place), minimised=facts.minimised,
        )  # fmt: skip

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone with the forge's files, until the block ends or the process does."""
        with _words(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            fd = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)


def _kept(number: int) -> str:
    return f"{PULL_REFS}{number}/head"


def _id(place: Path) -> int:
    return int(place.stem.rpartition("-")[2])


def _message(pull: PullRequest) -> str:
    """The merge commit's message, in GitHub's words. A title that poses as one of our trailers is quoted."""
    title = f'"{pull.title}"' if pull.title.lower().startswith("mlgit-") else pull.title
    return f"Merge pull request #{pull.number} from {pull.head}\n\n{title}\n"


def _read_review(place: Path) -> Review:
    facts, body = _parse(place, _Review, missing=f"There is no review {place.stem}.")
    return Review(
        author=facts.author,
        verdict=facts.verdict,
        body=body,
        commit=facts.commit,
        created=_seconds(facts.created, place),
    )


def _paper(facts: object, body: str) -> str:
    """A Markdown file with *facts* on top, as YAML between two lines of dashes."""
    return f"---\n{documents.dump(documents.record(facts))}---\n\n{body}"


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
    return documents.load(f"{facts}\n", into, source=str(place)), body.removeprefix("\n")


def _seconds(moment: str, place: Path) -> float:
    try:
        return datetime.fromisoformat(moment).timestamp()
    except ValueError:
        fix = "write it like 2026-07-01T10:00:00Z"
        raise ConfigError(f"{place}:1: {moment[:40]!r} is no time.", fix=fix) from None


def _write(place: Path, content: str | bytes) -> None:
    """*content* as the file *place*: durable, and whole or not at all. The lock must be held."""
    raw = content if isinstance(content, bytes) else content.encode(errors="replace")
    scratch = place.with_name(f".{place.name}.{os.getpid()}")
    with _words(place.parent):
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            with scratch.open("wb") as file:
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
            scratch.replace(place)
        finally:
            scratch.unlink(missing_ok=True)
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
