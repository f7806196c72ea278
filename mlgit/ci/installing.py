"""What runners install as mlgit, by where the one that runs here came from (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlgit.version import __version__

INDEX = f"mlgit=={__version__}"


def requirement(source: Mapping[str, Any]) -> str:
    """What pip installs there to have what was installed here from *source* (`tracking.installed.sources`).

    That is this version from the index, where mlgit came from there or from a place that only this machine has.
    """
    url, commit, digest = (str(source.get(name, "")) for name in ("url", "commit", "sha256"))
    if not url.startswith("https://") or "folder" in source:
        return INDEX
    if commit:
        inside = f"#subdirectory={source['subdirectory']}" if source.get("subdirectory") else ""
        return f"mlgit@git+{url}@{commit}{inside}"
    return f"mlgit@{url}#sha256={digest}" if digest else f"mlgit@{url}"


def doubt(source: Mapping[str, Any]) -> str:
    """What is to be said of that, where runners may not have what is here; mostly nothing."""
    if not source or requirement(source) != INDEX:
        return ""
    told = f"This mlgit came from a disk of this machine; runners ask their index for {INDEX}. Where that is not it: "
    url, commit = str(source.get("url", "")), str(source.get("commit", ""))
    known = url.startswith("https://") and commit
    return told + (f"--install mlgit@git+{url}@{commit}, once that is pushed" if known else "--install REQUIREMENT")
