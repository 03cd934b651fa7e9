"""What the template says of a brain, and what is said where it is not there."""

import pytest

from braingan.data import mni152 as module
from braingan.data.mni152 import CENTRE, map_files
from braingan.data.phantom.template import template
from braingan.errors import InputError


def test_the_shares_sum_to_one_within_the_brain():
    csf, grey, white, edge, depth, residual = template("cpu")[0]
    assert float(depth[edge > 0.95].min()) > 0.4
    inside = edge > 0.95
    total = (csf + grey + white)[inside]
    assert float((total - 1).abs().mean()) < 0.01
    assert 1.0e6 < int(inside.sum()) < 2.0e6  # mm³
    assert float(residual[inside].abs().mean()) < 0.05
    x, y, z = (int(c) for c in CENTRE)
    assert float(csf[x - 8 : x + 8, y - 10 : y + 10, z : z + 12].max()) > 0.9  # the ventricles are at the middle


def test_the_template_is_as_in_the_header_right_anterior_superior():
    """The cerebellum lies at the back and below, and the brain is wider at the back than at the front."""
    edge = template("cpu")[0, 3]
    inside = edge > 0.5
    widths = inside[:, :, 77].sum(dim=0)
    assert int(widths[50:80].max()) > int(widths[170:200].max())
    assert bool(inside[98, 60, 30])  # cerebellum
    assert not bool(inside[98, 190, 10])  # below the frontal lobe


def test_a_damaged_map_is_named(monkeypatch, tmp_path):
    folder = tmp_path / "datasets" / "data"
    folder.mkdir(parents=True)
    whole = map_files("demo")[0]
    (folder / whole.name).write_bytes(whole.read_bytes()[:5000])
    spec = type("Spec", (), {"origin": str(tmp_path / "__init__.py")})
    monkeypatch.setattr(module, "find_spec", lambda name: spec)
    template.cache_clear()
    with pytest.raises(InputError, match=r"mni_icbm152_t1_.*ends early.*install nilearn again"):
        template("cpu")
    template.cache_clear()
