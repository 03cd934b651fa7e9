"""The voxels of a series are the volume's that it was made from; what makes up no volume has a reason."""

import io
import warnings
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

import made
from braingan.data.dicom import is_dicom, list_series, read_series
from braingan.data.volumes import UnreadableError

pydicom = pytest.importorskip("pydicom")

ROOM = 2**28
SPACING = (1.0, 1.5, 2.5)


def turned(degrees):
    """Turn by an angle about each of x and z."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def enhanced(path, voxels, spacing, axis):
    """One multi-frame file of a RAS volume, its frames in random order."""
    slices = list(made.dicom_slices(voxels, spacing, axis))
    order = np.random.default_rng(3).permutation(len(slices))
    first = made.dicom_series(path.parent, voxels, spacing, axis)[0]
    dataset = pydicom.dcmread(first)
    for keyword in ("ImageOrientationPatient", "ImagePositionPatient", "PixelSpacing"):
        delattr(dataset, keyword)
    shared, item = pydicom.Dataset(), pydicom.Dataset()
    item.PixelSpacing = slices[0][3]
    shared.PixelMeasuresSequence = [item]
    item = pydicom.Dataset()
    item.ImageOrientationPatient = slices[0][1]
    shared.PlaneOrientationSequence = [item]
    dataset.SharedFunctionalGroupsSequence = [shared]
    groups = []
    for place in order:
        position, group, rescale = pydicom.Dataset(), pydicom.Dataset(), pydicom.Dataset()
        position.ImagePositionPatient = slices[place][2]
        rescale.RescaleSlope, rescale.RescaleIntercept = 1 + int(place), 5
        group.PlanePositionSequence, group.PixelValueTransformationSequence = [position], [rescale]
        groups.append(group)
    dataset.PerFrameFunctionalGroupsSequence = groups
    dataset.NumberOfFrames = len(slices)
    dataset.PixelData = np.stack([slices[place][0] for place in order]).tobytes()
    dataset.save_as(path)


@pytest.mark.parametrize("axis", ["axial", "coronal", "sagittal"])
@pytest.mark.parametrize("turn", [np.eye(3), turned(5), np.diag([-1.0, -1.0, 1.0]), np.diag([1.0, -1.0, -1.0])])
def test_acquisitions_along_every_axis_and_slightly_oblique_give_the_same_ras_voxels(tmp_path, axis, turn):
    paths = made.dicom_series(tmp_path, made.landmarks(), SPACING, axis, turn=turn)
    volume = read_series(paths[::-1], ROOM)
    signs = np.sign(np.diag(turn)).astype(int) * (-1, -1, 1)  # in LPS; a half turn mirrors two axes
    expected = made.landmarks()[:: -signs[0], :: -signs[1], :: signs[2]]
    np.testing.assert_array_equal(volume.voxels[..., 0], expected)
    assert volume.spacing == pytest.approx(SPACING, abs=1e-6)
    assert volume.voxels.dtype == np.int16


@pytest.mark.parametrize("axis", ["axial", "coronal", "sagittal"])
def test_orientation_and_spacing_are_those_that_itk_reads(tmp_path, axis):
    itk = pytest.importorskip("SimpleITK")
    paths = made.dicom_series(tmp_path, made.landmarks(), SPACING, axis, turn=turned(20))
    image = itk.ReadImage([str(path) for path in paths])
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine = np.diag([-1, -1, 1, 1]) @ affine
    voxels = itk.GetArrayFromImage(image).transpose(2, 1, 0)
    theirs = nibabel.as_closest_canonical(nibabel.Nifti1Image(voxels.astype(np.int16), affine))
    ours = read_series(paths, ROOM)
    np.testing.assert_array_equal(ours.voxels[..., 0], theirs.get_fdata())
    assert ours.spacing == pytest.approx(theirs.header.get_zooms(), abs=1e-6)


@pytest.mark.parametrize("axis", ["axial", "coronal", "sagittal"])
def test_one_multi_frame_file_is_a_volume_with_each_frames_own_rescaling(tmp_path, axis):
    enhanced(tmp_path / "enhanced.dcm", made.landmarks(), SPACING, axis)
    (series,), _ = list_series([tmp_path / "enhanced.dcm"])
    volume = read_series(series.paths, ROOM)
    along = {"axial": 2, "coronal": 1, "sagittal": 0}[axis]
    slope = np.moveaxis(1 + np.arange(made.landmarks().shape[along])[:, None, None], 0, along)
    np.testing.assert_array_equal(volume.voxels[..., 0], made.landmarks() * slope + 5)
    assert volume.spacing == SPACING


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32])
def test_whole_numbers_keep_their_kind_and_range(tmp_path, kind):
    limits = np.iinfo(kind)
    voxels = np.zeros((4, 5, 6), kind)
    voxels[0], voxels[1] = limits.min, limits.max
    volume = read_series(made.dicom_series(tmp_path, voxels), ROOM)
    np.testing.assert_array_equal(volume.voxels[..., 0], voxels)
    assert volume.voxels.dtype == kind


def test_intensities_are_rescaled_slice_by_slice(tmp_path):
    def change(dataset, k):
        dataset.RescaleSlope, dataset.RescaleIntercept = 0.5 + k, -10

    volume = read_series(made.dicom_series(tmp_path, made.landmarks(), change=change), ROOM)
    np.testing.assert_array_equal(volume.voxels[..., 0], made.landmarks() * (0.5 + np.arange(20)) - 10)
    assert volume.voxels.dtype == np.float32


@pytest.mark.parametrize("kind", [np.uint16, np.int16])
def test_inverted_pixels_are_turned_back_within_the_stored_range(tmp_path, kind):
    def change(dataset, k):
        dataset.PhotometricInterpretation, dataset.BitsStored, dataset.HighBit = "MONOCHROME1", 12, 11

    volume = read_series(made.dicom_series(tmp_path, made.landmarks().astype(kind), change=change), ROOM)
    total = 4095 if kind is np.uint16 else -1
    np.testing.assert_array_equal(volume.voxels[..., 0].astype(int), total - made.landmarks().astype(int))


@pytest.mark.parametrize(("kind", "padding"), [(np.uint16, 63536), (np.int16, -2000)])
def test_padding_becomes_the_lowest_value_even_where_its_sign_is_wrong(tmp_path, kind, padding):
    voxels = made.landmarks().astype(np.int32) + 7
    voxels[:3] = padding

    def change(dataset, k):
        dataset.add_new("PixelPaddingValue", "US", padding % 65536)

    volume = read_series(made.dicom_series(tmp_path, voxels.astype(kind), change=change), ROOM)
    np.testing.assert_array_equal(volume.voxels[..., 0], np.where(voxels == padding, 7, voxels))


def jpeg(dataset, k):
    """JPEG baseline takes 8 bits and loses detail."""
    picture = io.BytesIO()
    Image.fromarray(dataset.pixel_array).save(picture, "JPEG", quality=100)
    dataset.PixelData = pydicom.encaps.encapsulate([picture.getvalue()])
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.JPEGBaseline8Bit


def test_compressed_pixels_are_decoded(tmp_path):
    def run_length(dataset, k):
        dataset.compress(pydicom.uid.RLELossless, generate_instance_uid=False)

    volume = read_series(made.dicom_series(tmp_path / "rle", made.landmarks(), change=run_length), ROOM)
    np.testing.assert_array_equal(volume.voxels[..., 0], made.landmarks())
    smooth = np.add.outer(np.arange(40), np.add.outer(np.arange(40), np.arange(20))).astype(np.uint8)
    volume = read_series(made.dicom_series(tmp_path / "jpeg", smooth, change=jpeg), ROOM)
    assert np.abs(volume.voxels[..., 0].astype(int) - smooth).max() <= 2


def test_a_compression_that_nothing_here_decodes_is_named_with_the_way_out(tmp_path):
    pixels = pydicom.pixels
    if pixels.get_decoder(pydicom.uid.JPEGLSLossless).is_available:
        pytest.skip("a decoder for JPEG-LS is installed")

    def change(dataset, k):
        dataset.PixelData = pydicom.encaps.encapsulate([b"\xff\xd8"])
        dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.JPEGLSLossless

    paths = made.dicom_series(tmp_path, made.landmarks(), change=change)
    with pytest.raises(UnreadableError, match=r"JPEG-LS Lossless.*pip install pylibjpeg pylibjpeg-libjpeg"):
        read_series(paths, ROOM)


def test_files_without_preamble_and_of_other_encodings_are_read(tmp_path):
    paths = made.dicom_series(tmp_path, made.landmarks())
    for number, path in enumerate(paths):
        dataset = pydicom.dcmread(path)
        if number % 3 == 0:  # without preamble and file meta information, implicit, as before 1993
            del dataset.file_meta
            dataset.save_as(path, implicit_vr=True, little_endian=True)
        elif number % 3 == 1:
            dataset.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
            dataset.save_as(path, enforce_file_format=True)
    np.testing.assert_array_equal(read_series(paths, ROOM).voxels[..., 0], made.landmarks())


def remove_one(paths):
    paths[7].unlink()
    del paths[7]


def move_one(paths):
    dataset = pydicom.dcmread(paths[7])
    dataset.ImagePositionPatient = [*dataset.ImagePositionPatient[:2], dataset.ImagePositionPatient[2] + 0.3]
    dataset.save_as(paths[7])


def shear(paths):
    for k, path in enumerate(paths):
        dataset = pydicom.dcmread(path)
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x, y + k * 0.2, z]
        dataset.save_as(path)


def double_one(paths):
    paths.append(paths[3].with_name("copy"))
    paths[-1].write_bytes(paths[3].read_bytes())


def truncate_one(paths):
    paths[2].write_bytes(paths[2].read_bytes()[:-100])


def cut_header(paths):
    paths[2].write_bytes(paths[2].read_bytes()[:420])


def drop_pixels(paths):
    change_one(paths, lambda dataset: delattr(dataset, "PixelData"))


def change_one(paths, change):
    dataset = pydicom.dcmread(paths[4])
    change(dataset)
    dataset.save_as(paths[4])


def other_size(paths):
    change_one(paths, lambda dataset: setattr(dataset, "Rows", dataset.Rows - 1))


def other_direction(paths):
    change_one(paths, lambda dataset: setattr(dataset, "ImageOrientationPatient", [0, 1, 0, 0, 0, -1]))


def colour(paths):
    change_one(paths, lambda dataset: setattr(dataset, "SamplesPerPixel", 3))


def classic_multi_frame(paths):
    del paths[1:]
    dataset = pydicom.dcmread(paths[0])
    dataset.NumberOfFrames = 4
    dataset.save_as(paths[0])


def wild_rescale(paths):
    change_one(paths, lambda dataset: setattr(dataset, "RescaleSlope", "1e300"))


def table(paths):
    change_one(paths, lambda dataset: setattr(dataset, "ModalityLUTSequence", [pydicom.Dataset()]))


def two_left(paths):
    del paths[2:]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (remove_one, r"slices are missing: two are 2\.00 mm apart, the others 1\.00 mm"),
        (move_one, r"unevenly spaced, 0\.70 to 1\.30 mm apart"),
        (shear, r"shifted against each other by up to 3\.8 mm"),
        (double_one, "several of its slices lie at the same place"),
        (truncate_one, "pixel data is truncated or damaged"),
        (cut_header, r"holds no image|header lacks|header is damaged"),
        (drop_pixels, "pixel data is missing"),
        (other_size, "differ in rows and columns"),
        (other_direction, "differ in orientation or pixel spacing"),
        (colour, "a colour image"),
        (classic_multi_frame, "has 4 frames, but its header does not say where each lies"),
        (wild_rescale, "RescaleSlope or RescaleIntercept is no plausible number"),
        (table, "Modality LUT"),
        (two_left, "needs 3 slices, here it has 2"),
    ],
)
def test_what_makes_up_no_volume_has_a_reason(tmp_path, spoil, reason):
    paths = made.dicom_series(tmp_path, made.landmarks())
    spoil(paths)
    with pytest.raises(UnreadableError, match=reason):
        read_series(paths, ROOM)


def test_huge_claims_are_refused_before_memory_is_taken(tmp_path):
    def change(dataset, k):
        dataset.Rows = dataset.Columns = 65535

    paths = made.dicom_series(tmp_path, made.landmarks(), change=change)
    with pytest.raises(UnreadableError, match=r"240\.0 GiB of memory, more than data\.max_gib = 0\.25"):
        read_series(paths, ROOM)


def test_random_damage_gives_a_volume_or_a_reason(tmp_path):
    rng = np.random.default_rng(0)
    paths = made.dicom_series(tmp_path, made.landmarks()[:, :, 8:12])
    whole = paths[1].read_bytes()
    outcomes = set()
    for _ in range(150):
        content = np.frombuffer(whole, np.uint8).copy()
        content[rng.integers(128, 1200, 4)] = rng.integers(0, 256, 4)
        paths[1].write_bytes(content[: rng.integers(132, 2 * len(whole))].tobytes())
        list_series(paths)
        try:
            read_series(paths, ROOM)
            outcomes.add("volume")
        except UnreadableError:
            outcomes.add("reason")
    assert outcomes == {"volume", "reason"}


def packaged():
    return [path for path in sorted(Path(pydicom.data.__file__).parent.rglob("*")) if path.is_file()]


def test_every_file_that_pydicom_ships_gives_a_volume_or_a_reason_and_quotes_no_one(capfd):
    """Its test files hold every oddity that its authors met; none may warn, print or raise anything else."""
    paths = [path for path in packaged() if is_dicom(path)]
    assert len(paths) > 100
    found, passed_over = list_series(paths)
    listed = [path for series in found for path in series.paths] + [path for path, _ in passed_over]
    assert sorted(listed) == paths
    reasons = [reason for _, reason in passed_over]
    volumes = 0
    for group in [series.paths for series in found] + [[path] for path in paths]:
        try:
            volumes += read_series(group, ROOM).voxels.size > 0
        except UnreadableError as reason:
            reasons.append(str(reason))
    assert volumes
    assert capfd.readouterr() == ("", "")
    said = "\n".join(reasons)
    for path in paths:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(path, force=True, specific_tags=["PatientName", "PatientID", "StudyDate"])
            texts = [str(element.value) for element in dataset]
        assert not any(len(text) > 4 and text in said for text in texts if text != "ISO_IR 100"), path.name
