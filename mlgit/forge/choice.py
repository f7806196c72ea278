"""What `mlgit.yaml` says of where pull requests live."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


class Kind(enum.Enum):
    """The forges that there are."""

    FOLDER = "folder"
    GITHUB = "github"


@dataclass(frozen=True, kw_only=True)
class ForgeOptions:
    """The section `forge`."""

    kind: Kind | None = field(
        default=None,
        metadata={
            "help": "github, or folder: in the repository's own git folder, with no network; if nothing is said, "
            "GitHub where the remote origin is there and a token is at hand"
        },
    )
    repository: str | None = field(
        default=None, metadata={"help": "owner/name on GitHub; that of the remote origin, if nothing is said"}
    )
    api: str | None = field(
        default=None,
        metadata={"help": "the address of the REST interface, of an Enterprise server: https://HOST/api/v3"},
    )
