"""What a stage asks of a candidate, and whether it is met (pure).

`file` reads `registry/policy.yaml`; `gates` has a file for each kind of gate; `evidence` is what they are shown, which
the room gathers before (`registry.evidence.gathering`); `judging` asks them all. Nothing passes silently.
"""
