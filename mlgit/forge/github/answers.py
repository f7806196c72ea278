"""What an answer of GitHub's says: how it ended, whether it is worth asking again, and what mends a refusal."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from mlgit.errors import CommError, SilentError

_LONGEST = 120.0
"""Seconds that are waited at most because GitHub asks for it."""
_DAY = 86_400.0
"""Seconds within which a time of the day says enough."""
_OBJECT = re.compile(r"HTTPS?Connection(?:Pool)?\([^()]*\): ")
_NUMBER = re.compile("[0-9]+")
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


class TooMuchError(RefusedError):
    """GitHub answers no more for *seconds*, where it says for how long: too much was asked."""

    seconds: float | None = None


def refusal(status: int, headers: Mapping[str, str], said: str, what: str, *, now: float) -> CommError:
    """What is raised of an answer of *status* to *what* was asked, with what mends it."""
    why = f"{what}: {status} {said}".rstrip()
    if status >= 500:
        return SilentError("GitHub is in trouble.", why=why, fix="see https://www.githubstatus.com, and try again")
    if is_too_much(status, headers, said):
        seconds, fix = _asked(headers, now), "wait some minutes"
        if seconds is not None:
            is_today = seconds < _DAY
            until = time.strftime("%H:%M", time.localtime(now + seconds)) if is_today else "another day"
            fix = f"wait until {until}"
        what = "GitHub answers no more for now: too much was asked."
        found = TooMuchError(what, status=status, said=said, why=why, fix=fix)
        found.seconds = seconds
        return found
    if status == 403 and "not permitted to create or approve pull requests" in said:
        fix = 'allow it: Settings → Actions → General → "Allow GitHub Actions to create and approve pull requests"'
        what = "GitHub lets no job's own token open pull requests here."
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


def strange(what: str, exc: Exception) -> SilentError:
    """What is raised of an answer to *what* was asked that could not be read, and of which *exc* came."""
    told = f"{exc.args[0]!r} is missing" if isinstance(exc, KeyError) and exc.args else str(exc)
    fix = "look whether GitHub is there, in a version of today, and not a proxy of somebody's"
    return SilentError("GitHub does not answer as it does.", why=f"{what}: {told} in what came", fix=fix)


def reason(exc: Exception) -> str:
    """What went wrong below, without the names of the objects that it went through."""
    inner = exc.args[0] if exc.args else None
    below = getattr(inner, "reason", inner) if isinstance(inner, Exception) else exc
    said, *cause = below.args if len(below.args) == 2 and isinstance(below.args[1], Exception) else (below,)
    return _OBJECT.sub("", ": ".join((str(said).removesuffix("."), *map(str, cause))))


def status_of(answer: Any, told: Any) -> tuple[int, str]:
    """How it ended, in HTTP's numbers, and GitHub's message: GraphQL says of a refusal that all went well."""
    if answer.url.endswith("/graphql") and (errors := _errors(told)):
        said = "; ".join(str(one.get("message", "")) for one in errors)
        if said.startswith("Something went wrong"):  # and it took too long, of which GitHub has no type
            return 502, said
        return _STATUSES.get(str(errors[0].get("type")), 422), said
    return answer.status_code, _said(answer) if answer.status_code >= 400 else ""


def _errors(told: Any) -> list[Mapping[str, Any]]:
    errors = told.get("errors") if isinstance(told, dict) else None
    return [one for one in errors if isinstance(one, dict)] if isinstance(errors, list) else []


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
