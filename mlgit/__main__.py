"""The command line's door: the version without loading anything, and every known problem as words and an exit code."""

from __future__ import annotations

import sys


def main() -> None:
    """Run `mlgit` with the process's arguments; ends the process."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from mlgit.version import __version__

        sys.stdout.write(f"mlgit {__version__}\n")
        return
    import io

    from mlgit.cli import root
    from mlgit.core import escape
    from mlgit.errors import MlgitError

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal or a pipe may not know every character of a name

    try:
        root.main(prog_name="mlgit")
    except MlgitError as exc:
        lines = f"mlgit: {escape.terminal(str(exc))}".splitlines()
        sys.stderr.write("".join(f"{escape.uncommanded(line)}\n" for line in lines))
        sys.exit(exc.exit_code)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone: `mlgit ls | head`
        sys.exit(0)


if __name__ == "__main__":
    main()
