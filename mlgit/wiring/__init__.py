"""The one place where adapters are chosen, and rooms are handed to one another as callables."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlgit.core import escape
from mlgit.errors import NotFoundError, UsageError
from mlgit.git.repo import Repo
from mlgit.store import place as places
from mlgit.store import recover
from mlgit.store.place import Place
from mlgit.tracking import tied

if TYPE_CHECKING:
    from mlgit.forge.base import Forge
    from mlgit.forge.github.forge import GitHubForge
    from mlgit.forge.github.rest import Credential, Rest
    from mlgit.forge.github.where import Where
    from mlgit.git.remote import Remote


def place(start: Path | None = None) -> Place:
    """The repository and project of *start*, or of the current folder; runs that died there become branches first.

    Outside of every repository: the scratch repository, if a run ever went there. Raises `NotFoundError`.
    """
    folder = start or places.here()
    here = places.of_reader(folder)
    if here is None:
        raise NotFoundError(f"{folder} is in no git repository.", fix="git init, or cd into your project")
    recover.recover_all(here.repo, lambda text: print(f"mlgit: {escape.terminal(text)}", file=sys.stderr))
    tied.hand_over()
    return here


def init_project(folder: Path, *, project: str | None, dvc: bool, github: bool = False) -> list[str]:
    """Make *folder* an mlgit project; return the files that were written. With *github*, the workflow of jobs, too."""
    from mlgit.ci import keeping, workflows
    from mlgit.store import project as projects

    written = projects.create(folder, name=project, dvc=dvc)
    if github and (repo := Repo.find(folder)):
        launch = workflows.rendered(["launch"], workflows.Options())
        written += [os.path.relpath(repo.folder / path, folder) for path in keeping.create(repo, launch)]
    return written


def forge(place: Place) -> Forge:
    """Where the pull requests of *place* live: on GitHub, or in a folder in the repository's own git folder.

    mlgit.yaml says which. If it does not, GitHub, where the remote origin is there, a token is at hand, and no pull
    request was opened in the folder before. Raises `UsageError` where GitHub is named, and cannot be asked.
    """
    from mlgit.forge.folder import FolderForge

    there = on_github(place)
    return there[0] if there else FolderForge(place.repo)


def opening(place: Place) -> Forge:
    """`forge`, to open a pull request.

    Raises `UsageError` where the first one of a clone from GitHub would hide in its folder for want of a token: all
    later ones would go there too.
    """
    from mlgit.forge.github import credentials

    if tokenless := _tokenless(place):
        otherwise = "or `forge: {kind: folder}` in mlgit.yaml, to have pull requests in this clone alone"
        raise credentials.lacking(tokenless, otherwise)
    return forge(place)


def on_github(place: Place) -> tuple[GitHubForge, Credential] | None:
    """The forge of *place* on GitHub, and what GitHub knows us by; None where pull requests live in the folder.

    Raises `UsageError` where mlgit.yaml names GitHub, and it cannot be asked.
    """
    from mlgit.forge.choice import ForgeOptions, Kind

    found = _meant(place)
    if found:
        from mlgit.forge.github import credentials

        if credential := credentials.find(found, os.environ):
            return _github(place, found, credential), credential
    if place.settings.section("forge", ForgeOptions).kind is not Kind.GITHUB:
        return None
    if found:
        raise credentials.lacking(found)
    fix = "say repository: OWNER/NAME there, and api of an Enterprise server"
    raise UsageError("mlgit.yaml says that pull requests live on GitHub, and the remote origin is not there.", fix=fix)


def github(place: Place) -> GitHubForge:
    """The forge of *place*, for what GitHub alone does. Raises `UsageError` where it is none of GitHub's."""
    if found := on_github(place):
        return found[0]
    if tokenless := _tokenless(place):
        from mlgit.forge.github import credentials

        raise credentials.lacking(tokenless)
    raise UsageError("This repository does not live on GitHub.", fix=why_not_github(place))


def remote(place: Place, name: str = "origin") -> Remote:
    """The remote *name* of *place*; where that is GitHub, asked in a job by the job's token."""
    from mlgit.git.remote import Remote

    found = None
    if name == "origin":
        with contextlib.suppress(UsageError):  # no token is at hand: git has a way of its own, or says so
            found = on_github(place)
    return found[0].clone.remote if found and found[0].clone else Remote(repo=place.repo, name=name)


def why_not_github(place: Place) -> str:
    """What would let the pull requests of *place* live on GitHub."""
    from mlgit.forge.github.where import named
    from mlgit.git.remote import Remote

    if (place.repo.own / "forge/pulls").is_dir():
        return "to move to GitHub, where new ones go then: `forge: {kind: github}` in mlgit.yaml"
    origin = Remote(repo=place.repo, name="origin")
    if origin.is_known and named(origin.address):
        return "for GitHub: gh auth login, or a token in GH_TOKEN"
    return "for GitHub: a remote origin that is there, and a token in GH_TOKEN or with gh auth login"


def _meant(place: Place) -> Where | None:
    """The repository on GitHub that *place* would have its pull requests in, whether a token is at hand or not."""
    from mlgit.forge.choice import ForgeOptions, Kind

    options = place.settings.section("forge", ForgeOptions)
    has_folder = (place.repo.own / "forge/pulls").is_dir()
    has_origin = "remote.origin.url" in place.repo.config
    if options.kind is Kind.FOLDER or (options.kind is None and (has_folder or not has_origin)):
        return None
    from mlgit.forge.github import clone, where
    from mlgit.git.remote import Remote

    return where.where(options, clone.address(Remote(repo=place.repo, name="origin")), os.environ)


def _tokenless(place: Place) -> Where | None:
    """The same, where nothing but a token is missing, and nobody said that it has to be there."""
    return None if on_github(place) else _meant(place)


def _github(place: Place, found: Where, credential: Credential) -> GitHubForge:
    from mlgit.forge.github import credentials
    from mlgit.forge.github.clone import Clone
    from mlgit.forge.github.forge import GitHubForge
    from mlgit.git.remote import Remote

    origin = Remote(repo=place.repo, name="origin")
    env = credentials.for_git(credential, found, origin.address, config=place.repo.config, environ=os.environ)
    origin = replace(origin, env=env)
    return GitHubForge(
        _rest(found.api, credential), found.repository, Clone(place.repo, origin) if origin.is_known else None
    )


@functools.cache
def _rest(api: str, credential: Credential) -> Rest:
    """One for all that this process asks: it remembers what was answered, and when it wrote."""
    from mlgit.forge.github.rest import Rest

    return Rest(api, credential=credential)
