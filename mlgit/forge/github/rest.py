"""GitHub's REST interface by github3.py's session: asked again where that helps, refusals said with what mends them.

Every word to GitHub goes through here. Tokens stand in no message.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

from mlgit.core import escape
from mlgit.errors import CommError, SilentError, UsageError

API = "https://api.github.com"
TOKENS = ("GH_TOKEN", "GITHUB_TOKEN")
"""Where a token is looked for, as GitHub's own command line does."""
_VERSION = "2022-11-28"
_TRIES = 5
_READINGS = 3
"""How often a list of several pages is read, until it stands still."""
_LONGEST = 120.0
"""Seconds that are waited at most because GitHub asks for it."""
_DAY = 86_400.0
"""Seconds within which a time of the day says enough."""
_NOTICED = 2.0
"""Seconds after which a person wonders."""
_APART = 1.0
"""Seconds between two writes (https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api)."""
_SECONDS, _HURRIED = 30.0, 3.0
_IDEMPOTENT = ("GET", "PATCH")
"""What does no harm when it is done twice."""
_OBJECT = re.compile(r"HTTPS?Connection(?:Pool)?\([^()]*\): ")
_NUMBER = re.compile("[0-9]+")
_TOKEN = re.compile(r"[!-~]+")
_NEXT = re.compile(r'[?&]page=(\d+)[^<>]*>;\s*rel="next"')
_STATUSES = {
    "NOT_FOUND": 404, "FORBIDDEN": 403, "INSUFFICIENT_SCOPES": 403, "STALE_DATA": 409, "RATE_LIMITED": 429,
    "RATE_LIMIT": 429,
}  # fmt: skip
"""GraphQL's words for what HTTP has numbers for."""


class RefusedError(CommError):
    """GitHub answered, and does not do what it was asked for: *status* is HTTP's number, *said* its message."""

    def __init__(self, what: str, *, status: int, said: str, why: str, fix: str = "") -> None:
        super().__init__(what, why=why, fix=fix)
        self.status, self.said = status, said


class Credential(Protocol):
    """What GitHub knows us by."""

    def __hash__(self) -> int: ...

    @property
    def source(self) -> str:
        """Where it was found, for people."""

    @property
    def value(self) -> str:
        """The token, as it is good now."""

    def sign(self, session: Any) -> None:
        """Let all that *session* asks from now on be signed; called before each request, so that it can be renewed."""


@dataclass(frozen=True)
class Token:
    """A token as it is, found at *source*."""

    value: str = field(repr=False)
    source: str

    def __post_init__(self) -> None:
        if not _TOKEN.fullmatch(self.value):  # which a request would refuse in words that show it
            why = "it holds a line's end, a blank or a letter that no token has"
            raise UsageError(f"The token of {self.source} is none.", why=why, fix="give it as GitHub showed it, alone")

    def sign(self, session: Any) -> None:
        """By github3.py's own means."""
        session.token_auth(self.value)


@dataclass
class _Kept:
    """An answer, for the day GitHub says that it is still the same."""

    etag: str
    told: Any
    next: int | None
    """The number of the page that follows."""


def _say(text: str) -> None:
    sys.stderr.write(f"mlgit: {text}\n")
    sys.stderr.flush()


@dataclass(frozen=True)
class Rest:
    """What answers at *api*, for who has the *credential*."""

    api: str
    credential: Credential
    sleep: Callable[[float], object] = field(default=time.sleep, repr=False)
    say: Callable[[str], object] = field(default=_say, repr=False)
    """Hears, in one line, why we wait."""
    tries: int = _TRIES
    seconds: float = _SECONDS
    """How long GitHub may take over each word."""

    def hurried(self) -> Rest:
        """The same for what nothing waits for: asked once, and not listened to for long."""
        return replace(self, tries=1, seconds=_HURRIED)

    def get(self, path: str, **params: Any) -> Any:
        """What is at *path*, read from JSON. Raises `RefusedError`, `SilentError`, `UsageError`."""
        return self._read(path, params).told

    def text(self, path: str) -> str:
        """What is at *path*, as text, wherever GitHub keeps it. Raises as `get` does."""
        return bytes(self._answer("GET", path, parsed=False)[0].content).decode(errors="replace")

    def raw(self, path: str, **params: Any) -> bytes:
        """The file at *path*, as it is. Raises as `get` does."""
        headers = {"Accept": "application/vnd.github.raw+json"}
        return bytes(self._answer("GET", path, parsed=False, params=params, headers=headers)[0].content)

    def post(self, path: str, content: Mapping[str, Any] | None = None) -> Any:
        """What comes of *content* there, read from JSON; None where nothing comes. Raises as `get` does.

        Asked again only where GitHub says that it has not been done: after a `SilentError` it may have been.
        """
        return self._answer("POST", path, json=content)[1]

    def put(self, path: str, content: Mapping[str, Any]) -> Any:
        """Have *content* there, as `post` does."""
        return self._answer("PUT", path, json=content)[1]

    def patch(self, path: str, content: Mapping[str, Any]) -> Any:
        """Change what is at *path*; asked again as what is read is, for twice is once."""
        return self._answer("PATCH", path, json=content)[1]

    def patch_once(self, path: str, content: Mapping[str, Any]) -> Any:
        """Change what is at *path* by what adds to it: asked again as what is posted is."""
        return self._answer("PATCH", path, again=False, json=content)[1]

    def delete(self, path: str) -> None:
        """Have nothing at *path*. Raises as `post` does."""
        self._answer("DELETE", path)

    def whole(self, path: str) -> tuple[Any, Mapping[str, str]]:
        """What is at *path*, and the headers that came with it. Raises as `get` does."""
        answer, told = self._answer("GET", path)
        return told, answer.headers

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

    def everything(self, path: str, within: str | None = None, **params: Any) -> list[Any]:
        """All that the list at *path* (or *within* what is there) holds, once each. Raises as `get` does.

        A page that changes while the next one is read hides entries or shows them twice: so a list of several pages is
        read until two readings agree, of which the second mostly costs nothing (304).
        """
        found, pages = self._listed(path, within, params)
        for _ in range(_READINGS - 1):
            if pages == 1:
                break
            before, (found, pages) = found, self._listed(path, within, params)
            if found == before:
                break
        return list({one.get("id", number): one for number, one in enumerate(found)}.values())

    def ask(self, query: str, *, writes: bool = False, **variables: Any) -> Any:
        """What GitHub's GraphQL answers to *query*, for what REST lacks. Raises as `get` and `post` do."""
        base = self.api.removesuffix("/v3")
        content = {"query": query, "variables": variables}
        told = self._answer("POST", f"{base}/graphql", writes=writes, json=content)[1]
        if not isinstance(told, dict) or "data" not in told:
            fix = "look whether GitHub is there, and not a proxy of somebody's"
            raise SilentError("GitHub does not answer.", why=f"{base}/graphql: there is no data in what came", fix=fix)
        return told["data"]

    def _listed(self, path: str, within: str | None, params: Mapping[str, Any]) -> tuple[list[Any], int]:
        """The entries of all pages, and how many pages that were."""
        page = self._read(path, {**params, "per_page": 100})
        found, pages = list(page.told[within] if within else page.told), 1
        while page.next and page.next > pages:  # a proxy that names a page again would hold us for ever
            page = self._read(path, {**params, "per_page": 100, "page": page.next})
            found += page.told[within] if within else page.told
            pages += 1
        return found, pages

    def _read(self, path: str, params: Mapping[str, Any]) -> _Kept:
        """What is at *path*; what is there still, as we had it, costs nothing of what we may ask."""
        key = f"{path} {sorted(params.items())}"
        kept = self._seen.get(key)
        headers = {"If-None-Match": kept.etag} if kept and kept.etag else {}
        answer, told = self._answer("GET", path, params=params, headers=headers)
        if answer.status_code == 304 and kept:
            return kept
        following = _NEXT.search(answer.headers.get("link", ""))
        found = _Kept(answer.headers.get("etag", ""), told, int(following[1]) if following else None)
        self._seen[key] = found
        return found

    def _answer(
        self,
        method: str,
        path: str,
        *,
        writes: bool | None = None,
        again: bool | None = None,
        parsed: bool = True,
        **more: Any,
    ) -> tuple[Any, Any]:
        """GitHub's answer, and what it says in JSON."""
        import requests

        address = path if path.startswith(f"{self.api.removesuffix('/v3')}/") else f"{self.api}/{path}"
        what, writes = f"{method} {address}", method != "GET" if writes is None else writes
        again = (not writes or method in _IDEMPOTENT) if again is None else again
        for tried in range(self.tries):
            last = tried == self.tries - 1
            self._signed(writes=writes)
            try:
                answer = self._session.request(method, address, **more)
                told = answer.json() if parsed and answer.content and answer.status_code < 400 else None
            except (requests.RequestException, ValueError) as exc:  # half an answer, no JSON, led to no address
                if again and not last:
                    self._wait(0.5 * 2**tried, "it does not answer")
                    continue
                fix = "look at the network, or at https://www.githubstatus.com, and try again"
                raise SilentError("GitHub does not answer.", exc, why=f"{what}: {_reason(exc)}", fix=fix) from None
            status, said = _status(answer, told)
            seconds = pause(status, answer.headers, tried, again=again, now=time.time(), said=said)
            if seconds is None or last:
                self._wrote[:] = [time.monotonic()] if writes else self._wrote
                break
            self._wait(seconds, said or f"it answers {status}")
        if status >= 400:
            raise self._refusal(status, answer.headers, said, what)
        return answer, told

    def _signed(self, *, writes: bool) -> None:
        """See to it that we may ask, and that two writes are a second apart."""
        self.credential.sign(self._session)
        if writes and self._wrote and (early := _APART - (time.monotonic() - self._wrote[0])) > 0:
            self.sleep(early)

    def _wait(self, seconds: float, why: str) -> None:
        if seconds >= _NOTICED:
            self.say(f"GitHub is asked again in {seconds:.0f} s: {escape.line(why)}")
        self.sleep(seconds)

    @cached_property
    def _seen(self) -> dict[str, _Kept]:
        return {}

    @cached_property
    def _wrote(self) -> list[float]:
        return []

    @cached_property
    def _session(self) -> Any:
        from github3.session import GitHubSession

        session = GitHubSession(default_connect_timeout=self.seconds, default_read_timeout=self.seconds)
        session.headers.update({"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": _VERSION})
        return session

    def _refusal(self, status: int, headers: Mapping[str, str], said: str, what: str) -> CommError:
        why = f"{what}: {status} {said}".rstrip()
        if status >= 500:
            return SilentError("GitHub is in trouble.", why=why, fix="see https://www.githubstatus.com, and try again")
        if is_too_much(status, headers, said):
            seconds, fix = _asked(headers, time.time()), "wait some minutes"
            if seconds is not None:
                is_today = seconds < _DAY
                until = time.strftime("%H:%M", time.localtime(time.time() + seconds)) if is_today else "another day"
                fix = f"wait until {until}"
            what = "GitHub answers no more for now: too much was asked."
            return RefusedError(what, status=status, said=said, why=why, fix=fix)
        told = {
            401: ("GitHub does not know the token.", "gh auth login, or make a new one in GitHub's settings"),
            403: ("GitHub does not let this token do that.", _right(headers.get("x-accepted-github-permissions", ""))),
            404: ("GitHub has no such thing, or does not show it to this token.", ""),
        }
        what, fix = told.get(status, ("GitHub does not do that.", ""))
        return RefusedError(what, status=status, said=said, why=why, fix=fix)


def pause(
    status: int, headers: Mapping[str, str], tried: int, *, again: bool, now: float, said: str = ""
) -> float | None:
    """Seconds until it is worth asking again after an answer of *status*; None where it is not.

    By https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api. *tried*: how often it was, before;
    *again*: whether it may be done twice.
    """
    if is_too_much(status, headers, said):
        seconds = _asked(headers, now)
        if seconds is None:
            seconds = 60.0 * 2**tried  # what GitHub asks of those whom it does not tell
        return seconds if seconds <= _LONGEST else None
    return 0.5 * 2**tried if status >= 500 and again else None


def _asked(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that GitHub says to wait; None where it does not, or not in numbers."""
    if _NUMBER.fullmatch(given := headers.get("retry-after", "")):
        return float(given)
    if headers.get("x-ratelimit-remaining") == "0" and _NUMBER.fullmatch(until := headers.get("x-ratelimit-reset", "")):
        return max(1.0, float(until) - now)
    return None


def is_too_much(status: int, headers: Mapping[str, str], said: str = "") -> bool:
    """Whether GitHub refuses because more was asked than its limits allow, and not for ever."""
    limits = "retry-after" in headers or headers.get("x-ratelimit-remaining") == "0" or "rate limit" in said.lower()
    return status == 429 or (status == 403 and limits)


def _reason(exc: Exception) -> str:
    """What went wrong below, without the names of the objects that it went through."""
    below = getattr(exc.args[0], "reason", exc) if exc.args else exc
    return _OBJECT.sub("", str(below))


def _status(answer: Any, told: Any) -> tuple[int, str]:
    """How it ended, in HTTP's numbers, and GitHub's message: GraphQL says of a refusal that all went well."""
    if answer.url.endswith("/graphql") and isinstance(told, dict) and (errors := told.get("errors")):
        said = "; ".join(str(one.get("message", "")) for one in errors)
        if said.startswith("Something went wrong"):  # and it took too long, of which GitHub has no type
            return 502, said
        return _STATUSES.get(str(errors[0].get("type")), 422), said
    return answer.status_code, _said(answer) if answer.status_code >= 400 else ""


def _said(answer: Any) -> str:
    """GitHub's message, and those of the parts that are wrong."""
    try:
        told = answer.json()
        errors: Sequence[Any] = told.get("errors") or ()
        parts = [one if isinstance(one, str) else str(one.get("message") or _part(one)) for one in errors]
        return "; ".join(filter(None, (str(told.get("message", "")), *parts)))
    except (ValueError, AttributeError):  # a proxy's page
        return ""


def _part(error: Mapping[str, Any]) -> str:
    """What is wrong, where GitHub has only a code for it: `head: invalid`."""
    return ": ".join(str(error[key]) for key in ("field", "code") if error.get(key))


def _right(accepted: str) -> str:
    """What to give a token, by the header that names the permissions of which it lacks one: `actions=write`."""
    ways = ([part.strip().replace("=", ": ") for part in way.split(",")] for way in accepted.split(";"))
    right = ", or ".join(" and ".join(way) for way in ways) or "what it lacks"
    return (
        f"give it the right to {right} (of a workflow: permissions; of a token of your own: its settings on GitHub), "
        "or let an organisation's administrator allow it there"
    )
