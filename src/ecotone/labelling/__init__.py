"""What to label next, the hunt for one species, and what more labels bring."""
