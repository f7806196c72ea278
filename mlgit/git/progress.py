"""How far a fetch or a push is, from what git says on the way: GitPython knows its words."""

from __future__ import annotations

import re
from collections.abc import Callable

Tell = Callable[[str, float, float | None], None]
"""Takes what is being done (`Writing objects`), how much of it is, and of how much, where that is known."""


_WORDS = ("Counting objects", "Compressing objects", "Writing objects", "Receiving objects", "Resolving deltas")


def reading(tell: Tell) -> Callable[[str], None]:
    """What takes git's standard error piece by piece, and tells what it says of its progress."""
    from git import RemoteProgress  # a tenth of a second, for those only who watch

    words = {getattr(RemoteProgress, word.partition(" ")[0].upper()): word for word in _WORDS}

    class Told(RemoteProgress):
        def update(
            self, op_code: int, cur_count: str | float, max_count: str | float | None = None, _message: str = ""
        ) -> None:
            what = words.get(op_code & self.OP_MASK, "Working")
            tell(what, float(cur_count), float(max_count) if max_count else None)

    hear = Told().new_message_handler()
    rest = ""

    def take(piece: str) -> None:
        nonlocal rest
        *lines, rest = re.split(r"[\r\n]", rest + piece)
        for line in lines:
            hear(line)

    return take
