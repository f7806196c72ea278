"""Charts as PNG bytes: transparent, so that one picture serves a light and a dark page; the same input, the same bytes.

Names and values are hostile: text is never parsed as mathematics, and no series, however odd, ends a report.
"""

from mlgit.plots.canvas import COLOURS, INK
from mlgit.plots.curves import Curve, bars, curves
from mlgit.plots.drivers import drivers
from mlgit.plots.front import front
from mlgit.plots.parallel import parallel
from mlgit.plots.trials import history, searched, slices, sweep

__all__ = [
    "COLOURS", "INK", "Curve", "bars", "curves", "drivers", "front", "history", "parallel", "searched", "slices",
    "sweep",
]  # fmt: skip
