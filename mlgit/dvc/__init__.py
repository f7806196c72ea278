"""DVC, which holds the bytes of datasets and models: its pointers, its cache, and what it keeps in a project.

Reading needs nothing of DVC; writing goes through its own library, so that stock DVC sees what it would have made.
"""
