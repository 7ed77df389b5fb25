"""Neural architecture search in JAX."""
