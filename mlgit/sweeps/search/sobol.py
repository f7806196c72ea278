"""Points that spread evenly over the space however many there are: a Sobol sequence, scrambled by the seed.

The sequence is SciPy's (the direction numbers of Joe and Kuo, 2008), which is arithmetic on whole numbers and so the
same anywhere. SciPy's module takes half a second to load, so what most spaces need of its numbers stands here too. Its
scrambling is drawn from NumPy's generators, whose streams may change between versions; ours is the hash of Burley,
Practical Hash-based Owen Scrambling (2020).
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Iterable, Iterator, Sequence

from mlgit.sweeps.search.seen import Seen
from mlgit.sweeps.search.untried import chance, untried
from mlgit.sweeps.space import Params, Space

BITS = 32
_WORD = 2**BITS - 1
_DIRECTIONS = """
2: 1; 3: 1; 7: 1 3; 11: 1 3 1; 13: 1 1 1; 19: 1 1 3 3; 25: 1 3 5 13; 37: 1 1 5 5 17; 41: 1 1 5 5 5; 47: 1 1 7 11 19;
55: 1 1 5 1 1; 59: 1 1 1 3 11; 61: 1 3 5 5 31; 67: 1 3 3 9 7 49; 91: 1 1 1 15 21 21; 97: 1 3 1 13 27 49;
103: 1 1 1 15 7 5; 109: 1 3 1 15 13 25; 115: 1 1 5 5 19 61; 131: 1 3 7 11 23 15 103; 137: 1 3 7 13 13 15 69;
143: 1 1 3 13 7 35 63; 145: 1 3 5 9 1 25 53; 157: 1 3 1 13 9 35 107; 167: 1 3 1 5 27 61 31; 171: 1 1 5 11 19 41 61;
185: 1 3 5 3 3 13 69; 191: 1 1 7 13 1 19 1; 193: 1 3 7 5 13 19 59; 203: 1 1 3 9 25 29 41; 211: 1 3 5 13 23 1 55;
213: 1 3 7 3 13 59 17"""
"""A primitive polynomial's bits and the first numbers of an axis: the beginning of Joe and Kuo's `new-joe-kuo-6.21201`
(https://web.maths.unsw.edu.au/~fkuo/sobol/), in SciPy's form."""
_AXES = [
    (int(bits), tuple(map(int, numbers.split())))
    for bits, _, numbers in (axis.partition(":") for axis in _DIRECTIONS.split(";"))
]
MOST_AXES = len(_AXES)
"""More than that are left to SciPy."""


def following(space: Space, history: Sequence[Seen], tried: set[str], n: int, seed: int) -> list[Params]:
    """The next *n* of the seed's sequence, which goes on where so many points were taken as were *tried*."""
    del history
    return untried(space, points(space, seed, first=len(tried)), tried, n)


def points(space: Space, seed: int, *, first: int = 0) -> Iterator[Params]:
    """The sequence's points from number *first* on: as many as a computer will ever see."""
    return (space.at(us) for us in spread(len(space.parameters), seed, first=first))


def spread(axes: int, seed: int, *, first: int = 0) -> Iterator[list[float]]:
    """The sequence in the unit cube of *axes* dimensions, at least one, from its point number *first* on."""
    salts = [chance(seed, "sobol", axis).getrandbits(BITS) for axis in range(axes)]
    for words in sequence(axes, first=first):
        yield [(scrambled(word, salt) + 0.5) / 2**BITS for word, salt in zip(words, salts, strict=True)]


def sequence(axes: int, *, first: int = 0) -> Iterator[list[int]]:
    """Sobol's own sequence, as words of `BITS` bits: one for each axis, from the point number *first* on.

    Each point differs from the one before in the direction of the lowest bit that is 0 in its number (Antonov and
    Saleev, 1979).
    """
    if axes > MOST_AXES:
        yield from _of_scipy(axes, first)
    directions = [_directions(polynomial, words) for polynomial, words in _AXES[:axes]]
    code = first ^ first >> 1
    point = [_xor(direction[bit] for bit in range(BITS) if code >> bit & 1) for direction in directions]
    for number in itertools.count(first):
        yield point
        low = (~number & number + 1).bit_length() - 1
        point = [word ^ direction[low] for word, direction in zip(point, directions, strict=True)]


def _directions(polynomial: int, first: Sequence[int]) -> list[int]:
    """The `BITS` directions of an axis, after its *first* ones by the recurrence of its *polynomial*."""
    words, degree = list(first), len(first)
    while len(words) < BITS:
        steps = (words[-step] << step for step in range(1, degree + 1) if polynomial >> degree - step & 1)
        words.append(words[-degree] ^ _xor(steps))
    return [word << BITS - 1 - place for place, word in enumerate(words)]


def _xor(words: Iterable[int]) -> int:
    return functools.reduce(operator.xor, words, 0)


def _of_scipy(axes: int, first: int) -> Iterator[list[int]]:
    """The same, of SciPy, which knows the numbers of 21,201 axes."""
    from scipy.stats.qmc import Sobol

    found = Sobol(axes, scramble=False, bits=BITS)
    if first:
        found.fast_forward(first)
    while True:
        for row in found.random(64) if found.num_generated else found.random(1):
            yield [int(u * 2**BITS) for u in row.tolist()]


def scrambled(word: int, salt: int) -> int:
    """*word* with each bit flipped or not by what *salt* makes of the bits above it."""
    word = (_reversed(word) + salt) & _WORD
    for factor in (0x6C50B47C, 0xB82F1E52, 0xC7AFE638, 0x8D22F6E6):
        word ^= word * factor & _WORD
    return _reversed(word)


def _reversed(word: int) -> int:
    return int(f"{word:032b}"[::-1], 2)
