"""GitHub's REST interface by github3.py's session: asked again where that helps, refusals said with what mends them.

Tokens come from the environment alone, and stand in no message.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from mlgit.errors import CommError, SilentError, UsageError

API = "https://api.github.com"
TOKENS = ("GH_TOKEN", "GITHUB_TOKEN")
"""Where a token is looked for, as GitHub's own command line does."""
_VERSION = "2022-11-28"
_TRIES = 5
_LONGEST = 120.0
"""Seconds that are waited at most because GitHub asks for it."""
_SECONDS = 30.0
"""How long it may take over each word."""


class RefusedError(CommError):
    """GitHub answered, and does not do what it was asked for: *status* is HTTP's number, *said* its message."""

    def __init__(self, what: str, *, status: int, said: str, why: str, fix: str = "") -> None:
        super().__init__(what, why=why, fix=fix)
        self.status, self.said = status, said


@dataclass(frozen=True)
class Rest:
    """What answers at *api*, for whoever has the token in the environment's variable *variable*."""

    api: str
    variable: str | None = None
    sleep: Callable[[float], object] = field(default=time.sleep, repr=False)

    def get(self, path: str, **params: Any) -> Any:
        """What is at *path*, read from JSON. Raises `RefusedError`, `SilentError`, `UsageError`."""
        return self._answer("GET", path, params=params).json()

    def text(self, path: str) -> str:
        """What is at *path*, as text, wherever GitHub keeps it. Raises as `get` does."""
        return bytes(self._answer("GET", path).content).decode(errors="replace")

    def post(self, path: str, content: Mapping[str, Any] | None = None) -> Any:
        """What comes of *content* there, read from JSON; None where nothing comes. Raises as `get` does.

        Asked again only where GitHub says that it has not been done: after a `SilentError` it may have been.
        """
        answer = self._answer("POST", path, json=content)
        return answer.json() if answer.content else None

    def pages(self, path: str, within: str, **params: Any) -> Iterator[Any]:
        """What the list *within* what is at *path* holds, page after page as it is asked for. Raises as `get` does."""
        number, seen = 1, 0
        while True:
            page = self.get(path, **params, per_page=100, page=number)
            yield from page[within]
            seen += len(page[within])
            if not page[within] or seen >= page["total_count"]:
                return
            number += 1

    def _answer(self, method: str, path: str, **more: Any) -> Any:
        import requests

        what = f"{method} {self.api}/{path}"
        for tried in range(_TRIES):
            last = tried == _TRIES - 1
            try:
                answer = self._session.request(method, f"{self.api}/{path}", **more)
            except requests.RequestException as exc:
                if method == "GET" and not last:
                    self.sleep(0.5 * 2**tried)
                    continue
                fix = "look at the network, or at https://www.githubstatus.com, and try again"
                raise SilentError("GitHub does not answer.", exc, why=f"{what}: {exc}", fix=fix) from None
            seconds = pause(answer.status_code, answer.headers, tried, method=method, now=time.time())
            if seconds is None or last:
                break
            self.sleep(seconds)
        if answer.status_code >= 400:
            raise self._refusal(answer, what)
        return answer

    @cached_property
    def _session(self) -> Any:
        from github3.session import GitHubSession

        variables = (self.variable,) if self.variable else TOKENS
        token = next(filter(None, (os.environ.get(name, "").strip() for name in variables)), None)
        if token is None:
            why = f"no token in the environment's {' or '.join(variables)}"
            fix = f"export {variables[0]}=$(gh auth token), or one that may read and write Actions"
            raise UsageError("GitHub has to know who asks.", why=why, fix=fix)
        session = GitHubSession(default_connect_timeout=_SECONDS, default_read_timeout=_SECONDS)
        session.token_auth(token)
        session.headers.update({"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": _VERSION})
        return session

    def _refusal(self, answer: Any, what: str) -> CommError:
        said = _said(answer)
        why = f"{what}: {answer.status_code} {said}".rstrip()
        headers = answer.headers
        if answer.status_code >= 500:
            return SilentError("GitHub is in trouble.", why=why, fix="see https://www.githubstatus.com, and try again")
        if is_too_much(answer.status_code, headers):
            seconds = headers.get("retry-after", "")
            until = time.time() + int(seconds) if seconds.isdecimal() else int(headers.get("x-ratelimit-reset", "0"))
            fix = f"wait until {time.strftime('%H:%M', time.localtime(until))}" if until else "wait some minutes"
            what = "GitHub answers no more for now: too much was asked."
            return RefusedError(what, status=answer.status_code, said=said, why=why, fix=fix)
        told = {
            401: ("GitHub does not know the token.", "gh auth login, or make a new one in GitHub's settings"),
            403: ("GitHub does not let this token do that.", _right(headers.get("x-accepted-github-permissions", ""))),
            404: ("GitHub has no such thing, or does not show it to this token.", ""),
        }
        what, fix = told.get(answer.status_code, ("GitHub does not do that.", ""))
        return RefusedError(what, status=answer.status_code, said=said, why=why, fix=fix)


def pause(status: int, headers: Mapping[str, str], tried: int, *, method: str, now: float) -> float | None:
    """Seconds until it is worth asking again after an answer of *status*; None where it is not.

    By https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api. *tried*: how often it was, before.
    """
    if is_too_much(status, headers):
        seconds = 60.0 * 2**tried  # what GitHub asks of those whom it does not tell
        if (given := headers.get("retry-after", "")).isdecimal():
            seconds = float(given)
        elif (until := headers.get("x-ratelimit-reset", "")).isdecimal():
            seconds = max(1.0, float(until) - now)
        return seconds if seconds <= _LONGEST else None
    return 0.5 * 2**tried if status >= 500 and method == "GET" else None


def is_too_much(status: int, headers: Mapping[str, str]) -> bool:
    """Whether GitHub refuses because more was asked than its limits allow, and not for ever."""
    limits = "retry-after" in headers or headers.get("x-ratelimit-remaining") == "0"
    return status == 429 or (status == 403 and limits)


def _said(answer: Any) -> str:
    """GitHub's message, and those of the parts that are wrong."""
    try:
        told = answer.json()
        errors: Sequence[Any] = told.get("errors") or ()
        parts = [one if isinstance(one, str) else str(one.get("message") or one.get("code") or "") for one in errors]
        return "; ".join(filter(None, (str(told.get("message", "")), *parts)))
    except (ValueError, AttributeError):  # a proxy's page
        return ""


def _right(accepted: str) -> str:
    """What to give a token, by the header that names the permissions of which it lacks one: `actions=write`."""
    right = accepted.replace("=", ": ").replace(",", " and ").replace(";", ", or ") or "actions: write"
    return (
        f"give it the right to {right} (of a workflow: permissions; of a token of your own: its settings on GitHub), "
        "or let an organisation's administrator allow it there"
    )
