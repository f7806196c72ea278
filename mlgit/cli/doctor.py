"""`mlgit doctor`: what this machine and this repository lack, and how to mend it. Looks, and changes nothing."""

from __future__ import annotations

import enum
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import click

from mlgit import settings
from mlgit.cli import output
from mlgit.core import figures
from mlgit.errors import ConfigError, GitError, MlgitError, NotFoundError
from mlgit.git import process
from mlgit.git.repo import Repo

_OLDEST_GIT = (2, 38)
_LOW_DISK = 2 << 30
_NO_DISK = 100 << 20


class _Health(enum.Enum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class _Finding:
    """One line of the diagnosis."""

    what: str
    health: _Health
    says: str
    fix: str = ""


@click.command(short_help="Check this machine and this repository.")
@click.option("--remote", "asks", is_flag=True, help="Send a few bytes to each DVC remote, too, and take them away.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(asks: bool, as_json: bool) -> None:
    """Check this machine and this repository; exit code 1 when something fails. Nothing is changed.

    \b
    Examples:
      mlgit doctor
      mlgit doctor --remote
      mlgit doctor --json
    """
    findings = [*_diagnose(Path.cwd()), *(_reached(Path.cwd()) if asks else ())]
    if as_json:
        output.as_json([{"what": f.what, "health": f.health.value, "says": f.says, "fix": f.fix} for f in findings])
    elif output.is_terminal():
        _print(findings)
    else:
        output.table(("what", "health", "says", "fix"), [[f.what, f.health.value, f.says, f.fix] for f in findings])
    if any(finding.health is _Health.FAIL for finding in findings):
        click.get_current_context().exit(1)


def _print(findings: list[_Finding]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from mlgit.core import escape

    marks = {_Health.OK: ("✓", "green"), _Health.WARN: ("!", "yellow"), _Health.FAIL: ("✗", "red")}
    grid = Table.grid(padding=(0, 2, 0, 0))
    for finding in findings:
        mark, colour = marks[finding.health]
        says = [Text(escape.line(finding.says, 500))]
        if finding.fix:
            says.append(Text(f"→ {escape.line(finding.fix, 500)}", style="dim"))
        grid.add_row(Text.assemble((f"{mark} ", colour), (finding.what, "bold")), Text("\n").join(says))
    Console().print(grid)


def _diagnose(folder: Path) -> Iterator[_Finding]:
    yield _python()
    git = _git(folder)
    yield git
    yield _libraries()
    yield _docker()
    if git.health is _Health.FAIL:
        return
    try:
        repo = Repo.find(folder)
    except GitError as exc:
        says = " ".join((exc.what, *exc.why.split()))
        yield _Finding("repository", _Health.FAIL, says, exc.fix or "a newer git may be able to read it")
        return
    if repo is None:
        says = f"{folder} is in no git repository; runs go to the scratch repository of this user"
        yield _Finding("repository", _Health.WARN, says, "git init, then mlgit init")
        return
    yield from _repository(repo)
    for check in (_identity, _disk, lambda repo: _settings(repo, folder), lambda repo: _dvc(repo, folder), _dead_runs):
        yield check(repo)
    yield from _stages(repo)
    yield from _keys(repo)


# The machine


def _python() -> _Finding:
    return _Finding("python", _Health.OK, f"{platform.python_version()} ({sys.executable})")


def _git(folder: Path) -> _Finding:
    try:
        words = process.run("version", folder=folder).decode(errors="replace").strip()
    except GitError as exc:
        return _Finding("git", _Health.FAIL, exc.what, exc.fix)
    version = _numbers(words)
    if version < _OLDEST_GIT:
        return _Finding("git", _Health.FAIL, f"{words}; mlgit needs 2.38", "install a newer git")
    return _Finding("git", _Health.OK, words.removeprefix("git version "))


def _libraries() -> _Finding:
    """What mlgit depends on, by what is installed: nothing is imported."""
    from importlib import metadata

    try:
        wanted = metadata.requires("mlgit") or []
    except metadata.PackageNotFoundError:
        says = "mlgit runs from its source and is not installed, so what it needs is not known"
        return _Finding("libraries", _Health.WARN, says, "pip install -e .")
    found: list[str] = []
    bad: list[str] = []
    for line in wanted:
        requirement, _, condition = line.partition(";")
        match = re.match(r"([A-Za-z0-9._-]+)\s*(?:>=\s*([0-9.]+))?", requirement)
        if match is None or "extra" in condition:
            continue
        name, least = match[1], match[2] or "0"
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            bad.append(f"{name} is missing")
            continue
        found.append(f"{name} {version}")
        if _numbers(version) < _numbers(least):
            bad.append(f"{name} {version} is older than {least}")
    if bad:
        return _Finding("libraries", _Health.FAIL, ", ".join(bad), "pip install --upgrade mlgit")
    return _Finding("libraries", _Health.OK, ", ".join(found))


def _docker() -> _Finding:
    """Whether there is a socket to speak to; nobody speaks."""
    address = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    scheme, _, place = address.partition("://")
    if scheme != "unix":
        return _Finding("docker", _Health.OK, f"at {scheme}://{place.rpartition('@')[2]}, as DOCKER_HOST says")
    if not Path(place).is_socket():
        return _Finding("docker", _Health.OK, f"none at {place}; only jobs in containers will need it")
    if not os.access(place, os.R_OK | os.W_OK):
        fix = "join the group docker: sudo usermod -aG docker $USER, then log in anew"
        return _Finding("docker", _Health.WARN, f"{place} belongs to somebody else", fix)
    return _Finding("docker", _Health.OK, f"at {place}")


# The repository


def _repository(repo: Repo) -> Iterator[_Finding]:
    """What kind of repository it is, and what that means for runs."""
    config = repo.config
    kind = [
        "bare" if repo.work_tree is None else "",
        "sha256" if config.get("extensions.objectformat") == "sha256" else "",
        "reftable" if config.get("extensions.refstorage") == "reftable" else "",
        "a worktree" if repo.git_dir != repo.common_dir else "",
        "no commit yet" if repo.resolve("HEAD") is None else "",
    ]
    told = ", ".join(word for word in kind if word)
    yield _Finding("repository", _Health.OK, f"{repo.folder}{f' ({told})' if told else ''}")
    if (repo.common_dir / "shallow").exists():
        says = "a shallow clone: the run of a pull request's base may lie beyond its edge"
        yield _Finding("history", _Health.WARN, says, "git fetch --unshallow")
    if config.get("core.sparsecheckout") == "true":
        says = "a sparse checkout: a run's snapshot holds what is not checked out as HEAD has it"
        yield _Finding("work tree", _Health.OK, says)
    if (repo.git_dir / "MERGE_HEAD").exists():
        says = "a merge is in progress: runs are recorded with the files as they are"
        yield _Finding("work tree", _Health.WARN, says, "git merge --continue, or --abort")


def _identity(repo: Repo) -> _Finding:
    if "mlgit@localhost" in repo.identity:
        fix = 'git config --global user.name "…", and user.email'
        return _Finding("identity", _Health.WARN, f"git knows no e-mail; commits are by {repo.identity}", fix)
    return _Finding("identity", _Health.OK, repo.identity)


def _disk(repo: Repo) -> _Finding:
    free = shutil.disk_usage(repo.common_dir).free
    try:
        with tempfile.TemporaryFile(dir=repo.common_dir) as file:
            file.write(b"mlgit")
    except OSError as exc:
        says = f"{repo.common_dir} cannot be written: {exc.strerror}"
        return _Finding("disk", _Health.FAIL, says, "make the folder writable, or make room")
    says = f"{figures.size(free)} free"
    if free < _NO_DISK:
        return _Finding("disk", _Health.FAIL, f"only {says}", "make room")
    if free < _LOW_DISK:
        return _Finding("disk", _Health.WARN, f"only {says}", "make room before you train")
    return _Finding("disk", _Health.OK, f"writable, {says}")


def _settings(repo: Repo, folder: Path) -> _Finding:
    from mlgit.tracking.options import RunOptions

    top = repo.work_tree or repo.git_dir
    try:
        found = settings.find(folder if repo.work_tree else top, top)
        found.section("run", RunOptions)
    except ConfigError as exc:
        return _Finding(settings.FILE, _Health.FAIL, str(exc.what), exc.fix or "mend that line")
    except OSError as exc:
        return _Finding(settings.FILE, _Health.FAIL, f"cannot be read: {exc.strerror}", "give the right to read it")
    if found.document is None:
        says = f"none; the project goes by its folder's name, {found.project}"
        return _Finding(settings.FILE, _Health.WARN, says, "mlgit init writes one")
    return _Finding(settings.FILE, _Health.OK, f"project {found.project}, {found.folder}")


def _dvc(repo: Repo, folder: Path) -> _Finding:
    from mlgit.dvc import project

    if repo.work_tree is None:
        return _Finding("dvc", _Health.OK, "a bare repository has no data of its own")
    root = project.root(folder, repo.work_tree)
    if root is None:
        return _Finding(
            "dvc", _Health.WARN, "not set up: artifacts and datasets have no store", "mlgit init, or dvc init"
        )
    remotes = _remotes(root)
    if not remotes:
        says = f"{root}, without a remote: data stays on this machine"
        return _Finding("dvc", _Health.OK, says, "dvc remote add -d storage s3://bucket/path, to share it")
    if told := _told_secrets(root / ".dvc" / "config"):
        says = f"{root}, remotes {', '.join(remotes)}; .dvc/config, which goes to git, holds {', '.join(told)}"
        fix = "dvc remote modify --local NAME … keeps it out of git; then change it, for git has the old one"
        return _Finding("dvc", _Health.WARN, says, fix)
    return _Finding("dvc", _Health.OK, f"{root}, remotes {', '.join(remotes)}")


def _told_secrets(file: Path) -> list[str]:
    """The settings in DVC's *file* that are credentials, or hold some."""
    from mlgit.core import secrets

    with suppress(OSError):
        lines = re.findall(r"^\s*(\w+)\s*=\s*(.+)$", file.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
        return [key for key, value in lines if secrets.redact_params({key: value}) != {key: value}]
    return []


def _reached(folder: Path) -> Iterator[_Finding]:
    """Whether each DVC remote answers, and takes what it is sent."""
    from mlgit.dvc import project
    from mlgit.dvc.remotes import remote, stores

    repo = Repo.find(folder)
    root = project.root(folder, repo.work_tree) if repo and repo.work_tree else None
    if repo is None or root is None:
        return
    inside = "" if root == repo.work_tree else root.relative_to(repo.folder).as_posix()
    for name, url in stores.names(repo, inside).items():
        try:
            remote.probe(repo, folder=inside, name=name)
        except MlgitError as exc:
            yield _Finding(f"remote {name}", _Health.FAIL, " ".join((exc.what, *exc.why.split())), exc.fix)
        else:
            yield _Finding(f"remote {name}", _Health.OK, f"{url} answers, and takes what it is sent")


def _remotes(root: Path) -> list[str]:
    """The names of DVC's remotes, read from its configuration as its sections are written: `['remote "name"']`."""
    names: dict[str, None] = {}
    for file in (root / ".dvc" / "config", root / ".dvc" / "config.local"):
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        names.update(dict.fromkeys(re.findall(r"""^\['?remote "([^"]+)"'?\]""", text, re.MULTILINE)))
    return list(names)


def _dead_runs(repo: Repo) -> _Finding:
    from mlgit.store import live, locks

    alive = dead = away = 0
    spoiled: list[str] = []
    for folder in live.folders(repo):
        try:
            if not live.is_ours(folder):
                away += 1
            elif locks.is_alive(folder):
                alive += 1
            else:
                dead += 1
        except (MlgitError, OSError):
            spoiled.append(folder.name)
    told = f"{alive} running" + (f", {away} on other machines" if away else "")
    if spoiled:
        says = f"{told}; {', '.join(spoiled[:5])} cannot be read"
        return _Finding("runs", _Health.WARN, says, f"look at {repo.own / 'live'}")
    if dead:
        says = f"{told}; {dead} died and wait{'s' if dead == 1 else ''} to become branches"
        return _Finding("runs", _Health.WARN, says, "mlgit recover")
    return _Finding("runs", _Health.OK, told)


def _stages(repo: Repo) -> Iterator[_Finding]:
    """Whether the stages serve what their files say; nothing where no model is registered."""
    from mlgit.registry import settle
    from mlgit.store import registry

    try:
        commit = registry.base_commit(repo, registry.base_name(repo))
        with repo.reader() as reader:
            files = registry.stages_at(reader, commit)
        differ = [f"{one.stage} of {one.model}" for one, _ in settle.unsettled(repo, files)]
    except MlgitError as exc:
        if not isinstance(exc, NotFoundError):
            yield _Finding("stages", _Health.WARN, exc.what, exc.fix or "mend the file")
        return
    if differ:
        says = f"file and tag differ: {', '.join(differ[:5])}"
        yield _Finding("stages", _Health.WARN, says, "mlgit model settle")
    elif files:
        yield _Finding("stages", _Health.OK, f"{len(files)}, each serves what its file says")


def _keys(repo: Repo) -> Iterator[_Finding]:
    """Whether signatures of models can count by each file that says so; nothing where there is none."""
    from mlgit.registry import trusting
    from mlgit.store import registry

    trust = trusting.trusted(repo, registry.base_name(repo))
    if not trust.keys:
        return
    try:
        trust = trusting.sound(trust)
    except MlgitError as exc:
        yield _Finding("keys", _Health.WARN, exc.what, exc.fix)
        return
    for name, fault in trust.broken.items():
        fix = "mend or remove it by a pull request"
        if "private" in fault:
            fix = f"make a new pair, for git keeps this one; {fix}"
        yield _Finding(f"key {name}", _Health.FAIL, f"{trusting.KEYS}/{name}.pem {fault}", fix)
    if trust.keys:
        yield _Finding("keys", _Health.OK, f"signatures of models count by {', '.join(trust.keys)}")


def _numbers(version: str) -> tuple[int, ...]:
    """The first dotted number in *version*, for comparison."""
    match = re.search(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in match[0].split(".")) if match else ()
