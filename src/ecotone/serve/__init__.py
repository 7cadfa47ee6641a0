"""`ecotone serve`: the local model over HTTP, with a bounded queue, limits and metrics."""
