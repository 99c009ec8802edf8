"""Templates and their filters: numbers as text, and markup in facts shown as text."""

import re

import jinja2
import numpy as np
import pandas as pd
import pytest
from reading import MARKUP, Page
from tissuestate.report.render import TEMPLATES, _environment, number, render, signed, with_interval


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234, "1,234"),
        (0.12345, "0.123"),
        (12345.6, "12,346"),
        (np.nan, ""),
        (True, "yes"),
        ("a", "a"),
    ],
)
def test_numbers_as_text(value, text):
    assert number(value) == text


def test_intervals_and_differences():
    assert with_interval(0.5, 0.4, 0.6) == "0.500 (0.400–0.600)"
    assert with_interval(0.5, np.nan, np.nan) == "0.500"
    assert with_interval(np.nan, 0.4, 0.6) == "not computed"
    assert with_interval(1.0, 1.0, 1.0) == "1.000", (
        "resampling shows no spread of what is all right"
    )
    assert [signed(value) for value in (0.12, -0.12, -0.0001, np.nan)] == [
        "+0.120",
        "-0.120",
        "+0.000",
        "",
    ]


def test_a_fact_that_is_missing_is_an_error():
    with pytest.raises(jinja2.UndefinedError):
        render("summary.html.j2", {})


def drawn(name: str) -> str:
    """The shared parts, each with `name` for its texts."""
    parts = _environment().get_template("parts.html.j2").module
    frame = pd.DataFrame({name: [name], "count": [1234], "share": [0.5]})
    return "".join(
        (
            *(part(name) for part in (parts.warning, parts.small)),
            parts.table(frame, name),
            parts.cells([name, 1234]),
            parts.count(2, name),
            parts.picture(b"", name),
        )
    )


def test_the_parts_of_pages_show_markup_as_text():
    plain, marked = Page(drawn("NAME")), Page(drawn(MARKUP))
    assert marked.elements == plain.elements
    assert marked.text == plain.text.replace("NAME", MARKUP)


def test_numbers_are_aligned_to_the_right():
    html = drawn("NAME")
    assert html.count('<td class="number">1,234</td>') == 2
    assert '<th scope="col" class="number">share</th>' in html
    assert '<th scope="col">NAME</th>' in html


@pytest.mark.parametrize(
    ("things", "text"), [(1, "1 study"), (0, "0 studies"), (1000, "1,000 studies")]
)
def test_one_is_followed_by_the_singular(things, text):
    parts = _environment().get_template("parts.html.j2").module
    assert str(parts.count(things, "study", "studies")) == text


def test_no_template_loads_a_file():
    """A page is one file: what it shows is in it."""
    templates = sorted(path for path in TEMPLATES.iterdir() if path.suffix in (".j2", ".css"))
    assert len(templates) > 10
    loads = re.compile(r"<link|@import|url\(|\bsrc=\"(?!data:)|\bsrc=[^\"]|fetch\(|import\(")
    assert {path.name for path in templates if loads.search(path.read_text())} == set()
