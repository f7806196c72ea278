"""A stage moves: proposed and settled, committed directly, brought back, held; and who asked for that."""
