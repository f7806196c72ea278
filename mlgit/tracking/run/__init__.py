"""A run in the hands of the script that makes it: what it says, keeps, and answers, part by part."""
