"""`mlgit completion`: the shell's completion script."""

from __future__ import annotations

import click

from mlgit.cli import output


@click.command(short_help="Print the shell's completion script.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print what makes SHELL complete mlgit's commands and options.

    \b
    bash 4.4 or newer, in ~/.bashrc:
      eval "$(mlgit completion bash)"
    zsh, in ~/.zshrc, below compinit:
      eval "$(mlgit completion zsh)"
    fish, once:
      mlgit completion fish > ~/.config/fish/completions/mlgit.fish

    \b
    Example, for this shell alone:
      source <(mlgit completion bash)
    """
    from click.shell_completion import get_completion_class

    from mlgit.cli import root

    found = get_completion_class(shell)
    assert found is not None  # one of the three above
    output.say(found(root, {}, "mlgit", "_MLGIT_COMPLETE").source())
    if shell == "bash":  # to which a colon ends a word, and digits:v2 is one
        output.say("COMP_WORDBREAKS=${COMP_WORDBREAKS//:}")
