"""What an automation says, done: a webhook, a workflow, a command."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.error import HTTPError

from mlgit import web
from mlgit.core import escape
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
    try:
        with web.opened(
            hook.webhook, seconds=hook.seconds, method="POST", content=body, headers=headers
        ) as answer:  # fmt: skip
            if answer.url != hook.webhook:  # by then the POST has become a GET
                raise MlgitError(f"{hook.webhook} leads to {answer.url}.", fix="name that address itself")
            said = answer.read(4 * _ANSWER).decode(errors="replace")
            return f"{answer.status} {escape.line(said, _ANSWER)}".strip()
    except HTTPError as exc:
        with exc:
            said = escape.line(exc.read(4 * _ANSWER).decode(errors="replace"), _ANSWER)
        raise MlgitError(f"{hook.webhook} answered {exc.code}.", why=said, fix="it is tried again") from None
    except (OSError, ValueError, http.client.HTTPException) as exc:
        raise MlgitError(f"{hook.webhook} did not answer.", why=str(exc), fix="it is tried again") from None
