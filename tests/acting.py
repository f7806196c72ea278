"""Workflows as GitHub runs them: act executes those that stand in a commit, on this machine."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlgit.ci.workflows import WORKFLOWS
from tests.conftest import make_repo, need
from tests.github import NAME, GitHub

BIN = Path(sys.executable).parent


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


@dataclass
class Place:
    """A repository on GitHub, and a clone of it."""

    there: GitHub
    address: str
    """The repository's, by http; it wants the token."""
    folder: Path
    work: Path
    settings: dict[str, Any]
    secrets: Mapping[str, str] = field(default_factory=lambda: {"WORD": "a word"})

    def checkout(self, rev: str) -> Path:
        """What actions/checkout leaves: one commit, no branch, no token."""
        folder = self.work / "checkout"
        make_repo(folder, commit=False)
        git(folder, "remote", "add", "origin", self.address)
        git(folder, "-c", f"http.extraheader={basic()}", "fetch", "-q", "--depth=1", "origin", rev)
        git(folder, "checkout", "-q", "FETCH_HEAD")
        if rev.startswith("refs/"):  # no branch of the remote's: act looks for a ref, and actions/checkout makes one
            git(folder, "update-ref", rev.replace("refs/", "refs/remotes/", 1), "HEAD")
        return folder


def basic() -> str:
    return f"Authorization: Basic {base64.b64encode(b'x-access-token:token-of-ada').decode()}"


STANDS_IN = {
    "checkout": """
name: checkout
description: One commit, and no token; act calls it only where it is told which one
inputs: {ref: {required: true}, persist-credentials: {}}
runs:
  using: composite
  steps:
    - env: {REF: "${{ inputs.ref }}"}
      shell: bash
      run: |
        git init -q . && git remote add origin "$REMOTE"
        git -c http.extraheader="$HEADER" fetch -q --depth 1 origin "$REF" && git checkout -q FETCH_HEAD
""",
    "upload-artifact": """
name: upload
description: "Into $ARTIFACTS"
inputs: {name: {required: true}, path: {required: true}, overwrite: {}, if-no-files-found: {}, include-hidden-files: {}}
runs:
  using: composite
  steps:
    - env: {NAME: "${{ inputs.name }}", FROM: "${{ inputs.path }}"}
      shell: bash
      run: |
        mkdir -p "$ARTIFACTS/$NAME"
        if [ -d "$FROM" ]; then cp -r "$FROM/." "$ARTIFACTS/$NAME"; else cp "$FROM" "$ARTIFACTS/$NAME"; fi
""",
    "download-artifact": """
name: download
description: "From $ARTIFACTS"
inputs: {name: {default: ""}, pattern: {default: ""}, path: {required: true}}
runs:
  using: composite
  steps:
    - env: {NAME: "${{ inputs.name }}", PATTERN: "${{ inputs.pattern }}", TO: "${{ inputs.path }}"}
      shell: bash
      run: |
        mkdir -p "$TO"
        if [ "$NAME" ]; then cp -r "$ARTIFACTS/$NAME/." "$TO"; exit; fi
        for found in "$ARTIFACTS"/$PATTERN; do [ ! -e "$found" ] || cp -r "$found" "$TO"; done
""",
}
NOTHING = "{name: nothing, description: '', runs: {using: composite, steps: [{shell: sh, run: 'true'}]}}"


def act(
    place: Place, workflow: str, event: str, told: dict[str, Any], branch: str, *, code: int = 0
) -> str:  # fmt: skip
    """What act says that runs *workflow*, ours or at that path, for *event* at *branch*'s head; a checkout is one."""
    file = WORKFLOWS[workflow].path if workflow in WORKFLOWS else workflow
    program = BIN / "act"
    need("act", program.exists())
    shutil.rmtree(place.work / "checkout", ignore_errors=True)
    here, stands = place.checkout(branch), []
    used = {
        found
        for path in (here / ".github").rglob("*.yml")
        for found in re.findall(r"uses: ([\w/-]+@[0-9a-f]{40})", path.read_text())
    }
    for uses in used:
        name = uses.partition("@")[0].rpartition("/")[2]
        if not (folder := place.work / f"action-{name}").exists():
            make_repo(folder, commit=False)
            (folder / "action.yml").write_text(STANDS_IN.get(name, NOTHING))
            git(folder, "add", ".")
            git(folder, "commit", "-qm", "x")
        stands += ["--local-repository", f"{uses}={folder}"]
    shutil.rmtree(place.work / "artifacts", ignore_errors=True)
    (place.work / "event.json").write_text(
        json.dumps({**told, "repository": {"default_branch": "main", "full_name": NAME}})
    )
    env = {name: value for name, value in os.environ.items() if name not in ("GH_TOKEN", "GITHUB_TOKEN")}
    env |= {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(place.work)}
    done = subprocess.run(
        [program, event, "-W", file, "-e", place.work / "event.json", *stands,
         "-P", "ubuntu-latest=-self-hosted", "-s", "GITHUB_TOKEN=token-of-ada",
         *(word for name, value in place.secrets.items() for word in ("-s", f"{name}={value}")),
         "--env", f"GITHUB_API_URL={place.there.address}", "--env", f"GITHUB_REF_NAME={branch}",
         "--env", f"REMOTE={place.address}", "--env", f"HEADER={basic()}",
         "--env", f"ARTIFACTS={place.work / 'artifacts'}", "--no-cache-server",
         "--action-cache-path", place.work / "cache"],
        cwd=here, env=env, capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout
