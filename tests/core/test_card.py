"""A run as a notebook's cell shows it."""

from __future__ import annotations

from mlgit.core.card import card
from mlgit.core.run import Run


def test_a_card_is_escaped_and_says_how_to_look():
    run = Run(id="abcdefgh", name="<script>", project="p", tags=("<i>",), created=1.0)
    shown = card(run, {f"m{number}<": 1 for number in range(20)} | {"_step": 3, "text": "no number"})

    assert "<script>" not in shown
    assert "<i>" not in shown
    assert "m0&lt;" in shown
    assert "… 8 more" in shown
    assert "no number" not in shown
    assert "mlgit show abcdefgh" in shown


def test_a_card_shows_nested_metrics_as_they_are_recorded_and_no_objects():
    run = Run(id="abcdefgh", name="n", project="p", created=1.0)
    shown = card(run, {"val": {"acc": 0.875}, "picture": {"_type": "image-file", "width": 17}})

    assert "val.acc" in shown
    assert "0.875" in shown
    assert "17" not in shown
