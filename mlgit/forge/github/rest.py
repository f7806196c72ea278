"""GitHub's REST interface by github3.py's session: asked again where that helps, refusals said with what mends them.

Every word to GitHub goes through here. Tokens stand in no message.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol, TypeVar

from mlgit.core import escape
from mlgit.errors import SilentError, UsageError
from mlgit.forge.github import answers

T = TypeVar("T")
API = "https://api.github.com"
TOKENS = ("GH_TOKEN", "GITHUB_TOKEN")
"""Where a token is looked for, as GitHub's own command line does."""
_VERSION = "2022-11-28"
_TRIES = 5
_REMEMBERED = 500
"""So many answers are kept, for when GitHub says that they are the same still."""
_READINGS = 3
"""How often a list of several pages is read, until it stands still."""
_NOTICED = 2.0
"""Seconds after which a person wonders."""
_APART = 1.0
"""Seconds between two writes (https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api)."""
_SECONDS, _HURRIED = 30.0, 3.0
_IDEMPOTENT = ("GET", "PATCH")
"""What does no harm when it is done twice."""
_PART = 2**16
"""Bytes that are read at once."""
_TOKEN = re.compile(r"[!-~]+")
_NEXT = re.compile(r'[?&]page=(\d{1,9})(?!\d)[^<>]*>;\s*rel="next"')


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


def as_told(told: Any) -> Any:
    """An answer as it came, for who reads nothing in it."""
    return told


def _say(text: str) -> None:
    sys.stderr.write(f"mlgit: {text}\n")
    sys.stderr.flush()


def _content(answer: Any, *, parsed: bool, most: int | None) -> Any:
    """What *answer* holds, as `Rest._answer` gives it; nothing of a refusal, which is read for its message."""
    if parsed or answer.status_code >= 400:
        return answer.json() if answer.content and answer.status_code < 400 else None
    if most is None:
        return answer.content
    found = bytearray()
    for part in answer.iter_content(_PART):  # unpacked, if it came packed
        found += part
        if len(found) >= most:
            break
    return bytes(found[:most])


@dataclass(frozen=True)
class Rest:
    """What answers at *api*, for who has the *credential*.

    What reads an answer is handed in, as *into*: so an answer of another shape, as a proxy or an older server gives it,
    is a `SilentError` that says which address gave it.
    """

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

    def get(self, path: str, into: Callable[[Any], T] = as_told, **params: Any) -> T:
        """What is at *path*, read from JSON by *into*. Raises `RefusedError`, `SilentError`, `UsageError`."""
        return self._understood("GET", path, self._read(path, params).told, into)

    def text(self, path: str, *, most: int | None = None) -> str:
        """What is at *path*, as text, wherever GitHub keeps it; *most* bytes of it. Raises as `get` does."""
        return bytes(self._answer("GET", path, parsed=False, most=most)[1]).decode(errors="replace")

    def raw(self, path: str, *, most: int | None = None, **params: Any) -> bytes:
        """The file at *path*, as it is; *most* bytes of it. Raises as `get` does."""
        headers = {"Accept": "application/vnd.github.raw+json"}
        return bytes(self._answer("GET", path, parsed=False, most=most, params=params, headers=headers)[1])

    def post(
        self, path: str, content: Mapping[str, Any] | None = None, into: Callable[[Any], T] = as_told
    ) -> T:  # fmt: skip
        """What comes of *content* there, read by *into*; None where nothing comes. Raises as `get` does.

        Asked again only where GitHub says that it has not been done: after a `SilentError` it may have been.
        """
        return self._understood("POST", path, self._answer("POST", path, json=content)[1], into)

    def put(self, path: str, content: Mapping[str, Any], into: Callable[[Any], T] = as_told) -> T:
        """Have *content* there, as `post` does."""
        return self._understood("PUT", path, self._answer("PUT", path, json=content)[1], into)

    def patch(self, path: str, content: Mapping[str, Any], into: Callable[[Any], T] = as_told) -> T:
        """Change what is at *path*; asked again as what is read is, for twice is once."""
        return self._understood("PATCH", path, self._answer("PATCH", path, json=content)[1], into)

    def patch_once(self, path: str, content: Mapping[str, Any]) -> Any:
        """Change what is at *path* by what adds to it: asked again as what is posted is."""
        return self._answer("PATCH", path, again=False, json=content)[1]

    def delete(self, path: str) -> None:
        """Have nothing at *path*. Raises as `post` does."""
        self._answer("DELETE", path)

    def whole(self, path: str, into: Callable[[Any, Mapping[str, str]], T]) -> T:
        """What *into* makes of what is at *path* and the headers that came with it. Raises as `get` does."""
        answer, told = self._answer("GET", path)
        return self._understood("GET", path, told, lambda told: into(told, answer.headers))

    def pages(self, path: str, within: str, into: Callable[[Any], T] = as_told, **params: Any) -> Iterator[T]:
        """What the list *within* what is at *path* holds, page after page as it is asked for. Raises as `get` does."""

        def page(told: Any) -> tuple[list[T], int]:
            return [into(one) for one in _entries(told, within)], int(told["total_count"])

        number, seen = 1, 0
        while True:
            found, count = self.get(path, page, **params, per_page=100, page=number)
            yield from found
            seen += len(found)
            if not found or seen >= count:
                return
            number += 1

    def everything(
        self, path: str, within: str | None = None, into: Callable[[Any], T] = as_told, **params: Any
    ) -> list[T]:  # fmt: skip
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

        def once(found: Any) -> list[T]:
            return [into(one) for one in {one.get("id", number): one for number, one in enumerate(found)}.values()]

        return self._understood("GET", path, found, once)

    def ask(self, query: str, into: Callable[[Any], T] = as_told, *, writes: bool = False, **variables: Any) -> T:
        """What GitHub's GraphQL answers to *query*, for what REST lacks. Raises as `get` and `post` do."""
        base = self.api.removesuffix("/v3")
        content = {"query": query, "variables": variables}
        told = self._answer("POST", f"{base}/graphql", writes=writes, json=content)[1]
        return self._understood("POST", f"{base}/graphql", told, lambda told: into(told["data"]))

    def _understood(self, method: str, path: str, told: Any, into: Callable[[Any], T]) -> T:
        """What *into* makes of what was *told* at *path*, whatever that is."""
        try:
            return into(told)
        except (LookupError, TypeError, ValueError, AttributeError) as exc:
            raise answers.strange(f"{method} {self._address(path)}", exc) from None

    def _address(self, path: str) -> str:
        return path if path.startswith(f"{self.api.removesuffix('/v3')}/") else f"{self.api}/{path}"

    def _listed(self, path: str, within: str | None, params: Mapping[str, Any]) -> tuple[list[Any], int]:
        """The entries of all pages, and how many pages that were."""
        found, pages, number = list[Any](), 0, 1
        while number > pages:  # a proxy that names a page again would hold us for ever
            page = self._read(path, {**params, "per_page": 100} | ({"page": number} if number > 1 else {}))
            found += self._understood("GET", path, page.told, lambda told: _entries(told, within))
            pages, number = pages + 1, page.next or 0
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
        if len(self._seen) > _REMEMBERED:  # who asks for days would keep all that ever was
            del self._seen[next(iter(self._seen))]
        return found

    def _answer(
        self,
        method: str,
        path: str,
        *,
        writes: bool | None = None,
        again: bool | None = None,
        parsed: bool = True,
        most: int | None = None,
        **more: Any,
    ) -> tuple[Any, Any]:
        """GitHub's answer, and what it says in JSON; its bytes, up to *most*, where they are not to be *parsed*."""
        import requests

        address = self._address(path)
        what, writes = f"{method} {address}", method != "GET" if writes is None else writes
        again = (not writes or method in _IDEMPOTENT) if again is None else again
        for tried in range(self.tries):
            last = tried == self.tries - 1
            self._signed(writes=writes)
            try:
                with self._session.request(method, address, stream=not parsed, **more) as answer:
                    told = _content(answer, parsed=parsed, most=most)
            except (requests.RequestException, ValueError) as exc:  # half an answer, no JSON, led to no address
                if again and not last:
                    self._wait(0.5 * 2**tried, "it does not answer")
                    continue
                fix = "look at the network, or at https://www.githubstatus.com, and try again"
                raise SilentError(
                    "GitHub does not answer.", exc, why=f"{what}: {answers.reason(exc)}", fix=fix
                ) from None
            status, said = answers.status_of(answer, told)
            seconds = answers.pause(status, answer.headers, tried, again=again, now=time.time(), said=said)
            if seconds is None or last:
                self._wrote[:] = [time.monotonic()] if writes else self._wrote
                break
            self._wait(seconds, said or f"it answers {status}")
        if status >= 400:
            raise answers.refusal(status, answer.headers, said, what, now=time.time())
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


def _entries(told: Any, within: str | None) -> list[Any]:
    """The list that an answer is, or has *within*."""
    found = told[within] if within else told
    if not isinstance(found, list):
        raise TypeError(f"{within or 'it'} is no list")
    return found
