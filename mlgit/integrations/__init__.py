"""mlgit in other libraries' training loops, and behind W&B's name. Each module loads the library it is named after."""
