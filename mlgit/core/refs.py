"""The names mlgit gives in git, and the rules that a name from outside has to pass.

Names are data: nothing here trusts them, and what it returns is safe as a ref, a path component and an argument.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from datetime import UTC, datetime

from mlgit.errors import UsageError

RUNS = "refs/heads/exp/"
TRASH = "refs/mlgit/trash/"
ARCHIVE = "refs/mlgit/archive/"
SHARDS = "refs/mlgit/shards"
LIVE = "refs/mlgit/live/"
SWEEPS = "refs/mlgit/sweeps/"
CLAIMS = "refs/mlgit/claims/"
ARTIFACTS = "refs/mlgit/artifacts/"
SIGNATURES = "refs/mlgit/signatures/"
JOBS = "refs/mlgit/jobs/"
OBSERVED = "refs/mlgit/observed/"
ASSETS = "refs/heads/mlgit-assets"

_COMPONENT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9_-])?")
_NO_PROJECT = frozenset("/\\#?%:")
_FOLDED = re.compile(rf"{RUNS}([^/]+)/([^/]+)")
_ODD = re.compile(r"[\x00-\x20\x7f~^:?*\[\\/\ud800-\udfff]|\.\.|@\{|^[.-]|\.(lock)?$")
_PATTERN = re.compile(r"[\x00-\x20*?\[\\]")
_NO_DOT = re.compile(r"^\.|\.(?=\.|$|lock$)")
_ODD_LETTERS = re.compile(r"[^A-Za-z0-9_.-]+")
_PERCENT = re.compile(r"(%[0-9A-F]{2})+")
_GENERATED_ID = re.compile(r"[a-z0-9]{8}")
_SEMVER = re.compile(r"v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?")


def component(name: str, what: str) -> str:
    """*name*, if it can stand as one component of a ref and of a path; *what* names it in the error.

    Letters, digits, `.`, `_` and `-`, at most 100, beginning with a letter or digit: stricter than git, so that one
    rule serves refs, paths, tags and URLs. Raises `UsageError`.
    """
    if is_component(name):
        return name
    close = slug(name)
    raise UsageError(
        f"{name[:120]!r} cannot be the name of a{'n' if what[0] in 'aeiou' else ''} {what}.",
        why="Such a name becomes part of a git ref and of a path: letters, digits, '.', '_' and '-', at most 100, "
        "beginning with a letter or digit.",
        fix=f"call it {close!r}" if close else "use letters and digits",
    )


def is_component(name: str) -> bool:
    """Whether *name* can stand as one component of a ref and of a path."""
    return bool(_COMPONENT.fullmatch(name)) and ".." not in name and not name.endswith(".lock")


def project(name: str) -> str:
    """*name* as it stands where it can be a project's, else its words: `My Project 1` is `my-project-1`.

    Raises `UsageError` for what W&B refuses too, a `/` or one of `\\ # ? % :`, and where no word is left.
    """
    if is_component(name) or _NO_PROJECT.intersection(name) or len(name) > 100 or not (words := slug(name)):
        return component(name, "project")
    return words


def slug(name: str, limit: int = 60) -> str:
    """*name* as a piece of a ref: ASCII words joined by `-`, at most *limit* characters; may be empty."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:limit].rstrip("-")


def run_ref(project: str, name: str, run_id: str, *, digits: int = 6) -> str:
    """The branch of a run: `refs/heads/exp/<project>/<slug>-<id6>`.

    Two runs of one name whose ids share six characters would meet: whoever comes second asks for more *digits*.
    """
    return f"{RUNS}{component(project, 'project')}/{slug(name) or 'run'}-{_mark(run_id)[:digits]}"


def _mark(run_id: str) -> str:
    """What of an id a branch's name ends with, or begins to."""
    return run_id if _GENERATED_ID.fullmatch(run_id) else hashlib.sha256(run_id.encode()).hexdigest()


def month(branch: str, created: float) -> str | None:
    """The ref that *branch*, of a run that began so many seconds after the epoch, is folded into; None: it cannot be.

    `refs/mlgit/archive/<project>/<yyyy-mm>`, of the month in UTC.
    """
    found = _FOLDED.fullmatch(branch)
    return f"{ARCHIVE}{found[1]}/{datetime.fromtimestamp(created, UTC):%Y-%m}" if found else None


def begin(month: str) -> int:
    """When *month*, a ref of the archive, begins, in seconds since the epoch; 0 for one that is called otherwise."""
    try:
        return int(datetime.strptime(f"{month.rpartition('/')[2]} +0000", "%Y-%m %z").timestamp())
    except ValueError:
        return 0


def unfolded(month: str, name: str) -> str | None:
    """The branch that the entry *name* of the archive's *month* had; None where no branch can be called so."""
    project = month.removeprefix(ARCHIVE).rpartition("/")[0]
    return None if _ODD.search(name) or not project else f"{RUNS}{project}/{name}"


def ledger(project: str, name: str) -> str | None:
    """The ref of an artifact's ledger, `refs/mlgit/artifacts/<project>/<name>`; None where none can be called so.

    What is no ref's is written as in a URL: `net.lock` is `net%2Elock`. None is for a name that is too long then.
    """
    spelled = _NO_DOT.sub("%2E", _ODD_LETTERS.sub(lambda some: _percent(some[0].encode(errors="replace")), name))
    return f"{ARTIFACTS}{project}/{spelled}" if is_component(project) and 0 < len(spelled) <= 200 else None


def _percent(some: bytes) -> str:
    return "".join(f"%{byte:02X}" for byte in some)


def jobs(project: str) -> str:
    """The ref of the list of a project's jobs, `refs/mlgit/jobs/<project>`. Raises `UsageError`."""
    return f"{JOBS}{component(project, 'project')}"


def observed(target: str) -> str:
    """The ref of what a target has told that it runs, `refs/mlgit/observed/<target>`. Raises `UsageError`."""
    return f"{OBSERVED}{component(target, 'target')}"


def of_ledger(ref: str) -> tuple[str, str] | None:
    """The project and the name of the artifact whose ledger *ref* is; None for what `ledger` never called so."""
    project, _, spelled = ref.removeprefix(ARTIFACTS).partition("/")
    name = _PERCENT.sub(lambda some: bytes.fromhex(some[0].replace("%", "")).decode(errors="replace"), spelled)
    return (project, name) if ledger(project, name) == ref else None


def branch(ref: str) -> str:
    """The short name of the branch *ref*, as `git switch` takes it: `exp/digits/radiant-glade-12-k3f9a2`."""
    return ref.removeprefix("refs/heads/") if ref.startswith("refs/heads/") else ref.removeprefix("refs/remotes/")


def is_of(ref: str, project: str, run_id: str) -> bool:
    """Whether *ref*, or an entry of the archive, is called as `run_ref` calls a run of that id, whatever its name."""
    way, _, name = ref.replace(":", "/").rpartition("/")
    return project in way.split("/") and _mark(run_id)[:6] == name.rpartition("-")[2][:6]


def version(text: str) -> str:
    """*text* as a SemVer with its `v`: `1.2.0` and `v1.2.0` are one. Raises `UsageError`."""
    candidate = text if text.startswith("v") else f"v{text}"
    if _SEMVER.fullmatch(candidate) and not candidate.endswith(".lock"):
        return candidate
    raise UsageError(f"{text[:80]!r} is no version.", why="Versions are SemVer.", fix="write it like v1.2.0")


def version_key(text: str) -> tuple[int, int, int, bool, str]:
    """Sorts versions oldest first; a pre-release comes before its release."""
    core, _, pre = text.removeprefix("v").partition("-")
    major, minor, patch = (int(part) for part in core.split("."))
    return major, minor, patch, not pre, pre


def version_tag(model: str, version: str) -> str:
    """GTO's tag of a registered version: `refs/tags/digits@v1.0.0`."""
    return f"refs/tags/{model}@{version}"


def model_tags(model: str) -> tuple[str, ...]:
    """All of GTO's tags of *model*, as patterns of `git for-each-ref`; none where no tag can be called so."""
    if not model or _PATTERN.search(model):
        return ()
    return f"refs/tags/{model}@*", f"refs/tags/{model}#*", f"refs/tags/{model}#*/**"  # a stage's name may have a `/`


def signatures(model: str, version: str) -> str:
    """Below it lie the signatures of a registered version: `refs/mlgit/signatures/digits/v1.0.0/`."""
    return f"{SIGNATURES}{model}/{version}/"


def stage_tag(model: str, stage: str, count: int) -> str:
    """GTO's tag of an assignment: `refs/tags/digits#production#2`."""
    return f"refs/tags/{model}#{stage}#{count}"


def revert_branch(model: str, version: str, stage: str) -> str:
    """The branch of the pull request that takes a promotion back."""
    return f"revert/{model}/{version}/{stage}"


def alias_branch(model: str, name: str) -> str:
    """The branch of the pull request that gives an alias, or takes one off."""
    return f"alias/{model}/{name}"


def emergency_branch(model: str, version: str, stage: str) -> str:
    """The branch of the pull request of a promotion that goes past its gates."""
    return f"promote/{model}/emergency/{version}/{stage}"


def back_branch(model: str, version: str, stage: str) -> str:
    """The branch of the pull request that lets a stage serve a version again."""
    return f"promote/{model}/back/{version}/{stage}"


def hold_branch(model: str, stage: str, *, lifts: bool) -> str:
    """The branch of the pull request that holds a stage, or lifts that."""
    return f"promote/{model}/{'lift' if lifts else 'hold'}/{stage}"


def freeze_branch(models: str, stages: str, *, lifts: bool) -> str:
    """The branch of the pull request that freezes stages, which are named as in file names, or lifts that."""
    called = slug(f"{models} {stages}".replace("*", "all"))
    mark = hashlib.sha256(f"{models} {stages}".encode()).hexdigest()[:6]
    return f"promote/registry/{'unfreeze' if lifts else 'freeze'}/{called}-{mark}"


def promotion_branch(model: str, version: str, stage: str) -> str:
    """The branch of a promotion's pull request."""
    return f"promote/{model}/{version}/{stage}"
