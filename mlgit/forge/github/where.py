"""Which repository on which server: from the address of a remote, what mlgit.yaml says, and what CI says (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from mlgit.errors import UsageError
from mlgit.forge.choice import ForgeOptions
from mlgit.forge.github.rest import API

HOST = "github.com"
_ADDRESS = re.compile(
    r"(?:[a-z+]+://(?:[^/@]*@)?(?P<host>[^/:@]+)(?::\d+)?/|(?:[^/:@]+@)?(?P<at>[^:/@]+):(?!//)/*)"
    r"(?P<name>[^/:]+/[^/:]+?)(?:\.git)?/?"
)
"""A URL, or HOST:PATH as ssh has it."""
_PORT = re.compile(r"https://(?:[^/@]*@)?[^/:@]+(:\d{1,5})/")
"""That of a URL which the interface answers at, too; ssh has one of its own."""
_API = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::\d{1,5})?(?:/[\w./-]*)?", re.IGNORECASE | re.ASCII)
"""What all who read addresses read alike: no password, no blank, no backslash."""
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, kw_only=True)
class Where:
    """A repository on GitHub, and what answers for it."""

    repository: str
    """`owner/name`"""
    api: str

    @property
    def host(self) -> str:
        """The server, as people and `gh` call it: github.com, and not api.github.com."""
        return _host(self.api).removeprefix("api.")


def named(address: str) -> tuple[str, str] | None:
    """(server, owner/name) of the *address* of a remote; None for what is no such address."""
    found = _ADDRESS.fullmatch(address)
    if not found:
        return None
    host = (found["host"] or found["at"]).lower()
    return (HOST if host in (f"ssh.{HOST}", f"www.{HOST}") else host), found["name"]


def where(options: ForgeOptions, address: str | None, environ: Mapping[str, str]) -> Where | None:
    """The repository that *options* and the *address* of origin name; None if that is none of GitHub's.

    Raises `UsageError` for an interface that a token must not be sent to.
    """
    host, name = (named(address) if address else None) or (None, None)
    api = options.api
    if api is None and host and (host in trusted(environ) or is_githubs(host)):
        port = _PORT.match(address or "")
        api = _api_of(host, environ, port=port[1] if port else "")
    if api is None and options.repository and not host:
        api = environ.get("GITHUB_API_URL") or API
    repository = options.repository or name
    if api is None or repository is None:
        return None
    return Where(repository=repository, api=checked(api))


def checked(api: str) -> str:
    """*api*, if a token may be sent there: not in plain sight of a network. Raises `UsageError`."""
    if not _API.fullmatch(api):
        raise UsageError(f"{api[:80]!r} is no address of GitHub's interface.", fix="write it like https://HOST/api/v3")
    if not api.lower().startswith("https:") and not is_near(api):
        raise UsageError(f"{api[:80]!r} is no address that a token may be sent to.", fix="begin it with https://")
    return api.rstrip("/")


def is_near(address: str) -> bool:
    """Whether *address* is on this machine, so that nobody listens on the way."""
    parts = urlsplit(address)
    return parts.scheme == "http" and parts.hostname in _LOOPBACK


def is_githubs(host: str) -> bool:
    """Whether GitHub itself runs the server *host*."""
    return host == HOST or host.endswith(".ghe.com")


def trusted(environ: Mapping[str, str]) -> set[str]:
    """The servers that the environment names, and so means its tokens for, as `gh` and Actions do."""
    urls = (environ.get(name, "") for name in ("GITHUB_SERVER_URL", "GITHUB_API_URL"))
    found = {environ.get("GH_HOST", "").lower(), *(_host(url) for url in urls if url)}
    return {host.removeprefix("api.") for host in found if host}


def _api_of(host: str, environ: Mapping[str, str], *, port: str) -> str:
    given = environ.get("GITHUB_API_URL", "")
    server = _host(environ.get("GITHUB_SERVER_URL", ""))
    if given and host in (server, _host(given).removeprefix("api.")):
        return given
    if host == HOST:
        return API
    return f"https://api.{host}" if is_githubs(host) else f"https://{host}{port}/api/v3"


def _host(address: str) -> str:
    return (urlsplit(address).hostname or "").lower()
