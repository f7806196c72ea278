"""WebDAV's own: the folder at a remote's address, which its library alone does not make by itself."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlgit.dvc.remotes.stores import Remote


def found(remote: Remote) -> None:
    """Make the folder that *remote* lies in, and those above it, where it is of WebDAV and they are missing."""
    if remote.scheme in ("webdav", "webdavs") and not (store := remote.odb.fs.fs).exists(""):
        _make(store.client)


def _make(client: Any) -> None:
    """Make the folder at the address of *client*. Raises what the server says."""
    from webdav4.client import ResourceAlreadyExists, ResourceConflict

    try:
        client.mkdir("")
    except ResourceAlreadyExists:
        return
    except ResourceConflict:  # so a server says that the folder above is missing (RFC 4918, 9.3.1)
        here = client.base_url
        above = here.copy_with(path=posixpath.dirname(here.path.rstrip("/")))
        if above == here:
            raise
        try:
            client.base_url = above
            _make(client)
        finally:
            client.base_url = here
        client.mkdir("")
