"""Studies: a grid of settings to trainings, run once each wherever there is room, and a table of all that came out."""
