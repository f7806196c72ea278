"""What tests of several commands begin with."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from mlgit.git.repo import Repo
from tests import github
from tests.conftest import need
from tests.github import NAME, GitHub


@pytest.fixture
def there(inside: Repo, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHub]:
    """Where `inside` lives on GitHub."""
    need("github", github.is_here())
    with github.serving(inside.git_dir) as found:
        monkeypatch.setenv("GITHUB_API_URL", found.address)
        monkeypatch.setenv("GH_TOKEN", "token-of-ada")
        forge = {"kind": "github", "repository": NAME, "api": found.address}
        (inside.folder / "mlgit.yaml").write_text(json.dumps({"forge": forge}))
        yield found
