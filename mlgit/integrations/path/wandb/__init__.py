"""mlgit behind W&B's name: `mlgit run --wandb` puts the folder above this one in front of Python's path.

Every name is the Python door's; `mlgit.integrations.names` knows the submodules.
"""

from __future__ import annotations

import sys

try:
    from mlgit.integrations import names
except ModuleNotFoundError as exc:
    if exc.name not in ("mlgit", "mlgit.integrations"):
        raise
    raise ImportError(
        f"wandb means mlgit here (mlgit run --wandb), and this Python has no mlgit.\n"
        f"To fix: {sys.executable} -m pip install mlgit"
    ) from None

__version__ = names.VERSION
sys.meta_path.append(names.Finder(__name__))
sys.modules[__name__].__class__ = names.Package
