"""GitHub: `rest` asks it, `said` reads what it answers, `pictures` keeps what comments show; `forge` acts."""
