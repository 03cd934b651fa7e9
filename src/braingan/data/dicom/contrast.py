"""What a series shows, by a name from a small vocabulary.

Descriptions are free text: they may hold names, dates and remarks. Only whether they contain certain words is
used. A contrast that is not sure stays without a name; that is better than a wrong one.
"""

import re
from collections.abc import Sequence

FIRST = (
    ("", r"subtract|\bsub\b|\bt[12]\w* ?map|\brho\b"),  # maps and differences look like no contrast
    ("ADC", r"\badc\b|apparent diff"),
    ("FA", r"\bfa map\b|fractional aniso"),
    ("DWI", r"\bdwi\b|diffusion|\bdti\b|\btracew?\b|\bep ?b\d"),
    ("SWI", r"\bswi\b|\bswan\b|susceptib|venobold"),
    ("MRA", r"\btof\b|time of flight|\bmr[av]\b|angio"),
    ("PWI", r"perfusion|\bperf\b|\bpwi\b|\bdsc\b|\bdce\b|\bp?c?asl\b|\br?cb[vf]\b"),
    ("BOLD", r"\bbold\b|\bfmri\b|resting ?state"),
    ("T2star", r"\bt2 ?(\*|star)|\bha?emo\b"),
)
"""Words that decide alone, the first that occur."""
WEIGHTED = {
    "FLAIR": r"flair|dark ?fluid|fluid attenuated",
    "T1w": r"\bt1(?!\d)|mp ?rage|\bbravo\b|spgr|tfl3d",
    "T2w": r"\bt2(?!\d)",
    "PD": r"\bpd(w|fs)?\b|proton ?dens",
}
"""Words that decide unless they contradict each other."""
WITH_AGENT = r"\+ ?c\b|\bc ?\+|\bgd\b|\bgad|\bpost\b|\bce\b|\bt1(ce|c|gd)\b|contrast|\bkm\b|enhanced"
WITHOUT_AGENT = r"\bpre\b|\bno(n|t)?\b|\bwithout\b|\bw ?o\b|\bnati[vf]|unenhanced|\bprecontrast"


def name_contrast(modality: str, texts: Sequence[str], agent: str) -> str:
    """Name a contrast: FLAIR, T1w, T1gd, T2w, PD, T2star, SWI, DWI, ADC, FA, MRA, PWI, BOLD, CT, PET, or none (empty).

    Args:
        modality: DICOM's: MR, CT or PT.
        texts: descriptions, the most telling first; the first that names a contrast decides.
        agent: the contrast agent that the header names, empty for none.
    """
    if modality != "MR":
        return {"CT": "CT", "PT": "PET"}.get(modality, "")
    for text in texts:
        words = re.sub(r"[^a-z0-9*+]+", " ", text.lower())
        name = _name(words)
        if name:
            given = re.search(WITH_AGENT, words) or _is_agent(agent)
            return "T1gd" if name == "T1w" and given and not re.search(WITHOUT_AGENT, words) else name
    return ""


def _name(words: str) -> str:
    for name, pattern in FIRST:
        if re.search(pattern, words):
            return name
    found = {name for name, pattern in WEIGHTED.items() if re.search(pattern, words)}
    if "FLAIR" in found:  # an inversion for T1, as in "T1 FLAIR", shows T1; else fluid is dark in a T2 image
        return "T1w" if "T1w" in found else "FLAIR"
    return found.pop() if len(found) == 1 else ""


def _is_agent(agent: str) -> bool:
    return agent.strip().lower() not in ("", "no", "none", "n", "0", "without")
