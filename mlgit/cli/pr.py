"""`mlgit pr`: pull requests, from the code of a run to its merge."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from mlgit import wiring
from mlgit.cli import markdown, output
from mlgit.cli.choose import NUMBER
from mlgit.core import figures
from mlgit.errors import GateFailedError, MlgitError
from mlgit.wiring import promoting, reporting

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mlgit.forge.base import Comment, Forge, PullRequest, Review, Status
    from mlgit.registry.settle import Settled
    from mlgit.report.changed import File
    from mlgit.report.page import Page
    from mlgit.report.proposal import Opened
    from mlgit.store.place import Place

_NUMBER = click.argument("number", type=NUMBER, metavar="N")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")


def _message(required: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option("-m", "--message", default="", required=required, help="The words, in Markdown.")


@click.group(short_help="Open, show and merge pull requests.")
def command() -> None:
    """Open, show and merge pull requests: on GitHub, or with no server, in the repository's own git folder.

    GitHub it is where the remote origin is there and a token is at hand (`mlgit login`), or where mlgit.yaml says so.

    \b
    Examples:
      mlgit pr open radiant-glade-12     # the code of a run, with its report
      mlgit pr ls
      mlgit pr show 1 --html pr.html
      mlgit pr merge 1
    """


@command.command(name="open")
@click.argument("what", metavar="[RUN|BRANCH]", required=False)
@click.option("-t", "--title", help="Its title.  [default: the run's name and metrics, or the last commit's subject]")
@click.option("-b", "--body", help="Its description, in Markdown.  [default: a word about the run, or none]")
@click.option("--base", metavar="BRANCH", help="The branch to merge into.  [default: main]")
@click.option("--draft", is_flag=True, help="Open it as a draft: it cannot be merged before `mlgit pr ready`.")
@click.option("--label", "labels", multiple=True, help="Give it a label; may be repeated.")
@_JSON
def open_(
    what: str | None, title: str | None, body: str | None, base: str | None, draft: bool, labels: tuple[str, ...],
    as_json: bool,
) -> None:  # fmt: skip
    """Propose a run's code, or a branch, and report on it.

    Of a RUN, a branch `run/…` is made: the code as it ran, its params in the params file, the run named as evidence. A
    BRANCH (the current one, if none is named) is taken as it is. What is open already gets its report renewed.

    \b
    Examples:
      mlgit pr open radiant-glade-12
      mlgit pr open feature/cosine --title "Cosine schedule" --draft
      mlgit pr open k3f9a2 --base develop --json
    """
    place = wiring.place()
    describe = None if body is None else lambda: body
    opened = reporting.propose(place, what, base=base, title=title, body=describe, draft=draft, labels=labels)
    tell_opened(place, opened, as_json=as_json)


def tell_opened(place: Place, opened: Opened, *, as_json: bool) -> None:
    """Put the report onto a pull request that was opened now or before, and tell of it."""
    pull = opened.pull
    if not opened.is_new:
        output.note(f"#{pull.number} is already open for {pull.head}; its report is renewed.")
    if opened.untracked:
        few = output.some(opened.untracked)
        output.note(f"It brings along what was never committed: {few}. Take out what does not belong to main.")
    _report(place, pull.number)
    if as_json:
        output.as_json(_plain(pull))
        return
    output.say(f"#{pull.number} {pull.title}")
    output.say(f"   {pull.head} → {pull.base}{', a draft' if pull.draft else ''}")
    output.say(f"   {pull.url}" if pull.url else f"   Look at it: mlgit pr show {pull.number}")


@command.command(name="ls")
@click.option(
    "--state", type=click.Choice(["open", "merged", "closed", "all"]), default="open", show_default=True,
    help="List those in this state.",
)  # fmt: skip
@_JSON
def list_(state: str, as_json: bool) -> None:
    """List pull requests, newest first.

    \b
    Examples:
      mlgit pr ls
      mlgit pr ls --state all --json
    """
    from mlgit.forge.base import PullState
    from mlgit.report import conversation

    forge = wiring.forge(wiring.place())
    pulls = forge.pulls(state=None if state == "all" else PullState(state))
    if as_json:
        output.as_json([_plain(pull) for pull in pulls])
        return
    rows = [
        [f"#{pull.number}", pull.title, pull.head, pull.base, conversation.state(pull), pull.author] for pull in pulls
    ]
    which = "" if state == "all" else f"{state} "
    output.table(("number", "title", "branch", "into", "state", "author"), rows, empty=f"No {which}pull requests.")


@command.command(short_help="Show one, with its files, comments and checks.")
@_NUMBER
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write it as one page of HTML that needs nothing else.",
)
@_JSON
def show(number: int, html: Path | None, as_json: bool) -> None:
    """Show a pull request with its files, comments, reviews and checks; as Markdown in a pipe. Pictures want --html.

    \b
    Examples:
      mlgit pr show 1
      mlgit pr show 1 > pr.md
      mlgit pr show 1 --html pr.html
    """
    from mlgit.report import conversation

    place = wiring.place()
    forge = wiring.forge(place)
    files = _files(place, forge.get(number))
    if html:
        _write_page(html, forge, conversation.read(forge, number, files=files))
        output.note(f"{html}: written, pictures included.")
    elif as_json:
        pull = forge.get(number)
        output.as_json(
            _plain(pull)
            | {"files": [asdict(file) for file in files]}
            | {"comments": [_plain(one) for one in forge.comments(number)]}
            | {"reviews": [_plain(one) for one in forge.reviews(number)]}
            | {"checks": [_plain(one) for one in forge.statuses(pull.head_commit)]}
        )
    else:
        markdown.say(conversation.markdown(conversation.read(forge, number, files=files)))


@command.command()
@_NUMBER
def diff(number: int) -> None:
    """Print what a pull request changes, as a patch.

    \b
    Examples:
      mlgit pr diff 1
      mlgit pr diff 1 | less
    """
    from mlgit.report import changed, publish

    place = wiring.place()
    sides = publish.sides_of(place.repo, wiring.forge(place).get(number))
    output.say(changed.text(place.repo, sides.base, sides.head).removesuffix("\n"))


@command.command()
@_NUMBER
@_message(required=True)
def comment(number: int, message: str) -> None:
    """Write a comment.

    \b
    Example:
      mlgit pr comment 1 -m "Does it hold over five seeds?"
    """
    written = wiring.forge(wiring.place()).comment(number, message)
    output.say(f"#{number}: comment {written.id} written.")


@command.command()
@_NUMBER
@click.option("--approve", "verdict", flag_value="approve", help="It may be merged.")
@click.option(
    "--request-changes", "verdict", flag_value="request changes", help="It may not be merged; say what it lacks."
)
@click.option("--comment", "verdict", flag_value="comment", default="comment", help="Neither, words alone.  [default]")
@_message(required=False)
def review(number: int, verdict: str, message: str) -> None:
    """Give a verdict on somebody else's pull request.

    \b
    Examples:
      mlgit pr review 1 --approve
      mlgit pr review 1 --request-changes -m "The split leaks."
    """
    from mlgit.forge.base import ReviewVerdict
    from mlgit.report import conversation

    given = wiring.forge(wiring.place()).review(number, ReviewVerdict(verdict), message)
    output.say(f"#{number}: {given.author} {conversation.DID[given.verdict]} at {given.commit[:10]}.")


@command.command(short_help="Merge; a merged promotion moves its stage.")
@_NUMBER
@click.option("--expect", metavar="COMMIT", help="Merge only if its branch still stands at this commit.")
@_JSON
def merge(number: int, expect: str | None, as_json: bool) -> None:
    """Merge, always by a merge commit; a merged promotion moves its stage.

    Refused where branches conflict, where the base is checked out with local changes in the way, and, with exit code
    4, where a stage would change and its gates do not pass. They are asked once more of what was merged: where one
    fails by then, the stage stays where it was, and a pull request is opened that takes the merge back. Of what is
    merged already, a promotion that did not come through is seen to again.

    \b
    Examples:
      mlgit pr merge 1
      mlgit pr merge 1 --expect 4f2c91d
    """
    from mlgit.registry import settle

    place = wiring.place()
    forge = wiring.forge(place)
    pull = forge.get(number)
    if pull.state.value == "merged":
        output.note(f"#{number} is merged already; what follows from that is seen to again.")
    else:
        foreseen = promoting.before_merge(place, pull)
        if any(one.refusal for one in foreseen):
            _say_refused(pull, foreseen, as_json=as_json)
        _warn_of_failures(pull, forge.statuses(pull.head_commit))
        seen = pull.head_commit if foreseen else None  # the gates spoke of that commit and no other
        pull = forge.merge(number, expect=(place.repo.resolve(expect) or expect) if expect else seen)
    if not as_json:
        output.say(f"#{number} is merged into {pull.base}, as {(pull.merge_commit or '')[:10]}.")
    stages = promoting.after_merge(place, pull)
    if as_json:
        output.as_json(_plain(pull) | {"stages": [settle.plain(one) for one in stages]})
    for one in stages:
        if isinstance(one.refusal, GateFailedError) and (back := promoting.undo(place, pull, one)):
            output.note(f"#{back.number} takes it back: mlgit pr merge {back.number}")
    _say_stages(stages, quiet=as_json)


@command.command()
@_NUMBER
def close(number: int) -> None:
    """Close without merging.

    \b
    Example:
      mlgit pr close 1
    """
    pull = wiring.forge(wiring.place()).close(number)
    output.say(f"#{number} closed; the branch {pull.head} is still there.")


@command.command()
@_NUMBER
def reopen(number: int) -> None:
    """Open again what was closed.

    \b
    Example:
      mlgit pr reopen 1
    """
    pull = wiring.forge(wiring.place()).reopen(number)
    output.say(f"#{number} open again, at {pull.head_commit[:10]}.")


@command.command()
@_NUMBER
def ready(number: int) -> None:
    """Make a draft ready for review.

    \b
    Example:
      mlgit pr ready 1
    """
    wiring.forge(wiring.place()).ready(number)
    output.say(f"#{number} is ready for review.")


@command.command(short_help="Whether the checks on its last commit passed.")
@_NUMBER
@_JSON
def checks(number: int, as_json: bool) -> None:
    """The checks on a pull request's last commit; exit code 1 when one failed.

    \b
    Examples:
      mlgit pr checks 1
      mlgit pr checks 1 --json
    """
    forge = wiring.forge(wiring.place())
    found = forge.statuses(forge.get(number).head_commit)
    if as_json:
        output.as_json([_plain(check) for check in found])
    else:
        rows = [[check.context, check.state.value, check.description, check.url] for check in found]
        output.table(("check", "state", "says", "address"), rows, empty=f"No checks on #{number}.")
    if any(check.state.value in ("failure", "error") for check in found):
        click.get_current_context().exit(1)


def _say_stages(stages: Sequence[Settled], *, quiet: bool) -> None:
    """Tell which stages moved (unless *quiet*) and which did not; raise the worst of the reasons, after the others."""
    from mlgit.registry import settle

    for one in stages:
        if one.refusal or one.overtaken:
            output.note(settle.sentence(one))
        elif not quiet:
            output.say(settle.sentence(one))
    refusals = sorted((one.refusal for one in stages if one.refusal), key=lambda refusal: -refusal.exit_code)
    for refusal in refusals[1:]:
        output.note(str(refusal))
    if refusals:
        raise refusals[0]


def _say_refused(pull: PullRequest, stages: Sequence[Settled], *, as_json: bool) -> NoReturn:
    """Tell why *pull* is not merged, and raise the worst of the reasons."""
    from mlgit.registry import settle

    if as_json:
        output.as_json(_plain(pull) | {"stages": [settle.plain(one) for one in stages]})
    output.note(f"#{pull.number} is not merged: {pull.base} stays as it is.")
    first, *others = sorted((one.refusal for one in stages if one.refusal), key=lambda refusal: -refusal.exit_code)
    for refusal in others:
        output.note(str(refusal))
    raise first


def _files(place: Place, pull: PullRequest) -> list[File]:
    from mlgit.report import changed, publish

    sides = publish.sides_of(place.repo, pull)
    return changed.files(place.repo, sides.base, sides.head)


def _warn_of_failures(pull: PullRequest, checks: Sequence[Status]) -> None:
    if failed := [check.context for check in checks if check.state.value in ("failure", "error")]:
        output.note(f"#{pull.number}: {', '.join(failed)} failed; no rule here forbids the merge.")


def _report(place: Place, number: int) -> None:
    """Put the report onto the pull request; a person sees that it takes a moment."""
    import sys

    if not output.is_terminal(sys.stderr):
        reporting.report_on(place, number)
        return
    from rich.console import Console

    with Console(stderr=True).status("Comparing runs and drawing charts …"):
        reporting.report_on(place, number)


def _write_page(path: Path, forge: Forge, shown: Page) -> None:
    from mlgit.report import page

    try:
        path.write_text(page.render(shown, forge.picture), encoding="utf-8")
    except OSError as exc:
        raise MlgitError(f"{path} cannot be written.", why=exc.strerror or str(exc)) from None


def _plain(record: PullRequest | Comment | Review | Status) -> dict[str, Any]:
    """*record* for a script: enums as their words, times as text."""
    import enum

    times = ("created", "updated")
    return {
        key: figures.moment(value) if key in times else value.value if isinstance(value, enum.Enum) else value
        for key, value in asdict(record).items()
    }
