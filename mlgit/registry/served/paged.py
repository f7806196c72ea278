"""What a stage serves, by its page on a web server: asked for anew only where that says that it has changed."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError

from mlgit import web, whole
from mlgit.core import escape
from mlgit.errors import MlgitError, NotFoundError
from mlgit.git.remote import bare
from mlgit.git.repo import Repo
from mlgit.registry.served import clone, latest
from mlgit.registry.served.latest import Page
from mlgit.store import locks

_SECONDS = 20
"""For each word of the server's."""
_LARGEST = (4 << 20) + 1


@dataclass(frozen=True, kw_only=True)
class Read:
    """A page, and how it was read."""

    name: str
    """The address, without what is secret in it."""
    page: Page
    repo: Repo
    """What is kept of it, in the cache folder; DVC is set up there for the bytes."""
    changed: bool
    """Whether it is another than the last time."""
    away: str = ""
    """Why the server was not asked whether it is so still; empty where it was."""
    asked: float | None = None
    """When it was asked last."""


def is_address(name: str) -> bool:
    """Whether *name* is that of a page, and not a model's."""
    return name.startswith(("https://", "http://"))


def read(address: str, *, offline: bool = False) -> Read:
    """The page at *address*; where its server is away, or nobody is to be asked (*offline*), as it was last.

    Raises `NotFoundError` where there is none, `MlgitError` where the server refuses, `ConfigError` for another page.
    """
    name = _shown(address)
    repo = clone.kept(name)
    kept = repo.own / "page.json"
    with locks.alone(repo.own / "lock"):
        tag, before = _kept(kept)
        away, content = ("it was not to be asked", before) if offline else ("", b"")
        if not offline:
            try:
                tag, content = _asked(address, tag if before else {}, before)
            except _AwayError as exc:
                if not before:
                    raise MlgitError(f"{name} could not be read.", why=exc.what) from exc
                away, content = exc.what, before
        if not content:
            raise NotFoundError(f"Nothing is known here of {name}.", fix="ask it once without --offline")
        page = latest.read(content, source=name)
        if not away:
            with whole.at(kept) as scratch:
                scratch.write_text(json.dumps({"validators": tag, "page": content.decode()}))
        if page.store:
            _lay_out(repo, page.store.config)
        if page.version:
            _remember(repo, content, page)
    return Read(name=name, page=page, repo=repo, changed=content != before, away=away, asked=_when(kept))


def seen(repo: Repo) -> list[Page]:
    """The pages that were read into *repo*, one a version."""
    return [latest.read(path.read_bytes(), source=path.name) for path in (repo.own / "seen").glob("*.json")]


def _shown(address: str) -> str:
    return bare(address.partition("?")[0])


class _AwayError(MlgitError):
    """The server says nothing, or that it is not well."""


def _asked(address: str, tag: dict[str, str], before: bytes) -> tuple[dict[str, str], bytes]:
    """(what the server tells versions of the page apart by, the page), *before* if it is that still."""
    headers = {"Accept": "application/json", "User-Agent": "mlgit", **tag}
    try:
        with web.opened(address, seconds=_SECONDS, headers=headers) as answer:
            content = answer.read(_LARGEST)
            names = {"If-None-Match": "ETag", "If-Modified-Since": "Last-Modified"}
            return {ours: told for ours, theirs in names.items() if (told := answer.headers.get(theirs))}, content
    except HTTPError as exc:
        with exc:
            if exc.code == 304 and before:
                return tag, before
            if exc.code in (404, 410):
                raise NotFoundError(
                    f"There is no {_shown(address)}.", fix="mlgit registry reconcile --pages makes pages"
                ) from exc
            if exc.code < 500 and exc.code not in (408, 429):
                why = f"{exc.code} {escape.line(str(exc.reason), 100)}"
                fix = "a page that asks who you are is read by git instead: MODEL@STAGE and --repo"
                raise MlgitError(f"{_shown(address)} could not be read.", why=why, fix=fix) from exc
            raise _AwayError(f"{exc.code} {escape.line(str(exc.reason), 100)}") from exc
    except (OSError, http.client.HTTPException, ValueError) as exc:
        raise _AwayError(escape.line(f"{type(exc).__name__}: {exc}", 300)) from exc


def _kept(path: Path) -> tuple[dict[str, str], bytes]:
    """(what goes with the next question, the page) of the last answer; of what cannot be read, nothing."""
    try:
        told = json.loads(path.read_text())
        return {str(key): str(value) for key, value in told["validators"].items()}, told["page"].encode()
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}, b""


def _when(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return None


def _lay_out(repo: Repo, config: bytes) -> None:
    assert repo.work_tree
    place = repo.work_tree / ".dvc/config"
    if not place.is_file() or place.read_bytes() != config:
        place.parent.mkdir(parents=True, exist_ok=True)
        with whole.at(place) as scratch:
            scratch.write_bytes(config)


def _remember(repo: Repo, content: bytes, page: Page) -> None:
    assert page.version
    place = repo.own / "seen" / f"{page.version.version}.json"
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        with whole.at(place) as scratch:
            scratch.write_bytes(content)
