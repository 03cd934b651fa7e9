"""Run folders become one HTML file that can be read alone."""
