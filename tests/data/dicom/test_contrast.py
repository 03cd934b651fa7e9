"""A contrast is named by its words, or stays without a name."""

import pytest

from braingan.data.dicom.contrast import name_contrast


@pytest.mark.parametrize(
    ("text", "agent", "name"),
    [
        ("Ax T2 FLAIR", "", "FLAIR"),
        ("t2_tirm_tra_dark-fluid", "", "FLAIR"),
        ("Ax T1 FLAIR", "", "T1w"),
        ("SAG T1 MPRAGE", "", "T1w"),
        ("t1_mprage_sag_p2_iso", "Gadovist 7 ml", "T1gd"),
        ("T1 pre contrast", "Gadovist 7 ml", "T1w"),
        ("AX T1 +C FS", "", "T1gd"),
        ("t1_se_tra KM", "", "T1gd"),
        ("Ax T1 Post Gd", "", "T1gd"),
        ("T2 TSE tra", "Gadovist", "T2w"),
        ("PD_TSE", "", "PD"),
        ("PD+T2 TSE", "", ""),
        ("t2*_fl2d", "", "T2star"),
        ("SWI_Images", "", "SWI"),
        ("ep2d_diff_3scan_trace_ADC", "", "ADC"),
        ("DWI b1000", "", "DWI"),
        ("ep2d_diff DTI 64", "", "DWI"),
        ("TOF 3D multi-slab", "", "MRA"),
        ("T1 subtraction", "Gadovist", ""),
        ("T2 MAP", "", ""),
        ("Doe, Jane 1970", "", ""),
        ("T12 vertebra", "", ""),
    ],
)
def test_descriptions_name_a_contrast_by_their_words_alone(text, agent, name):
    assert name_contrast("MR", [text], agent) == name


def test_the_first_description_that_names_a_contrast_decides():
    assert name_contrast("MR", ["series 4", "BRAIN W/WO CONTRAST T1", "*tse2d T2"], "") == "T1w"
    assert name_contrast("MR", ["", "", ""], "Gadovist") == ""


def test_other_modalities_are_named_by_what_they_are():
    assert [name_contrast(m, ["T1 MPRAGE"], "") for m in ("CT", "PT", "US")] == ["CT", "PET", ""]
