"""What GitHub offers, and what a token may do there, as far as CI says it before anything was asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from mlgit.forge.base import Capabilities

OFFERS = Capabilities(
    writable=True, drafts=True, names_conflicts=False, max_matrix=256, gates=True, summaries=True
)  # fmt: skip
"""What can be done there by who may write."""


def is_read_only(environ: Mapping[str, str]) -> bool:
    """Whether we are a job of GitHub's Actions for a fork's pull request, or Dependabot's: those get to read alone.

    https://docs.github.com/actions/reference/workflows-and-actions/events-that-trigger-workflows#pull_request
    """
    if environ.get("GITHUB_ACTIONS") != "true" or environ.get("GITHUB_EVENT_NAME") != "pull_request":
        return False
    if environ.get("GITHUB_ACTOR") == "dependabot[bot]":
        return True
    try:
        event = json.loads(Path(environ.get("GITHUB_EVENT_PATH", "")).read_bytes())
        head, base = event["pull_request"]["head"]["repo"], event["pull_request"]["base"]["repo"]
    except (OSError, ValueError, TypeError, KeyError):  # no event that we know: GitHub will say
        return False
    return head is None or head["full_name"] != base["full_name"]
