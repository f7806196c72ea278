"""GitHub for one repository: what its REST and GraphQL interfaces answer, over a real repository of git's.

It has a state: what is opened, said, merged and minimised stays, branches are looked at anew before each answer, and
who asks is told by their token. What REST is asked and answers is checked against GitHub's own description
(`githubkit-schemas`), and GraphQL runs on a cut of GitHub's own schema (`github.graphql`).
"""

from __future__ import annotations

import base64
import contextlib
import fnmatch
import functools
import hashlib
import itertools
import json
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from mlgit.forge.base import Forge
from mlgit.forge.github.forge import GitHubForge
from mlgit.forge.github.rest import Rest, Token
from mlgit.git.repo import Repo
from tests import workflow_runs
from tests.machines import Machines
from tests.runners import checked, made

NAME = "acme/churn"
HALF = -1
"""As the status of an answer that is to be played: one that breaks off in the middle."""
_DOCS = "https://docs.github.com/rest"
_ASSOCIATION = "COLLABORATOR"
_CHECKED = {
    ("POST", "pulls"): "ReposOwnerRepoPullsPostBody",
    ("PATCH", "pulls/N"): "ReposOwnerRepoPullsPullNumberPatchBody",
    ("PUT", "pulls/N/merge"): "ReposOwnerRepoPullsPullNumberMergePutBody",
    ("POST", "pulls/N/reviews"): "ReposOwnerRepoPullsPullNumberReviewsPostBody",
    ("POST", "issues/N/comments"): "ReposOwnerRepoIssuesIssueNumberCommentsPostBody",
    ("PATCH", "issues/comments/N"): "ReposOwnerRepoIssuesCommentsCommentIdPatchBody",
    ("POST", "issues/N/labels"): "ReposOwnerRepoIssuesIssueNumberLabelsPostBodyOneof0",
    ("POST", "statuses/N"): "ReposOwnerRepoStatusesShaPostBody",
    ("POST", "actions/workflows/N/dispatches"): "ReposOwnerRepoActionsWorkflowsWorkflowIdDispatchesPostBody",
    ("POST", "git/trees"): "ReposOwnerRepoGitTreesPostBody",
    ("POST", "git/commits"): "ReposOwnerRepoGitCommitsPostBody",
    ("POST", "git/refs"): "ReposOwnerRepoGitRefsPostBody",
    ("POST", "deployments"): "ReposOwnerRepoDeploymentsPostBody",
    ("POST", "deployments/N/statuses"): "ReposOwnerRepoDeploymentsDeploymentIdStatusesPostBody",
    ("POST", "actions/runners/generate-jitconfig"): "ReposOwnerRepoActionsRunnersGenerateJitconfigPostBody",
    ("PUT", "environments/N"): "ReposOwnerRepoEnvironmentsEnvironmentNamePutBody",
}
"""What GitHub's description calls the content of each request."""
_LISTED = {
    "workflows": ("Workflow", "ReposOwnerRepoActionsWorkflowsGetResponse200"),
    "secrets": ("ActionsSecret", "ReposOwnerRepoActionsSecretsGetResponse200"),
    "organization-secrets": ("ActionsSecret", "ReposOwnerRepoActionsOrganizationSecretsGetResponse200"),
    "runners": ("Runner", "ReposOwnerRepoActionsRunnersGetResponse200"),
}


def is_here() -> bool:
    """Whether this machine has GitHub's models, and what runs its GraphQL."""
    return find_spec("githubkit_schemas") is not None and find_spec("graphql") is not None


class RefusedError(Exception):
    """An answer that is a refusal."""

    def __init__(self, status: int, message: str, *errors: Any, **headers: str) -> None:
        super().__init__(message)
        self.status, self.errors, self.headers = status, list(errors), headers


@dataclass
class GitHub:
    """One repository, over the one of git's in *folder*; *answers* are given instead, one by one, to who asks next."""

    folder: Path
    answers: list[tuple[int, dict[str, str], Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    """Each request that came."""
    answered: list[int] = field(default_factory=list)
    """The status of each answer."""
    address: str = ""
    read_only: set[str] = field(default_factory=set)
    scopes: str | None = "repo"
    """What people's tokens of the classic kind may do; None: they are of the other."""
    counts: bool = True
    """Whether there are limits to what one may ask, as an Enterprise server has none."""
    """Who may not write."""
    unable: set[str] = field(default_factory=set)
    """What no token may: deployments, …"""
    without_checks: set[str] = field(default_factory=set)
    """Who may write, but make no check runs."""
    bots: set[str] = field(default_factory=set)
    after: dict[str, Callable[[], object]] = field(default_factory=dict)
    """What happens, once, right after a request of that kind: somebody else is as quick."""
    pulls: dict[int, dict[str, Any]] = field(default_factory=dict)
    """Each, by its number. One with a `fork` is of that owner's; of nobody's any more, where that is empty."""
    comments: dict[int, dict[str, Any]] = field(default_factory=dict)
    reviews: list[dict[str, Any]] = field(default_factory=list)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    runs: dict[int, dict[str, Any]] = field(default_factory=dict)
    deployments: dict[int, dict[str, Any]] = field(default_factory=dict)
    environments: dict[str, dict[str, Any]] = field(default_factory=dict)
    permissions: dict[str, str] = field(default_factory=dict)
    teams: dict[str, set[str]] = field(default_factory=dict)
    """Slug → the members; of the organisation acme."""
    apps: dict[str, Any] = field(default_factory=dict)
    """The public key of each App, by its id; a key of `slug:ID` is what it is called."""
    token_seconds: float = 3600
    actions_enabled: bool = True
    actions_propose: bool = True
    listed: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """The workflows, secrets and runners that there are."""
    machines: Machines = field(default_factory=Machines)
    """The runners that are registered just in time, and the jobs that wait for them."""
    is_private: bool = True
    dispatched: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    """The workflows that were started, each with its branch and its inputs."""
    actions: workflow_runs.Actions = field(default_factory=workflow_runs.Actions)
    """What its workflows have done."""
    rules: list[tuple[str, str]] = field(default_factory=list)
    protections: list[dict[str, Any]] = field(default_factory=list)
    """Which branches → what a rule set refuses there."""
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(3_000_000_001))
    _installed: dict[str, tuple[str, float]] = field(default_factory=dict)

    # Git

    def git(self, *args: str, stdin: bytes | None = None, ok: tuple[int, ...] = (0,)) -> str:
        words = ["git", "-c", "user.name=GitHub", "-c", "user.email=noreply@github.com", *args]
        done = subprocess.run(words, cwd=self.folder, input=stdin, capture_output=True)
        if done.returncode not in ok:
            raise RuntimeError(done.stderr.decode())
        return done.stdout.decode(errors="replace").rstrip("\n")

    def commit(self, rev: str) -> str | None:
        words = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}")
        return self.git(*words, ok=(0, 1, 128)).removeprefix("--end-of-options\n") or None

    def branch(self, name: str) -> str | None:
        return self.git("show-ref", "--verify", "--hash", "--", f"refs/heads/{name}", ok=(0, 1, 128)) or None

    def _holds(self, commit: str, ancestor: str) -> bool:
        words = ["git", "merge-base", "--is-ancestor", ancestor, commit]
        return not subprocess.run(words, cwd=self.folder, capture_output=True).returncode

    def look(self) -> None:
        """See what has become of the branches, as GitHub does when they are pushed."""
        for pull in self.pulls.values():
            if pull["state"] != "open" or pull.get("fork") is not None:
                continue
            head, base = self.branch(pull["head"]), self.branch(pull["base"])
            if head and base and not self._holds(base, head):
                pull["sha"] = head
            elif base and self._holds(base, pull["sha"]) and pull["sha"] != pull["start"]:
                own = self.git("rev-list", "--first-parent", base).split()
                path = self.git("rev-list", "--ancestry-path", "--reverse", f"{pull['sha']}..{base}").split()
                pull.update(state="closed", merged=_now(), merge=next((one for one in path if one in own), base))
            else:
                pull.update(state="closed")

    # Who asks

    def who(self, authorization: str) -> str:
        kind, _, token = authorization.partition(" ")
        if kind not in ("token", "Bearer") or not token:
            raise RefusedError(401, "Bad credentials")
        if token in self._installed:
            who, until = self._installed[token]
            if until < time.time():
                raise RefusedError(401, "Bad credentials")
            return who
        if kind == "Bearer" and token.count(".") == 2:
            return self._app(token)
        if not token.startswith("token-of-"):
            raise RefusedError(401, "Bad credentials")
        return token.removeprefix("token-of-")

    def _app(self, token: str) -> str:
        import jwt

        app = str(jwt.decode(token, options={"verify_signature": False})["iss"])
        try:
            jwt.decode(token, self.apps[app], algorithms=["RS256"], leeway=0)
        except (jwt.PyJWTError, KeyError) as exc:
            raise RefusedError(401, f"A JSON web token could not be decoded: {exc}") from None
        return f"app:{app}"

    # REST

    def answer(self, who: str, method: str, path: str, query: dict[str, str], content: Any) -> tuple[int, Any]:
        """The status, and what is told, to one request."""
        at = f"/repos/{NAME}"
        if path == "/user":
            if who in self.bots:
                raise RefusedError(403, "Resource not accessible by integration")
            return 200, made("PrivateUser", login=who, name=who.title())
        if path == "/rate_limit" and not self.counts:
            raise RefusedError(404, "Rate limiting is not enabled.")
        if path == "/rate_limit":
            return 200, made("RateLimitOverview", rate=_LIMIT, resources={"core": _LIMIT, "search": _LIMIT})
        if who.startswith("app:") or path.startswith("/app"):
            return self._of_app(who, method, path)
        if path.startswith("/orgs/acme/actions/runner"):
            return self._of_organization(who, method, path.removeprefix("/orgs/acme/actions/"), query, content)
        if path.startswith("/orgs/acme/teams/"):
            return self._of_team(*map(unquote, path.removeprefix("/orgs/acme/teams/").split("/")))
        if not path.startswith(at):
            raise RefusedError(404, "Not Found")
        parts = [unquote(part) for part in path.removeprefix(at).strip("/").split("/")]
        if parts[0] in self.unable or (method != "GET" and who in self.read_only):
            raise RefusedError(403, "Resource not accessible by integration",
                          **{"x-accepted-github-permissions": "issues=write; pull_requests=write"})  # fmt: skip
        kind = re.sub(
            r"(?<=/)(-?\d+|[0-9a-f]{40})(?=/|$)|(?<=^environments/).*|(?<=^actions/workflows/)[^/]+",
            "N",
            "/".join(parts),
        )
        if model := _CHECKED.get((method, kind)):
            _check(model, content)
        elif content is not None and kind not in _UNCHECKED:
            raise AssertionError(f"no description of {method} {kind} is at hand")
        return self._of_repository(who, method, parts, query, content)

    def _of_team(self, slug: str, *rest: str) -> tuple[int, Any]:
        if slug not in self.teams or (rest and rest[-1] not in self.teams[slug]):
            raise RefusedError(404, "Not Found")
        if rest:
            return 200, made("TeamMembership", state="active", role="member")
        return 200, made("TeamFull", slug=slug)

    def _of_repository(
        self, who: str, method: str, parts: list[str], query: dict[str, str], content: Any
    ) -> tuple[int, Any]:
        match (method, *parts):
            case "GET", "":
                may = dict.fromkeys(("admin", "push", "pull"), who not in self.read_only) | {"pull": True}
                return 200, made("FullRepository", **self._repository(), permissions=may)
            case "GET", "pulls":
                return 200, self._listed(query)
            case "POST", "pulls":
                return self._open(who, content)
            case "GET", "pulls", number:
                return 200, self._pull(self._number(number))
            case "PATCH", "pulls", number:
                return self._change(self._number(number), content)
            case "PUT", "pulls", number, "merge":
                return self._merge(who, self._number(number), content)
            case "GET", "pulls", number, "reviews":
                asked = self._number(number)
                return 200, _page([one for one in self.reviews if one["of"] == asked], query, self._review)
            case "POST", "pulls", number, "reviews":
                return self._give(who, self._number(number), content)
            case "POST", "issues", number, "comments":
                return self._say(who, self._number(number), content)
            case "GET", "issues", "comments", id if int(id) in self.comments:
                return 200, self._comment(self.comments[int(id)])
            case (("PATCH" | "DELETE"), "issues", "comments", id):
                return self._edit(method, int(id), content)
            case "POST", "issues", number, "labels":
                pull = self.pulls[self._number(number)]
                pull["labels"] = list(dict.fromkeys((*pull["labels"], *content["labels"])))
                return 200, [_label(name) for name in pull["labels"]]
            case "POST", "statuses", sha:
                return self._set(who, sha, content)
            case "GET", "commits", sha, "status":
                return 200, self._combined(sha, query)
            case "GET", "commits", sha, "check-runs":
                some = [run for run in reversed(self.runs.values()) if run["head_sha"] == sha]
                return 200, made("ReposOwnerRepoCommitsRefCheckRunsGetResponse200", total_count=len(some),
                                 check_runs=_page(some, query, _run))  # fmt: skip
            case "POST", "git", "trees":
                lines = "".join(f"{one['mode']} {one['type']} {self._blob(one)}\t{one['path']}\n"
                                for one in content["tree"])  # fmt: skip
                return 201, made("GitTree", sha=self.git("mktree", stdin=lines.encode()), tree=[], truncated=False)
            case "GET", "git", "commits", sha if self.commit(sha):
                return 200, made("GitCommit", sha=sha)
            case "POST", "git", "commits":
                parents = itertools.chain(*(("-p", one) for one in content["parents"]))
                sha = self.git("commit-tree", "-m", content["message"], *parents, content["tree"])
                return 201, made("GitCommit", sha=sha)
            case "POST", "git", "refs":
                if self.commit(content["ref"]):
                    raise RefusedError(422, "Reference already exists")
                self.git("update-ref", content["ref"], content["sha"], "0" * 40)
                return 201, made("GitRef", ref=content["ref"], object={"sha": content["sha"], "type": "commit"})
            case "GET", "contents", *inside:
                found = self._file(f"{query.get('ref', 'HEAD')}:{'/'.join(inside)}")
                if found is None:
                    raise RefusedError(404, "Not Found")
                return 200, found
        return self._of_surroundings(who, method, parts, query, content)

    def _of_surroundings(
        self, who: str, method: str, parts: list[str], query: dict[str, str], content: Any
    ) -> tuple[int, Any]:
        """Checks, labels, deployments, people."""
        match (method, *parts):
            case (("POST" | "PATCH"), "check-runs", *_) if who in self.without_checks:
                raise RefusedError(403, "Resource not accessible by integration",
                                  **{"x-accepted-github-permissions": "checks=write"})  # fmt: skip
            case "POST", "check-runs":
                done = content.get("status") == "completed" or "conclusion" in content
                _check(f"ReposOwnerRepoCheckRunsPostBodyOneof{0 if done else 1}", content)
                if self.commit(content["head_sha"]) is None:
                    raise RefusedError(422, f"No commit found for SHA: {content['head_sha']}")
                id = next(self._ids)
                self.runs[id] = {"id": id, "notes": [], "head_sha": content["head_sha"]}
                return 201, self._note(id, content)
            case "PATCH", "check-runs", id:
                done = "conclusion" in content
                _check(f"ReposOwnerRepoCheckRunsCheckRunIdPatchBodyAnyof{0 if done else 1}", content)
                return 200, self._note(int(id), content)
            case "GET", "actions", "permissions", "workflow":
                may = {"can_approve_pull_request_reviews": self.actions_propose}
                return 200, made("ActionsGetDefaultWorkflowPermissions", default_workflow_permissions="read", **may)
            case "GET", "actions", "permissions":
                return 200, made("ActionsRepositoryPermissions", enabled=self.actions_enabled, allowed_actions="all")
            case (("POST" | "DELETE"), "actions", "runners", *rest):
                return self._machine("repos", method, rest, content)
            case "GET", "actions", "runs" if query.get("status") in ("queued", "in_progress"):
                found = _page(self.machines.runs(query["status"]), query, lambda one: one)
                return 200, made("ReposOwnerRepoActionsRunsGetResponse200", total_count=len(found),
                                 workflow_runs=found)  # fmt: skip
            case "GET", "actions", "runs", id, "jobs" if int(id) in self.machines.jobs:
                found = _page(self.machines.of_run(int(id)), query, lambda one: one)
                return 200, made("ReposOwnerRepoActionsRunsRunIdJobsGetResponse200", total_count=len(found), jobs=found)
            case "GET", "actions", ("workflows" | "secrets" | "organization-secrets" | "runners" as kind):
                if who in self.read_only and kind != "workflows":
                    raise RefusedError(403, "Resource not accessible by integration")
                there = self.listed.get(kind) or (self._workflows() if kind == "workflows" else [])
                given = [made(_LISTED[kind][0], **one) for one in there]
                given += self.machines.listed("repos") if kind == "runners" else []
                found = _page(given, query, lambda one: one)
                within = kind if kind != "organization-secrets" else "secrets"
                return 200, made(_LISTED[kind][1], total_count=len(found)) | {within: found}
            case "POST", "actions", "workflows", name, "dispatches":
                if self.branch(content["ref"]) is None:
                    raise RefusedError(422, f"No ref found for: {content['ref']}")
                self.dispatched.append((name, content["ref"], content["inputs"]))
                url = f"https://github.com/{NAME}/actions/runs/{len(self.dispatched)}"
                return 200, made("WorkflowDispatchResponse", workflow_run_id=len(self.dispatched), run_url=url,
                                 html_url=url)  # fmt: skip
            case "GET", "rules", "branches", name:
                some = [{"type": kind} for pattern, kind in self.rules if fnmatch.fnmatch(name, pattern)]
                return 200, _page(some, query, lambda one: one)
            case "POST", "deployments":
                return self._deploy(who, content)
            case "GET", "deployments":
                some = [
                    one
                    for one in reversed(self.deployments.values())
                    if all(one[key] == value for key, value in query.items() if key in ("environment", "sha"))
                ]
                return 200, _page(some, query, _deployment)
            case "POST", "deployments", id, "statuses":
                self.deployments[int(id)]["states"].append(content["state"])
                return 201, made("DeploymentStatus", id=next(self._ids), state=content["state"],
                                 description=content.get("description", ""))  # fmt: skip
            case "GET", "deployments", id, "statuses":
                some = [
                    made("DeploymentStatus", state=state) for state in reversed(self.deployments[int(id)]["states"])
                ]
                return 200, _page(some, query, lambda one: one)
            case "PUT", "environments", name:
                self.environments[name] = content
                return 200, self._environment(name)
            case "GET", "environments", name:
                if name not in self.environments:
                    raise RefusedError(404, "Not Found")
                return 200, self._environment(name)
            case "GET", "collaborators", name, "permission":
                if name not in self.permissions:
                    raise RefusedError(404, f"{name} is not a user")
                may = self.permissions[name]
                told = {"maintain": "write", "triage": "read"}.get(may, may)
                return 200, made("RepositoryCollaboratorPermission", permission=told, role_name=may, user=None)
            case "GET", "installation":
                return 200, made("Installation", id=7)
        if (told := self.actions.answer(method, parts, query)) is None:
            raise RefusedError(404, "Not Found")
        return told

    def _workflows(self) -> list[dict[str, Any]]:
        """Those that are on the default branch, as GitHub finds them there."""
        paths = self.git("ls-tree", "--name-only", "main", ".github/workflows/", ok=(0, 128)).split()
        return [{"id": number, "path": path, "state": "active"} for number, path in enumerate(paths, 1)]

    def _of_organization(
        self, who: str, method: str, path: str, query: dict[str, str], content: Any
    ) -> tuple[int, Any]:
        """The runners of acme."""
        match (method, *path.split("/")):
            case "GET", "runners":
                found = _page(self.machines.listed("orgs"), query, lambda one: one)
                return 200, made("OrgsOrgActionsRunnersGetResponse200", total_count=len(found), runners=found)
            case "GET", "runner-groups", "1":
                may = self.machines.allows_public
                return 200, made("RunnerGroupsOrg", id=1, name="Default", allows_public_repositories=may)
            case method, "runners", *rest:
                return self._machine("orgs", method, rest, content)
        raise RefusedError(404, "Not Found")

    def _machine(self, at: str, method: str, parts: list[str], content: Any) -> tuple[int, Any]:
        told = self.machines.answer(at, method, parts, content, self.address)
        if isinstance(told, str):
            status, _, message = told.partition(" ")
            raise RefusedError(int(status), message)
        return told

    def _of_app(self, who: str, method: str, path: str) -> tuple[int, Any]:
        if not who.startswith("app:"):
            raise RefusedError(401, "A JSON web token could not be decoded")
        app = who.removeprefix("app:")
        slug = self.apps[f"slug:{app}"]
        if (method, path) == ("GET", "/app"):
            return 200, made("Integration", slug=slug, name=slug)
        if (method, path) == ("GET", f"/repos/{NAME}/installation"):
            return 200, made(
                "Installation", id=7, app_slug=slug, access_tokens_url=f"{self.address}/app/installations/7"
            )
        if (method, path) == ("POST", "/app/installations/7/access_tokens"):
            token = f"ghs_{next(self._ids)}"
            self._installed[token] = (f"{slug}[bot]", time.time() + self.token_seconds)
            self.bots.add(f"{slug}[bot]")
            until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + self.token_seconds))
            return 201, made("InstallationToken", token=token, expires_at=until, permissions={"issues": "write"})
        raise RefusedError(404, "Not Found")

    # Pull requests

    def _number(self, text: str) -> int:
        if not text.isdecimal() or int(text) not in self.pulls:
            raise RefusedError(404, "Not Found")
        return int(text)

    def _open(self, who: str, content: dict[str, Any]) -> tuple[int, Any]:
        head, base = content["head"].removeprefix("acme:"), content["base"]
        at, into = self.branch(head), self.branch(base)
        wrong = [_error("PullRequest", name, "invalid") for name, there in (("head", at), ("base", into)) if not there]
        if wrong:
            raise RefusedError(422, "Validation Failed", *wrong)
        assert at
        assert into
        if any((one["head"], one["base"], one["state"]) == (head, base, "open") for one in self.pulls.values()):
            raise RefusedError(422, "Validation Failed", _custom(f"A pull request already exists for acme:{head}."))
        if not self.git("merge-base", at, into, ok=(0, 1)):
            told = f"The {head} branch has no history in common with {base}"
            raise RefusedError(422, "Validation Failed", _custom(told))
        if self._holds(into, at):
            raise RefusedError(422, "Validation Failed", _custom(f"No commits between {base} and {head}"))
        if len(content["title"]) > 256 or len(content.get("body") or "") > 65_536:
            raise RefusedError(422, "Validation Failed", _custom("body is too long (maximum is 65536 characters)"))
        number = max(self.pulls, default=0) + 1
        self.pulls[number] = {
            "number": number, "title": content["title"], "body": content.get("body") or None, "head": head,
            "base": base, "sha": at, "start": into, "state": "open", "merged": None, "merge": None, "user": who,
            "draft": content.get("draft", False), "labels": [], "created": _now(),
        }  # fmt: skip
        return 201, self._pull(number)

    def _listed(self, query: dict[str, str]) -> Any:
        found = [
            pull for pull in sorted(self.pulls.values(), key=lambda one: -one["number"])
            if query.get("state", "open") in ("all", pull["state"])
            and query.get("head") in (None, f"{pull.get('fork', 'acme')}:{pull['head']}")
        ]  # fmt: skip
        return _page(found, query, lambda one: made("PullRequestSimple", **self._told(one)))

    def _pull(self, number: int) -> Any:
        pull = self.pulls[number]
        by = self._user(pull["merged_by"]) if "merged_by" in pull else None
        return made("PullRequest", **self._told(pull), merged=pull["merged"] is not None, merged_by=by)

    def _told(self, pull: dict[str, Any]) -> dict[str, Any]:
        url = f"https://github.com/{NAME}/pull/{pull['number']}"
        side = {"repo": self._repository(), "user": self._user("acme")}
        owner = pull.get("fork", "acme")
        other = {"repo": self._repository() | {"full_name": f"{owner}/churn"} if owner else None,
                 "user": self._user(owner) if owner else None,
                 "label": f"{owner}:{pull['head']}" if owner else None}  # fmt: skip
        return {
            **{name: pull[name] for name in ("number", "title", "body", "state", "draft")},
            "id": pull["number"], "node_id": f"PR_{pull['number']}", "html_url": url, "created_at": pull["created"],
            "user": self._user(pull["user"]), "merged_at": pull["merged"], "author_association": _ASSOCIATION,
            "merge_commit_sha": pull["merge"] or "5" * 40,  # what merging would make, as long as nobody has
            "head": {"ref": pull["head"], "sha": pull["sha"], **other},
            "base": {"ref": pull["base"], "sha": pull["start"], "label": f"acme:{pull['base']}", **side},
            "labels": [{"id": 1, "node_id": "x", "url": url, "name": name, "description": None, "color": "ededed",
                        "default": False, "archived_at": None, "archived_by": None} for name in pull["labels"]],
        }  # fmt: skip

    def _change(self, number: int, content: dict[str, Any]) -> tuple[int, Any]:
        pull = self.pulls[number]
        pull.update({key: content[key] for key in ("title", "body") if key in content})
        if content.get("state") == "closed":
            pull["state"] = "closed"
        elif content.get("state") == "open" and pull["state"] == "closed":
            told = ""
            if any((one["head"], one["base"], one["state"]) == (pull["head"], pull["base"], "open")
                   for one in self.pulls.values()):  # fmt: skip
                told = f"There is already an open pull request from acme:{pull['head']} to acme:{pull['base']}."
            elif self.branch(pull["head"]) is None:
                told = f"The {pull['head']} branch has been deleted."
            if told or pull["merged"]:
                error = {"resource": "PullRequest", "field": "state", "code": "invalid",
                         "message": f"state cannot be changed. {told}"}  # fmt: skip
                raise RefusedError(422, "Validation Failed", error)
            pull["state"] = "open"
            self.look()
        return 200, self._pull(number)

    def _merge(self, who: str, number: int, content: dict[str, Any]) -> tuple[int, Any]:
        pull = self.pulls[number]
        if pull["state"] != "open" or pull["draft"]:
            raise RefusedError(
                405, "Pull Request is still a draft" if pull["draft"] else "Pull Request is not mergeable"
            )
        if content.get("sha", pull["sha"]) != pull["sha"]:
            raise RefusedError(409, "Head branch was modified. Review and try the merge again.")
        base = self.branch(pull["base"])
        assert base
        done = subprocess.run(["git", "merge-tree", "--write-tree", base, pull["sha"]], cwd=self.folder,
                              capture_output=True, text=True)  # fmt: skip
        if done.returncode:
            raise RefusedError(405, "Pull Request is not mergeable")
        message = f"{content['commit_title']}\n\n{content['commit_message']}\n"
        tree = done.stdout.strip()
        sha = self.git("commit-tree", tree, "-p", base, "-p", pull["sha"], "-F", "-", stdin=message.encode())
        try:
            self.git("update-ref", f"refs/heads/{pull['base']}", sha, base)
        except RuntimeError:
            raise RefusedError(405, "Base branch was modified. Review and try the merge again.") from None
        pull.update(state="closed", merged=_now(), merge=sha, merged_by=who)
        return 200, made("PullRequestMergeResult", sha=sha, merged=True, message="Pull Request successfully merged")

    # What people say

    def _give(self, who: str, number: int, content: dict[str, Any]) -> tuple[int, Any]:
        pull = self.pulls[number]
        if content["event"] != "COMMENT" and who == pull["user"]:
            verb = "approve" if content["event"] == "APPROVE" else "request changes on"
            raise RefusedError(422, "Unprocessable Entity", f"Review Can not {verb} your own pull request")
        if content["event"] != "APPROVE" and not content.get("body"):
            raise RefusedError(422, "Unprocessable Entity", "Review body can't be blank")
        state = {"APPROVE": "APPROVED", "COMMENT": "COMMENTED", "REQUEST_CHANGES": "CHANGES_REQUESTED"}
        self.reviews.append({"of": number, "id": next(self._ids), "state": state[content["event"]], "user": who,
                             "body": content.get("body") or "", "at": _now(), "commit": pull["sha"]})  # fmt: skip
        return 200, self._review(self.reviews[-1])

    def _review(self, one: dict[str, Any]) -> Any:
        return made("PullRequestReview", id=one["id"], state=one["state"], user=self._user(one["user"]),
                    body=one["body"], submitted_at=one["at"], commit_id=one["commit"], body_html="", body_text="",
                    author_association=_ASSOCIATION)  # fmt: skip

    def say(self, who: str, number: int, body: str) -> int:
        """Have somebody write a comment; its id."""
        id = next(self._ids)
        self.comments[id] = {"of": number, "id": id, "user": who, "body": body, "at": _now(), "is_minimised": False}
        return id

    def _say(self, who: str, number: int, content: dict[str, Any]) -> tuple[int, Any]:
        return 201, self._comment(self.comments[self.say(who, number, _body(content))])

    def _edit(self, method: str, id: int, content: dict[str, Any] | None) -> tuple[int, Any]:
        if id not in self.comments:
            raise RefusedError(404, "Not Found")
        if method == "DELETE":
            del self.comments[id]
            return 204, None
        self.comments[id]["body"] = _body(content or {})
        return 200, self._comment(self.comments[id])

    def _comment(self, one: dict[str, Any]) -> Any:
        folded = {"minimized": {"reason": "outdated"}} if one["is_minimised"] else {}
        return made("IssueComment", id=one["id"], node_id=f"IC_{one['id']}", body=one["body"], created_at=one["at"],
                    updated_at=one.get("edited", one["at"]), user=self._user(one["user"]),
                    author_association=_ASSOCIATION, body_html="", body_text="", **folded)  # fmt: skip

    # Checks and deployments

    def _set(self, who: str, sha: str, content: dict[str, Any]) -> tuple[int, Any]:
        if self.commit(sha) != sha:
            raise RefusedError(422, f"No commit found for SHA: {sha}")
        if len(content.get("description") or "") > 140:
            raise RefusedError(422, "Validation Failed", _custom("description is too long (maximum is 140 characters)"))
        told = {"id": next(self._ids), "state": content["state"], "context": content.get("context", "default"),
                "description": content.get("description"), "target_url": content.get("target_url"),
                "created_at": _now(), "updated_at": _now()}  # fmt: skip
        self.statuses.insert(0, told | {"sha": sha})
        return 201, made("Status", **told, creator=self._user(who))

    def _combined(self, sha: str, query: dict[str, str]) -> Any:
        latest: dict[str, dict[str, Any]] = {}
        for one in self.statuses:
            if one["sha"] == sha:
                latest.setdefault(one["context"].lower(), one)
        told = _page(list(latest.values()), query, lambda one: made("SimpleCommitStatus", **one))
        return made("CombinedCommitStatus", state="pending", sha=sha, total_count=len(latest), statuses=told,
                    repository=self._repository())  # fmt: skip

    def _note(self, id: int, content: dict[str, Any]) -> Any:
        run, output = self.runs[id], content.get("output", {})
        if len(output.get("annotations", ())) > 50:
            raise RefusedError(422, "Invalid request.\n\nNo more than 50 items are allowed")
        if len(output.get("summary", "")) > 65_535:
            raise RefusedError(422, "Validation Failed", _custom("summary is too long"))
        run["notes"] += output.get("annotations", ())
        run.update({key: value for key, value in content.items() if key != "output"}, output=output)
        run["status"] = "completed" if "conclusion" in content else content.get("status", "queued")
        return _run(run)

    def _deploy(self, who: str, content: dict[str, Any]) -> tuple[int, Any]:
        sha = self.commit(content["ref"])
        if sha is None:
            raise RefusedError(422, f"No ref found for: {content['ref']}")
        if content.get("required_contexts") != []:
            raise RefusedError(409, "Conflict: Commit status checks failed for " + content["ref"])
        id = next(self._ids)
        given = {key: content[key] for key in ("ref", "environment", "description") if key in content}
        self.deployments[id] = {"id": id, "sha": sha, "states": [], "user": who, "payload": content.get("payload", ""),
                                **given}  # fmt: skip
        return 201, _deployment(self.deployments[id])

    def _environment(self, name: str) -> Any:
        rules = []
        if reviewers := (self.environments[name] or {}).get("reviewers"):
            rules = [
                {
                    "id": 1,
                    "node_id": "x",
                    "type": "required_reviewers",
                    "prevent_self_review": True,
                    "reviewers": [{"type": one["type"], "reviewer": self._user("ada")} for one in reviewers],
                }
            ]
        return made("Environment", name=name, protection_rules=rules, deployment_branch_policy=None)

    # GraphQL

    def talk(self, who: str, content: dict[str, Any]) -> Any:
        """What GraphQL answers; a refusal comes with the status of a success, as GitHub's do."""
        import graphql

        root = {
            "viewer": {"login": who},
            "repository": lambda _, **of: self._seen(who, **of),
            "createCommitOnBranch": lambda _, **of: self._add(who, **of),
            "markPullRequestReadyForReview": lambda _, **of: self._ready(who, **of),
            "minimizeComment": lambda _, **of: self._minimise(who, **of),
        }
        done = graphql.graphql_sync(_schema(), content["query"], root, variable_values=content["variables"])
        if done.errors and done.data is None and not done.errors[0].original_error:
            raise AssertionError(f"GitHub's schema does not know this: {done.errors}")
        told: dict[str, Any] = {"data": done.data}
        if done.errors:
            told["errors"] = [{**error.formatted, "type": getattr(error.original_error, "kind", "INTERNAL")}
                              for error in done.errors]  # fmt: skip
        return told

    def _seen(self, who: str, owner: str, name: str, **_: Any) -> Any:
        if f"{owner}/{name}" != NAME:
            raise _WrongError("NOT_FOUND", f"Could not resolve to a Repository with the name '{owner}/{name}'.")

        def ref(_: Any, qualifiedName: str) -> Any:  # noqa: N803
            oid = self.commit(qualifiedName)
            return {"id": "REF_1", "target": {"__typename": "Commit", "oid": oid}} if oid else None

        def thing(_: Any, expression: str) -> Any:
            found = self._file(expression)
            if found is None:
                return None
            return {"__typename": "Blob", "oid": hashlib.sha1(b"blob %d\0" % len(found) + found).hexdigest()}

        def pull(_: Any, number: int) -> Any:
            if number not in self.pulls:
                raise _WrongError("NOT_FOUND", f"Could not resolve to a PullRequest with the number of {number}.")
            return {"id": f"PR_{number}", "isDraft": self.pulls[number]["draft"],
                    "comments": functools.partial(self._nodes, who, number)}  # fmt: skip

        is_admin = who not in self.read_only
        return {"ref": ref, "object": thing, "pullRequest": pull, "viewerPermission": "ADMIN" if is_admin else "READ",
                "branchProtectionRules": {"nodes": self.protections if is_admin else []}}  # fmt: skip

    def _nodes(self, who: str, number: int, _: Any, first: int, after: str | None = None) -> Any:
        assert first <= 100
        some = [one for one in self.comments.values() if one["of"] == number and one["id"] > int(after or 0)]
        nodes = [
            {
                "id": f"IC_{one['id']}", "fullDatabaseId": str(one["id"]), "body": one["body"], "createdAt": one["at"],
                "author": {"__typename": "Bot" if one["user"] in self.bots else "User",
                           "login": one["user"].removesuffix("[bot]")},
                "updatedAt": one.get("edited", one["at"]), "isMinimized": one["is_minimised"],
                "viewerDidAuthor": one["user"] == who,
            }
            for one in some[:first]
        ]  # fmt: skip
        end = str(some[:first][-1]["id"]) if some else None
        return {"nodes": nodes, "pageInfo": {"hasNextPage": len(some) > first, "endCursor": end}}

    def _may(self, who: str) -> None:
        if who in self.read_only:
            raise _WrongError("FORBIDDEN", "Resource not accessible by integration")

    def _add(self, who: str, input: dict[str, Any]) -> Any:
        self._may(who)
        assert input["branch"]["repositoryNameWithOwner"] == NAME
        ref = f"refs/heads/{input['branch']['branchName']}"
        tip = self.commit(ref)
        if tip is None:
            raise _WrongError("NOT_FOUND", f"The branch {ref} could not be found.")
        if tip != input["expectedHeadOid"]:
            raise _WrongError("STALE_DATA", f'Expected branch to point to "{tip}" but it did not. Pull and try again.')
        env = {"GIT_INDEX_FILE": str(self.folder / f"index-{next(self._ids)}")}
        try:
            self._indexed(env, "read-tree", tip)
            for one in input["fileChanges"]["additions"]:
                blob = self.git("hash-object", "-w", "--stdin", stdin=base64.b64decode(one["contents"], validate=True))
                self._indexed(env, "update-index", "--add", "--cacheinfo", f"100644,{blob},{one['path']}")
            tree = self._indexed(env, "write-tree")
        finally:
            Path(env["GIT_INDEX_FILE"]).unlink(missing_ok=True)
        sha = self.git("commit-tree", tree, "-p", tip, "-m", input["message"]["headline"])
        self.git("update-ref", ref, sha, tip)
        return {"commit": {"oid": sha}}

    def _indexed(self, env: dict[str, str], *args: str) -> str:
        import os

        done = subprocess.run(["git", *args], cwd=self.folder, env=os.environ | env, capture_output=True, check=True)
        return done.stdout.decode().strip()

    def _ready(self, who: str, input: dict[str, Any]) -> Any:
        self._may(who)
        pull = self.pulls[int(input["pullRequestId"].removeprefix("PR_"))]
        pull["draft"] = False
        return {"pullRequest": {"id": input["pullRequestId"], "isDraft": False}}

    def _minimise(self, who: str, input: dict[str, Any]) -> Any:
        self._may(who)
        one = self.comments[int(input["subjectId"].removeprefix("IC_"))]
        one["is_minimised"] = True
        return {"minimizedComment": {"__typename": "IssueComment", "isMinimized": True}}

    # Pieces

    def _file(self, at: str) -> bytes | None:
        done = subprocess.run(["git", "cat-file", "blob", at], cwd=self.folder, capture_output=True)
        return None if done.returncode else done.stdout

    def _blob(self, one: dict[str, Any]) -> str:
        return one.get("sha") or self.git("hash-object", "-w", "--stdin", stdin=one["content"].encode())

    def _user(self, login: str) -> dict[str, Any]:
        kind = "Bot" if login in self.bots else "User"
        return _filled_user() | {"login": login, "type": kind}

    def _repository(self) -> dict[str, Any]:
        return {"full_name": NAME, "name": "churn", "default_branch": "main", "private": self.is_private}


class _WrongError(Exception):
    """A refusal of GraphQL's, of a *kind*."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


_UNCHECKED = ("check-runs", "check-runs/N")  # which are described as one of two, and checked where it is known which
_LIMIT = {"limit": 5000, "remaining": 4990, "reset": 1_900_000_000, "used": 10}


@functools.cache
def _schema() -> Any:
    import graphql

    return graphql.build_schema(Path(__file__).with_name("github.graphql").read_text())


@functools.cache
def _filled_user() -> dict[str, Any]:
    return made("SimpleUser")


def _check(model: str, content: Any) -> None:
    """Refuse what GitHub's description does not know, or knows otherwise."""
    import pydantic

    from tests.runners import _model

    try:
        checked(model, content)
    except pydantic.ValidationError as exc:
        raise RefusedError(422, f"Invalid request.\n\n{exc}") from None
    known = {of.alias or name for name, of in _model(model).model_fields.items()}
    if unknown := set(content) - known:
        raise RefusedError(422, f'Invalid request.\n\n"{unknown.pop()}" is not a permitted key.')


def _body(content: dict[str, Any]) -> str:
    if not content["body"].strip():
        raise RefusedError(422, "Validation Failed", _custom("body can't be blank"))
    if len(content["body"]) > 65_536:
        raise RefusedError(422, "Validation Failed", _custom("body is too long (maximum is 65536 characters)"))
    return str(content["body"])


def _error(resource: str, name: str, code: str) -> dict[str, str]:
    return {"resource": resource, "field": name, "code": code}


def _custom(message: str) -> dict[str, str]:
    return {"resource": "PullRequest", "code": "custom", "message": message}


def _label(name: str) -> Any:
    return made("Label", name=name, color="ededed", default=False, archived_at=None, archived_by=None)


def _run(run: dict[str, Any]) -> Any:
    output = {"title": run.get("output", {}).get("title"), "summary": run.get("output", {}).get("summary"),
              "text": None, "annotations_count": len(run["notes"]), "annotations_url": "x"}  # fmt: skip
    given = {key: run[key] for key in ("id", "name", "head_sha", "status", "conclusion", "details_url") if key in run}
    return made("CheckRun", **given, output=output)


def _deployment(one: dict[str, Any]) -> Any:
    given = {key: one[key] for key in ("id", "sha", "ref", "environment", "description", "payload") if key in one}
    return made("Deployment", **given)


def _page(all_: list[Any], query: dict[str, str], told: Callable[[Any], Any]) -> Any:
    size, number = int(query.get("per_page", 30)), int(query.get("page", 1))
    assert size <= 100
    return _Paged([told(one) for one in all_[size * (number - 1) : size * number]], len(all_) > size * number)


class _Paged(list[Any]):
    """A page of a list, that knows whether there is another."""

    def __init__(self, some: list[Any], has_next: bool) -> None:
        super().__init__(some)
        self.has_next = has_next


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[GitHub]:
    """GitHub on loopback, whose repository acme/churn is that of git's in *folder*."""
    github, lock = GitHub(folder), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            url = urlsplit(self.path)
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            with lock:
                path = url.path.removeprefix("/moved").removeprefix("/api/v3").replace("/api/graphql", "/graphql")
                kind = f"{self.command} {path}"
                github.asked.append(kind)
                assert self.headers["X-GitHub-Api-Version"] == "2022-11-28"
                if path.startswith(workflow_runs.STORED):  # on another server, which the token is not for
                    assert "Authorization" not in self.headers
                    self._send(200, {}, github.actions.stored(path))
                    return
                if github.answers:
                    self._send(*github.answers.pop(0))
                    return
                query = {name: values[-1] for name, values in parse_qs(url.query).items()}
                status, headers, told = self._told(path, query, json.loads(raw or b"null"))
                self._send(status, headers, told)
                for what in [what for what in github.after if kind.startswith(what)]:
                    github.after.pop(what)()

        def _told(self, path: str, query: dict[str, str], content: Any) -> tuple[int, dict[str, str], Any]:
            if path.startswith("/_runner/"):
                _, _, name, what = path.split("/")
                return 200, {}, github.machines.talk(name, what, self.headers["Authorization"], content)
            try:
                who = github.who(self.headers.get("Authorization", ""))
                github.look()
                if path == "/graphql":
                    return 200, {}, github.talk(who, content)
                status, told = github.answer(who, self.command, path, query, content)
            except RefusedError as exc:
                told = {"message": str(exc), "documentation_url": _DOCS, "status": str(exc.status)}
                return exc.status, exc.headers, told | ({"errors": exc.errors} if exc.errors else {})
            if status == 302:
                return status, {"Location": github.address.replace("127.0.0.1", "localhost") + told}, None
            if status in (403, 409):
                told = {"message": told, "documentation_url": _DOCS, "status": str(status)}
            headers = {"x-ratelimit-remaining": "4990", "x-ratelimit-reset": "1900000000"} if github.counts else {}
            if github.scopes is not None and who not in github.bots:
                headers["x-oauth-scopes"] = github.scopes
            if (listed := _listed(told)) is not None and listed.has_next:
                page = int(query.get("page", 1)) + 1
                more = "&".join(f"{name}={value}" for name, value in {**query, "page": page}.items())
                headers["Link"] = f'<{github.address}{path}?{more}>; rel="next", <{github.address}{path}>; rel="last"'
            return status, headers, told

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _answer

        def _send(self, status: int, headers: dict[str, str], told: Any) -> None:
            content = told if isinstance(told, bytes) else b"" if told is None else json.dumps(told).encode()
            etag = f'W/"{hashlib.sha256(content).hexdigest()}"'
            if status == 200 and self.command == "GET" and self.headers.get("If-None-Match") == etag:
                status, content = 304, b""
            github.answered.append(status)
            self.send_response(200 if status == HALF else status)
            length = len(content) + (1000 if status == HALF else 0)
            for name, value in {"ETag": etag, **headers, "Content-Length": str(length)}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)
            if status == HALF:
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        github.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield github
        finally:
            server.shutdown()
            thread.join()


def _listed(told: Any) -> _Paged | None:
    if isinstance(told, _Paged):
        return told
    return next((one for one in told.values() if isinstance(one, _Paged)), None) if isinstance(told, dict) else None


def rest(github: GitHub, me: str, **more: Any) -> Rest:
    """What asks it for *me*, and never waits."""
    return Rest(github.address, credential=Token(f"token-of-{me}", "a test"), **{"sleep": lambda _: None, **more})


@contextlib.contextmanager
def forges(repo: Repo) -> Iterator[Callable[[str], Forge]]:
    """The forge of *repo*, as if GitHub had it, for whoever is named."""
    with serving(repo.git_dir) as github:
        yield lambda me: GitHubForge(rest(github, me), NAME)
