"""The trailers by which a commit asks CI for runs."""

from __future__ import annotations

RUN = "Mlgit-Run"
SWEEP = "Mlgit-Sweep"
TRAILERS = (RUN, SWEEP)
