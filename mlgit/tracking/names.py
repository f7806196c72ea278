"""Names for runs: random, readable, and ids that never meet."""

from __future__ import annotations

import random

_FIRST = """
amber autumn azure bold brave bright brisk calm clear cobalt copper coral cosmic crisp crystal daring dawn deep
dusty eager early earnest electric emerald faithful fancy fluent frosty gentle gilded glad golden grand happy hazel
honest humble icy indigo ivory jolly keen kind late lively lucid lunar mellow mild misty modest noble northern olive
opal patient pearl placid polar polished proud pure quick quiet radiant rapid royal ruby rustic sage serene sharp shy
silent silver sleek smooth snowy solar sparkling spring stellar still summer sunny swift tidal upbeat vast velvet
vibrant vivid warm wild winter wise woven young zesty""".split()
_SECOND = """
acorn anchor aurora badger bay beacon birch bird bloom breeze bridge brook canyon cedar cliff cloud clover
comet cove crane creek dawn delta dew dragon dune eagle ember falcon fern field firefly fjord flame flower fog forest
fountain fox garden glacier glade grove harbor haze heron hill horizon island jay lagoon lake lark leaf lichen
lighthouse lily lynx maple marsh meadow meteor moon moss mountain nebula oak ocean orbit orchard otter owl peak pebble
pine planet plateau pond prairie puma rain raven reef ridge river robin rose sea shadow sky snow sound spark sparrow
star stone storm stream sun sunset surf swan thunder tide trail tree tundra valley violet wave wildflower willow wind
wolf wood wren""".split()
_ID = "abcdefghijklmnopqrstuvwxyz0123456789"


def run_id(source: random.Random | None = None) -> str:
    """Eight characters of base 36, as W&B's."""
    chosen = source or random.SystemRandom()  # never the script's own seeded generator
    return "".join(chosen.choice(_ID) for _ in range(8))


def run_name(source: random.Random | None = None) -> str:
    """Two words and a number: `radiant-glade-12`."""
    chosen = source or random.SystemRandom()
    return f"{chosen.choice(_FIRST)}-{chosen.choice(_SECOND)}-{chosen.randrange(1, 1000)}"
