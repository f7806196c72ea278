"""What mlgit asks of a forge. GitHub's words and refusals are the measure; what each asks of its words is in `rules`.

Whatever a forge keeps (titles, bodies, authors) was written by somebody else: it is escaped where it is shown.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

BODY_CHARACTERS = 65_536
BOT = "[bot]"
"""What the name of a program ends with, which no person's does."""


class PullState(enum.Enum):
    """Where a pull request stands."""

    OPEN = "open"
    MERGED = "merged"
    CLOSED = "closed"


class ReviewVerdict(enum.Enum):
    """What a review says. `DISMISSED` is only ever read: a verdict that the forge took back."""

    APPROVE = "approve"
    REQUEST_CHANGES = "request changes"
    COMMENT = "comment"
    DISMISSED = "dismissed"


class StatusState(enum.Enum):
    """How a check on a commit stands."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"


@dataclass(frozen=True, kw_only=True)
class PullRequest:
    """A proposal to merge one branch into another."""

    number: int
    title: str
    body: str = ""
    head: str
    """The branch to merge, by its short name; one of a fork as `owner:branch`."""
    head_commit: str
    """Where that branch stands; once merged, closed or deleted, where it last stood."""
    base: str
    """The branch to merge into, by its short name."""
    base_commit: str | None = None
    """Where that branch stood when the head last moved, where the forge says so."""
    state: PullState = PullState.OPEN
    author: str
    created: float
    """Seconds since the epoch."""
    merge_commit: str | None = None
    """The commit that brought it into its base, once merged."""
    merged_by: str = ""
    """Who merged it, where that was done on the forge; a list of pull requests may leave it out."""
    draft: bool = False
    labels: tuple[str, ...] = ()
    url: str = ""
    """Its page in a browser, where there is one."""


@dataclass(frozen=True, kw_only=True)
class Comment:
    """One comment on a pull request; ids grow with time."""

    id: int
    author: str
    body: str
    created: float
    updated: float
    minimised: bool = False
    """Whether a person folded it away; such a comment is not ours to revive."""


@dataclass(frozen=True, kw_only=True)
class Review:
    """One person's verdict on a pull request, and the commit that it was given on."""

    author: str
    verdict: ReviewVerdict
    body: str = ""
    commit: str
    created: float


@dataclass(frozen=True, kw_only=True)
class Status:
    """What one check says of one commit. A later status of the same context replaces it; case does not count."""

    context: str
    """Who says so: `mlgit/gates`."""
    state: StatusState
    description: str = ""
    """At most 140 characters; a forge cuts what is longer."""
    url: str = ""
    commit: str


@dataclass(frozen=True, kw_only=True)
class Remark:
    """What a check says of one line of a file, in plain text."""

    path: str
    """From the top of the repository."""
    line: int
    message: str
    is_failure: bool = False


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What a forge can do here; ask before, rather than fail after."""

    writable: bool
    """Whether we may write at all: the token of a fork's pull request may not."""
    drafts: bool
    """Whether a pull request can be a draft."""
    names_conflicts: bool = True
    """Whether a merge that is refused says which files both sides changed."""
    max_body: int = BODY_CHARACTERS
    """Characters that a comment or a description may have."""
    max_matrix: int = 0
    """Jobs of one matrix in its CI; 0 where it has none."""
    images: bool = True
    """Whether it keeps pictures that comments show."""
    gates: bool = False
    """Whether it can hold a deployment until somebody approves: environments with reviewers."""
    summaries: bool = False
    """Whether a job of its CI has a page of its own for what it has to say."""


class Forge(Protocol):
    """A place where pull requests live.

    Every verb raises `NotFoundError` for a number that does not exist, `UsageError` for what cannot be asked, and
    `MlgitError` for what the forge refuses as things stand.
    """

    @property
    def me(self) -> str:
        """Our own name, as it stands under what we write."""

    @property
    def capabilities(self) -> Capabilities:
        """What this forge can do here."""

    def open(
        self, *, head: str, base: str, title: str, body: str = "", draft: bool = False, labels: Sequence[str] = ()
    ) -> PullRequest:
        """A new pull request from branch *head* into branch *base*.

        Refused: a branch that does not exist (`NotFoundError`), a head with no commit that the base lacks, one with no
        history in common, and a second open pull request for the same two branches.
        """

    def edit(
        self, number: int, *, title: str | None = None, body: str | None = None, labels: Sequence[str] = ()
    ) -> PullRequest:
        """Change the title or the description, and add *labels*; what is not given stays. Also of what is closed."""

    def share(self, branch: str) -> None:
        """Have *branch* as it is here where pull requests are made. Raises `MlgitError` where work would be lost."""

    def get(self, number: int) -> PullRequest:
        """One pull request, as it stands now."""

    def pulls(self, *, state: PullState | None = PullState.OPEN, head: str | None = None) -> list[PullRequest]:
        """Pull requests in *state* (None: any), newest first; of branch *head* only, where one is named."""

    def comment(self, number: int, body: str) -> Comment:
        """Write a comment, also on what is merged or closed."""

    def edit_comment(self, number: int, comment: int, body: str) -> Comment:
        """Replace the body of the comment with that id."""

    def delete_comment(self, number: int, comment: int) -> None:
        """Take the comment with that id away."""

    def minimise_comment(self, number: int, comment: int) -> None:
        """Fold the comment with that id away, as outdated: it stays, and is ours to change no more."""

    def comments(self, number: int) -> list[Comment]:
        """Every comment, oldest first."""

    def review(self, number: int, verdict: ReviewVerdict, body: str = "") -> Review:
        """Give a verdict. Nobody approves or refuses their own work; all but approval needs words."""

    def reviews(self, number: int) -> list[Review]:
        """Every review, oldest first."""

    def set_status(self, status: Status, *, text: str = "", remarks: Sequence[Remark] = ()) -> None:
        """Say how a check on a commit stands, in place of what it said before.

        A forge whose checks have a page shows *text* there, written for a comment and of any length, and the *remarks*
        beside their lines; elsewhere the comment that goes with it has to say it all.
        """

    def statuses(self, commit: str) -> list[Status]:
        """The latest status of each context on *commit* (a full id), by context."""

    def merge(self, number: int, *, expect: str | None = None) -> PullRequest:
        """Merge by a merge commit; return the pull request, merged.

        Refused: what is merged or closed, a draft, a conflict; and, with *expect*, a head that is not at that commit
        any more (`RefMovedError`). As on GitHub, a failing status stands in the way only where a rule requires it.
        """

    def close(self, number: int) -> PullRequest:
        """Close without merging."""

    def reopen(self, number: int) -> PullRequest:
        """Open again what was closed; refused for what is merged, or whose branches are gone."""

    def ready(self, number: int) -> PullRequest:
        """Make a draft ready for review; what is no draft stays as it is."""

    def image(self, content: bytes, name: str) -> str:
        """Keep a picture; return what stands in `![](…)` to show it. *name* says its kind: `curves.png`.

        It is there once something is written that shows it: so a comment that stays as it was costs nothing.
        """

    def picture(self, link: str) -> bytes | None:
        """The picture behind a link that `image` gave; None for any other link."""

    def elsewhere(self, text: str) -> str:
        """*text*, written for a comment, for where it is shown by itself, as a job's summary: with whole addresses.

        What it shows is there by then.
        """

    def page(self, text: str) -> str:
        """Keep Markdown that is too long for a comment, as `image` keeps pictures; the address of its page."""
