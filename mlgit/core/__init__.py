"""Words that two rooms or more share: records and rules without I/O and without a clock."""
