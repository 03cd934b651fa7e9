"""A local page over a study's folder: browse, generate, and the blind reading test."""
