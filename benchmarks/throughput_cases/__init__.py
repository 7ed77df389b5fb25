"""The cases of `benchmarks/throughput.py`; each group runs in a process of its own."""
