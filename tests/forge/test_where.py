"""Which repository is meant, and whose token it gets."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlgit import wiring
from mlgit.errors import UsageError
from mlgit.forge.choice import ForgeOptions
from mlgit.forge.github import credentials
from mlgit.forge.github.answers import RefusedError
from mlgit.forge.github.forge import GitHubForge
from mlgit.forge.github.rest import API, Rest, Token
from mlgit.forge.github.where import Where, named, where
from mlgit.git import ssh
from mlgit.git.repo import Repo
from tests import github
from tests.conftest import need
from tests.github import NAME, GitHub

PUBLIC = Where(repository=NAME, api=API)
OWN = Where(repository=NAME, api="https://ghe.example.com/api/v3")


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("https://github.com/acme/churn.git", ("github.com", NAME)),
        ("https://ada:secret@github.com/acme/churn", ("github.com", NAME)),
        ("git@github.com:acme/churn.git", ("github.com", NAME)),
        ("ssh://git@ssh.github.com:443/acme/churn.git", ("github.com", NAME)),
        ("https://GHE.example.com:8443/acme/churn/", ("ghe.example.com", NAME)),
        ("https://www.github.com/acme/churn", ("github.com", NAME)),
        ("/srv/acme/churn.git", None), ("../churn", None), ("https://github.com/churn", None),
        ("https://gitlab.com/a/b/c.git", None),
    ],
)  # fmt: skip
def test_an_address_names_server_and_repository(address: str, found: tuple[str, str] | None):
    assert named(address) == found


@pytest.mark.parametrize(
    ("options", "address", "environ", "api"),
    [
        ({}, "git@github.com:acme/churn", {}, API),
        ({}, "https://acme.ghe.com/acme/churn", {}, "https://api.acme.ghe.com"),
        ({}, "https://ghe.example.com/acme/churn", {}, None),
        ({}, "https://ghe.example.com/acme/churn", {"GH_HOST": "ghe.example.com"}, "https://ghe.example.com/api/v3"),
        ({}, "https://ghe.example.com:8443/acme/churn", {"GH_HOST": "ghe.example.com"}, "https://ghe.example.com:8443/api/v3"),
        ({}, "ssh://git@ghe.example.com:2222/acme/churn", {"GH_HOST": "ghe.example.com"}, "https://ghe.example.com/api/v3"),
        ({}, "https://ghe.example.com/acme/churn",
         {"GITHUB_SERVER_URL": "https://ghe.example.com", "GITHUB_API_URL": "https://ghe.example.com/api/v3"},
         "https://ghe.example.com/api/v3"),
        ({}, "git@github.com:acme/churn", {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_API_URL": API}, API),
        ({"api": "https://ghe.example.com/api/v3/"}, "work:acme/churn", {}, "https://ghe.example.com/api/v3"),
        ({"repository": NAME}, None, {}, API),
        ({}, "https://gitlab.com/acme/churn", {}, None),
        ({}, None, {}, None),
    ],
)  # fmt: skip
def test_the_interface_is_that_of_the_server(
    options: dict[str, str], address: str | None, environ: dict[str, str], api: str | None
):
    found = where(ForgeOptions(**options), address, environ)

    assert found == (Where(repository=NAME, api=api) if api else None)


@pytest.mark.parametrize(
    "api",
    ["http://ghe.example.com/api/v3", "https://a@b/api", "https://@b/api", "ftp://x/", "https://x/?y=z", "x", "https://",
     "https://[::1", "https://a\\@github.com/", "https://gi thub.com/", "https://github.com\n.example.com/", "https://x/\x1b[31m"],
)  # fmt: skip
def test_a_token_goes_to_no_address_that_others_can_read(api: str):
    with pytest.raises(UsageError):
        where(ForgeOptions(api=api, repository=NAME), None, {})


@pytest.mark.skipif(shutil.which("ssh") is None, reason="ssh is not installed")
@pytest.mark.parametrize("address", ["git@work:acme/churn.git", "mine:churn", "https://github.com/acme/churn"])
def test_origin_by_an_alias_is_on_github(repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str):
    (tmp_path / "config").write_text("Host work\n  HostName github.com\n")
    monkeypatch.setenv("GIT_SSH_COMMAND", f"ssh -F {tmp_path}/config")
    monkeypatch.setenv("GH_TOKEN", "token-of-ada")
    repo.git("config", "url.git@work:acme/.insteadOf", "mine:")
    repo.git("remote", "add", "origin", address)

    there = wiring.on_github(wiring.place(repo.folder))

    assert there
    assert (there[0].name, there[0].rest.api) == (NAME, API)


@pytest.mark.skipif(shutil.which("ssh") is None, reason="ssh is not installed")
def test_ssh_is_asked_as_git_calls_it(repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    config, program = tmp_path / "config", tmp_path / "my ssh"
    config.write_text("Host work\n  HostName github.com\n")
    program.write_text(f'#!/bin/sh\nexec ssh -F "{config}" "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("THERE", str(tmp_path))
    found = []
    for name, value in (("GIT_SSH", str(program)), ("GIT_SSH_COMMAND", 'ssh -F "$THERE/config"')):
        monkeypatch.setenv(name, value)
        found.append(ssh.resolved(repo, "git@work:acme/churn.git"))

    assert found == ["git@github.com:acme/churn.git"] * 2


def found(where: Where, **environ: str) -> str | None:
    token = credentials.find(where, {"HOME": "/nowhere", **environ})
    return token and token.source


def test_a_token_of_the_environment_goes_to_no_server_that_only_a_repository_names():
    assert found(PUBLIC, GH_TOKEN="x", GITHUB_TOKEN="y") == "the environment's GH_TOKEN"
    assert found(PUBLIC, GITHUB_TOKEN="y") == "the environment's GITHUB_TOKEN"
    assert found(PUBLIC, GH_TOKEN="  ") is None
    assert found(OWN, GH_TOKEN="x", GITHUB_TOKEN="y", GH_ENTERPRISE_TOKEN="z", MLGIT_APP_ID="1") is None
    assert found(OWN, GH_HOST="ghe.example.com", GH_TOKEN="x", GH_ENTERPRISE_TOKEN="z") == (
        "the environment's GH_ENTERPRISE_TOKEN"
    )
    assert found(OWN, GITHUB_SERVER_URL="https://ghe.example.com", GITHUB_TOKEN="y") == "the environment's GITHUB_TOKEN"


def test_ghs_own_file_is_read_and_a_spoiled_one_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    file = tmp_path / "hosts.yml"
    environ = {"GH_CONFIG_DIR": str(tmp_path)}
    file.write_text("github.com:\n    user: ada\n    oauth_token: gho_x\n    git_protocol: https\n")

    assert found(PUBLIC, **environ) == str(file)
    assert found(OWN, **environ) is None
    for spoiled in ("github.com: [", "- 1", "github.com: yes", "github.com:\n    user: ada\n", "a: &a [*a]", "\0"):
        file.write_text(spoiled)
        assert found(PUBLIC, **environ) is None


def test_gh_is_asked_where_its_file_says_that_the_token_is_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "hosts.yml").write_text("github.com:\n    user: ada\n")
    (tmp_path / "gh").write_text('#!/bin/sh\n[ "$*" = "auth token --hostname github.com" ] && echo gho_kept\n')
    (tmp_path / "gh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")

    assert found(PUBLIC, GH_CONFIG_DIR=str(tmp_path)) == "gh auth token"


def test_a_token_is_in_no_word_about_it():
    token = credentials.find(PUBLIC, {"GH_TOKEN": "gho_secret"})
    app = credentials.find(PUBLIC, {"MLGIT_APP_ID": "1", "MLGIT_APP_PRIVATE_KEY": "gho_secret"})

    assert "gho_secret" not in f"{token!r}{app!r}{token}{app}"


def test_git_gets_the_token_of_a_job_beside_what_it_gets_by_its_environment_anyway():
    token, address = Token("gho_x", "a test"), "https://github.com/acme/churn.git"
    job = {"GITHUB_ACTIONS": "true", "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory"}
    key = "http.https://github.com/.extraheader"

    given = credentials.for_git(token, PUBLIC, address, config={}, environ=job)

    assert (given["GIT_CONFIG_COUNT"], given["GIT_CONFIG_KEY_1"], "GIT_CONFIG_KEY_0" in given) == ("2", key, False)
    for at, of, config, environ in (
        (PUBLIC, address, {}, {}), (PUBLIC, address, {key: "x"}, job), (OWN, address, {}, job),
        (PUBLIC, "http://github.com/acme/churn", {}, job), (PUBLIC, "git@github.com:acme/churn", {}, job),
    ):  # fmt: skip
        assert credentials.for_git(token, at, of, config=config, environ=environ) == {}


@pytest.mark.parametrize("spoiled", ["gho_secret\ngho_secret", "gho_secret\u2026", "gho secret", "\u200bgho_secret"])
def test_a_token_that_cannot_be_sent_is_refused_by_where_it_was_found(spoiled: str):
    with pytest.raises(UsageError, match="environment's GH_TOKEN is none") as raised:
        credentials.find(PUBLIC, {"GH_TOKEN": spoiled})

    assert "secret" not in str(raised.value)


@pytest.fixture(scope="module")
def keys() -> tuple[str, str]:
    """An App's private key and its public one."""
    from cryptography.hazmat.primitives import serialization as told
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(told.Encoding.PEM, told.PrivateFormat.TraditionalOpenSSL, told.NoEncryption())
    public = key.public_key().public_bytes(told.Encoding.PEM, told.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


@pytest.fixture
def there(repo: Repo, keys: tuple[str, str]) -> Iterator[GitHub]:
    need("github", github.is_here())
    with github.serving(repo.git_dir) as found:
        found.apps = {"42": keys[1], "slug:42": "trainer"}
        yield found


def as_app(there: GitHub, **environ: str) -> GitHubForge:
    at = Where(repository=NAME, api=there.address)
    app = credentials.find(at, {"GITHUB_API_URL": there.address, "MLGIT_APP_ID": "42", **environ})
    return GitHubForge(Rest(there.address, credential=app, sleep=lambda _: None), NAME)


def test_an_app_signs_with_its_key_and_acts_under_its_name(there: GitHub, keys: tuple[str, str], tmp_path: Path):
    (tmp_path / "app.pem").write_text(keys[0])

    assert as_app(there, MLGIT_APP_PRIVATE_KEY=keys[0]).me == "trainer[bot]"
    assert there.asked[-3:-1] == [f"GET /repos/{NAME}/installation", "POST /app/installations/7/access_tokens"]
    by_file = as_app(there, MLGIT_APP_PRIVATE_KEY=str(tmp_path / "app.pem"), MLGIT_APP_INSTALLATION="7")
    assert by_file.pulls() == []
    assert as_app(there, MLGIT_APP_PRIVATE_KEY=keys[0].replace("\n", "\\n"), MLGIT_APP_INSTALLATION="7").pulls() == []
    assert there.asked[-2:] == ["POST /app/installations/7/access_tokens", f"GET /repos/{NAME}/pulls"]


def test_an_apps_token_is_renewed_before_it_ends(there: GitHub, keys: tuple[str, str]):
    forge = as_app(there, MLGIT_APP_PRIVATE_KEY=keys[0], MLGIT_APP_INSTALLATION="7")
    renewals = "POST /app/installations/7/access_tokens"

    there.token_seconds = 299
    forge.pulls()
    forge.pulls()
    assert there.asked.count(renewals) == 2
    there.token_seconds = 3600
    forge.pulls()
    forge.pulls()

    assert there.asked.count(renewals) == 3


def test_an_app_that_is_half_there_or_refused_says_so(there: GitHub, keys: tuple[str, str], tmp_path: Path):
    for environ, said in (
        ({}, "no private key"),
        ({"MLGIT_APP_PRIVATE_KEY": str(tmp_path / "missing.pem")}, "cannot be read"),
        ({"MLGIT_APP_PRIVATE_KEY": "-----BEGIN RSA PRIVATE KEY-----\nx\n"}, "is none"),
    ):
        with pytest.raises(UsageError, match=said):
            as_app(there, **environ).pulls()
    there.apps.pop("42")
    with pytest.raises(RefusedError, match="does not know the token") as raised:
        as_app(there, MLGIT_APP_PRIVATE_KEY=keys[0]).pulls()
    assert keys[0][40:80] not in str(raised.value)
