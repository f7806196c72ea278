"""What kind of repository this is, what its mlgit.yaml says, and how its runs and models stand."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mlgit import settings
from mlgit.cli.doctor.finding import Finding, Health
from mlgit.core import figures
from mlgit.errors import ConfigError, MlgitError, NotFoundError
from mlgit.git.repo import Repo

_LOW_DISK = 2 << 30
_NO_DISK = 100 << 20


def kind(repo: Repo) -> Iterator[Finding]:
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
    yield Finding("repository", Health.OK, f"{repo.folder}{f' ({told})' if told else ''}")
    if (repo.common_dir / "shallow").exists():
        says = "a shallow clone: the run of a pull request's base may lie beyond its edge"
        yield Finding("history", Health.WARN, says, "git fetch --unshallow")
    if config.get("core.sparsecheckout") == "true":
        says = "a sparse checkout: a run's snapshot holds what is not checked out as HEAD has it"
        yield Finding("work tree", Health.OK, says)
    if (repo.git_dir / "MERGE_HEAD").exists():
        says = "a merge is in progress: runs are recorded with the files as they are"
        yield Finding("work tree", Health.WARN, says, "git merge --continue, or --abort")


def identity(repo: Repo) -> Finding:
    """Under which name commits are made."""
    if "mlgit@localhost" in repo.identity:
        fix = 'git config --global user.name "…", and user.email'
        return Finding("identity", Health.WARN, f"git knows no e-mail; commits are by {repo.identity}", fix)
    return Finding("identity", Health.OK, repo.identity)


def disk(repo: Repo) -> Finding:
    """Whether runs can be written, and how much room is left for them."""
    free = shutil.disk_usage(repo.common_dir).free
    try:
        with tempfile.TemporaryFile(dir=repo.common_dir) as file:
            file.write(b"mlgit")
    except OSError as exc:
        says = f"{repo.common_dir} cannot be written: {exc.strerror}"
        return Finding("disk", Health.FAIL, says, "make the folder writable, or make room")
    says = f"{figures.size(free)} free"
    if free < _NO_DISK:
        return Finding("disk", Health.FAIL, f"only {says}", "make room")
    if free < _LOW_DISK:
        return Finding("disk", Health.WARN, f"only {says}", "make room before you train")
    return Finding("disk", Health.OK, f"writable, {says}")


def options(repo: Repo, folder: Path) -> Finding:
    """Whether mlgit.yaml is there, and can be read."""
    from mlgit.tracking.options import RunOptions

    top = repo.work_tree or repo.git_dir
    try:
        found = settings.find(folder if repo.work_tree else top, top)
        found.section("run", RunOptions)
    except ConfigError as exc:
        return Finding(settings.FILE, Health.FAIL, str(exc.what), exc.fix or "mend that line")
    except OSError as exc:
        return Finding(settings.FILE, Health.FAIL, f"cannot be read: {exc.strerror}", "give the right to read it")
    if found.document is None:
        says = f"none; the project goes by its folder's name, {found.project}"
        return Finding(settings.FILE, Health.WARN, says, "mlgit init writes one")
    return Finding(settings.FILE, Health.OK, f"project {found.project}, {found.folder}")


def dead_runs(repo: Repo) -> Finding:
    """How many runs are alive here, and whether some died and wait to become branches."""
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
        return Finding("runs", Health.WARN, says, f"look at {repo.own / 'live'}")
    if dead:
        says = f"{told}; {dead} died and wait{'s' if dead == 1 else ''} to become branches"
        return Finding("runs", Health.WARN, says, "mlgit recover")
    return Finding("runs", Health.OK, told)


def stages(repo: Repo) -> Iterator[Finding]:
    """Whether the stages serve what their files say; nothing where no model is registered."""
    from mlgit.registry.moving import settle
    from mlgit.store import registry

    try:
        commit = registry.base_commit(repo, registry.base_name(repo))
        with repo.reader() as reader:
            files = registry.stages_at(reader, commit)
        differ = [f"{one.stage} of {one.model}" for one in settle.unsettled(repo, files)]
    except MlgitError as exc:
        if not isinstance(exc, NotFoundError):
            yield Finding("stages", Health.WARN, exc.what, exc.fix or "mend the file")
        return
    if differ:
        says = f"file and tag differ: {', '.join(differ[:5])}"
        yield Finding("stages", Health.WARN, says, "mlgit registry reconcile")
    elif files:
        yield Finding("stages", Health.OK, f"{len(files)}, each serves what its file says")


def keys(repo: Repo) -> Iterator[Finding]:
    """Whether signatures of models can count by each file that says so; nothing where there is none."""
    from mlgit.registry.trust import trusting
    from mlgit.store import registry

    trust = trusting.trusted(repo, registry.base_name(repo))
    if not trust.keys:
        return
    try:
        trust = trusting.sound(trust)
    except MlgitError as exc:
        yield Finding("keys", Health.WARN, exc.what, exc.fix)
        return
    for name, fault in trust.broken.items():
        fix = "mend or remove it by a pull request"
        if "private" in fault:
            fix = f"make a new pair, for git keeps this one; {fix}"
        yield Finding(f"key {name}", Health.FAIL, f"{trusting.KEYS}/{name}.pem {fault}", fix)
    if trust.keys:
        yield Finding("keys", Health.OK, f"signatures of models count by {', '.join(trust.keys)}")
