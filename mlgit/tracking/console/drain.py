"""Copies of what is written to a terminal, a pipe or a file, made outside of this process.

Each stream goes through a pipe to a `tee` that appends to the run's log and passes on to where the stream went before;
where there are secrets that a job was given, to a program of ours that does the same without them.
So what C code and child processes write is kept too, as are the last words of a process that is killed: nothing in it,
no lock and no thread, has to go on working. A terminal stays one: in place of the pipe comes a pseudo-terminal of the
same size.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mlgit import version
from mlgit.core import secrets
from mlgit.tracking.console import masked

# The tees are adopted by init, so that `os.wait()` in the program never returns one of them and nothing that kills the
# program's children ends them. They ignore Ctrl-C and end with their stream; descriptor 9 closes with the last one.
_SCRIPT = """\
command -v tee >/dev/null || exit 127
trap '' INT QUIT TERM HUP TSTP {ignored}
{tees}
"""
_TEE = 'tee -a "$0"'
_MASKED = '"$1" -I -S -c "$2" "$3" "$0" {ignored}'
_WAYS = "<&{inlet} >&{outlet} 2>/dev/null 3<&- 4>&- 5<&- 6>&- &"
_CODE = (
    "import sys; sys.path.append(sys.argv[1]); from mlgit.tracking.console import masked; masked.main(*sys.argv[2:])"
)
_QUIET = 0.25
"""Seconds without a word after which nobody waits for a stream that something in the background holds open."""


class Drain:
    """Streams on their way through a `tee` each. Write to *inlets*; close them, then `wait`."""

    def __init__(self, inlets: Sequence[int], terminals: Sequence[tuple[int, int]], ended: int, log: Path) -> None:
        self.inlets = inlets
        """A file descriptor for each stream that was given, in turn; one twice, where two streams go the same way."""
        self._terminals, self._ended, self._log = terminals, ended, log

    @property
    def has_terminal(self) -> bool:
        """Whether one of the streams goes to a terminal."""
        return bool(self._terminals)

    def resize(self) -> None:
        """Give each pseudo-terminal the size that its terminal has now."""
        for terminal, inlet in self._terminals:
            with contextlib.suppress(OSError):
                _copy_size(terminal, inlet)

    def close_inlets(self) -> None:
        """Write no more by the numbers of this record; whoever else holds the streams goes on."""
        for inlet in set(self.inlets):
            os.close(inlet)

    def wait(self) -> None:
        """Return when all that was written is in the log, or when what still holds a stream says nothing more."""
        try:
            size = self._log.stat().st_size
            while not select.select([self._ended], [], [], _QUIET)[0]:
                if (now := self._log.stat().st_size) == size:
                    break
                size = now
        except OSError:
            return
        finally:
            os.close(self._ended)


def start(streams: Sequence[int], log: Path, *, keeps_on: bool = False) -> Drain:
    """A drain of one or two *streams*, which goes to *log* and to where they go now.

    *keeps_on*: a reader that goes away, as `head` does, ends neither the log nor who writes to it. Raises `OSError`
    where there is no `tee`, or no file descriptor left.
    """
    hidden = secrets.hidden()
    if hidden and not sys.executable:
        raise FileNotFoundError("there is no Python that would hide the secrets in it")
    ignored = "PIPE" if keeps_on else ""
    program = _MASKED.format(ignored=ignored) if hidden else _TEE
    with contextlib.ExitStack() as on_failure, contextlib.ExitStack() as here:
        inlets: list[int] = []
        terminals: list[tuple[int, int]] = []
        given: list[tuple[int, int]] = []
        tees: list[str] = []
        for number, stream in enumerate(streams):
            if number and os.path.sameopenfile(stream, streams[0]):
                inlets.append(inlets[0])
                continue
            outlet, inlet = _terminal(stream) if os.isatty(stream) else os.pipe()
            here.callback(os.close, outlet)
            on_failure.callback(os.close, inlet)
            if os.isatty(stream):
                terminals.append((stream, inlet))
            inlets.append(inlet)
            given += [(outlet, 3 + 2 * number), (stream, 4 + 2 * number)]
            tees.append(f"{program} {_WAYS.format(inlet=3 + 2 * number, outlet=4 + 2 * number)}")
        ended, alive = os.pipe()
        here.callback(os.close, alive)
        on_failure.callback(os.close, ended)
        script = _SCRIPT.format(ignored=ignored, tees="\n".join(tees))
        ours = (sys.executable, _CODE, str(Path(version.__file__).parents[1])) if hidden else ()
        _run(["sh", "-c", script, str(log.absolute()), *ours], [*given, (alive, 9)], hidden)
        on_failure.pop_all()
    return Drain(inlets, terminals, ended, log)


def _run(words: Sequence[str], given: Sequence[tuple[int, int]], hidden: Sequence[str]) -> None:
    """Run *words* to their end with file descriptors *given* as others. Raises `OSError` where they fail.

    They find no more of the environment than they need: loading a language takes tee as long as its start.
    """
    env = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
    if hidden:
        env[masked.HIDDEN] = "\n".join(hidden)
    with _high([fd for fd, _ in given]) as high:
        actions: list[Any] = [(os.POSIX_SPAWN_DUP2, fd, number) for fd, (_, number) in zip(high, given, strict=True)]
        actions.append((os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0))
        python_ignores = (signal.SIGPIPE, signal.SIGXFSZ)
        pid = os.posix_spawnp(words[0], list(words), env, file_actions=actions, setsigdef=python_ignores)
    with contextlib.suppress(ChildProcessError):  # somebody else waited for it
        if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 127:
            raise FileNotFoundError("there is no tee")


@contextlib.contextmanager
def _high(fds: Sequence[int]) -> Iterator[list[int]]:
    """The same files by numbers above those that a shell can name, so that giving one of these overwrites none."""
    with contextlib.ExitStack() as stack:
        high: list[int] = []
        for fd in fds:
            high.append(copy := fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10))
            stack.callback(os.close, copy)
        yield high


def _terminal(like: int) -> tuple[int, int]:
    """(master, slave) of a pseudo-terminal of the size of *like*; what is written to it stays as it is."""
    import termios

    master, slave = os.openpty()
    try:
        settings = termios.tcgetattr(like)
        settings[1] &= ~termios.OPOST  # the terminal behind it makes CR LF of LF; twice would be once too often
        settings[3] &= ~(termios.ECHO | termios.ICANON | termios.ISIG)
        termios.tcsetattr(slave, termios.TCSANOW, settings)
        _copy_size(like, slave)
    except (OSError, termios.error):
        return master, slave  # a terminal that does not say how it is set has no better copy
    return master, slave


def _copy_size(source: int, target: int) -> None:
    import termios

    fcntl.ioctl(target, termios.TIOCSWINSZ, fcntl.ioctl(source, termios.TIOCGWINSZ, bytes(8)))


def follow_size(drain: Drain) -> Callable[[], None]:
    """Pass new sizes of the terminal on to *drain*; what is returned ends that.

    A program with a handler of its own for SIGWINCH keeps it, and a thread beside the main one may set none.
    """

    def on_resize(_number: int, _frame: object) -> None:
        drain.resize()

    def forget() -> None:
        with contextlib.suppress(ValueError):
            if signal.getsignal(signal.SIGWINCH) is on_resize:
                signal.signal(signal.SIGWINCH, signal.SIG_DFL)

    if drain.has_terminal and signal.getsignal(signal.SIGWINCH) is signal.SIG_DFL:
        with contextlib.suppress(ValueError):
            signal.signal(signal.SIGWINCH, on_resize)
            signal.siginterrupt(signal.SIGWINCH, False)  # what the program waits for goes on
    return forget
