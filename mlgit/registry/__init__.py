"""Models, their versions and stages: registered by a tag, promoted by a reviewed pull request.

`ledger` and `policy` are rules, `evidence` is what those are shown. `versions` come to be, `moving` lets a stage serve
one, `audit` tells what happened and whether it holds, `automation` does what follows; `served` and `trust` are for who
takes one up.
"""
