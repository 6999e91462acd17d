"""Per-sample files and `results.yml` of every harness become one table of samples; a finished run is validated (`checks/`)."""
