"""Git, as mlgit needs it: batch reads, commits by compare-and-swap, and never a hand on the user's work tree.

What a person would do with git's porcelain (push) goes through GitPython, in `porcelain`;
the hot path (a run becomes a branch, an index reads a hundred thousand of them) speaks to git's plumbing directly.
"""
