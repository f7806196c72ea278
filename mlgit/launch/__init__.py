"""What starts a job: one module a backend, each with `Settings` and a few verbs; backends do not know one another."""
