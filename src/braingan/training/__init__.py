"""A store in, a run out: objectives, the loop, and what makes it resumable."""
