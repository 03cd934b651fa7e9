"""Generated slices against real ones, each number beside what real data scores."""
