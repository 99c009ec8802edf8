"""The plot of shares with exact intervals: places, words on hover, escaped names."""

import xml.etree.ElementTree as ElementTree

import pandas as pd
import pytest
from tissuestate.report.figures.intervals import accuracy_intervals
from tissuestate.report.shares import exact_interval

SVG = "{http://www.w3.org/2000/svg}"


def interval_rows(**more):
    found = [("tissue", "dl_pca", 13, 13), ("tissue", "<mine>", 9, 13), ("subtype", "dl_pca", 4, 4)]
    table = pd.DataFrame(found, columns=["question", "model", "right", "samples"])
    bounds = [exact_interval(*row) for row in table[["right", "samples"]].itertuples(index=False)]
    table[["low", "high"]] = bounds
    return table.assign(is_called=table["model"] == "dl_pca", **more)


def test_interval_of_13_of_13_is_that_of_clopper_and_pearson():
    assert exact_interval(13, 13) == pytest.approx((0.025 ** (1 / 13), 1.0))


def test_each_model_has_its_numbers_on_hover_and_the_model_that_calls_is_bold():
    text = accuracy_intervals(interval_rows())
    groups = ElementTree.fromstring(text).findall(f"{SVG}g")[:-1]  # the last is the axis
    hover = [group.findtext(f"{SVG}title") for group in groups]
    assert hover[0].startswith("DL PCA, Tissue of origin: 13 of 13 right, 100.0% (95 % interval")
    assert hover[1].startswith("<mine>, ")
    assert [group.get("font-weight") for group in groups] == ["bold", None, "bold"]
    assert len(text) < 60_000


def test_places_follow_the_shares_on_an_axis_that_holds_every_interval():
    svg = ElementTree.fromstring(accuracy_intervals(interval_rows()))
    places = [float(dot.get("cx").rstrip("%")) for dot in svg.iter(f"{SVG}circle")]
    assert places[0] == places[2] == 100
    start = 0.3  # below the interval of 4 of 4, .40 to 1, and of 9 of 13, .39 to .91
    assert places[1] == pytest.approx(100 * (9 / 13 - start) / (1 - start), abs=0.01)


def test_chance_is_written_and_is_a_line_only_on_the_axis():
    def lines(text):
        return sum(line.get("stroke-dasharray") != "none" for line in text.iter(f"{SVG}line"))

    for chance, drawn in ((0.35, 2), (0.1, 0)):
        text = accuracy_intervals(interval_rows(chance=chance))
        assert text.count(f"always the commonest class: {chance:.0%}") == 2
        assert lines(ElementTree.fromstring(text)) == drawn
