"""Generated data with known truth: `worlds` (vectors) and `reserve` (pictures of a reserve)."""
