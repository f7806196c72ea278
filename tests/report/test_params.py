"""What a run was given is written where its code will read it, or refused aloud."""

from __future__ import annotations

import pytest

from mlgit.core.run import Run, State
from mlgit.documents.reader import plain
from mlgit.errors import MlgitError
from mlgit.git.repo import Repo
from mlgit.report import evidence


def proposed(repo: Repo, files: dict[str, str], given: dict[str, object], *, folder: str = "", **params: object) -> str:
    """The branch of a run with *params*, of which some were *given*, of the code *files*."""
    changes = {path: text.encode() for path, text in files.items()}
    source = repo.commit_on("refs/heads/main", changes, "code", expect=repo.resolve("main"))
    every = params | given
    run = Run(id="one", name="brave", project="p", state=State.FINISHED, finished=1.0, source=source, folder=folder,
              ref="refs/heads/exp/p/brave-one", params=every, given=tuple(given))  # fmt: skip
    return evidence.branch(repo, run)


def read(repo: Repo, branch: str, path: str) -> object:
    text = repo.read(branch, path)
    return text and plain(text, source=path)


def test_a_project_without_a_params_file_gets_one_and_names_it(repo: Repo) -> None:
    settings = "# mine\nproject: p  # short\nrun:\n  snapshot: {max_file_mb: 5}\n"

    branch = proposed(repo, {"mlgit.yaml": settings}, {"lr": 0.3, "net.width": 8}, epochs=3)

    assert read(repo, branch, "params.yaml") == {"lr": 0.3, "net": {"width": 8}}
    assert (repo.read(branch, "mlgit.yaml") or b"").decode() == f"{settings}  params: params.yaml\n"
    assert repo.git("log", "-1", "--format=%s", branch) == "Take the params of brave: lr 0.3, net.width 8"


def test_where_there_is_no_mlgit_yaml_either_it_is_made(repo: Repo) -> None:
    branch = proposed(repo, {"train.py": ""}, {"lr": 0.3})

    assert read(repo, branch, "mlgit.yaml") == {"run": {"params": "params.yaml"}}
    assert read(repo, branch, "params.yaml") == {"lr": 0.3}


def test_a_key_that_the_file_lacks_is_added_to_it(repo: Repo) -> None:
    files = {"a/mlgit.yaml": "run: {params: conf/p.yaml}\n", "a/conf/p.yaml": "epochs: 3  # few\n"}

    branch = proposed(repo, files, {"lr": 0.3}, folder="a", epochs=3, found="by the script")

    assert repo.read(branch, "a/conf/p.yaml") == b"epochs: 3  # few\nlr: 0.3\n"
    assert repo.git("diff", "--name-only", "main", branch) == "a/conf/p.yaml"


def test_a_file_that_is_named_and_not_there_is_made(repo: Repo) -> None:
    branch = proposed(repo, {"mlgit.yaml": "run: {params: p.json}\n"}, {"lr": 0.3})

    assert repo.read(branch, "p.json") == b'{\n  "lr": 0.3\n}\n'


def test_what_was_hidden_as_a_secret_is_not_written_over_the_value(repo: Repo) -> None:
    files = {"mlgit.yaml": "run: {params: p.yaml}\n", "p.yaml": "lr: 0.1\nurl: mine\n"}

    branch = proposed(repo, files, {"api_key": "***", "lr": 0.3}, url="https://***@host")

    assert repo.read(branch, "p.yaml") == b"lr: 0.3\nurl: mine\n"


@pytest.mark.parametrize(
    "files",
    [
        {"mlgit.yaml": "run: {params: p.toml}\n", "p.toml": "lr = 0.1\n"},
        {"mlgit.yaml": "run: {params: p.yaml}\n", "p.yaml": "- lr\n"},
        {"mlgit.yaml": "run: {params: p.yaml}\n", "p.yaml": "lr: {now: 1\n"},
        {"mlgit.yaml": "run: {params: p.yaml}\n", "p.yaml": "net: small\n"},
        {"mlgit.yaml": "run: {params: ../p.yaml}\n"},
        {"mlgit.yaml": "run:\n"},
    ],
)
def test_what_cannot_be_written_is_refused_with_the_remedy(repo: Repo, files: dict[str, str]) -> None:
    with pytest.raises(MlgitError, match="cannot be written down") as refused:
        proposed(repo, files, {"net.width": 8, "lr": 0.3})

    assert refused.value.exit_code == 1
    assert "commit both, and run again" in str(refused.value)
    assert not repo.refs("refs/heads/run/")
