"""Sweeps: what is searched (`space`), what to try next (`search`), what a trial runs (`plan`), who runs it (`agent`).

The first two are pure: the same file, history and seed suggest the same trials anywhere.
"""
