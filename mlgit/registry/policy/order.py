"""Stages that wait for one another (pure)."""

from __future__ import annotations

from collections.abc import Mapping


def circle(waits: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Stages each of which waits for the next one, the last for the first; none where there is an order.

    *waits*: stage → the stages that it waits for, each with where that is written.
    """
    done: set[str] = set()
    for start in waits:
        path: list[str] = []
        todo = [(start, iter(waits[start]))]
        while todo:
            stage, rest = todo[-1]
            if not path or path[-1] != stage:
                path.append(stage)
            following = next((one for one in rest if one not in done), None)
            if following in path:
                return path[path.index(following) :]
            if following is None:
                done.add(path.pop())
                todo.pop()
            else:
                todo.append((following, iter(waits.get(following, {}))))
    return []


def told(waits: Mapping[str, Mapping[str, str]], stages: list[str]) -> str:
    """The circle of *stages*, with the place of each step: `a waits for b (f:1), which waits for a (f:2)`."""
    steps = [(stage, stages[(at + 1) % len(stages)]) for at, stage in enumerate(stages)]
    return f"{stages[0]} " + ", which ".join(f"waits for {other} ({waits[stage][other]})" for stage, other in steps)
