"""What must never reach git: files that hold credentials, and credentials inside text."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mlgit.core.masking import MASK, Mask, parts

HIDDEN = MASK.decode()
_known: tuple[str, ...] = ()
"""What else is hidden, whatever its shape."""

# The documented shapes of tokens that a training script may come near; each with enough fixed text to be no accident.
_TOKENS = re.compile(
    r"""
    \b(?:AKIA|ASIA)[A-Z0-9]{16}\b                       # AWS access key id
    | \bgh[pousr]_[A-Za-z0-9]{36,}\b                    # GitHub
    | \bgithub_pat_[A-Za-z0-9_]{60,}\b
    | \bglpat-[A-Za-z0-9_-]{20,}                        # GitLab
    | \bhf_[A-Za-z0-9]{30,}\b                           # Hugging Face
    | \bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{32,}            # OpenAI, Anthropic
    | \bxox[abeprs]-[A-Za-z0-9-]{10,}                   # Slack
    | \bAIza[A-Za-z0-9_-]{35}\b                         # Google
    | \bnpm_[A-Za-z0-9]{36}\b
    | \bpypi-[A-Za-z0-9_-]{50,}
    | \bwandb_v\d_[A-Za-z0-9_]{40,}
    | \bsecret_access_key["']?\s*[=:]\s*["']?[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])  # AWS, as DVC and AWS write it
    | -----BEGIN[ A-Z]*PRIVATE\ KEY-----(?:[\s\S]*?-----END[ A-Z]*PRIVATE\ KEY-----)?
    | (?<=://)[^/\s:@\x00-\x1a]*:[^/\s@\x00-\x1a]+(?=@)   # user:password@ in a URL, none in random bytes
    """,
    re.VERBOSE | re.ASCII,
)
_LANDMARKS = (
    "AKIA", "ASIA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "hf_", "sk-", "xox", "AIza",
    "npm_", "pypi-", "wandb_v", "-----BEGIN", "://", "secret_access_key",
)  # fmt: skip
"""What a token begins with or comes right behind: only there is its whole shape tried, a hundred times as fast."""

SHAPES = zlib.crc32(_TOKENS.pattern.encode())
"""Changes when the known shapes do: what was found free of tokens once has to be looked at anew then."""
_FILES = re.compile(
    r"(?i)(^|/)(\.dvc/config\.local|\.env(\.[^/]*)?|[^/]*\.env|\.envrc|\.netrc|_netrc|\.pypirc|\.npmrc|\.git-credentials|id_(rsa|dsa|ecdsa|ed25519)|"
    r"credentials(\.json)?|service[-_]account.*\.json|[^/]*\.(pem|key|p12|pfx|keystore|jks))$"
)
_KEYS = re.compile(
    r"(?i)(^|[_.-])((api|private|access|secret|auth|encryption)[_-]?key|secret|token|password|passwd|credentials?)$"
)


def is_secret_file(path: str) -> bool:
    """Whether a file of this name is likely to hold credentials; `.env.example` and its kin are not."""
    return bool(_FILES.search(path)) and not path.endswith((".example", ".sample", ".template"))


def has_secret(text: str) -> bool:
    """Whether *text* contains something of a token's known shape."""
    return any(_TOKENS.match(text, place) for landmark in _LANDMARKS for place in _places(text, landmark))


def is_secret(content: bytes) -> bool:
    """Whether a file's *content*, text or not, contains something of a token's known shape."""
    return has_secret(content.decode("latin-1"))  # tokens are ASCII, and every byte is a character of Latin-1


def hide(values: Iterable[str]) -> None:
    """Let `redact` hide these *values* too from now on, of one with several lines each."""
    global _known
    _known = tuple(dict.fromkeys((*_known, *(part for value in values for part in parts(value)))))


def hidden() -> tuple[str, ...]:
    """What `hide` was told, line by line."""
    return _known


def redact(text: str) -> str:
    """*text* with every token of a known shape, and all that `hide` was told, replaced by `***`."""
    if any(value in text for value in _known):
        mask = Mask(value.encode(errors="surrogatepass") for value in _known)
        text = (mask.feed(text.encode(errors="surrogatepass")) + mask.end()).decode(errors="surrogatepass")
    return _TOKENS.sub(HIDDEN, text) if has_secret(text) else text


def redact_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """*params* with tokens, and the text values of keys that name a secret, replaced by `***`."""
    return {
        key: HIDDEN if isinstance(value, str) and value and _KEYS.search(key) else _redact(value)
        for key, value in params.items()
    }


def redact_command(command: tuple[str, ...]) -> tuple[str, ...]:
    """*command* with tokens, and the values of options that name a secret, replaced by `***`."""
    safe: list[str] = []
    hide_next = False
    for word in command:
        option, equals, _ = word.partition("=")
        named = option.startswith("-") and _KEYS.search(option) is not None
        safe.append(HIDDEN if hide_next else f"{option}={HIDDEN}" if named and equals else redact(word))
        hide_next = named and not equals
    return tuple(safe)


def _places(text: str, landmark: str) -> Iterator[int]:
    """Where *landmark* begins in *text*, and where it ends."""
    place = text.find(landmark)
    while place >= 0:
        yield place
        yield place + len(landmark)
        place = text.find(landmark, place + 1)


def _redact(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return redact_params(value)
    if isinstance(value, list | tuple):
        return [_redact(item) for item in value]
    return value


def address(url: str) -> str:
    """*url* of a repository as anybody may see it: no credentials, no query; nothing for a folder of this machine."""
    if found := re.fullmatch(r"([a-zA-Z][a-zA-Z0-9+.-]*)://(?:([^/]*)@)?([^?#]*).*", url, re.DOTALL):
        scheme, user, rest = found.groups()
        if scheme.lower() == "file":
            return ""
        shown = f"{user.partition(':')[0]}@" if user and "ssh" in scheme.lower() else ""
        return f"{scheme}://{shown}{rest}"
    return url if re.match(r"[^/\\:]{2,}:(?!\\)", url) else ""  # git@host:path
