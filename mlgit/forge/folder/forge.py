"""The acts of the folder forge. Whatever writes does so under the lock, and reads again what it wrote."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from mlgit.core import refs
from mlgit.errors import MlgitError, NotFoundError, RefMovedError, UsageError
from mlgit.forge import rules
from mlgit.forge.base import (
    Capabilities,
    Comment,
    PullRequest,
    PullState,
    Remark,
    Review,
    ReviewVerdict,
    Status,
)
from mlgit.forge.folder import branches
from mlgit.forge.folder.files import Files
from mlgit.git.merge import merge as merge_commit
from mlgit.git.repo import Move, Repo

_IMAGE = re.compile(r"\.\./\.\./assets/([0-9a-f]{2}/[0-9a-f]{64}\.[a-z]{3,4})")
_ATTEMPTS = 20


class FolderForge:
    """The forge of *repo*. *me* is our name there; without it, the one under which git commits."""

    capabilities = Capabilities(writable=True, drafts=True)

    def __init__(self, repo: Repo, *, me: str | None = None, clock: Callable[[], float] = time.time) -> None:
        self.repo = repo
        self.files = Files(repo.own / "forge")
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
        title = rules.checked_title(title)
        rules.checked_body(body, "A description", empty=True)
        labels = rules.checked_labels(labels)
        commit = branches.mergeable(self.repo, head, base)
        with self.files.locked():
            self._refuse_second(head, base)
            number = self.files.new_number()
            self.repo.move([Move(branches.kept(number), None, commit)], why=f"pull request #{number}")
            self.files.write_pull(
                PullRequest(
                    number=number, title=title, body=body, head=head, head_commit=commit, base=base, author=self.me,
                    created=self._clock(), draft=draft, labels=labels,
                )
            )  # fmt: skip
        return self.get(number)

    def edit(
        self, number: int, *, title: str | None = None, body: str | None = None, labels: Sequence[str] = ()
    ) -> PullRequest:
        """Change the title or the description, and add *labels*; what is not given stays."""
        with self.files.locked():
            pull = self.get(number)
            every = tuple(dict.fromkeys((*pull.labels, *rules.checked_labels(labels))))
            title = pull.title if title is None else rules.checked_title(title)
            body = pull.body if body is None else rules.checked_body(body, "A description", empty=True)
            self.files.write_pull(replace(pull, title=title, body=body, labels=every))
        return self.get(number)

    def share(self, branch: str) -> None:
        """Nothing: pull requests are made here."""

    def get(self, number: int) -> PullRequest:
        """One pull request, as it stands now. Raises `NotFoundError`."""
        pull = self.files.pull(number)
        return branches.current(self.repo, pull, branches.there(self.repo, pull))

    def pulls(self, *, state: PullState | None = PullState.OPEN, head: str | None = None) -> list[PullRequest]:
        """Pull requests in *state* (None: any), newest first; of branch *head* only, where one is named."""
        there = self.repo.refs("refs/heads/", branches.PULL_REFS)
        found: list[PullRequest] = []
        for number in sorted(self.files.numbers(), reverse=True):
            with contextlib.suppress(NotFoundError):  # a number whose maker died before writing anything
                pull = self.files.pull(number)
                if head is None or pull.head == head:
                    found.append(branches.current(self.repo, pull, there))
        return [pull for pull in found if state is None or pull.state is state]

    def merge(self, number: int, *, expect: str | None = None) -> PullRequest:
        """Merge by a merge commit; see `Forge.merge`. A base that is checked out follows in its work tree."""
        with self.files.locked():
            pull = self._open_pull(number, "merged")
            if pull.draft:
                raise MlgitError(f"#{number} is a draft.", fix=f"mlgit pr ready {number}, then merge")
            if expect is not None and expect != pull.head_commit:
                raise RefMovedError(
                    f"#{number} is not at {expect[:10]} any more.",
                    why=f"{pull.head} stands at {pull.head_commit[:10]}.", fix="look at what came, then merge again",
                )  # fmt: skip
            subject, body = rules.merge_message(pull)
            commit = merge_commit(self.repo, f"refs/heads/{pull.base}", pull.head_commit, f"{subject}\n\n{body}\n")
            self.files.write_pull(replace(pull, state=PullState.MERGED, merge_commit=commit, merged_by=self.me))
        return self.get(number)

    def close(self, number: int) -> PullRequest:
        """Close without merging."""
        with self.files.locked():
            self.files.write_pull(replace(self._open_pull(number, "closed"), state=PullState.CLOSED))
        return self.get(number)

    def reopen(self, number: int) -> PullRequest:
        """Open again what was closed; refused for what is merged, or whose branches are gone."""
        with self.files.locked():
            pull = self.get(number)
            if pull.state is not PullState.CLOSED:
                raise MlgitError(f"#{number} is {pull.state.value}; only what is closed can be reopened.")
            branches.mergeable(self.repo, pull.head, pull.base)
            self._refuse_second(pull.head, pull.base)
            self.files.write_pull(replace(pull, state=PullState.OPEN))
        return self.get(number)

    def ready(self, number: int) -> PullRequest:
        """Make a draft ready for review; what is no draft stays as it is."""
        with self.files.locked():
            pull = self._open_pull(number, "made ready")
            if pull.draft:
                self.files.write_pull(replace(pull, draft=False))
        return self.get(number)

    # What people say

    def comment(self, number: int, body: str) -> Comment:
        """Write a comment, also on what is merged or closed."""
        rules.checked_body(body, "A comment")
        with self.files.locked():
            id, now = self.files.next_id(number), self._clock()
            self.files.write_comment(number, Comment(id=id, author=self.me, body=body, created=now, updated=now))
        return self.files.comment(number, id)

    def edit_comment(self, number: int, comment: int, body: str) -> Comment:
        """Replace the body of the comment with that id."""
        rules.checked_body(body, "A comment")
        with self.files.locked():
            self.files.pull(number)
            before = self.files.comment(number, comment)
            self.files.write_comment(number, replace(before, body=body, updated=self._clock()))
        return self.files.comment(number, comment)

    def delete_comment(self, number: int, comment: int) -> None:
        """Take the comment with that id away."""
        with self.files.locked():
            self.files.comment(number, comment)
            self.files.remove_comment(number, comment)

    def minimise_comment(self, number: int, comment: int) -> None:
        """Fold the comment with that id away."""
        with self.files.locked():
            self.files.write_comment(number, replace(self.files.comment(number, comment), minimised=True))

    def comments(self, number: int) -> list[Comment]:
        """Every comment, oldest first."""
        return self.files.comments(number)

    def review(self, number: int, verdict: ReviewVerdict, body: str = "") -> Review:
        """Give a verdict on the head as it stands; see `Forge.review`."""
        pull = self.get(number)
        rules.checked_review(verdict, body, own=pull.author == self.me)
        given = Review(author=self.me, verdict=verdict, body=body, commit=pull.head_commit, created=self._clock())
        with self.files.locked():
            id = self.files.next_id(number)
            self.files.write_review(number, id, given)
        return self.files.review(number, id)

    def reviews(self, number: int) -> list[Review]:
        """Every review, oldest first."""
        return self.files.reviews(number)

    # Checks

    def set_status(
        self, status: Status, *, text: str = "", remarks: Sequence[Remark] = ()  # noqa: ARG002  (checks have no page here)
    ) -> None:  # fmt: skip
        """Say how a check on a commit stands, in place of what it said before."""
        checked = rules.checked_status(status)
        if self.repo.resolve(status.commit) != status.commit:
            raise NotFoundError(f"There is no commit {status.commit[:64]!r}.", fix="give its full id")
        with self.files.locked():
            self.files.write_status(checked)

    def statuses(self, commit: str) -> list[Status]:
        """The latest status of each context on *commit* (a full id), by context."""
        if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", commit):
            raise UsageError(f"{commit[:80]!r} is no full id of a commit.")
        return self.files.statuses(commit)

    # Pictures

    def image(self, content: bytes, name: str) -> str:
        """Keep a picture by its content on the branch `mlgit-assets`; return a link that works beside the comment."""
        return self._kept(rules.asset(content, rules.checked_picture(name)), content)

    def elsewhere(self, text: str) -> str:
        """*text* with the pictures' places on this machine."""
        return _IMAGE.sub(lambda found: (self.files.folder / "assets" / found[1]).as_uri(), text)

    def page(self, text: str) -> str:
        """Keep Markdown beside the pictures; its links lead to them from where it lies."""
        content = text.replace("../../assets/", "../").encode(errors="replace")
        return self._kept(rules.asset(content, ".md"), content)

    def _kept(self, path: str, content: bytes) -> str:
        with self.files.locked():
            self._put(path, content)
            self.files.write_picture(path, content)
        return f"../../assets/{path}"

    def picture(self, link: str) -> bytes | None:
        """The picture behind a link that `image` gave; None for any other link."""
        found = _IMAGE.fullmatch(link)
        if found is None:
            return None
        copy = self.files.picture(found[1])
        return self.repo.read(refs.ASSETS, found[1]) if copy is None else copy

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

    # What is refused

    def _open_pull(self, number: int, done: str) -> PullRequest:
        """The pull request, if it is open. Raises `MlgitError` saying why it cannot be *done* otherwise."""
        pull = self.get(number)
        if pull.state is PullState.MERGED:
            raise MlgitError(f"#{number} cannot be {done}: it is merged.")
        if pull.state is PullState.CLOSED:
            gone = [branch for branch in (pull.head, pull.base) if branches.tip(self.repo, branch) is None]
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
