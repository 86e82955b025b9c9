"""Figures show the numbers that they were given."""

import numpy as np

from hoi.present.plots import Curve, curves, picture_sheet, write_figure


def curve():
    x = np.array([0.0, 1, 2])
    return Curve(x, x + 1, x + 0.5, x + 2)


def test_a_curve_is_drawn_through_its_values_with_its_band():
    axes = curves({"ours": curve()}, "noise", "F@5 mm").axes[0]
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), [[0, 1], [1, 2], [2, 3]])
    band = axes.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == 0.5 and band[:, 1].max() == 4.0
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("noise", "F@5 mm")


def test_a_sheet_has_every_picture_and_says_what_failed():
    tile = np.zeros((8, 8, 3), np.uint8)
    figure = picture_sheet([("mug", [tile, tile]), ("bowl", [tile, None])], ["input", "ours"])
    assert [len(axes.images) for axes in figure.axes] == [1, 1, 1, 0]
    assert figure.axes[3].texts[0].get_text() == "failed"
    assert [axes.get_title() for axes in figure.axes[:2]] == ["input", "ours"]


def test_files_are_vector_and_the_same_twice(tmp_path):
    made = []
    for i in (0, 1):
        write_figure(tmp_path / f"{i}.pdf", tmp_path / f"{i}.png", curves({"ours": curve()}, "noise", "F"))
        made.append((tmp_path / f"{i}.pdf").read_bytes())
    assert made[0] == made[1] and made[0].startswith(b"%PDF")
    assert b"/Subtype /Image" not in made[0] and (tmp_path / "0.png").read_bytes()[1:4] == b"PNG"
