"""Bytes that somebody names on the command line: versions of artifacts, and what pointers in the work tree hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TypeVar

from mlgit.artifacts import carrying, log, logged
from mlgit.artifacts.catalog import Held
from mlgit.core import figures
from mlgit.dvc import pointers, project
from mlgit.dvc.caches import tree
from mlgit.dvc.pointers import Kept
from mlgit.dvc.remotes import auditing, remote
from mlgit.dvc.remotes.auditing import Audit
from mlgit.dvc.remotes.remote import Pushed
from mlgit.dvc.worktree import standing
from mlgit.dvc.worktree.standing import Tracked
from mlgit.errors import NotFoundError, UsageError
from mlgit.git.repo import Repo


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A content of DVC's that is to move."""

    content: str
    label: str
    folder: str
    """The project's, in the repository."""
    remote: str = ""
    """The DVC remote that its pointer names."""
    size: int = 0
    """Bytes, where that is known."""
    tracked: Tracked | None = None
    """The pointer in the work tree that names it."""

    @property
    def stays(self) -> bool:
        """Whether its pointer says that it goes to no remote, or that it comes from another repository."""
        return self.tracked is not None and (not self.tracked.out.is_pushed or self.tracked.out.is_imported)

    @property
    def kept(self) -> Kept:
        """How DVC keeps it; but for what is kept by content, DVC alone finds its bytes."""
        return self.tracked.out.kept if self.tracked else Kept.BY_CONTENT

    @property
    def is_imported(self) -> bool:
        """Whether DVC alone knows where it comes from."""
        return self.tracked is not None and self.tracked.out.is_imported


def held(repo: Repo, paths: Sequence[Path] = ()) -> Iterator[Wanted]:
    """What the pointers of the work tree name: at *paths*, or all. Raises `NotFoundError`."""
    for one in standing.tracked(repo, paths):
        label = str(one.place.relative_to(repo.folder))
        yield Wanted(content=one.out.hash, label=label, folder=standing.folder(repo, one), remote=one.out.remote,
                     size=one.out.size, tracked=one)  # fmt: skip


def named(repo: Repo, texts: Iterable[str], *, project: str | None) -> Iterator[Wanted]:
    """What each of *texts* names: a path in the work tree that DVC holds, or a version. Raises `NotFoundError`."""
    for text in texts:
        try:
            yield from list(held(repo, [Path(text).absolute()]))
        except NotFoundError:
            if Path(text).exists():
                raise
            found = _found(repo, text, project)
            yield Wanted(content=found.version.hash, label=logged.called(found), folder=found.folder,
                         size=found.version.size)  # fmt: skip


def with_parts(repo: Repo, texts: Sequence[str], *, project: str | None, name: str) -> Iterator[Wanted]:
    """What `chosen` says of *texts*; of a path inside a folder that DVC holds, the files there, each by itself.

    Which these are the remote *name* is asked, or the default one, where that is not known here.
    """
    for text in texts:
        try:
            yield from list(named(repo, [text], project=project))
        except NotFoundError:
            whole = standing.around(repo, Path(text).absolute()) if repo.work_tree else None
            if whole is None:
                raise
            is_dvcs = whole.out.kept is not Kept.BY_CONTENT or whole.out.is_imported
            yield from held(repo, [whole.place]) if is_dvcs else _parts(repo, whole, Path(text), name)
    yield from () if texts else held(repo)


def _parts(repo: Repo, whole: Tracked, path: Path, name: str) -> Iterator[Wanted]:
    inside, folder = tree.named(path.absolute()).relative_to(whole.place), standing.folder(repo, whole)
    far = name or whole.out.remote
    listed = remote.listing(repo, whole.out.hash, folder=folder, name=far) if pointers.is_folder(whole.out.hash) else {}
    found = {one: md5 for one, md5 in listed.items() if PurePosixPath(one).is_relative_to(inside.as_posix())}
    if not found:
        raise NotFoundError(f"There is no {inside} in {whole.place}, by its pointer.", fix=f"name {whole.place}")
    for one, md5 in found.items():
        place = whole.place / one
        out = replace(whole.out, path=place.name, hash=md5, size=0, nfiles=None)
        yield Wanted(content=md5, label=str(place.relative_to(repo.folder)), folder=folder, remote=whole.out.remote,
                     tracked=replace(whole, place=place, out=out))  # fmt: skip


def chosen(repo: Repo, texts: Sequence[str], *, project: str | None) -> Iterator[Wanted]:
    """What `named` says of *texts*; where there are none, all that is `held`."""
    return named(repo, texts, project=project) if texts else held(repo)


def _found(repo: Repo, text: str, project: str | None) -> Held:
    try:
        return log.find(repo, text, project=project)
    except NotFoundError as exc:
        if any(sign in text for sign in ":@"):
            raise
        raise NotFoundError(f"{text[:120]} is neither data that lies here nor an artifact.", fix=exc.fix) from exc


def everything(repo: Repo) -> Iterator[Wanted]:
    """What the work tree names, runs made and people added."""
    if repo.work_tree:
        yield from held(repo)
    for piece in carrying.everything(repo):
        yield Wanted(content=piece.content, label=piece.label, folder=piece.folder)


T = TypeVar("T")
Group = tuple[tuple[str, str], list[Wanted]]


def grouped(repo: Repo, wanted: Sequence[Wanted], name: str = "") -> list[Group]:
    """*wanted* by DVC project and remote, each content once; what its pointer sends elsewhere than to *name* is left.

    That is stock DVC's rule too.
    """
    homes = {folder: project.of(repo, folder) for folder in {one.folder for one in wanted}}
    groups: dict[tuple[Path | None, str], dict[str, Wanted]] = {}
    for one in wanted:
        if not (name and one.remote and one.remote != name):
            groups.setdefault((homes[one.folder], name or one.remote), {}).setdefault(one.content, one)
    return [((next(iter(some.values())).folder, far), list(some.values())) for (_, far), some in groups.items()]


def push(repo: Repo, group: Group, *, jobs: int | None, dry_run: bool) -> Pushed:
    """Bring a *group* to its remote. Raises `UsageError` where there is none, `MlgitError`."""
    (folder, name), some = group
    contents = [one.content for one in some]
    return _at(remote.push(repo, contents, folder=folder, name=name, jobs=jobs, dry_run=dry_run))


def pull(repo: Repo, group: Group, *, jobs: int | None) -> list[str]:
    """Bring a *group* from its remote into the cache. Raises `UsageError` where there is none, `MlgitError`."""
    (folder, name), some = group
    labels = {one.content: one.label for one in some}
    return _at(remote.pull(repo, labels, folder=folder, name=name, jobs=jobs, size=sum(one.size for one in some)))


def audit(repo: Repo, group: Group, *, reads: bool) -> Audit:
    """What the remote of a *group* holds of it. Raises `UsageError` where there is none, `MlgitError`."""
    (folder, name), some = group
    labels = {one.content: one.label for one in some}
    return _at(auditing.audit(repo, labels, folder=folder, name=name, reads=reads))


def _at(found: T | None) -> T:
    if found is None:
        raise UsageError("There is no default DVC remote.", fix="dvc remote add -d NAME URL, or name one with -r")
    return found


def mend(repo: Repo, group: Group, found: Audit) -> Iterator[str]:
    """Send to the remote of a *group* what was *found* wrong there and is whole here; that, by hash."""
    (folder, name), _ = group
    pushed = remote.push(repo, found.wrong, folder=folder, name=name, anew=found.wrong)
    yield from pushed.sent if pushed else ()


def told(files: int, size: int) -> str:
    """`5,001 files, 10.0 MB`."""
    return f"{figures.count(files, 'file')}, {figures.size(size)}"
