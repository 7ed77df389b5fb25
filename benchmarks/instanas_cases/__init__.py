"""What `benchmarks/instanas.py` is made of: settings, arms, kept results, timings."""
