"""How long a store is waited for, where nobody has configured that: one that is silent is told within half a minute.

A server that accepts a connection and says nothing costs a try after the other: by the libraries' own rules that is six
minutes of S3, and five of http, for each thing that is asked. So each is asked once, for little, before anything else.
Who moves bytes waits longer: a store may have to think about what it got.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mlgit.dvc.remotes import refusals
from mlgit.errors import SilentError
from mlgit.git.remote import bare

_CONNECT, _READ = 5, 15
"""Seconds: those of s3fs."""
_TRIES = 3
"""As AWS advises its libraries to do; botocore's own five are of older times."""
_ROUNDS = 2
"""So often s3fs has botocore do that; a download that breaks off is taken up by it alone."""


def prepare(fs: Any, settings: Mapping[str, Any]) -> None:
    """Let *fs*, a store in the hands of DVC's library that has not connected yet, try no longer than makes sense."""
    if fs.protocol != "s3":
        return
    from botocore.session import Session

    if Session(profile=settings.get("profile")).get_config_variable("max_attempts") is None:
        fs.fs_args.setdefault("config_kwargs", {})["retries"] = {"total_max_attempts": _TRIES}
    fs.fs.retries = _ROUNDS


def ask(odb: Any, settings: Mapping[str, Any], *, name: str, url: str) -> None:
    """Raise `SilentError` unless whoever is at *odb* says anything; and whatever else keeps it from that.

    A person knows it by *name* and *url*.
    """
    question = _question(odb)
    if question is None:
        return
    limits = (settings.get("connect_timeout", _CONNECT), settings.get("read_timeout", _READ))
    patience = sum(limits) if all(limits) else None  # 0 is for ever
    try:
        question(timeout=patience)
    except TimeoutError as exc:
        if patience is None:
            raise
        raise SilentError(
            f"The DVC remote {name} ({url}) does not answer.",
            why=f"{bare(str(settings.get('endpointurl') or 'It'))} said nothing for {patience:g} seconds.",
            fix="look at that server and the way there, then try again: what is done stays done; for one that is slow: "
            f"dvc remote modify {name} read_timeout 60",
        ) from exc
    except refusals.errors() as exc:
        if not refusals.is_answer(exc):
            raise


def _question(odb: Any) -> Callable[..., object] | None:
    """What costs little to ask; None where the library gives up early by itself."""
    store = odb.fs.fs
    if odb.fs.protocol == "s3":
        return lambda **limit: store.call_s3("head_bucket", Bucket=store.split_path(odb.path)[0], **limit)
    if odb.fs.protocol in ("http", "https"):
        return lambda **limit: store.info(odb.path, **limit)
    return None
