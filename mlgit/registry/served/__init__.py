"""Models for who runs them: brought from a repository or a page, verified, kept in the user's cache; and that page."""
