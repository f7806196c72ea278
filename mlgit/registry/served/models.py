"""`mlgit.models`: registered models for who runs them, by the name of a stage or a version.

model = mlgit.models.get("churn@production", repo="https://github.com/acme/churn")
predict = model.load().predict
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mlgit import whole
from mlgit.artifacts import bringing
from mlgit.core import escape, figures
from mlgit.core.model import ModelVersion
from mlgit.core.model_card import ModelCard
from mlgit.core.run import EMPTY
from mlgit.dvc import cache, workshop
from mlgit.errors import MlgitError, NotFoundError, UsageError
from mlgit.formats import keeping, loading
from mlgit.git.repo import Repo
from mlgit.registry import deliver, ledger
from mlgit.registry.served import clone, finding, paged, signers, stamps
from mlgit.registry.served.finding import Found
from mlgit.registry.trust import vouching
from mlgit.registry.trust.vouching import Checked
from mlgit.registry.versions import shelf
from mlgit.store import place as places
from mlgit.store import registry as store

__all__ = ["Model", "get"]


@dataclass(frozen=True, kw_only=True)
class Model:
    """One version of a registered model, at hand and verified."""

    name: str
    version: str
    """SemVer with its `v`."""
    path: Path
    """The folder, or the file, that it is."""
    stage: str = ""
    """The stage that it was asked for by, or empty."""
    digest: str = ""
    """DVC's hash of its content, as decisions and `mlgit registry` name it."""
    sha256: Mapping[str, str] = field(default_factory=lambda: EMPTY, repr=False)
    """Path → sha256 of each of its files; they were compared."""
    size: int = field(default=0, repr=False)
    """Bytes."""
    run: str = ""
    """The id of the run that made it."""
    commit: str = field(default="", repr=False)
    """That run's result."""
    description: str = field(default="", repr=False)
    metrics: Mapping[str, Any] = field(default_factory=lambda: EMPTY, repr=False)
    params: Mapping[str, Any] = field(default_factory=lambda: EMPTY, repr=False)
    data: Mapping[str, str] = field(default_factory=lambda: EMPTY, repr=False)
    """Path → DVC's hash of the data that it was trained with."""
    card: ModelCard | None = field(default=None, repr=False)
    """What is known of its bytes: format, inputs, outputs."""
    signatures: Sequence[Checked] = field(default=(), repr=False)
    """Each signature, looked at."""
    deprecated: str = ""
    """By whom, and why, it should not be used any more; empty where nobody says so."""
    away: str = ""
    """Why the repository could not be asked, so that another version may be live by now; empty where it was."""
    unsettled: str = ""
    """The version that the branch asks for, where it is another that no stage serves (yet)."""

    @property
    def unsafe(self) -> str:
        """Why loading it may run code; empty where it may not, or where nobody has looked."""
        return self.card.unsafe if self.card else ""

    def load(self, *, allow_pickle: bool = False, trusted: str | Sequence[str] = ()) -> Any:
        """The object, by the loader of its format alone: as `mlgit.load_model` gives it, and with the same rights."""
        from mlgit.formats.frameworks import Trust

        loading.verify(self.path, self.sha256)
        types = (trusted,) if isinstance(trusted, str) else tuple(trusted)
        return loading.load(self.path, self.card or ModelCard(), Trust(pickle=allow_pickle, types=types))


def get(
    name: str, *, repo: str | os.PathLike[str] | None = None, to: str | os.PathLike[str] | None = None,
    base: str | None = None, offline: bool = False, verify: bool = False,
) -> Model:  # fmt: skip
    """The version that *name* means (`churn@production`, `churn@v1.2.0`, `churn`), brought and verified.

    *name* may be the address of a stage's page instead, `https://…/churn/production.json`, which is asked for only if
    it has changed. *repo*: a repository's address or folder, else what `MLGIT_REPO` says, else the one of the current
    folder. Of one that is elsewhere only what this takes is fetched, into the user's cache; asked again, nothing that
    is there already. *to*: the folder that it is put into, where an older version of the same model gives way; without
    one it stays in the cache. *base*: the branch whose stages and keys count. *offline*: the cache alone is asked.
    *verify*: a signature has to count. Where the repository cannot be reached, what it last said is served, with a
    warning.

    Raises `NotFoundError`, `GitError` where the repository cannot be asked, `MlgitError` for bytes that are nowhere, or
    not what was registered.
    """
    folder = Path(to) if to is not None else None
    made, told = brought(
        name, os.fspath(repo or ""), lambda _version, usual: folder or usual, base=base, offline=offline, verify=verify
    )
    for one in told:
        warnings.warn(one, stacklevel=2)
    return made


def brought(
    name: str, address: str, into: Callable[[ModelVersion, Path], Path], *, base: str | None = None,
    offline: bool = False, verify: bool = False,
) -> tuple[Model, list[str]]:  # fmt: skip
    """`get`, and what a person has to be warned of. *into*: a version, and where it would lie → where it shall."""
    if paged.is_address(name):
        return _of_page(name, address, into, base=base, offline=offline, verify=verify)
    address = address or os.environ.get("MLGIT_REPO", "")
    if not address or _is_here(address):
        if offline:
            raise UsageError("A repository of this machine is never away.", fix="leave offline out, or name another")
        return _of_folder(Path(address).resolve() if address else places.here(), name, into, base, verify=verify)
    there = clone.of(address)
    found = finding.find(there, name, base=base, offline=offline, anew=verify)
    usual = there.repo.folder / "served" / f"{found.version.model}-{found.version.version}"
    made = _brought(there.repo, found, into(found.version, usual), verify=verify, usual=usual)
    told = [] if offline or not found.away else [_out_of_reach(there.name, made, there.asked)]
    if found.unsettled:
        told.append(
            f"{made.stage or 'the branch'} is to serve {made.name} {found.unsettled}, and does not: that is not "
            f"settled yet, or no gate let it through. {made.version} is what it serves."
        )
    return made, told


def _of_page(
    page: str,
    address: str,
    into: Callable[[ModelVersion, Path], Path],
    *,
    base: str | None,
    offline: bool,
    verify: bool,
) -> tuple[Model, list[str]]:
    """Of a stage's page."""
    if address or base or verify:
        raise UsageError(
            "A page names its repository, its branch and its keys no further.",
            fix="leave --repo, --base and --verify out, or name MODEL@STAGE in place of the page",
        )
    read = paged.read(page, offline=offline)
    version, repo = read.page.version, read.repo
    if version is None:
        raise NotFoundError(f"{read.page.model} has nothing in {read.page.stage}, since {read.page.since}.")
    usual = repo.folder / "served" / f"{version.model}-{version.version}"
    others = [seen.version for seen in paged.seen(repo) if seen.version]
    made = _brought(
        repo, Found(version=version, stage=read.page.stage, away=read.away), into(version, usual), verify=False,
        others=others, usual=usual,
    )  # fmt: skip
    made = replace(made, deprecated=read.page.deprecated)
    return made, [] if offline or not read.away else [_out_of_reach(read.name, made, read.asked)]


def _out_of_reach(where: str, made: Model, asked: float | None) -> str:
    when = f" ({figures.moment(asked)})" if asked else ""
    return (
        f"{where} is out of reach: {escape.line(made.away, 300)}. {made.name} {made.version} is what it "
        f"said last{when}; another version may be live by now."
    )


def _is_here(address: str) -> bool:
    """Whether *address* is a folder that somebody works in: its own cache has the bytes, which no remote need have."""
    found = Repo.find(Path(address)) if Path(address).is_dir() else None
    return found is not None and found.work_tree is not None


def _of_folder(
    start: Path, name: str, into: Callable[[ModelVersion, Path], Path], base: str | None, *, verify: bool
) -> tuple[Model, list[str]]:
    """Of the repository that *start* lies in."""
    home = places.of_reader(start)
    if home is None:
        raise NotFoundError(
            f"{start} is in no git repository.", fix="cd into your project, or name one: repo=URL, --repo, MLGIT_REPO"
        )
    branch = store.base_name(home.repo, base)
    version = shelf.find(home.repo, name, base=branch)
    usual = bringing.top_folder() / f"{version.model}-{version.version}"
    if (folder := into(version, usual)) == usual:
        bringing.leave_out_of_git(folder)
    _, which = shelf.parts(name)
    stage = "" if shelf.is_version(which) else which
    made = _brought(home.repo, Found(version=version, stage=stage, base=branch), folder, verify=verify)
    tagged = ledger.of(store.tags(home.repo, version.model), version.model).stages.get(stage)
    if tagged in (None, version.version):
        return made, []
    return made, [
        f"{branch} asks for {made.name} {made.version} in {stage}, which is brought; by the tags here it serves "
        f"{tagged}. It is not settled, or no gate let it through, or its tag is not here yet: mlgit sync brings it."
    ]


def _brought(
    repo: Repo, found: Found, folder: Path, *, verify: bool, others: Sequence[ModelVersion] = (),
    usual: Path | None = None,
) -> Model:  # fmt: skip
    """*usual*: the cache's own folder for it, in which what was verified is not read again."""
    version, path = found.version, deliver.place_of(found.version, folder)
    checked = stamps.known(repo, version, path, found.base) if folder == usual and not verify else None
    if checked is None:
        _put(repo, found, folder, others)
        checked = vouching.vouched(repo, version, path, found.base)
        if folder == usual:
            stamps.keep(repo, version, path, found.base, checked)
    wanted = signers.asked(repo, found.base, version.model, found.stage) if found.stage else []
    if refused := signers.refusal(version, checked, [*wanted, *([()] if verify else [])]):
        raise refused
    said = shelf.deprecated(repo, version)
    return Model(
        name=version.model, version=version.version, path=path, stage=found.stage, digest=version.hash,
        sha256=version.sha256, size=version.size, run=version.run, commit=version.commit,
        description=version.description, metrics=version.metrics, params=version.params, data=version.data,
        card=version.card, signatures=tuple(checked), away=found.away, unsettled=found.unsettled,
        deprecated=str(said) if said else "",
    )  # fmt: skip


def _put(repo: Repo, found: Found, folder: Path, others: Sequence[ModelVersion]) -> None:
    """Have the version that was *found* in *folder*, in the place of another one of the same model."""
    version = found.version
    try:
        deliver.deliver(repo, version, folder, run=found.run)
    except UsageError:
        if not (old := _older(repo, version, folder, others)):
            raise
        try:
            _swap(old, lambda fresh: deliver.deliver(repo, version, fresh, run=found.run))
        except OSError as exc:
            raise MlgitError(f"{old} cannot be written.", why=str(exc)) from exc


def _swap(old: Path, bring: Callable[[Path], Path]) -> None:
    """Have what *bring* makes in a folder in the place of *old*, once it is whole: who reads it waits for no bytes.

    A disk's own folder stays, and its files are replaced one by one. Raises `OSError`.
    """
    is_disk = old.is_dir() and cache.is_disk_at(old)
    with workshop.folder(old) if is_disk else workshop.beside(old) as shop:
        new = bring(shop / "new")
        if is_disk:
            names = loading.files_of(new).keys()
            for name in names:
                (old / name).parent.mkdir(parents=True, exist_ok=True)
                (new / name).replace(old / name)
            for name in loading.files_of(old).keys() - names:
                if not whole.is_begun(name):
                    (old / name).unlink()
            return
        if old.is_dir():
            old.rename(shop / workshop.OLD)
        try:
            new.replace(old)
        except OSError:
            (shop / workshop.OLD).rename(old)
            raise


def _older(repo: Repo, version: ModelVersion, folder: Path, known: Sequence[ModelVersion]) -> Path | None:
    """What lies where *version* is to go, if it is exactly one of the other versions that are known; else None.

    A disk may have files of several: whoever replaced them was killed.
    """
    place = deliver.place_of(version, folder)
    tags = ledger.of(store.tags(repo, version.model), version.model).versions.values()
    others = [version, *known, *(told for tag in tags if (told := store.of_message(tag.message)))]
    try:
        files = {name: path for name, path in loading.files_of(place).items() if not whole.is_begun(name)}
        is_one = any(one.sha256 and not loading.differing(files, one.sha256) for one in others)
        if not is_one and place.is_dir() and cache.is_disk_at(place):
            known_files = {item for one in others for item in one.sha256.items()}
            is_one = all((name, keeping.sha256_of(path)) in known_files for name, path in files.items())
    except OSError as exc:
        raise MlgitError(f"{place} cannot be read.", why=str(exc)) from exc
    return place if is_one else None
