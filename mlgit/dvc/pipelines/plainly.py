"""DVC's own databases, read as plain data.

DVC remembers hashes and links with diskcache, which unpickles what it finds (CVE-2025-69872), in a folder that by
default everybody on the machine may write to (`/var/tmp/dvc`). What DVC itself puts there are texts, and tuples of
numbers.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any, NoReturn

_PICKLED = 4
"""How diskcache marks, in its files, a value that is a pickle."""


class _Plain(pickle.Unpickler):
    """Numbers, texts, lists and the like; nothing that has to be called or imported."""

    def find_class(self, module_name: str, global_name: str, /) -> NoReturn:
        raise pickle.UnpicklingError(f"{module_name}.{global_name} is no plain data")


def guard() -> None:
    """From now on no database of DVC's makes objects in this process: what would is DVC's `DiskError`."""
    from dvc_data.hashfile.cache import Disk, translate_pickle_error

    if getattr(Disk, "is_guarded", False):
        return
    get, fetch = Disk.get, Disk.fetch

    def plain_get(self: Any, key: Any, raw: bool) -> Any:
        return get(self, key, raw) if raw else _Plain(io.BytesIO(key)).load()

    def plain_fetch(self: Any, mode: int, filename: str | None, value: Any, read: bool) -> Any:
        if mode != _PICKLED:
            return fetch(self, mode, filename, value, read)
        content = Path(self._directory, filename).read_bytes() if value is None and filename else value
        return _Plain(io.BytesIO(content)).load()

    Disk.get, Disk.fetch = translate_pickle_error(plain_get), translate_pickle_error(plain_fetch)
    Disk.is_guarded = True


def repository() -> Any:
    """DVC's own view of the project of the current folder."""
    from dvc.repo import Repo

    guard()
    return Repo()
