"""The pages in a real browser: alone and offline, without errors, readable on a phone."""

import shutil
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from tissuestate.classification.page import Background, PlanePicture, sample_facts
from tissuestate.report.figures.expression import embedding, tissue_marks
from tissuestate.report.render import figure_bytes, render

pytestmark = pytest.mark.slow

playwright = pytest.importorskip("playwright.sync_api")

HEADS = {
    "disease_state": {"neoplastic": 0.991, "peri-neoplastic": 0.008, "non-neoplastic": 0.001},
    "tissue": {"head_and_neck": 0.62, "oesophagus": 0.31, "lung": 0.07, "kidney": 0.0},
    "subtype": {"a-subtype-with-a-long-name": 0.8, "another": 0.2},
}


def record(**changes) -> dict:
    heads = {
        head: {
            "call": next(iter(shares)),
            "abstained": "",
            "set": list(shares)[:2],
            "probability": max(shares.values()),
            "probabilities": shares,
        }
        for head, shares in HEADS.items()
    }
    return {
        "sample": "a_sample_whose_name_is_rather_long-TCGA-A1-B2C3-01A-11R-A466-07",
        "refused": "",
        "tumour": {"call": "yes", "probability": 0.991, "abstained": ""},
        "heads": heads,
        "warnings": ["Only 15,000 of 17,993 genes have a value; the others count as average."],
        "genes_found": 15000,
        "genes_expected": 17993,
        "recognition": "15,000 of 17,993 genes found as Ensembl ids",
        "unit": "count",
        "mrin": -0.05,
        "novelty": 0.4,
        "point": [1.0, 2.0],
        **changes,
    }


def plane(training: pd.DataFrame) -> PlanePicture:
    figure = embedding(training)
    return PlanePicture.of(figure, figure_bytes(figure), tissue_marks(training))


def sample_page(*given) -> str:
    return render("sample.html.j2", sample_facts(*given))


@pytest.fixture(scope="module")
def background() -> Background:
    rng = np.random.default_rng(0)
    tissues = np.array(sorted({*HEADS["tissue"], *(f"tissue_{i}" for i in range(10))}))
    training = pd.DataFrame(rng.normal(size=(300, 2)), columns=["x", "y"]).assign(
        tissue=rng.choice(tissues, 300), disease_state=rng.choice(list(HEADS["disease_state"]), 300)
    )
    contrasts = [{"first": "non-neoplastic", "second": "neoplastic", "studies": ""}]
    return Background(plane(training), rng.normal(0, 0.05, 200), contrasts)


GENES = pd.DataFrame(
    {
        "head": "tissue",
        "class": "head_and_neck",
        "rank": range(1, 13),
        "gene": [f"GENE{i}" for i in range(11)] + ["ENSG00000000003_a_long_name"],
        "contribution": np.linspace(2, -1, 12),
        "expression": 5.0,
        "average": np.linspace(4, 6, 12),
        "difference": 9.0,
    }
)


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed (envs/debian-dev.txt)")
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(
            executable_path=program,
            args=[
                *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
                *("--disable-background-networking", "--disable-component-update"),
                "--disable-sync",
            ],
        )
        yield found
        found.close()


PAGES = {
    "called": lambda background: sample_page(record(), background, GENES),
    "not explained": lambda background: sample_page(record(mrin=None), background),
    "no answer": lambda background: sample_page(
        record(
            heads={
                **record()["heads"],
                "tissue": {
                    **record()["heads"]["tissue"],
                    "call": "",
                    "abstained": "head_and_neck and oesophagus are about equally likely",
                    "set": [],
                },
            }
        ),
        background,
    ),
    "far away": lambda background: sample_page(record(point=[1e6, -1e6]), background),
    "refused": lambda background: sample_page(
        record(
            refused="3 of the model's 17,993 genes have a value.",
            heads={},
            point=None,
            novelty=None,
        ),
        background,
    ),
}


@pytest.mark.parametrize("width", [375, 1280])
@pytest.mark.parametrize("kind", PAGES)
def test_a_page_loads_alone_without_errors_and_fits(kind, width, background, browser, tmp_path):
    file = tmp_path / "sample.html"
    file.write_text(PAGES[kind](background), encoding="utf-8")
    context = browser.new_context(offline=True, viewport={"width": width, "height": 700})
    page = context.new_page()
    trouble, requests = [], []
    page.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("requestfailed", lambda request: trouble.append(request.url))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(file.as_uri())
    assert trouble == []
    assert [url for url in requests if not url.startswith("data:")] == [file.as_uri()]
    assert page.title() == f"Sample {record()['sample']}"
    wide = page.evaluate(
        "[...document.querySelectorAll('body, body *')]"
        ".filter(e => e.getBoundingClientRect().right > innerWidth + 1)"
        ".filter(e => !e.closest('.scroll')).map(e => e.outerHTML.slice(0, 80))"
    )
    assert wide == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    smallest = page.evaluate(
        "Math.min(...[...document.querySelectorAll('body *')].filter(e => e.innerText)"
        ".map(e => parseFloat(getComputedStyle(e).fontSize)))"
    )
    assert smallest >= 11
    context.close()


def test_the_call_is_seen_first_and_the_star_lies_on_its_place(background, browser, tmp_path):
    file = tmp_path / "sample.html"
    file.write_text(PAGES["called"](background), encoding="utf-8")
    page = browser.new_page(viewport={"width": 375, "height": 700})
    page.goto(file.as_uri())
    for call in ("neoplastic", "head_and_neck", "a-subtype-with-a-long-name"):
        box = page.locator(".answer strong", has_text=call).first.bounding_box()
        assert box["y"] + box["height"] < 700, call
    picture = page.locator(".map img").bounding_box()
    star = page.locator(".star").bounding_box()
    left, top, _ = background.plane.place(1.0, 2.0)
    middle = star["x"] + star["width"] / 2, star["y"] + star["height"] / 2
    assert middle[0] == pytest.approx(picture["x"] + left * picture["width"], abs=3)
    assert middle[1] == pytest.approx(picture["y"] + top * picture["height"], abs=5)
    page.close()


def test_a_point_is_placed_where_matplotlib_draws_it():
    training = pd.DataFrame(
        {"x": [0.0, 4], "y": [1.0, 3], "tissue": ["lung", "liver"], "disease_state": "neoplastic"}
    )
    figure = embedding(training)
    figure_bytes(figure)
    axes = figure.axes[0]
    made = plane(training)
    at = figure.transFigure.inverted().transform(axes.transData.transform((3.0, 1.5)))
    assert made.place(3.0, 1.5) == pytest.approx((at[0], 1 - at[1], False), abs=1e-6)
    assert made.place(1e9, 1.5)[2]
