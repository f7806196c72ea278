"""What a run logs that is no number: pictures, tables, sound, charts. Each writes its files."""
