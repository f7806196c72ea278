"""The acts of the forge on GitHub, each in as few requests as it can be done in.

Of github3.py it is the session that serves, and not its objects: those ask for the repository and the pull request
before each act, and fail at any field that an Enterprise server leaves out.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from mlgit.errors import MlgitError, NotFoundError, UsageError
from mlgit.forge import rules, sections
from mlgit.forge.base import BOT, Capabilities, Comment, PullRequest, PullState, Remark, Review, ReviewVerdict, Status
from mlgit.forge.github import checks, refused, rights, said, talk
from mlgit.forge.github.answers import RefusedError
from mlgit.forge.github.clone import Clone
from mlgit.forge.github.pictures import Pictures
from mlgit.forge.github.rest import Rest, as_told

T = TypeVar("T")
_NAME = re.compile(r"(?!\.)[\w.-]+/(?!\.{1,2}$)[\w.-]+", re.ASCII)
_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_TRIES, _MOMENT = 6, 0.5
_ME = "query Me { viewer { login } }"
_READY = """
mutation Ready($input: MarkPullRequestReadyForReviewInput!) {
  markPullRequestReadyForReview(input: $input) { pullRequest { isDraft } }
}
"""
_FOLD = """
mutation Fold($input: MinimizeCommentInput!) { minimizeComment(input: $input) { minimizedComment { isMinimized } } }
"""


class GitHubForge:
    """The pull requests of the repository *name* (`owner/name`), as *rest* lets us see them.

    With a *clone*, a branch goes there before it is proposed, and what a pull request is about comes here with it.
    """

    def __init__(self, rest: Rest, name: str, clone: Clone | None = None) -> None:
        if not _NAME.fullmatch(name):
            raise UsageError(f"{name[:80]!r} is no repository on GitHub.", fix="name it like acme/churn")
        self.rest, self.name, self.clone = rest, name, clone
        self._at = f"repos/{name}"
        self._pictures = Pictures(rest, name)
        self._me: str | None = None
        self._makes_checks = True
        self._is_read_only = rights.is_read_only(os.environ)

    def hurried(self) -> GitHubForge:
        """The same, without the clone, for what nothing waits for."""
        return GitHubForge(self.rest.hurried(), self.name)

    @property
    def me(self) -> str:
        """Our own name there."""
        if self._me is None:
            self._me = self.rest.ask(_ME, said.me)
        return self._me

    @property
    def capabilities(self) -> Capabilities:
        """What can be done here; a token that turned out to be read-only may not write."""
        return replace(rights.OFFERS, writable=not self._is_read_only)

    # Pull requests

    def open(
        self, *, head: str, base: str, title: str, body: str = "", draft: bool = False, labels: Sequence[str] = ()
    ) -> PullRequest:
        """A new pull request from branch *head* into branch *base*; see `Forge.open`."""
        title, labels = rules.checked_title(title), rules.checked_labels(labels)
        content = {"title": title, "head": head, "base": base, "body": _sendable(body, "A description", empty=True)}
        for branch in (head, base):
            if not said.is_branch(branch):
                raise NotFoundError(
                    f"There is no branch {branch[:120]!r} in {self.name}.", fix="git branch -r lists them"
                )
        self.share(head)
        self._pictures.send(body)
        try:
            pull = self._write("post", "pulls", content | ({"draft": True} if draft else {}), said.pull)
        except RefusedError as exc:
            if exc.status == 422 and "already exists" in exc.said:
                self._refuse_second(head, base)
            raise refused.opening(exc, head, base, self.name) from None
        return self._labelled(pull, labels)

    def edit(
        self, number: int, *, title: str | None = None, body: str | None = None, labels: Sequence[str] = ()
    ) -> PullRequest:
        """Change the title or the description, and add *labels*; what is not given stays."""
        labels = rules.checked_labels(labels)
        content = {} if title is None else {"title": rules.checked_title(title)}
        if body is not None:
            content["body"] = _sendable(body, "A description", empty=True)
            self._pictures.send(body)
        with self._found(number):
            pull = self._write("patch", f"pulls/{number}", content, said.pull) if content else self.get(number)
        return self._labelled(pull, labels)

    def _labelled(self, pull: PullRequest, labels: Sequence[str]) -> PullRequest:
        if not labels:
            return pull
        try:
            given = self._write("post", f"issues/{pull.number}/labels", {"labels": list(labels)}, said.labels)
        except RefusedError as exc:
            what = f"#{pull.number} is there, without the label {', '.join(labels)}."
            raise MlgitError(what, why=exc.why, fix=exc.fix) from None
        return replace(pull, labels=given)

    def share(self, branch: str) -> None:
        """Push *branch*, if this clone has it; one of a fork is its owner's."""
        if self.clone and ":" not in branch:
            self.clone.push(branch)

    def get(self, number: int) -> PullRequest:
        """One pull request, as it stands now. Raises `NotFoundError`."""
        pull = self._pull(number, said.pull)
        if self.clone:
            base = None if self.clone.knows(pull.base) else pull.base_commit
            self.clone.fetch(pull.head_commit, base, pull.merge_commit)
        return pull

    def pulls(self, *, state: PullState | None = PullState.OPEN, head: str | None = None) -> list[PullRequest]:
        """Pull requests in *state* (None: any), newest first; of branch *head* only, where one is named."""
        which = "all" if state is None else "open" if state is PullState.OPEN else "closed"
        asked = {"state": which, "sort": "created", "direction": "desc"}
        if head is not None:
            if not said.is_branch(head):
                return []
            asked["head"] = head if ":" in head else f"{self.name.partition('/')[0]}:{head}"
        found = self.rest.everything(f"{self._at}/pulls", into=said.pull, **asked)
        return [pull for pull in found if (state is None or pull.state is state) and head in (None, pull.head)]

    def merge(self, number: int, *, expect: str | None = None) -> PullRequest:
        """Merge by a merge commit; see `Forge.merge`. What has come since we looked is not merged either."""
        pull = self._open_pull(number, "merged")
        if pull.draft:
            raise MlgitError(f"#{number} is a draft.", fix=f"mlgit pr ready {number}, then merge")
        if expect is not None and expect != pull.head_commit:
            raise refused.moved(pull)
        subject, body = rules.merge_message(pull)
        content = {"sha": pull.head_commit, "merge_method": "merge", "commit_title": subject, "commit_message": body}
        for attempt in range(_TRIES):
            try:
                self._write("put", f"pulls/{number}/merge", content)
                break
            except RefusedError as exc:
                if exc.status == 409:
                    raise refused.moved(self.get(number)) from None
                if exc.status == 405 and "Base branch was modified" in exc.said and attempt < _TRIES - 1:
                    self.rest.sleep(_MOMENT * (attempt + 1))  # somebody else was quicker: that is no conflict yet
                    continue
                if exc.status == 405:
                    fix = f"look at {pull.url}: {pull.base} and {pull.head} are in conflict, or a rule asks for more"
                    raise MlgitError(f"GitHub does not merge #{number}.", why=exc.said, fix=fix) from None
                raise
        merged = self.get(number)
        if self.clone and merged.merge_commit:
            self.clone.follow(merged.base, merged.merge_commit)
        return merged

    def close(self, number: int) -> PullRequest:
        """Close without merging."""
        self._open_pull(number, "closed")
        return self._write("patch", f"pulls/{number}", {"state": "closed"}, said.pull)

    def reopen(self, number: int) -> PullRequest:
        """Open again what was closed; refused for what is merged, or whose branches are gone."""
        pull = self.get(number)
        if pull.state is not PullState.CLOSED:
            raise MlgitError(f"#{number} is {pull.state.value}; only what is closed can be reopened.")
        try:
            return self._write("patch", f"pulls/{number}", {"state": "open"}, said.pull)
        except RefusedError as exc:
            if exc.status != 422:
                raise
            self._refuse_second(pull.head, pull.base)
            raise MlgitError(f"#{number} cannot be opened again.", why=exc.said, fix=exc.fix) from None

    def ready(self, number: int) -> PullRequest:
        """Make a draft ready for review; what is no draft stays as it is."""
        pull = self._open_pull(number, "made ready")
        if pull.draft:
            self._mutate(_READY, {"pullRequestId": self._pull(number, said.node)})
        return self.get(number) if pull.draft else pull

    # What people say

    def comment(self, number: int, body: str) -> Comment:
        """Write a comment, also on what is merged or closed."""
        content = {"body": _sendable(body, "A comment")}
        self._pictures.send(body)
        with self._found(number):
            return self._write("post", f"issues/{number}/comments", content, said.written)

    def edit_comment(self, number: int, comment: int, body: str) -> Comment:
        """Replace the body of the comment with that id."""
        content = {"body": _sendable(body, "A comment")}
        self._pictures.send(body)
        with self._found(number, comment):
            return self._write("patch", f"issues/comments/{comment}", content, said.written)

    def delete_comment(self, number: int, comment: int) -> None:
        """Take the comment with that id away."""
        with self._found(number, comment):
            self._write("delete", f"issues/comments/{comment}", None)

    def minimise_comment(self, number: int, comment: int) -> None:
        """Fold the comment with that id away: by GraphQL, for REST only tells of it."""
        with self._found(number, comment):
            node = self.rest.get(f"{self._at}/issues/comments/{comment}", said.node)
            self._mutate(_FOLD, {"subjectId": node, "classifier": "OUTDATED"})

    def comments(self, number: int) -> list[Comment]:
        """Every comment, oldest first: by GraphQL, which says in the same answer who we are and which are ours."""
        with self._found(number):
            if number < 1:
                raise self._missing(number)
            self._me, found = talk.read(self.rest, self.name, number, self._pictures)
        return found

    def review(self, number: int, verdict: ReviewVerdict, body: str = "") -> Review:
        """Give a verdict on the head as it stands; see `Forge.review`."""
        rules.checked_review(verdict, body, own=False)
        try:
            with self._found(number):
                content = {"body": body, "event": said.EVENTS[verdict]}
                return self._write("post", f"pulls/{number}/reviews", content, said.review)
        except RefusedError as exc:
            if "own pull request" in exc.said:
                rules.checked_review(verdict, body, own=True)
            raise

    def reviews(self, number: int) -> list[Review]:
        """Every review, oldest first."""
        with self._found(number):
            found = self.rest.everything(f"{self._at}/pulls/{number}/reviews", into=said.given)
        return [one for one in found if one]

    # Checks

    def set_status(self, status: Status, *, text: str = "", remarks: Sequence[Remark] = ()) -> None:
        """Say how a check on a commit stands, in place of what it said before; as a check run where that is allowed.

        That is to Apps alone, and so to the token of a workflow: what a person sets is a status. Each of them goes on
        with its own kind, for one of GitHub's does not replace the other.
        """
        checked = rules.checked_status(status)
        missing = NotFoundError(
            f"{self.name} has no commit {status.commit[:64]!r}.", fix="push it, or give its full id"
        )
        if not _ID.fullmatch(checked.commit):
            raise missing
        content = {"state": checked.state.value, "context": checked.context, "description": checked.description}
        target = {"target_url": checked.url} if checked.url else {}
        try:
            if not self._checked(checked, text, remarks):
                self._write("post", f"statuses/{checked.commit}", content | target)
        except RefusedError as exc:
            if exc.status in (404, 422) and "No commit found" in exc.said:
                raise missing from None
            raise

    def _checked(self, status: Status, text: str, remarks: Sequence[Remark]) -> bool:
        """Make a check run of *status*; False where we may not."""
        if not self._makes_checks or not self.me.endswith(BOT):
            return False
        try:
            checks.publish(self.rest, self.name, status, summary=self._summary(text), remarks=remarks)
        except RefusedError as exc:
            if exc.status not in (403, 404):
                raise
            self._makes_checks = False  # a workflow's token, without `checks: write`
        return self._makes_checks

    def _summary(self, text: str) -> str:
        """*text*, written for a comment, as the page of a check holds it; what is cut stands on a page of its own."""
        if len(whole := self._pictures.whole(text)) <= checks.SUMMARY:
            return self.elsewhere(text)
        more = self.page(text)
        self._pictures.send(f"{text}\n{more}")
        return sections.fitted(whole, checks.SUMMARY, whole=self._pictures.whole(more))

    def statuses(self, commit: str) -> list[Status]:
        """The latest status of each context on *commit* (a full id), by context; check runs, as CI's jobs are, too."""
        if not _ID.fullmatch(commit):
            raise UsageError(f"{commit[:80]!r} is no full id of a commit.")
        at = f"{self._at}/commits/{commit}"
        found = self.rest.everything(f"{at}/status", "statuses", partial(said.status, commit=commit))
        asked = partial(said.check, commit=commit)
        return said.latest(found, self.rest.everything(f"{at}/check-runs", "check_runs", asked, filter="latest"))

    # Pictures

    def image(self, content: bytes, name: str) -> str:
        """Keep a picture by its content on the branch `mlgit-assets`, once something is written that shows it."""
        return self._pictures.add(rules.asset(content, rules.checked_picture(name)), content)

    def picture(self, link: str) -> bytes | None:
        """The picture behind a link that `image` gave; None for any other link."""
        return self._pictures.read(link)

    def elsewhere(self, text: str) -> str:
        """*text* with whole addresses, what it shows sent before."""
        self._pictures.send(text)
        return self._pictures.whole(text)

    def page(self, text: str) -> str:
        """Keep Markdown beside the pictures, where GitHub shows it as a page; its address, as a comment links to it."""
        text = self._pictures.beside(text)
        return self._pictures.add_page(rules.asset(text.encode(errors="replace"), ".md"), text)

    # How it is asked

    def _pull(self, number: int, into: Callable[[Any], T]) -> T:
        with self._found(number):
            if number < 1:
                raise self._missing(number)
            return self.rest.get(f"{self._at}/pulls/{number}", into)

    def _write(
        self, how: str, path: str, content: Mapping[str, Any] | None, into: Callable[[Any], T] = as_told
    ) -> T:  # fmt: skip
        """What comes of a write there. One that is not allowed tells that none is."""
        try:
            told: T = getattr(self.rest, how)(f"{self._at}/{path}", *((content, into) if how != "delete" else ()))
            return told
        except RefusedError as exc:
            self._learn(exc)
            raise

    def _mutate(self, query: str, given: dict[str, Any]) -> Any:
        try:
            return self.rest.ask(query, writes=True, input=given)
        except RefusedError as exc:
            self._learn(exc)
            raise

    def _learn(self, exc: RefusedError) -> None:
        if exc.status == 403 and "not accessible" in exc.said:
            self._is_read_only = True

    @contextlib.contextmanager
    def _found(self, number: int, comment: int | None = None) -> Iterator[None]:
        """GitHub's 404, as ours."""
        try:
            yield
        except RefusedError as exc:
            if exc.status not in (404, 410):
                raise
            raise self._missing(number, comment, exc) from None

    def _missing(self, number: int, comment: int | None = None, exc: RefusedError | None = None) -> NotFoundError:
        what = f"pull request #{number}" if comment is None else f"comment {comment} on #{number}"
        fix = "mlgit pr ls --state all lists them; mlgit login says what the token may see"
        return NotFoundError(f"There is no {what} in {self.name}.", why=exc.why if exc else "", fix=fix)

    # What is refused

    def _open_pull(self, number: int, done: str) -> PullRequest:
        """The pull request, if it is open. Raises `MlgitError` saying why it cannot be *done* otherwise."""
        pull = self.get(number)
        if pull.state is not PullState.OPEN:
            fix = f"mlgit pr reopen {number}" if pull.state is PullState.CLOSED else ""
            raise MlgitError(f"#{number} cannot be {done}: it is {pull.state.value}.", fix=fix)
        return pull

    def _refuse_second(self, head: str, into: str) -> None:
        for pull in self.pulls(head=head):
            if pull.base == into:
                raise MlgitError(f"#{pull.number} is already open for {head} into {into}.", why=pull.url)


def _sendable(body: str, what: str, *, empty: bool = False) -> str:
    """*body*, if GitHub takes it: half a character is none. Raises `UsageError`."""
    return rules.checked_body(body, what, empty=empty).encode(errors="replace").decode()
