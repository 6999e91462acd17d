"""NEL's catalogue of tasks, the recipes for running each of them well, and what is known of metrics, limits and needs."""
