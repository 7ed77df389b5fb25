"""NAS-RL's recurrent cells in benchmarks: the recipe on a small text, and measurements of speed."""
