"""The version, alone, so that `mlgit --version` need load nothing else."""

__version__ = "0.1.0"
