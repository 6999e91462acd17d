"""The numbers behind a comparison: pure functions on arrays, each with its source. They know nothing of runs."""
