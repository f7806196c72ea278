"""`python -m wandb`: W&B's own commands, answered by mlgit."""

from mlgit.cli.wandb import command

command(prog_name="wandb")
