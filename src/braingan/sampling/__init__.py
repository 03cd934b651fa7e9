"""A run becomes slices."""
