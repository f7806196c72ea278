"""What stores and the ways to them say when they refuse, in our words; no password in them."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mlgit.errors import MlgitError
from mlgit.git.remote import bare

_BACKENDS = (
    ("dvc.exceptions", "DvcException"), ("dvc_objects.fs.errors", "AuthError"),
    ("dvc_objects.fs.errors", "ConfigError"), ("dvc_objects.fs.errors", "RemoteMissingDepsError"),
    ("botocore.exceptions", "BotoCoreError"), ("botocore.exceptions", "ClientError"), ("aiohttp", "ClientError"),
    ("asyncssh", "Error"), ("requests", "RequestException"), ("azure.core.exceptions", "AzureError"),
    ("google.auth.exceptions", "GoogleAuthError"), ("gcsfs.retry", "HttpError"), ("webdav4.client", "ClientError"),
    ("httpx", "HTTPError"),
)  # fmt: skip
"""Where the libraries of DVC's backends have their own errors."""
_EXTRAS = {"webdavs": "webdav"}
"""Extras of DVC's that bear another name than the scheme."""
_SHUT = ("NoCredentialsError", "PermissionDenied", "EOFError")
"""Of S3's and of SSH's; the last where a password is asked for and nobody is there."""
_GONE = (404, 410)
_NO_KEY = ("404", "NoSuchKey")
_NO_FILE = ("FileNotFoundError", "SFTPNoSuchFile", "ResourceNotFound", "ResourceNotFoundError")
"""What the libraries for SSH, WebDAV and Azure say of a missing object."""


def errors() -> tuple[type[BaseException], ...]:
    """What the libraries that are loaded may raise for what is not our bug."""
    loaded = (getattr(sys.modules.get(module), name, None) for module, name in _BACKENDS)
    return (OSError, TimeoutError, EOFError, *(error for error in loaded if error))


def is_absent(exc: FileNotFoundError) -> bool:
    """Whether *exc* speaks of a missing object, and not of a server that did not answer, or of a bucket."""
    cause = exc.__cause__
    if _code(cause) == "NoSuchBucket":
        return False
    if cause is None or type(cause).__name__ in _NO_FILE:
        return True
    return _code(cause) in _NO_KEY or _status(cause) in _GONE


def is_answer(exc: BaseException) -> bool:
    """Whether *exc* is what a server said, and not that none was reached."""
    cause = exc.__cause__
    if isinstance(exc, FileNotFoundError) and is_absent(exc):
        return True
    return any(_status(one) or _code(one) for one in (exc, cause))


def told(exc: BaseException, name: str, url: str) -> MlgitError:
    """*exc*, of the remote *name* at *url*, as an error that says what to do."""
    scheme = urlsplit(url).scheme
    where = f"The DVC remote {name} ({url})"
    why, cause = bare(str(exc) or type(exc).__name__), exc.__cause__ or exc
    codes, kind = {_status(exc), _status(cause)}, type(cause).__name__
    local = f"dvc remote modify --local {name}"
    if getattr(exc, "errno", None) in (errno.ENOSPC, errno.EDQUOT):  # of a copy that names both ends, who knows which
        return MlgitError("There is no room.", why=why, fix="make room, then try again: what is done stays done")
    if here := _here(exc, url):
        return MlgitError(f"{here} cannot be written or read.", why=why, fix="give the right to it")
    if _code(cause) == "NoSuchBucket":
        what, fix = f"{where} has no such bucket.", f"make it, or dvc remote modify {name} url URL"
    elif kind in ("ResourceNotFound", "ResourceConflict"):  # of WebDAV's, where no folder can be made at the address
        what, fix = f"{where} has no such folder.", f"make it, or dvc remote modify {name} url URL"
    elif (
        kind in _SHUT
        or isinstance(exc, PermissionError)
        or getattr(exc, "errno", None) == errno.EROFS
        or codes & {401, 403, 405}
    ):
        what = f"{where} does not let us in, or does not take what we want to do."
        fix = f"check its credentials, and what they may do: {local} … keeps them out of git"
    elif kind == "RemoteMissingDepsError" or isinstance(exc, ImportError):
        what = f"{where} needs a library that is not installed."
        fix = f"pip install 'dvc[{_EXTRAS.get(scheme, scheme)}]'"
    else:
        what = f"{where} could not be reached, or broke off."
        fix = "try again when it answers: what is done stays done"
    return MlgitError(what, why=why, fix=fix)


def _here(exc: BaseException, url: str) -> str | None:
    """The file of this machine that *exc* is about, where it is that, and not the store at *url*."""
    if not isinstance(exc, OSError) or exc.__cause__ or exc.errno in (None, errno.ENOENT):
        return None
    path = Path(os.fsdecode(exc.filename) if isinstance(exc.filename, str | bytes) else "")
    return str(path) if path.is_absolute() and not path.is_relative_to(url) else None


def _status(exc: Any) -> int | None:
    """The status of http in *exc*."""
    status = getattr(exc, "status", None) or getattr(exc, "status_code", None)
    return status if isinstance(status, int) else None


def _code(exc: Any) -> str:
    """The code of S3's in *exc*."""
    response = getattr(exc, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""
