"""Pictures, and pages that are too long for a comment, on the branch `mlgit-assets` of a repository on GitHub.

Their path is made of their content and the branch is in the link, so a link is known before anything is sent, stays the
same however often the branch moves, and works in private repositories for who may read them
(https://docs.github.com/get-started/writing-on-github, Images). All that are new go as one commit, by GraphQL: with
REST each would be a request, and git would want the whole branch and a password.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from operator import itemgetter
from typing import Any
from urllib.parse import urlsplit

from mlgit.core import refs
from mlgit.errors import MlgitError
from mlgit.forge.github.answers import RefusedError
from mlgit.forge.github.rest import Rest

_BRANCH = refs.ASSETS.removeprefix("refs/heads/")
_BEFORE = f"../blob/{_BRANCH}/"
_LINK = re.compile(re.escape(_BEFORE) + r"([0-9a-f]{2}/[0-9a-f]{64}\.[a-z]{2,4})\?raw=true")
_ATTEMPTS = 20
_COMMIT = """
mutation Keep($input: CreateCommitOnBranchInput!) { createCommitOnBranch(input: $input) { commit { oid } } }
"""
_LOOK = "query Look($owner: String!, $name: String!) { repository(owner: $owner, name: $name) { ASSETS } }"
_SHA = itemgetter("sha")
_README = "Pictures of reports, each named after its content. mlgit adds to them; links in comments lead here.\n"


class Pictures:
    """What *rest* has of the pictures of the repository *name*, and what is still to be sent."""

    def __init__(self, rest: Rest, name: str) -> None:
        self._rest, self._name = rest, name
        self._waiting: dict[str, bytes] = {}
        self._kept: set[str] = set()
        self._tip: str | None = None
        self._is_known = False
        """Whether the tip is that: None means then that there is no branch."""

    def add(self, path: str, content: bytes) -> str:
        """Have *content* sent as *path* before anything is written that shows it; the link that does."""
        if path not in self._kept:
            self._waiting[path] = content
        return f"{_BEFORE}{path}?raw=true"

    def add_page(self, path: str, text: str) -> str:
        """The same for a page in Markdown, whose links to pictures then start beside them; its address."""
        self.add(path, text.encode(errors="replace"))
        return f"{_BEFORE}{path}"

    def whole(self, text: str) -> str:
        """*text*, written for a comment, with the whole addresses of what it shows."""
        at = urlsplit(self._rest.api)
        return text.replace(_BEFORE, f"{at.scheme}://{at.netloc.removeprefix('api.')}/{self._name}/blob/{_BRANCH}/")

    @staticmethod
    def beside(text: str) -> str:
        """*text*, written for a comment, as a page on the branch of pictures shows it."""
        return _LINK.sub(r"../\1", text)

    def read(self, link: str) -> bytes | None:
        """The picture behind a link of ours; None for any other link, and for what is not there."""
        found = _LINK.fullmatch(link)
        if found is None:
            return None
        if found[1] in self._waiting:
            return self._waiting[found[1]]
        try:
            return self._rest.raw(f"repos/{self._name}/contents/{found[1]}", ref=_BRANCH)
        except RefusedError as exc:
            if exc.status != 404:
                raise
            return None

    def asked(self) -> str:
        """What a query asks of the repository to know which of them it has."""
        there = (
            f'p{number}: object(expression: "{_BRANCH}:{path}") {{ oid }}' for number, path in enumerate(self._waiting)
        )
        return " ".join((f'assets: ref(qualifiedName: "{refs.ASSETS}") {{ target {{ oid }} }}', *there))

    def heard(self, repository: Mapping[str, Any]) -> None:
        """Take in what was answered to `asked`."""
        here = [path for number, path in enumerate(self._waiting) if repository.get(f"p{number}")]
        for path in here:
            del self._waiting[path]
        self._kept.update(here)
        self._tip = repository["assets"]["target"]["oid"] if repository["assets"] else None
        self._is_known = True

    def send(self, text: str) -> None:
        """Send what *text*, about to be written, shows; the tip of the branch may have been heard before."""
        for _ in range(_ATTEMPTS):
            if not any(path in text for path in self._waiting):
                return
            if not self._is_known:
                self._look()
                continue
            if self._tip is None:
                self._begin()
                continue
            new = {path: content for path, content in self._waiting.items() if path in text}
            try:
                self._commit(new, self._tip)
            except RefusedError as exc:
                if exc.status != 409:
                    raise
                self._is_known = False  # somebody else added some
                continue
            self._kept.update(new)
            self._waiting = {path: content for path, content in self._waiting.items() if path not in new}
        raise MlgitError(f"{_BRANCH} keeps moving: the pictures could not be added.", fix="try again")

    def _look(self) -> None:
        owner, _, name = self._name.partition("/")
        query = _LOOK.replace("ASSETS", self.asked())
        self._rest.ask(query, lambda data: self.heard(data["repository"]), owner=owner, name=name)

    def _commit(self, new: Mapping[str, bytes], tip: str) -> None:
        additions = [{"path": path, "contents": base64.b64encode(content).decode()} for path, content in new.items()]
        self._tip = self._rest.ask(
            _COMMIT, lambda data: str(data["createCommitOnBranch"]["commit"]["oid"]), writes=True,
            input={
                "branch": {"repositoryNameWithOwner": self._name, "branchName": _BRANCH}, "expectedHeadOid": tip,
                "message": {"headline": "Add pictures", "body": "\n".join(new)},
                "fileChanges": {"additions": additions},
            },
        )  # fmt: skip

    def _begin(self) -> None:
        """Make the branch, which has no past: once a repository."""
        at = f"repos/{self._name}/git"
        readme = {"path": "README.md", "mode": "100644", "type": "blob", "content": _README}
        tree = self._rest.post(f"{at}/trees", {"tree": [readme]}, _SHA)
        commit = self._rest.post(f"{at}/commits", {"message": "Begin", "tree": tree, "parents": []}, _SHA)
        try:
            self._rest.post(f"{at}/refs", {"ref": refs.ASSETS, "sha": commit})
        except RefusedError as exc:
            if exc.status != 422:
                raise
            self._is_known = False  # somebody else made it
        else:
            self._tip = commit
