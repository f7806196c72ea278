import io
import math
import random
from dataclasses import replace

import pytest
from PIL import Image

from mlgit import plots
from mlgit.core.compare import Goal
from mlgit.core.findings import Aim, Driver, Findings, Importance, Point
from mlgit.core.history import Series
from mlgit.core.run import Run, State
from mlgit.core.sweep import Sweep
from mlgit.plots import Curve, canvas
from mlgit.plots.trials import _Marks

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
    assert picture(one).getpixel((0, 0))[3] == 0
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
    assert canvas.distinct(["a" * 99, "a" * 98, "_b"], 10) == ["aaaaaa…aaa", "aaaaaa…aaa (2)", "_b"]
    assert canvas.legible("日 é\n$x$", 40) == "□ é $x$"


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
    with canvas.sheet(2) as (_, (one, two), _png):
        canvas.positions(one, [0.01, 0.02], logarithmic=True)
        canvas.positions(two, [0.01, 0.02])

        assert (one.get_xscale(), two.get_xscale()) == ("log", "linear")
    asked = plots.sweep(trials(6), metric="accuracy", goal=None, params={"net.width": True})
    assert asked != plots.sweep(trials(6), metric="accuracy", goal=None, params={"net.width": False})


def test_four_panels_are_two_by_two() -> None:
    four = picture(plots.bars([("a", dict.fromkeys("abcd", 1))]))
    six = picture(plots.bars([("a", dict.fromkeys("abcdef", 1))]))

    assert four.size == six.size


def found(points: list[Point], *, aims: int = 2) -> Findings:
    names = ("loss", "$speed_{")[:aims]
    good = [place for place, point in enumerate(points) if point.counts]
    return Findings(
        sweep=Sweep(id="s", name="search", project="p", method="random"), aims=tuple(Aim(name=name) for name in names),
        searched={"lr": True, "kind": False, "momentum": False}, points=tuple(points), ranked=tuple(good),
        front=tuple(good[:2]),
    )  # fmt: skip


def some_points(count: int) -> list[Point]:
    dice = random.Random(7)
    return [
        Point(
            number=n, name=f"search-{n}", run=f"r{n}", state="finished", values=(dice.random(), dice.random()),
            params={"lr": 10 ** dice.uniform(-4, -1), "kind": dice.choice(["adam", "$\\frac{"])}
            | ({"momentum": 0.9} if n % 2 else {}),
            margins=(0.1, None) if n % 3 == 0 else (), is_pruned=n == 4, counts=n != 4,
        )
        for n in range(count)
    ]  # fmt: skip


def all_charts(findings: Findings) -> list[bytes]:
    names = list(findings.searched)
    drivers = tuple(
        Driver(name=name, alone=0.5, together=0.1, correlation=(None, -0.4, 0.2)[n], trials=9)
        for n, name in enumerate(names)
    )
    charts = [plots.history(findings), plots.parallel(findings, names), plots.slices(findings, names)]
    charts.append(plots.drivers(Importance(metric="loss", trials=10, drivers=drivers, explained=0.5)))
    return charts + ([plots.front(findings)] if len(findings.aims) > 1 else [])


def test_what_a_sweep_found_is_transparent_and_the_same_every_time() -> None:
    once, again = all_charts(found(some_points(12))), all_charts(found(some_points(12)))

    assert once == again
    for png in once:
        assert picture(png).getpixel((0, 0))[3] == 0
        assert picture(png).width <= 1600


def test_the_best_trial_stands_out_in_parallel_coordinates() -> None:
    shown = colours(plots.parallel(found(some_points(12)), ["lr", "kind"]))

    assert plots.COLOURS[1] in shown


def test_no_other_trial_is_called_the_best_where_its_value_is_beyond_what_can_be_drawn() -> None:
    points = some_points(12)
    points[2] = replace(points[2], values=(-1e300, 0.0))

    shown = colours(plots.parallel(replace(found(points), ranked=(2, 0)), ["lr", "kind"]))

    assert plots.COLOURS[1] not in shown


def test_thousands_of_trials_stay_a_small_picture() -> None:
    names = ["lr", *(f"p{n}" for n in range(9))]
    dice = random.Random(1)
    points = [replace(point, params={name: dice.random() for name in names}) for point in some_points(2000)]

    png = plots.parallel(found(points), names)

    assert len(png) < 400_000
    assert png == plots.parallel(found(points), names)


def test_a_pruned_trial_is_neither_the_best_nor_a_part_of_the_best_so_far() -> None:
    points = some_points(8)
    points[4] = replace(points[4], values=(-9.0, 0.0))
    without = [replace(point, values=(None, None)) if point.is_pruned else point for point in points]

    assert plots.parallel(found(points), ["lr"]) == plots.parallel(found(without), ["lr"])
    assert plots.history(found(points)) != plots.history(found(without))


def test_a_lucky_seed_alone_is_neither_the_best_nor_a_part_of_the_best_so_far() -> None:
    points = some_points(8)
    lucky = [replace(point, values=(-9.0, 0.0), is_whole=False) if point.number == 6 else point for point in points]
    marks = [_Marks.of(found(some, aims=2), 0) for some in (points, lucky)]

    assert marks[0].best not in (6, None)
    assert marks[1].best == min((n for n in range(8) if n not in (4, 6)), key=lambda n: points[n].values[0] or 0)
    assert _Marks.of(replace(found(points, aims=1), ranked=(3, 0)), 0).best == 3  # as it was judged


@pytest.mark.parametrize("values", [(), (None,), (1.0,), (1.0, 1.0), (1e308, -1e308), (5e-324, 1.0), (1.0, 2.0, None)])
def test_odd_findings_are_drawn(values: tuple[float | None, ...]) -> None:
    points = [
        Point(
            number=n, name="$\\frac{" * 30, run=None, state="finished",
            params={"lr": "日本" * 40 if n else 1, "kind": None, "momentum": [n]}, values=(value, value),
            counts=value is not None,
        )
        for n, value in enumerate(values)
    ]  # fmt: skip

    for png in all_charts(found(points)):
        assert picture(png).width > 500


def test_twenty_params_with_long_names_stay_one_picture() -> None:
    names = [f"model.encoder.layer{n}.attention.dropout_rate" for n in range(20)]
    points = [replace(point, params=dict.fromkeys(names, n / 20)) for n, point in enumerate(some_points(20))]
    drivers = tuple(Driver(name=name, alone=0.0, together=0.0, correlation=0.1, trials=20) for name in names)

    for png in (
        plots.parallel(found(points), names),
        plots.slices(found(points), names),
        plots.drivers(Importance(metric="loss" * 20, trials=20, drivers=drivers * 2)),
    ):
        assert picture(png).width <= 1600
        assert picture(png).height < 2000


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
