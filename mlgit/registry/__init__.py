"""Models, their versions and stages: registered by a tag, promoted by a reviewed pull request.

`ledger` and `policy` are rules; `registering` makes versions; `propose` acts before the merge, `settle` and `undo`
after it; `deliver` brings the bytes.
"""
