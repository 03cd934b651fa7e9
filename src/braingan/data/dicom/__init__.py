"""A folder of DICOM files holds volumes cut into slices, one file each, in any order and under any name.

`list_series` finds out from the headers which files make up which volume; `read_series` puts their pixels together.
Header texts may name a patient: none is kept, quoted in a reason or logged. What is DICOM here: part 3 of the
standard (PS3.3), section C.7.6.2 for where pixels lie, C.11.1 for what they mean.
"""

from braingan.data.dicom.header import is_dicom
from braingan.data.dicom.listing import Series, list_series
from braingan.data.dicom.reading import read_series

__all__ = ["Series", "is_dicom", "list_series", "read_series"]
