"""What git makes of a file's content before it keeps it: filters, ends of lines (gitattributes(5))."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from mlgit.git.repo import Repo

_SETTINGS = ("core.autocrlf", "core.eol", "core.symlinks", "core.filemode", "filter.")


def rules(repo: Repo, top: Path, folders: Iterable[str]) -> str:
    """A digest of what the blobs of files in *folders* follow from, beside their content.

    *folders* are those of the work tree *top*, as git names them; attributes of the folders above count as well.
    """
    told = hashlib.sha256()
    for key, value in sorted(repo.config.items()):
        if key.startswith(_SETTINGS):
            told.update(f"{key}={value}\0".encode(errors="surrogateescape"))
    for place in (_own(repo), repo.common_dir / "info" / "attributes", *_beside(top, folders)):
        with contextlib.suppress(OSError):
            told.update(f"{place}\0".encode(errors="surrogateescape") + place.read_bytes())
    return told.hexdigest()


def _own(repo: Repo) -> Path:
    """The attributes that the user has everywhere."""
    usual = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config", "git", "attributes")
    return Path(repo.config.get("core.attributesfile", usual)).expanduser()


def _beside(top: Path, folders: Iterable[str]) -> list[Path]:
    """The attributes files of *folders*, and of those above them."""
    found = {""}
    for folder in folders:
        while folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return [top / folder / ".gitattributes" for folder in sorted(found)]
