"""YAML ⇄ frozen dataclass: read strictly as YAML 1.2, written so that readers of YAML 1.1 agree.

Writing stands apart from reading, for every run is written and few are read: a run loads no YAML reader.
"""
