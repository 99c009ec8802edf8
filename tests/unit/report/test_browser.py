"""The pages in a real browser: alone and offline, without errors, readable on phone and paper."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tissuestate.classification.page import Background, index_facts, sample_facts
from tissuestate.report.render import render

pytestmark = pytest.mark.slow

HEADS = {
    "disease_state": {"neoplastic": 0.991, "peri-neoplastic": 0.008, "non-neoplastic": 0.001},
    "tissue": {"head_and_neck": 0.62, "oesophagus": 0.31, "lung": 0.07, "kidney": 0.0},
    "subtype": {"a-subtype-with-a-long-name": 0.8, "another": 0.2},
}


FEW = "Only 15,000 of 17,993 genes have a value; the others were estimated from them."


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
        "warnings": [FEW],
        "doubts": {},
        "notes": [],
        "genes_found": 15000,
        "genes_expected": 17993,
        "recognition": "15,000 of 17,993 genes found as Ensembl ids",
        "unit": "count",
        "sex_expressed": "XX",
        "mrin": -0.05,
        "novelty": 0.4,
        "nearest": [
            {"tissue": "head_and_neck", "state": "neoplastic", "distance": 0.4},
            {"tissue": "oesophagus", "state": "neoplastic", "distance": 1.3},
        ],
        **changes,
    }


def sample_page(*given) -> str:
    return render("sample.html.j2", sample_facts(*given))


@pytest.fixture(scope="module")
def background() -> Background:
    contrasts = [
        {"head": "disease_state", "first": "non-neoplastic", "second": "neoplastic", "studies": ""}
    ]
    counts = ("train", "laboratories", "test", "test_right", "outside", "outside_answered")
    record = {**dict.fromkeys(counts, 12), "outside_right": 11}
    known = {
        "tumour": {"yes": record},
        "tissue": {"head_and_neck": record},
        "subtype": {"a-subtype-with-a-long-name": record},
    }
    mrin = np.random.default_rng(0).normal(0, 0.05, 200)
    return Background(mrin, contrasts, known, date="2026-11-30")


GENES = pd.DataFrame(
    {
        "head": "tissue",
        "class": "head_and_neck",
        "rank": range(1, 13),
        "gene": [f"GENE{i}" for i in range(11)] + ["ENSG00000000003_a_long_name"],
        "contribution": np.linspace(2, -1, 12),
        "expression": 5.0,
        "average": np.linspace(4, 6, 12),
        "range_low": 4.0,
        "range_high": 6.0,
        "difference": 9.0,
    }
)


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
    "degraded": lambda background: sample_page(record(doubts={"degraded RNA": FEW}), background),
    "refused": lambda background: sample_page(
        record(
            refused="3 of the model's 17,993 genes have a value.",
            heads={},
            tumour=None,
            nearest=[],
            novelty=None,
        ),
        background,
    ),
}


@pytest.mark.parametrize("width", [375, 1280])
@pytest.mark.parametrize("kind", PAGES)
def test_a_page_loads_alone_without_errors_and_fits(
    kind, width, background, browser, accessibility, tmp_path
):
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
    assert accessibility(page) == []
    context.close()


def test_all_but_the_folds_fits_one_screen_of_a_phone_and_half_a_sheet(
    background, browser, tmp_path
):
    file = tmp_path / "sample.html"
    file.write_text(PAGES["called"](background), encoding="utf-8")
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(file.as_uri())
    fold = page.locator("details").first
    assert fold.bounding_box()["y"] < 844
    assert not page.get_by_text("more class under").first.is_visible()
    page.set_viewport_size({"width": 703, "height": 1032})  # A4 within margins of 12 mm
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert fold.bounding_box()["y"] < 1032 / 2
    assert page.get_by_text("more class under").first.is_visible()
    assert page.evaluate("document.documentElement.scrollHeight") <= 1032
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert not page.get_by_text("more class under").first.is_visible()
    page.close()


@pytest.fixture(scope="module")
def index(background, tmp_path_factory) -> Path:
    """The index of 5,000 samples; every tenth is degraded, every hundredth has no answer."""
    records = []
    for number in range(5000):
        doubts = {} if number % 10 else {"degraded RNA": "Degraded."}
        others = {"tumour": {"call": "", "probability": 0.99, "abstained": "even"}}
        others["heads"] = {
            head: {**answer, "call": "", "abstained": "even"}
            for head, answer in record()["heads"].items()
        }
        kind = {} if number % 100 else others
        records.append(record(sample=f"TCGA-{number:04}", doubts=doubts, **kind))
    file = tmp_path_factory.mktemp("index") / "index.html"
    file.write_text(render("index.html.j2", index_facts(records, background)), encoding="utf-8")
    return file


def test_the_index_of_many_samples_is_filtered_and_sorted_by_keyboard(index, browser):
    assert index.stat().st_size < 2_000_000
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(index.as_uri())
    rows, count = page.locator("#samples tbody tr"), page.locator("#count")
    assert rows.first.inner_text().split()[0] == "TCGA-0000", "without an answer"
    page.get_by_label("Needs a look").select_option("degraded RNA")
    assert count.inner_text() == "500 of 5,000 shown"
    page.get_by_label("Tissue", exact=True).select_option("-")
    assert count.inner_text() == "50 of 5,000 shown"
    page.get_by_label("Tissue", exact=True).select_option("head_and_neck")
    page.get_by_label("Find").fill("tcga-0010")
    assert count.inner_text() == "1 of 5,000 shown"
    assert page.locator("#samples tbody tr:visible a").get_attribute("href") == "TCGA-0010.html"
    page.get_by_label("Find").fill("")
    page.get_by_role("button", name="Sample").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    head = page.locator("th", has_text="Sample")
    assert head.get_attribute("aria-sort") == "descending"
    assert page.locator("#samples tbody tr:visible").first.inner_text().startswith("TCGA-4990")
    context.close()
