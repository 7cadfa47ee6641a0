"""Running a backend over many pictures."""
