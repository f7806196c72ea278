"""Models, their versions and stages: registered by a tag, promoted by a reviewed pull request.

`ledger` and `gate` are rules; `propose` and `settle` act before and after the merge; `deliver` brings the bytes.
"""
