"""What is printed, kept with the run and shown as ever."""
