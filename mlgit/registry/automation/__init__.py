"""What follows when a registry changes, with nobody at hand: `registry/automations.yaml` on the base branch says.

`file`, `events` and `webhook` are rules (pure); `state` keeps in git what was done, `running` does what is due, each
event once unless a process dies while it does (then twice, by the same id); `advancing` proposes what passes.
"""
