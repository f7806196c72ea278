"""What tests of several commands begin with."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from mlgit.artifacts import log as artifacts
from mlgit.core.run import Run, State
from mlgit.git.repo import Move, Repo
from mlgit.store import result
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


Trained = Callable[..., str]


@pytest.fixture
def trained(repo: Repo) -> Trained:
    """`trained("a", 0.9, lr=0.1)`: the name of a finished run with these params, whose model scored that."""

    def make(name: str, accuracy: float, *, code: str = "", data: str = "a" * 32, **params: object) -> str:
        path = repo.own / "model.pkl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"weights of {name}")
        source = (
            repo.commit(repo.resolve("HEAD"), {"train.py": code.encode()}, "code") if code else repo.resolve("HEAD")
        )
        run = Run(
            id=f"{name:0<8}", name=name, project="digits", state=State.FINISHED, created=1_700_000_000,
            finished=1_700_000_060, metrics={"accuracy": accuracy}, params=params, data={"digits.csv": data},
            source=source, logged=(artifacts.log(repo, path, name="net", type="model"),),
        )  # fmt: skip
        commit = repo.commit(source, {"experiment/metrics.yaml": b"x: 1\n"}, result.message(run))
        repo.move([Move(f"refs/heads/exp/digits/{name}", None, commit)], why="test")
        return name

    return make
