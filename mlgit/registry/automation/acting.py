"""What an automation says, done: a webhook, a workflow, a command."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.error import HTTPError

from mlgit import web
from mlgit.core import escape, secrets
from mlgit.core.masking import Mask, parts
from mlgit.errors import MlgitError, UsageError
from mlgit.registry.automation import webhook
from mlgit.registry.automation.events import Event
from mlgit.registry.automation.file import Automation, Command, Dispatch, Webhook, filled

_ANSWER = 200
"""Characters of an answer that are kept."""


@dataclass(frozen=True, kw_only=True)
class Hands:
    """What this room cannot do by itself, handed over."""

    environ: Mapping[str, str]
    """Where secrets are."""
    serves: Callable[[str, str], str | None]
    """(model, stage) → the version that it serves now."""
    dispatch: Callable[[str, str, Mapping[str, str]], str]
    """Start a workflow (file, branch, inputs); the run's page. Raises `MlgitError` where there is no CI."""
    run: Callable[[Command, bytes], str]
    """Run a program with the event on its standard input; the last of what it printed. Raises `MlgitError`."""


def act(hands: Hands, one: Automation, event: Event) -> str:
    """Do what *one* says of *event*; what the other side said. Raises `MlgitError`."""
    serves = hands.serves(event.model, event.stage) if event.stage else None
    body = webhook.body(event.plain(serves))
    match one.do:
        case Webhook() as hook:
            return _posted(hook, f"{one.name} {event.id}", body, hands.environ)
        case Dispatch() as asked:
            inputs = {name: filled(text, event.words) for name, text in asked.inputs.items()}
            return hands.dispatch(asked.dispatch, asked.ref, inputs)
        case Command() as command:
            return hands.run(command, body)


def _posted(hook: Webhook, message: str, body: bytes, environ: Mapping[str, str]) -> str:
    secret = environ.get(hook.secret, "") if hook.secret else ""
    if hook.secret and not secret:
        raise UsageError(
            f"The environment has no {hook.secret}, so nothing that is sent could be signed.",
            fix=f"on GitHub: gh secret set {hook.secret}, and list it in mlgit ci init --secret {hook.secret}",
        )
    headers = webhook.headers(message, body, secret=secret, moment=int(time.time()))
    status, said = _in_time(hook, body, headers)
    said = escape.line(without(said, [secret]), _ANSWER)
    if status < 300:
        return f"{status} {said}".strip()
    raise MlgitError(f"{hook.webhook} answered {status}.", why=said, fix="it is tried again")


def _in_time(hook: Webhook, body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
    """(status, how the answer begins, as far as it came in time) of a POST. Raises `MlgitError` where none came.

    A thread asks, for a server that says a letter now and then keeps every timeout of a socket from ending.
    """
    heard: list[tuple[int, str]] = []
    trouble = f"it was silent for {hook.seconds:g} seconds"

    def ask() -> None:
        nonlocal trouble
        try:
            for said in _answers(hook, body, headers):
                heard.append(said)  # noqa: PERF402  (what is known by then counts, should more never come)
        except (OSError, ValueError, http.client.HTTPException) as exc:
            trouble = str(exc)

    thread = threading.Thread(target=ask, name=f"mlgit {hook.webhook}", daemon=True)
    thread.start()
    thread.join(hook.seconds)
    if not heard:
        raise MlgitError(f"{hook.webhook} did not answer.", why=trouble, fix="it is tried again")
    return heard[-1]


def _answers(hook: Webhook, body: bytes, headers: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    """The status, as soon as it is known; then how the answer begins, too."""
    try:
        answer: http.client.HTTPResponse | HTTPError = web.opened(
            hook.webhook, seconds=hook.seconds, method="POST", content=body, headers=headers, follows=False
        )
    except HTTPError as exc:
        answer = exc
    status = answer.status or 0
    with answer:
        to = answer.headers.get("Location") if status >= 300 else None
        yield status, f"It leads to {to}: name that address itself." if to else ""
        if not to:
            yield status, answer.read(4 * _ANSWER).decode(errors="replace")


def without(text: str, values: Iterable[str]) -> str:
    """*text* without the secrets *values*, and without what looks like one: git is to keep it."""
    mask = Mask(part.encode() for value in values for part in parts(value))
    return secrets.redact((mask.feed(text.encode()) + mask.end()).decode(errors="replace"))
