"""Where data lies, and a store that it can go to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlgit.git.repo import Repo
from tests import stores
from tests.conftest import need


@pytest.fixture
def top(repo: Repo) -> Path:
    """The work tree of the repository."""
    return repo.folder


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[stores.S3]:
    need("s3", stores.has_s3())
    with stores.s3(tmp_path / "s3") as server:
        yield server
