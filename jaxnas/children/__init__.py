"""Models of children that are trained from scratch: one program for all children of a space."""
