"""Pictures: decode, cut out, and turn into a model's numbers."""
