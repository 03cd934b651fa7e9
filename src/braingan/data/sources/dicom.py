"""DICOM: files of one series anywhere below the folder make a volume."""

from braingan.data.dicom import list_series
from braingan.data.sources.listing import Collection, Listing, Scan


def dicom(listing: Listing) -> Collection | None:
    """Read all series; subjects are known by their headers, whose text reaches no store: they get pseudonyms.

    Raises:
        InputError: pydicom is not installed.
    """
    if not listing.dicom:
        return None
    found, reasons = list_series(listing.dicom)
    passed_over = [*listing.others("dicom"), *((listing.name(path), reason) for path, reason in reasons)]
    scans = [
        Scan(
            series.patient, listing.name(series.paths[0]), series.paths[0], (series.frame,) if series.frame else (),
            series=tuple(series.paths),
        )
        for series in found
    ]  # fmt: skip
    return Collection("dicom", scans, passed_over, private=True)
