"""The sweep file that a command is given."""

from __future__ import annotations

from pathlib import Path

from mlgit.errors import MlgitError, NotFoundError


def content(path: Path) -> bytes:
    """What is in it. Raises `NotFoundError` where there is none, `MlgitError` where it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise NotFoundError(f"There is no sweep file {path}.") from None
    except OSError as exc:
        raise MlgitError(f"The sweep file {path} cannot be read.", why=exc.strerror or str(exc)) from exc
