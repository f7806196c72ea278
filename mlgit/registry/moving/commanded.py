"""What a comment asks of the registry: `/mlgit promote digits@v1.2.0 production`, its first line and no more (pure).

Anybody may write one: each verb takes words of its own, in their order, and nothing of them is handed on as an option.
"""

from __future__ import annotations

import difflib
import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass

from mlgit.errors import UsageError
from mlgit.git.repo import message_trailer
from mlgit.registry import ledger

SLASH = "/mlgit"
TRAILER = "Mlgit-Asked-By"
_VERSION = r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}"
_LOGIN = r"[A-Za-z0-9_-]{1,100}"
_ASKED = re.compile(rf"<!-- mlgit:asked-by ({_LOGIN}) -->")
_COMMIT = re.compile(r"[0-9A-Fa-f]{16,64}")
"""Of fewer digits another commit can be made that has the same ones, after somebody approved."""
_MOST_LINE, _MOST_WORDS = 1_000, 500


class Verb(enum.Enum):
    """What can be asked."""

    PROMOTE = "promote"
    ROLLBACK = "rollback"
    HOLD = "hold"
    LIFT = "lift"
    APPROVE = "approve"
    HELP = "help"


USAGE: Mapping[Verb, str] = {
    Verb.PROMOTE: "promote MODEL@VERSION STAGE [--lift]",
    Verb.ROLLBACK: "rollback MODEL STAGE [--to VERSION] [--reason WORDS…]",
    Verb.HOLD: "hold MODEL STAGE [--reason WORDS…]",
    Verb.LIFT: "lift MODEL STAGE",
    Verb.APPROVE: "approve COMMIT",
    Verb.HELP: "help",
}


@dataclass(frozen=True, kw_only=True)
class Request:
    """What somebody asks for."""

    verb: Verb
    model: str = ""
    stage: str = ""
    version: str | None = None
    """What is to be promoted, or gone back to; another name of a version, too."""
    reason: str = ""
    lifts: bool = False
    """Whether a promotion lifts the hold of its stage."""
    commit: str = ""
    """What is approved, by the first digits of its id at least; empty where that was left out."""


def read(body: str) -> Request | None:
    """What the comment *body* asks for; None where it is talk. Raises `UsageError` for what cannot be meant."""
    line = body.partition("\n")[0].rstrip("\r")
    first, _, rest = line.partition(" ")
    if first != SLASH:
        return None
    if len(line) > _MOST_LINE or not line.isprintable():
        raise _wrong("The line is too long, or holds what cannot be printed.", Verb.HELP)
    word, _, rest = rest.strip().partition(" ")
    verb = next((one for one in Verb if one.value == (word or "help")), None)
    if verb is None:
        close = difflib.get_close_matches(word, [one.value for one in Verb], 1)
        raise _wrong(f"{word[:80]!r} is nothing that a comment can ask for.", Verb(close[0]) if close else Verb.HELP)
    words, reason = _parted(rest, verb)
    return _request(verb, words, reason)


def _parted(rest: str, verb: Verb) -> tuple[list[str], str]:
    """The words before --reason, and those after it, which are prose: with apostrophes, and no shell's."""
    before, found, after = rest.partition("--reason")
    reason = " ".join(after.split())
    if len(reason) > 1 and reason[0] == reason[-1] and reason[0] in "'\"":
        reason = reason[1:-1].strip()
    if found and (verb not in (Verb.ROLLBACK, Verb.HOLD) or not reason or len(reason) > _MOST_WORDS):
        raise _wrong(f"--reason takes 1 to {_MOST_WORDS} letters, of a rollback or a hold.", verb)
    return before.split(), reason


def _request(verb: Verb, words: list[str], reason: str) -> Request:
    match verb, words:
        case ((Verb.HELP | Verb.APPROVE), []):
            return Request(verb=verb)
        case Verb.APPROVE, [commit] if _COMMIT.fullmatch(commit):
            return Request(verb=verb, commit=commit.lower())
        case Verb.PROMOTE, [what, stage, *more] if more in ([], ["--lift"]) and what.count("@") == 1:
            model, _, version = what.partition("@")
            return _checked(Request(verb=verb, model=model, version=version, stage=stage, lifts=bool(more)))
        case Verb.ROLLBACK, [model, stage, "--to", version]:
            return _checked(Request(verb=verb, model=model, version=version, stage=stage, reason=reason))
        case ((Verb.ROLLBACK | Verb.HOLD | Verb.LIFT), [model, stage]):
            return _checked(Request(verb=verb, model=model, stage=stage, reason=reason))
    raise _wrong(f"{verb.value} takes other words than these.", verb)


def _checked(one: Request) -> Request:
    """*one*, of names that can be names. Raises `UsageError`."""
    ledger.name(one.model, "model")
    ledger.name(one.stage, "stage")
    if one.version is not None and not re.fullmatch(_VERSION, one.version):
        raise _wrong(f"{one.version[:80]!r} is no version.", one.verb)
    return one


def approval(body: str) -> str:
    """The first digits of the commit that the comment *body* approves; empty where it approves none."""
    try:
        asked = read(body)
    except UsageError:
        return ""
    return asked.commit if asked else ""


def _wrong(what: str, verb: Verb) -> UsageError:
    return UsageError(what, fix=f"write {SLASH} {USAGE[verb]}")


def marked(body: str, who: str) -> str:
    """The *body* of a pull request that a comment of *who* asks for, saying so to people and to the gates."""
    return (
        f"{body.rstrip()}\n\nAsked for by @{who}, whose own approval does not count.\n<!-- mlgit:asked-by {who} -->\n"
    )


def signed(message: str, who: str) -> str:
    """The *message* of its commit, which says so for ever."""
    return f"{message.rstrip()}\n\n{TRAILER}: {who}\n"


def askers(body: str, message: str) -> tuple[str, ...]:
    """Who asked for a pull request by a comment, by its *body* and the *message* of its head's commit.

    Either is enough: who updates the branch loses the one, who edits the description the other.
    """
    told = [*_ASKED.findall(body), message_trailer(message, TRAILER) or ""]
    return tuple(sorted({one for one in told if re.fullmatch(_LOGIN, one)}))
