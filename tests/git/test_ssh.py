"""What an address of ssh's stands for."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from mlgit.git import ssh
from mlgit.git.repo import Repo


@pytest.mark.skipif(shutil.which("ssh") is None, reason="ssh is not installed")
@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("git@work:acme/churn.git", "git@github.com:acme/churn.git"),
        ("work:acme/churn.git", "github.com:acme/churn.git"),
        ("ssh://git@work:22/acme/churn", "ssh://git@github.com:22/acme/churn"),
        ("git@gitlab.com:acme/churn", "git@gitlab.com:acme/churn"),
        ("https://work/acme/churn", "https://work/acme/churn"),
        ("/srv/work:acme/churn", "/srv/work:acme/churn"), ("../work", "../work"), ("-work:x", "-work:x"),
    ],
)  # fmt: skip
def test_an_alias_is_the_server_that_it_stands_for(repo: Repo, tmp_path: Path, address: str, expected: str):
    (tmp_path / "my config").write_text("Host work\n  HostName github.com\n")
    repo.git("config", "core.sshCommand", f"ssh -F '{tmp_path}/my config'")

    assert ssh.resolved(replace(repo), address) == expected


@pytest.mark.parametrize("command", ["/nowhere/ssh", "false", "true", "'"])
def test_an_ssh_that_tells_nothing_leaves_the_address(repo: Repo, command: str):
    repo.git("config", "core.sshCommand", command)

    assert ssh.resolved(replace(repo), "git@work:acme/churn") == "git@work:acme/churn"
