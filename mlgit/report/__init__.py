"""The report on a pull request: head's run against base's, found by what the commits say, told in one comment."""
