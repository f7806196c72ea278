import io
import math
import random
from dataclasses import replace

import pytest
from PIL import Image

from mlgit import plots
from mlgit.core.compare import Goal
from mlgit.core.history import Series
from mlgit.core.run import Run, State
from mlgit.plots import Curve

GROUNDS = ("#ffffff", "#0d1117")


def series(values: list[float], steps: list[int] | None = None) -> Series:
    zeros = [0.0] * len(values)
    return Series(steps or list(range(len(values))), zeros, zeros, values)


def picture(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png)).convert("RGBA")


def colours(png: bytes) -> set[str]:
    """The opaque colours of a picture."""
    found = picture(png).getcolors(1 << 20) or []
    return {f"#{r:02x}{g:02x}{b:02x}" for _, (r, g, b, a) in found if a == 255}


def luminance(colour: str) -> float:
    """Relative luminance, https://www.w3.org/TR/WCAG21/#dfn-relative-luminance."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, two: str) -> float:
    dark, light = sorted((luminance(one), luminance(two)))
    return (light + 0.05) / (dark + 0.05)


def trials(count: int) -> list[Run]:
    dice = random.Random(7)
    return [
        Run(
            id=f"r{n}", name=f"trial-{n}", project="p", created=n, state=State.FAILED if n == 2 else State.FINISHED,
            params={"lr": 10 ** dice.uniform(-4, -1), "net": {"width": dice.choice([32, 64])}, "seed": 1},
            metrics={} if n == 2 else {"accuracy": dice.random()},
        )
        for n in range(count)
    ]  # fmt: skip


@pytest.mark.parametrize("ground", GROUNDS)
def test_every_colour_is_legible_on_a_light_and_on_a_dark_page(ground: str) -> None:
    assert {
        colour: round(contrast(colour, ground), 1) for colour in plots.COLOURS if contrast(colour, ground) < 3
    } == {}
    assert contrast(plots.INK, ground) >= 4


def test_a_chart_is_transparent_and_the_same_every_time() -> None:
    runs = [
        Curve(name="a", history={"loss": series([2.0, 1.0, 0.5])}),
        Curve(name="b", history={"loss": series([1.5])}),
    ]

    one, two = plots.curves(runs), plots.curves(runs)

    assert one == two
    assert picture(one).getpixel((0, 0))[3] == 0  # type: ignore[index]
    assert {plots.COLOURS[0], plots.COLOURS[1], plots.INK} <= colours(one)
    assert not any(word in one for word in (b"tEXt", b"iTXt", b"zTXt", b"tIME"))


def test_a_single_point_is_drawn() -> None:
    alone = plots.curves([Curve(name="a", history={"loss": series([0.5])})])
    nothing = plots.curves([Curve(name="a", history={"loss": series([math.nan])})])

    assert plots.COLOURS[0] in colours(alone)
    assert plots.COLOURS[0] not in colours(nothing)


@pytest.mark.parametrize(
    "values",
    [
        [], [math.nan] * 3, [math.inf, -math.inf], [1.0, math.nan, 2.0, math.inf, 3.0], [3.0] * 9, [0.0] * 3, [-1.0],
        [1e308, -1e308], [5e-324, 1e-320], [1e-99, 1e99], [1e17, 1e17 + 16], [True, False], [10**400, 1],
    ],
)  # fmt: skip
def test_odd_series_neither_crash_nor_warn(values: list[float]) -> None:
    png = plots.curves([Curve(name="a", history={"m": series(values)}), Curve(name="b", history={})])

    assert picture(png).width > 500


def test_no_runs_no_metrics_and_no_numbers_are_said_in_a_picture() -> None:
    for png in (plots.curves([]), plots.bars([]), plots.bars([("a", {"m": math.nan, "word": "x"})])):
        assert plots.INK in colours(png)


def test_names_are_never_read_as_mathematics_and_missing_letters_are_boxes() -> None:
    hostile = ["$\\frac{", "x_^{$", "日本語 🚀", "\x1b[31mred", "a" * 500, "a" * 500, "", "_hidden"]
    runs = [Curve(name=name, history={name: series([1.0, 2.0])}) for name in hostile]

    assert picture(plots.curves(runs)).width > 500
    assert plots._distinct(["a" * 99, "a" * 98, "_b"], 10) == ["aaaaaa…aaa", "aaaaaa…aaa (2)", "_b"]
    assert plots._legible("日 é\n$x$", 40) == "□ é $x$"


def test_hundreds_of_runs_and_metrics_stay_one_small_picture() -> None:
    runs = [
        Curve(name=f"run-{n}", history={f"m{k}": series([float(n + k), 1.0]) for k in range(20)}) for n in range(200)
    ]

    png = plots.curves(runs, metrics=["m0"])

    assert len(png) < 200_000
    assert picture(plots.curves(runs[:3])).height < 2000


def test_a_sweep_shows_each_searched_param_and_marks_the_lost_trial() -> None:
    runs = trials(6)

    png = plots.sweep(runs, metric="accuracy", goal=Goal.MAXIMIZE, head="r4")

    assert plots.searched(runs) == ["lr", "net.width"]
    assert {plots.COLOURS[0], plots.COLOURS[1], plots.COLOURS[2]} <= colours(png)


def test_only_what_a_sweep_searches_gets_a_panel() -> None:
    early = replace(trials(1)[0], id="early", params={"lr": 0.5})  # it ended before its script told all params
    noisy = [replace(run, params={**run.params, "host": run.id}) for run in trials(4)]

    assert plots.searched([*trials(4), early]) == ["lr", "net.width"]
    assert plots.searched(noisy, {"lr": True, "net": False}) == ["lr", "net.width"]
    assert plots.searched(noisy, {"ne": True}) == []


def test_what_is_searched_on_a_logarithmic_scale_is_drawn_on_one() -> None:
    with plots._canvas(2) as (_, (one, two), _png):
        plots._positions(one, [0.01, 0.02], logarithmic=True)
        plots._positions(two, [0.01, 0.02])

        assert (one.get_xscale(), two.get_xscale()) == ("log", "linear")
    asked = plots.sweep(trials(6), metric="accuracy", goal=None, params={"net.width": True})
    assert asked != plots.sweep(trials(6), metric="accuracy", goal=None, params={"net.width": False})


def test_four_panels_are_two_by_two() -> None:
    four = picture(plots.bars([("a", dict.fromkeys("abcd", 1))]))
    six = picture(plots.bars([("a", dict.fromkeys("abcdef", 1))]))

    assert four.size == six.size


@pytest.mark.parametrize("goal", [None, Goal.MINIMIZE])
def test_a_sweep_of_nothing_and_of_oddities_is_drawn(goal: Goal | None) -> None:
    odd = [
        Run(id="a", name="$", project="p", metrics={"m": math.nan}, params={"$a_{": "$" * 50, "c": math.nan, "d": [1]}),
        Run(id="b", name="$", project="p", metrics={"m": "x"}, params={"$a_{": True, "c": math.inf, "e": 1e-300}),
        Run(id="c", name="$", project="p", metrics={"m": 1}, params={"$a_{": 1, "c": None, "e": 3}),
    ]

    for runs in ([], odd[:1], odd):
        assert picture(plots.sweep(runs, metric="m", goal=goal)).width > 500


def test_bars_show_negative_missing_and_huge_values() -> None:
    png = plots.bars([("a", {"m": -1, "n": 1e200}), ("b", {"m": 2}), ("c", {"m": math.nan, "n": 0})])

    assert {plots.COLOURS[0], plots.COLOURS[1]} <= colours(png)


def test_the_users_matplotlib_settings_neither_reach_in_nor_change() -> None:
    import matplotlib

    runs = [Curve(name="a", history={"loss": series([2.0, 1.0])})]
    before = plots.curves(runs)

    with matplotlib.rc_context({"lines.linewidth": 30, "savefig.facecolor": "red", "text.usetex": True}):
        during = plots.curves(runs)
        assert matplotlib.rcParams["lines.linewidth"] == 30

    assert before == during
