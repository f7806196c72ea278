"""How good what a search finds is, beside Optuna's searches and chance (`make bench-search`; tens of minutes)."""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random

from threadpoolctl import threadpool_limits

from benchmarks.quality.contest import TRIALS, ours, theirs
from benchmarks.quality.functions import ALL

SEEDS = int(os.environ.get("BENCH_SEEDS", "10"))
MARGIN = 0.1
"""How much worse than a peer still counts as no worse, in units of what chance leaves between itself and the best."""
Found = Mapping[str, list[list[float]]]
"""Search → what each seed's had found after each of `TRIALS`."""


@dataclass(frozen=True)
class Row:
    """One row of the table."""

    cells: tuple[str, ...]
    holds: bool | None = None

    def __str__(self) -> str:
        return "| " + " | ".join(self.cells) + " |"


def lines() -> Iterator[Row]:
    """A Markdown table: regrets (what was found over the least that any search found), medians and quartiles."""
    print(
        f"{SEEDS} seeds; a regret's median and quartiles. No worse: the upper end of the difference's 95 % interval\n"
        f"(of medians, bootstrapped over seeds, over random search's median regret) is at most {MARGIN:g}.\n"
    )
    yield Row(("function", "trials", "mlgit bayes", "Optuna TPE", "Optuna GP", "random", "no worse than TPE", "than GP",
               "below random"))  # fmt: skip
    yield Row(("---",) * 9)
    together: dict[tuple[int, str], list[list[float]]] = {}
    for name, function in ALL.items():
        with threadpool_limits(1):
            seeds = range(SEEDS)
            found = {"bayes": [ours(name, "bayes", seed) for seed in seeds],
                     "TPE": [theirs(name, "TPE", seed) for seed in seeds],
                     "GP": [theirs(name, "GP", seed) for seed in seeds],
                     "random": [ours(name, "random", seed) for seed in seeds]}  # fmt: skip
        least = min(function.best, *(value for search in found.values() for values in search for value in values))
        for number, trials in enumerate(TRIALS):
            regrets = {search: [values[number] - least for values in all_] for search, all_ in found.items()}
            unit = statistics.median(regrets["random"]) or 1.0
            verdicts = []
            for peer, most in (("TPE", MARGIN), ("GP", MARGIN), ("random", 0.0)):
                low, high = interval(regrets["bayes"], regrets[peer])
                verdicts.append(f"{'yes' if high / unit <= most else 'no'} ({low / unit:+.2f} to {high / unit:+.2f})")
                pairs = zip(regrets["bayes"], regrets[peer], strict=True)
                together.setdefault((number, peer), []).append([(a - b) / unit for a, b in pairs])
            yield Row((name, str(trials), *(spread(regrets[search]) for search in regrets), *verdicts))
    for number, trials in enumerate(TRIALS):
        verdicts, holds = [], True
        for peer, most in (("TPE", MARGIN), ("GP", MARGIN), ("random", 0.0)):
            means = [statistics.median(one) for one in zip(*together[number, peer], strict=True)]
            low, high = interval(means, [0.0] * len(means))
            holds = holds and high <= most
            verdicts.append(f"{'yes' if high <= most else 'no'} ({low:+.2f} to {high:+.2f})")
        yield Row(("all (median over functions)", str(trials), "", "", "", "", *verdicts), holds)


def spread(values: list[float]) -> str:
    """Median and quartiles."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    return f"{middle:.3g} ({low:.2g} to {high:.2g})"


def interval(one: list[float], other: list[float], draws: int = 2000) -> tuple[float, float]:
    """The 95 % interval of the difference of medians, bootstrapped over the seeds."""
    luck, count = Random(0), len(one)
    differences = sorted(
        statistics.median(luck.choices(one, k=count)) - statistics.median(luck.choices(other, k=count))
        for _ in range(draws)
    )
    return differences[int(0.025 * draws)], differences[int(0.975 * draws)]
