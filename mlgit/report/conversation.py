"""A pull request with all that was said of it, in the order of their times: one page, for a reader or for a browser."""

from __future__ import annotations

from collections.abc import Sequence

from mlgit.core import escape, figures
from mlgit.forge.base import Comment, Forge, PullRequest, Review, ReviewVerdict
from mlgit.report.changed import File
from mlgit.report.page import Check, Page, Post

MOST_FILES = 200
DID = {
    ReviewVerdict.APPROVE: "approved",
    ReviewVerdict.REQUEST_CHANGES: "requested changes",
    ReviewVerdict.COMMENT: "reviewed",
    ReviewVerdict.DISMISSED: "reviewed (dismissed)",
}


def read(forge: Forge, pull: PullRequest, *, files: Sequence[File] = ()) -> Page:
    """*pull*, which changes *files*, with all that was said of it: its description is the first post."""
    opened = Post(author=pull.author, did="proposed", when=_when(pull.created), body=pull.body)
    return Page(
        title=pull.title,
        number=pull.number,
        state=state(pull),
        line=_line(pull),
        posts=(opened, *_said(forge.comments(pull.number), forge.reviews(pull.number))),
        files=files,
        checks=[
            Check(name=one.context, state=one.state.value, words=one.description, url=one.url)
            for one in forge.statuses(pull.head_commit)
        ],
    )


def state(pull: PullRequest) -> str:
    """`open`, `draft`, `merged`, `closed`."""
    return "draft" if pull.draft and pull.state.value == "open" else pull.state.value


def markdown(page: Page) -> str:
    """*page* as Markdown; what people wrote stands in it as they wrote it."""
    opened, *said = page.posts
    parts = [
        f"# {escape.markdown(page.title)} (#{page.number})",
        f"**{page.state}** · {escape.markdown(page.line)}",
        opened.body,
    ]
    if page.files:
        rows = [f"| {escape.code(file.path)} | {file.told} |" for file in page.files[:MOST_FILES]]
        more = [f"| … and {len(page.files) - MOST_FILES} more | |"] if len(page.files) > MOST_FILES else []
        parts.append("\n".join(("| file | lines |", "|---|--:|", *rows, *more)))
    for post in said:
        parts += ["---", f"**{escape.markdown(post.author)}** {post.did} · {post.when}", post.body]
    if page.checks:
        lines = [
            f"| {escape.markdown(check.name)} | {check.state} | {escape.markdown(check.words)} |"
            for check in page.checks
        ]
        parts += ["---", "\n".join(("| check | state | says |", "|---|---|---|", *lines))]
    return "\n\n".join(part.strip("\n") for part in parts if part.strip())


def _said(comments: Sequence[Comment], reviews: Sequence[Review]) -> list[Post]:
    every = [
        *((one.created, one.author, "commented", one.body) for one in comments),
        *((one.created, one.author, DID[one.verdict], one.body) for one in reviews),
    ]
    return [
        Post(author=author, did=did, when=_when(created), body=body)
        for created, author, did, body in sorted(every, key=lambda one: one[0])
    ]


def _line(pull: PullRequest) -> str:
    labels = f" · {', '.join(pull.labels)}" if pull.labels else ""
    return f"{pull.author} proposes {pull.head} → {pull.base} · {_when(pull.created)} · {pull.head_commit[:10]}{labels}"


def _when(seconds: float) -> str:
    return f"{figures.moment(seconds)[:16].replace('T', ' ')} UTC"
