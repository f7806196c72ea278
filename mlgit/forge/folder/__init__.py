"""A forge inside the repository's own git folder: pull requests with no server and no network.

`files` knows what lies there, `branches` what git says of a pull request; `FolderForge` acts on both.
"""

from mlgit.forge.folder.forge import FolderForge

__all__ = ["FolderForge"]
