"""From brain MRI scans to an audited set of synthetic slices."""

__version__ = "0.1.0"
