"""Whether a repository on GitHub is set up for workflows of ours. Only asks: nothing there is changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from operator import itemgetter
from typing import Any
from urllib.parse import quote

from mlgit.forge.github.answers import RefusedError
from mlgit.forge.github.rest import Rest

_WRITTEN = {"exp/mlgit/check": "exp/**/*", "mlgit-assets": "mlgit-assets", "promote/mlgit/check": "promote/**/*"}
"""A branch like those that jobs write, of runs, of charts, of proposals → their pattern in GitHub's rules."""
_HOSTED = r"(ubuntu|windows|macos)-"
"""What the labels of GitHub's own runners begin with, but for larger ones, which are called as one likes."""
_IN_THE_WAY = {
    "creation": "creating branches", "update": "updating branches", "pull_request": "anything but pull requests",
    "required_signatures": "commits without a signature", "required_linear_history": "merges",
    "required_status_checks": "commits without checks",
}  # fmt: skip
_PROTECTED = {
    "blocksCreations": "creating branches", "lockBranch": "every push",
    "restrictsPushes": "pushes of all but whom it names", "requiresApprovingReviews": "anything but pull requests",
    "requiresCommitSignatures": "commits without a signature", "requiresLinearHistory": "merges",
    "requiresStatusChecks": "commits without checks",
}  # fmt: skip
_PROTECTION = "whether a protection is in the way of what jobs push"
_PROTECTIONS = f"""
query Protections($owner: String!, $name: String!) {{
  repository(owner: $owner, name: $name) {{
    viewerPermission
    branchProtectionRules(first: 100) {{ nodes {{ pattern {" ".join(_PROTECTED)} }} }}
  }}
}}
"""
"""The protections of branches, which REST has by the names of branches that are there, and no rule set's list holds."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that has to be so."""

    what: str
    """It, as it stands."""
    is_so: bool | None
    """None where the token may not see it."""
    fix: str = ""


def look(
    rest: Rest, repository: str, *, workflows: Sequence[str], secrets: Sequence[str],
    runners: Sequence[tuple[str, ...]], proposes: bool = False,
) -> list[Finding]:  # fmt: skip
    """What of *repository* has to be set up for those *workflows* (paths), with *secrets* and *runners* (labels).

    *proposes*: whether their jobs open pull requests.

    Raises `RefusedError` for a repository that we may not see at all.
    """
    at = f"repos/{repository}"
    branch: str = rest.get(at, itemgetter("default_branch"))
    written = [name for name in _WRITTEN if proposes or not name.startswith("promote/")]
    checks: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        ("whether Actions are enabled", lambda: _actions(rest, at)),
        ("which workflows are on the default branch", lambda: _workflows(rest, at, branch, workflows)),
        *((f"whether branches like {name} may be pushed", lambda name=name: _rules(rest, at, name))
          for name in written),
        (_PROTECTION, lambda: _protections(rest, repository, written)),
    ]  # fmt: skip
    if proposes:
        checks.append(("whether jobs may open pull requests", lambda: _proposals(rest, at)))
    if secrets:
        checks.append(("which secrets there are", lambda: _secrets(rest, at, secrets)))
    if own := [labels for labels in runners if not all(re.match(_HOSTED, label) for label in labels)]:
        checks.append(("which runners there are", lambda: _runners(rest, at, own)))
    return [finding for what, check in checks for finding in _seen(what, check)]


def _seen(what: str, check: Callable[[], Iterator[Finding]]) -> list[Finding]:
    try:
        return list(check())
    except RefusedError as exc:
        if exc.status not in (403, 404):
            raise
        return [Finding(what=f"{what}: the token may not see it", is_so=None)]


def _actions(rest: Rest, at: str) -> Iterator[Finding]:
    is_enabled, allowed = rest.get(
        f"{at}/actions/permissions", lambda told: (told["enabled"], told.get("allowed_actions"))
    )
    page = "Settings → Actions → General"
    if not is_enabled:
        yield Finding(what="Actions are disabled", is_so=False, fix=f"enable them: {page}")
        return
    yield Finding(what="Actions are enabled", is_so=True)
    if allowed == "local_only":
        fix = f"allow actions that GitHub made: {page}"
        yield Finding(what="only actions of the repository's owner are allowed", is_so=False, fix=fix)


def _proposals(rest: Rest, at: str) -> Iterator[Finding]:
    told: Any = rest.get(f"{at}/actions/permissions/workflow")
    is_so = bool(told["can_approve_pull_request_reviews"])
    fix = "" if is_so else 'Settings → Actions → General → "Allow GitHub Actions to create and approve pull requests"'
    yield Finding(what=f"jobs may {'' if is_so else 'not '}open pull requests", is_so=is_so, fix=fix)


def _workflows(rest: Rest, at: str, branch: str, paths: Sequence[str]) -> Iterator[Finding]:
    states = dict(rest.everything(f"{at}/actions/workflows", "workflows", itemgetter("path", "state")))
    for path in paths:
        state = states.get(path)
        if state is None:
            fix = f"merge {path} into {branch}"
            yield Finding(what=f"{path} is not on {branch} of GitHub", is_so=False, fix=fix)
        else:
            fix = "" if state == "active" else f"gh workflow enable {path.rpartition('/')[2]}"
            what = "active" if state == "active" else state.replace("_", " ")
            yield Finding(what=f"{path} is {what} on GitHub", is_so=state == "active", fix=fix)


def _rules(rest: Rest, at: str, branch: str) -> Iterator[Finding]:
    """What a rule set has against what a job pushes."""
    kinds = rest.everything(f"{at}/rules/branches/{quote(branch, safe='')}", into=itemgetter("type"))
    met = [_IN_THE_WAY[kind] for kind in dict.fromkeys(kinds) if kind in _IN_THE_WAY]
    if met:
        fix = f"leave {_WRITTEN[branch]} out: Settings → Rules"
        yield Finding(what=f"a rule refuses {' and '.join(met)} on {branch}", is_so=False, fix=fix)
    else:
        yield Finding(what=f"branches like {branch} may be pushed", is_so=True)


def _protections(rest: Rest, repository: str, branches: Sequence[str]) -> Iterator[Finding]:
    """What protections of branches have against it; of those only who administers the repository sees any."""
    owner, _, name = repository.partition("/")
    role, protections = rest.ask(_PROTECTIONS, _protected, owner=owner, name=name)
    if role != "ADMIN":
        yield Finding(what=f"{_PROTECTION}: the token may not see it", is_so=None)
    for pattern, met in protections:
        for branch in branches if met else ():
            if _covers(pattern.split("/"), branch.split("/")):
                what = f"the protection of {pattern} refuses {' and '.join(met)} on {branch}"
                yield Finding(what=what, is_so=False, fix=f"leave {_WRITTEN[branch]} out: Settings → Branches")


def _protected(told: Any) -> tuple[str | None, list[tuple[str, list[str]]]]:
    """(who we are there, each protection's pattern and what it refuses)."""
    there = told["repository"]
    nodes = there["branchProtectionRules"]["nodes"]
    found = [(str(one["pattern"]), [kind for flag, kind in _PROTECTED.items() if one[flag]]) for one in nodes]
    return there["viewerPermission"], found


def _covers(pattern: Sequence[str], branch: Sequence[str]) -> bool:
    """Whether a protection's *pattern* covers *branch*, in parts: Ruby's `File.fnmatch` by paths, as GitHub has it."""
    if not pattern or not branch:
        return not pattern and not branch
    if pattern[0] == "**" and pattern[1:]:
        return any(_covers(pattern[1:], branch[at:]) for at in range(len(branch)))
    return fnmatchcase(branch[0], pattern[0]) and _covers(pattern[1:], branch[1:])


def _secrets(rest: Rest, at: str, names: Sequence[str]) -> Iterator[Finding]:
    name_of = itemgetter("name")
    own = {*rest.everything(f"{at}/actions/secrets", "secrets", name_of)}
    shared = {*rest.everything(f"{at}/actions/organization-secrets", "secrets", name_of)}
    for name in names:
        is_there = name.upper() in own | shared
        what = f"the secret {name} is {'there' if is_there else 'missing'}"
        yield Finding(what=what, is_so=is_there, fix="" if is_there else f"gh secret set {name}")


def _runners(rest: Rest, at: str, wanted: Sequence[tuple[str, ...]]) -> Iterator[Finding]:
    there = rest.everything(f"{at}/actions/runners", "runners", _runner)
    labels = [labels for labels, is_online in there if is_online]
    for labelled in wanted:
        is_there = any({label.lower() for label in labelled} <= one for one in labels)
        named = ", ".join(labelled)
        # an organization's own stand on a page of their own, which few tokens may see
        what = f"a runner with the labels {named} is " + ("online" if is_there else "none of the repository's own")
        yield Finding(what=what, is_so=True if is_there else None)


def _runner(told: Any) -> tuple[set[str], bool]:
    """A runner's labels, and whether it is there."""
    return {label["name"].lower() for label in told["labels"]}, told["status"] == "online"
