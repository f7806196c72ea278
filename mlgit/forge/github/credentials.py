"""Whose token we have: an App's, one in the environment, or the one that `gh` keeps. It is looked for, and never kept.

A token of the environment goes to GitHub itself and to the server that the environment names, to no other: which server
is asked may be said by a repository that somebody else wrote.
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mlgit.documents import reader
from mlgit.errors import ConfigError, UsageError
from mlgit.forge.github.rest import TOKENS, Credential, Rest, Token
from mlgit.forge.github.where import Where, is_githubs, is_near, trusted

APP, APP_KEY, INSTALLATION = "MLGIT_APP_ID", "MLGIT_APP_PRIVATE_KEY", "MLGIT_APP_INSTALLATION"
_ENTERPRISE = ("GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")
_JWT_SECONDS = 540
"""GitHub takes ten minutes at most, by its own clock."""
_DRIFT = 60
_EARLY = 300.0
"""So many seconds before a token ends there is a new one: a request may take its time."""
_GH_SECONDS = 10


def find(where: Where, environ: Mapping[str, str] = os.environ) -> Credential | None:
    """What there is for the server of *where*; None where there is nothing. Raises `UsageError` for half an App."""
    if environ.get(APP, "").strip() and _is_meant(where, environ):
        return App(where=where, environ=environ)
    names = TOKENS if is_githubs(where.host) else (*_ENTERPRISE, *TOKENS)
    for name in names if _is_meant(where, environ) else ():
        if value := environ.get(name, "").strip():
            return Token(value, f"the environment's {name}")
    return _of_gh(where.host, environ)


def lacking(where: Where, otherwise: str = "") -> UsageError:
    """What is said where there is none; *otherwise*: what else can be done."""
    flag = "" if where.host == "github.com" else f" --hostname {where.host}"
    why = f"no token for {where.host} in the environment's {' or '.join(TOKENS)}, nor with gh"
    if not is_githubs(where.host):
        why += f"; the environment's are for {where.host} only where it names that server in GH_HOST"
    return UsageError(
        "GitHub has to know who asks.",
        why=why,
        fix=f"gh auth login{flag}, or export {TOKENS[0]}=…{otherwise and f'; {otherwise}'}",
    )


def for_git(
    credential: Credential, where: Where, address: str, *, config: Mapping[str, str], environ: Mapping[str, str]
) -> dict[str, str]:
    """What lets git ask GitHub at *address* in a job, by its environment, so that no token lies on a disk.

    Nothing outside of a job, where git has its own way, and where the checkout has left its token in git's *config*: of
    two GitHub takes none.
    """
    parts = urlsplit(address)
    server = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/"
    key = f"http.{server}.extraheader"
    if environ.get("GITHUB_ACTIONS") != "true" or parts.hostname != where.host or key.lower() in config:
        return {}
    if parts.scheme != "https" and not is_near(address):
        return {}
    basic = base64.b64encode(f"x-access-token:{credential.value}".encode()).decode()
    number = int(environ.get("GIT_CONFIG_COUNT") or 0)
    return {
        "GIT_CONFIG_COUNT": str(number + 1),
        f"GIT_CONFIG_KEY_{number}": key,
        f"GIT_CONFIG_VALUE_{number}": f"Authorization: Basic {basic}",
    }


def _is_meant(where: Where, environ: Mapping[str, str]) -> bool:
    return is_githubs(where.host) or where.host in trusted(environ)


def _of_gh(host: str, environ: Mapping[str, str]) -> Token | None:
    """The token that GitHub's own command line has for *host*: in its file, or where its file says that it is."""
    home = Path(environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME", "~")).expanduser() / ".config")
    file = Path(environ.get("GH_CONFIG_DIR") or home / "gh") / "hosts.yml"
    try:
        told = reader.plain(file.read_text(encoding="utf-8"), source=str(file))
    except (OSError, UnicodeDecodeError, ConfigError):  # not ours to mend: gh says what is wrong with it
        return None
    known = told.get(host) if isinstance(told, dict) else None
    if not isinstance(known, dict):
        return None
    if isinstance(value := known.get("oauth_token"), str) and value.strip():
        return Token(value.strip(), str(file))
    if (gh := shutil.which("gh")) is None:
        return None
    try:
        words = [gh, "auth", "token", "--hostname", host]
        done = subprocess.run(words, capture_output=True, text=True, timeout=_GH_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return Token(done.stdout.strip(), "gh auth token") if done.stdout.strip() else None


@dataclass(frozen=True, kw_only=True)
class App:
    """A GitHub App, by its id and its private key (PEM, or the file that holds it): its token is made anew in time.

    https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app
    """

    where: Where
    environ: Mapping[str, str] = field(repr=False, hash=False)

    @property
    def source(self) -> str:
        """Where it was found."""
        return f"the App {self._id} (the environment's {APP})"

    def sign(self, session: Any) -> None:
        """Sign as the App's installation."""
        session.token_auth(self.value)

    @property
    def value(self) -> str:
        """The token of the App's installation, one that is still good for a while."""
        if time.time() > self._until[0] - _EARLY:
            path = f"app/installations/{self._installation}/access_tokens"
            token, until = self._as_app.post(path, None, _installed)
            self._until[:], self._tokens[:] = [until], [token]
        return self._tokens[0]

    @property
    def _id(self) -> str:
        return self.environ[APP].strip()

    @cached_property
    def _until(self) -> list[float]:
        return [0.0]

    @cached_property
    def _tokens(self) -> list[str]:
        return []

    @cached_property
    def _installation(self) -> str:
        given = self.environ.get(INSTALLATION, "").strip()
        return given or self._as_app.get(f"repos/{self.where.repository}/installation", lambda told: str(told["id"]))

    @cached_property
    def _as_app(self) -> Rest:
        key = self.environ.get(APP_KEY, "").strip()
        if key and "-----BEGIN" not in key:
            try:
                key = Path(key).expanduser().read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as exc:
                why = f"{type(exc).__name__}: the file that {APP_KEY} names"
                raise UsageError(f"The private key of the App {self._id} cannot be read.", why=why) from None
        if not key:
            fix = f"put it, or the file that holds it, into {APP_KEY}"
            raise UsageError(f"The App {self._id} has no private key here.", fix=fix)
        key = key.replace("\\n", "\n")  # as files of an environment, which hold a line each, have it
        return Rest(self.where.api, credential=_Signature(app=self._id, key=key))


def _installed(told: Any) -> tuple[str, float]:
    """The token of an installation, and until when it is good."""
    return str(told["token"]), datetime.fromisoformat(told["expires_at"]).timestamp()


@dataclass(frozen=True, kw_only=True)
class _Signature:
    """What an App signs for itself, which is good for some minutes."""

    app: str
    key: str = field(repr=False)
    source = "the App's own signature"

    @property
    def value(self) -> str:
        """A new one each time: it is asked for once an hour."""
        import jwt

        now = int(time.time())
        claims = {"iat": now - _DRIFT, "exp": now + _JWT_SECONDS, "iss": self.app}
        try:
            return jwt.encode(claims, self.key, algorithm="RS256")
        except (ValueError, TypeError, jwt.PyJWTError) as exc:
            fix = f"{APP_KEY} has to hold it as GitHub gave it, in PEM"
            raise UsageError(
                f"The private key of the App {self.app} is none.", why=type(exc).__name__, fix=fix
            ) from None

    def sign(self, session: Any) -> None:
        """As GitHub wants it of an App: by a bearer, which github3.py does not write rightly."""
        token = self.value

        def bear(request: Any) -> Any:
            request.headers["Authorization"] = f"Bearer {token}"
            return request

        session.auth = bear
