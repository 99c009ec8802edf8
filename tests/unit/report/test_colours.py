"""Colours of the figures: contrast, and differences in grey and in colour vision deficiencies."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb
from tissuestate.report.figures import style
from tissuestate.report.figures.confusion import ink_on, luminance, shade
from tissuestate.report.figures.expression import OPACITY
from tissuestate.report.figures.style import DROPPED, GREY, KEPT, PALETTE, TEXT_GREY

# Linear RGB as seen with each deficiency (Machado, Oliveira & Fernandes 2009, severity 1).
DEFICIENCIES = {
    "none": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
GREY_VISION = np.tile([0.2126, 0.7152, 0.0722], (3, 1))
XYZ = np.array([[0.4125, 0.3576, 0.1804], [0.2127, 0.7152, 0.0722], [0.0193, 0.1192, 0.9503]])


def contrast(first: str, second: str) -> float:
    """The contrast of two colours as WCAG 2 defines it."""
    lighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def lab(colour: str, seen_as) -> np.ndarray:
    """CIELAB coordinates of a colour seen through a matrix on linear RGB."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = XYZ @ np.clip(np.asarray(seen_as) @ linear, 0, 1) / XYZ.sum(axis=1)
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def difference(first: str, second: str, seen_as) -> float:
    return float(np.linalg.norm(lab(first, seen_as) - lab(second, seen_as)))


def test_the_measures_are_right():
    assert contrast("#FFFFFF", "#000000") == pytest.approx(21)
    assert contrast("#FFFFFF", "#767676") == pytest.approx(4.54, abs=0.01)
    assert lab("#FF0000", np.eye(3)) == pytest.approx([53.2, 80.1, 67.2], abs=0.3)


def test_marks_stand_out_from_white_and_texts_can_be_read():
    seen_through = [
        to_hex([1 - OPACITY * (1 - value) for value in to_rgb(colour)]) for colour in PALETTE
    ]
    for mark in (*PALETTE, GREY, *seen_through):
        assert contrast(mark, "#FFFFFF") >= 3, mark
    for text in (TEXT_GREY, style.STYLE["axes.labelcolor"]):
        assert contrast(text, "#FFFFFF") >= 4.5, text
        assert contrast(text, "#F5F5F5") >= 4.5, text


@pytest.mark.parametrize("share", np.linspace(0, 1, 21))
def test_numbers_on_the_cells_of_a_confusion_matrix_can_be_read(share):
    for colour in (KEPT, DROPPED):
        fill = shade(colour, share)
        assert contrast(ink_on(fill), fill) >= 4.5


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_any_two_colours_of_the_palette_differ_for_every_eye(deficiency):
    for first, second in combinations(PALETTE, 2):
        assert difference(first, second, DEFICIENCIES[deficiency]) >= 25, (first, second)


@pytest.mark.parametrize("pair", [(KEPT, DROPPED), (KEPT, GREY)])
def test_colours_that_alone_tell_two_things_apart_differ_in_grey_too(pair):
    assert difference(*pair, GREY_VISION) >= 15


def test_thirty_classes_differ_in_marker_or_colour_and_neighbours_in_both():
    looks = [(style.class_colour(number), style.class_marker(number)) for number in range(30)]
    assert len(set(looks)) == 30
    for first, second in pairwise(looks):
        assert first[0] != second[0] and first[1] != second[1]
