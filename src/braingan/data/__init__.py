"""Scans in, a store of normalised slices out. NumPy only, so that a worker starts in a moment."""
