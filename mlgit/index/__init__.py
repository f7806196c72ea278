"""A throw-away picture of git, for questions: every listing, filter and chart asks here. Delete it at will."""
