"""Git, as mlgit needs it: batch reads, commits by compare-and-swap, and never a hand on the user's work tree.

The hot path (a run becomes a branch, an index reads a hundred thousand of them) speaks to git itself, and so does what
goes to other repositories. What git says of its progress on the way, GitPython reads (`progress`).
"""
