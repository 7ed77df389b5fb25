"""The parts of `nasrl.py`: children trained from scratch, and searches among them."""
