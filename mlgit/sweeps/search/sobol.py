"""Points that spread evenly over the space however many there are: a Sobol sequence, scrambled by the seed.

The sequence is SciPy's (the direction numbers of Joe and Kuo, 2008), which is arithmetic on whole numbers and so the
same anywhere. Its scrambling is not, being drawn from NumPy's generators, whose streams may change between versions;
ours is the hash of Burley, Practical Hash-based Owen Scrambling (2020).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mlgit.sweeps.search.seen import Seen
from mlgit.sweeps.search.untried import chance, untried
from mlgit.sweeps.space import Params, Space

BITS = 32
_WORD = 2**BITS - 1


def following(space: Space, history: Sequence[Seen], tried: set[str], n: int, seed: int) -> list[Params]:
    """The next *n* of the seed's sequence, which goes on where so many points were taken as were *tried*."""
    del history
    return untried(space, points(space, seed, first=len(tried)), tried, n)


def points(space: Space, seed: int, *, first: int = 0) -> Iterator[Params]:
    """The sequence's points from number *first* on: as many as a computer will ever see."""
    return (space.at(us) for us in spread(len(space.parameters), seed, first=first))


def spread(axes: int, seed: int, *, first: int = 0) -> Iterator[list[float]]:
    """The sequence in the unit cube of *axes* dimensions, at least one, from its point number *first* on."""
    from scipy.stats.qmc import Sobol

    salts = [chance(seed, "sobol", axis).getrandbits(BITS) for axis in range(axes)]
    sequence = Sobol(max(1, axes), scramble=False, bits=BITS)
    if first:
        sequence.fast_forward(first)
    while True:
        for row in sequence.random(64) if sequence.num_generated else (sequence.random(1)):
            yield [
                (scrambled(int(u * 2**BITS), salt) + 0.5) / 2**BITS
                for u, salt in zip(row.tolist(), salts, strict=False)
            ]


def scrambled(word: int, salt: int) -> int:
    """*word* with each bit flipped or not by what *salt* makes of the bits above it."""
    word = (_reversed(word) + salt) & _WORD
    for factor in (0x6C50B47C, 0xB82F1E52, 0xC7AFE638, 0x8D22F6E6):
        word ^= word * factor & _WORD
    return _reversed(word)


def _reversed(word: int) -> int:
    return int(f"{word:032b}"[::-1], 2)
