"""The page on laboratories left out, from files as the stage writes them."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from reading import MARKUP, Page, render_page
from sklearn.metrics import accuracy_score
from tissuestate.evaluation.outside import NEW, score_outside
from tissuestate.evaluation.predictions import tabulate_predictions
from tissuestate.labels import HEADS, OTHER, STATES, encode
from tissuestate.laboratories.calibration import head_probabilities
from tissuestate.laboratories.calls import read_calls
from tissuestate.laboratories.choice import call_left_out, judge, left_out_labels
from tissuestate.report.laboratories import (
    LeftOut,
    laboratories_facts,
    left_out_summary,
    read_left_out,
)
from tissuestate.tables import read_strings

CLASSES: dict[str, Any] = {
    "disease_state": list(STATES),
    "tissue": ["kidney", "liver"],
    "subtype": ["kirc", "kirp"],
    "subtypes_of": {"kidney": ["kirc", "kirp"]},
}
LABORATORIES = ("first", "second", "third", "fourth")


def cohort() -> pd.DataFrame:
    """200 samples of four laboratories; subtypes are sources, and each fifth has no class."""
    number = np.arange(200)
    obs = pd.DataFrame(
        {
            "laboratory": np.array(LABORATORIES)[number % 4],
            "tissue": np.where(
                number % 5 == 4, OTHER, np.array(CLASSES["tissue"])[number // 4 % 2]
            ),
            "disease_state": np.array(STATES)[number // 8 % 3],
            "split": np.where(number % 7 == 0, "test", "train"),
            "unit": "count",
        },
        index=[f"s{n}" for n in number],
    )
    obs.loc[obs["tissue"] == OTHER, ["disease_state", "split"]] = ["", "background"]
    tumour = (obs["tissue"] == "kidney") & (obs["disease_state"] == STATES[-1])
    first = obs["laboratory"].isin(LABORATORIES[:2])
    obs["subtype"] = np.where(tumour, np.where(first, "kirc", "kirp"), "")
    obs["study"] = obs["source"] = obs["donor"] = obs["laboratory"]
    return obs


def simulated_scores(obs: pd.DataFrame) -> dict[str, np.ndarray]:
    """Scores that mostly tell the truth: a tenth of samples look like another class."""
    rng = np.random.default_rng(1)

    def around(codes: np.ndarray, outputs: int) -> np.ndarray:
        wrong = rng.random(len(codes)) < 0.1
        codes = np.where(wrong, rng.integers(0, outputs, len(codes)), codes)
        return np.eye(outputs)[codes] + rng.normal(0, 0.15, (len(codes), outputs))

    tissue = encode(obs["tissue"], CLASSES["tissue"])
    tumour = np.where(obs["disease_state"] == STATES[-1], 1.0, -1.0)
    adjacent = np.where(obs["disease_state"] == STATES[1], 1.0, -1.0)
    return {
        "tissue": around(np.where(tissue < 0, 2, tissue), 3),
        "tumour": (tumour + rng.normal(0, 0.8, len(obs)))[:, None],
        "adjacent": (adjacent + rng.normal(0, 2.0, len(obs)))[:, None],
        "subtype": around(np.maximum(encode(obs["subtype"], CLASSES["subtype"]), 0), 2),
    }


@cache
def left_out() -> LeftOut:
    """The stage's own results on simulated scores; test samples are predicted by the same model."""
    obs = cohort()
    asked = obs[obs["split"] != "test"]
    scores = simulated_scores(asked)
    training = obs[obs["split"] != "background"]
    judgement = judge(scores, asked, CLASSES, training)
    calls = call_left_out(scores, asked, CLASSES, training)
    kept = left_out_labels(asked)
    inside = obs[obs["split"] == "test"]
    probabilities = head_probabilities(judgement.calibration, simulated_scores(inside), CLASSES)
    return LeftOut(
        calls=calls.join(kept.drop(columns="doubt"), rsuffix="_true"),
        scores=score_outside(calls, kept, CLASSES),
        candidates=pd.DataFrame({"candidate": ["cpm"], "loss": [0.3], "chosen": [True]}),
        recipe={
            "calibration": judgement.calibration.to_dict(),
            "confounded_subtypes": judgement.confounded,
        },
        predictions=tabulate_predictions(inside, probabilities, CLASSES),
        classes=CLASSES,
        samples=obs,
    )


@cache
def page_facts() -> dict[str, Any]:
    return laboratories_facts(left_out())


def write(found: LeftOut, folder: Path) -> dict[str, Path]:
    """The results as files, written as the stage writes them."""
    paths = {name: folder / f"{name}.tsv" for name in ("calls", "scores", "candidates")}
    found.calls.rename_axis("sample").reset_index().to_csv(paths["calls"], sep="\t", index=False)
    found.scores.to_csv(paths["scores"], sep="\t", index=False)
    found.candidates.to_csv(paths["candidates"], sep="\t", index=False)
    paths |= {"predictions": folder / "predictions.tsv", "recipe": folder / "recipe.json"}
    found.predictions.to_csv(paths["predictions"], sep="\t", index=False)
    paths["recipe"].write_text(json.dumps(found.recipe))
    return paths


def test_files_give_the_facts_that_they_were_written_from(tmp_path):
    found = left_out()
    read = read_left_out(write(found, tmp_path), CLASSES, found.samples)
    assert read_calls(tmp_path / "calls.tsv").index.tolist() == found.calls.index.tolist()
    assert left_out_summary(read)["healthy"].equals(left_out_summary(found)["healthy"])
    for name, score in left_out_summary(read)["scores"].items():
        assert score == pytest.approx(left_out_summary(found)["scores"][name])


def test_the_brief_scores_are_those_of_the_calls():
    found, brief = left_out(), left_out_summary(left_out())["scores"]
    calls = found.calls[found.calls["tissue_true"] != OTHER]
    answered = calls[calls["tissue"] != ""]
    right = [
        accuracy_score(own["tissue_true"], own["tissue"])
        for _, own in answered.groupby("laboratory")
    ]
    assert brief["right"]["value"] == pytest.approx(np.mean(right))
    assert brief["answered"]["samples"] == len(calls)
    new = found.calls[found.calls["tissue_true"] == OTHER]
    shares = (new["tissue"] != "").groupby(new["laboratory"]).mean()
    assert brief["new_answered"]["value"] == pytest.approx(shares.mean())
    assert brief["new_answered"]["laboratories"] == 4


def test_healthy_tissue_called_a_tumour_is_counted_by_laboratory():
    calls = left_out().calls
    healthy = page_facts()["healthy"].set_index("laboratory")
    for name in LABORATORIES:
        own = calls[(calls["laboratory"] == name) & (calls["disease_state_true"] == STATES[0])]
        assert healthy.loc[name].tolist() == [
            len(own),
            (own["tumour"] == "yes").sum(),
            (own["disease_state:neoplastic"] > 0.5).sum(),
        ]


def test_calibration_has_one_number_inside_and_another_outside():
    rows = {row["question"]: row for row in page_facts()["calibration"]}
    assert set(rows) == {"tumour", *HEADS}
    assert rows["tissue"]["inside_samples"] == len(left_out().predictions)
    assert 0 <= rows["tissue"]["inside"] <= 1 and 0 <= rows["tissue"]["outside"] <= 1
    assert rows["tissue"]["inside"] != rows["tissue"]["outside"]


def test_a_tumour_that_was_asked_for_no_subtype_has_no_part_in_its_calibration():
    predictions = left_out().predictions.copy()
    tumour = predictions.index[predictions["subtype_true"] != ""][0]
    predictions.loc[tumour, ["tissue:kidney", "tissue:liver"]] = [0.0, 1.0]
    rows = laboratories_facts(replace(left_out(), predictions=predictions))["calibration"]
    counts = {row["question"]: row["inside_samples"] for row in rows}
    assert counts["subtype"] == (left_out().predictions["subtype_true"] != "").sum() - 1


def test_subtypes_are_released_withheld_or_confused():
    def sorted_pairs(confounded: list, samples: pd.DataFrame) -> dict:
        recipe = left_out().recipe | {"confounded_subtypes": confounded}
        found = replace(left_out(), recipe=recipe, samples=samples)
        return {
            name: pairs for name, pairs in laboratories_facts(found)["subtypes"].items() if pairs
        }

    pair, apart = ("kirc", "kirp"), cohort()
    together = apart.assign(study="one", source="one")
    assert sorted_pairs([], apart) == {"released": [pair]}
    assert sorted_pairs([list(pair)], apart) == {"withheld": [pair]}
    assert sorted_pairs([list(pair)], together) == {"confused": [pair]}
    assert sorted_pairs([], together) == {}


def test_why_healthy_and_adjacent_are_not_told_apart_is_said():
    def text(adjacent: Any, samples: int) -> str:
        learnt = [row | {"samples": samples} for row in page_facts()["limits"]["learnt"]]
        limits = page_facts()["limits"] | {"adjacent": adjacent, "learnt": learnt}
        return Page(render_page("laboratories.html.j2", page_facts() | {"limits": limits})).text

    assert "between 0.30 and 0.70, given no tumour" in text((0.3, 0.7), 30)
    assert "because too few samples" in text(None, 3)
    assert "in two laboratories each" in text(None, 30)


def test_limits_that_withhold_nothing_are_said_to_answer_always():
    limits = page_facts()["limits"] | {"tumour": (0.5, 0.5)}
    text = Page(render_page("laboratories.html.j2", page_facts() | {"limits": limits})).text
    assert "There is always an answer if" in text and "between 0.50 and 0.50" not in text


def test_the_table_of_tissues_and_states_shows_its_holes():
    samples = cohort()
    samples = samples[(samples["tissue"] != "liver") | (samples["disease_state"] != STATES[1])]
    holes = laboratories_facts(replace(left_out(), samples=samples))["holes"]
    holes = holes.set_index(["tissue", "disease_state"])
    assert holes.loc[("liver", STATES[1])].tolist() == [0, 0, "none"]
    assert holes.loc[("kidney", STATES[1]), "laboratories"] == 4
    assert holes["samples"].sum() == (samples["tissue"] != OTHER).sum()


def test_the_page_names_mistakes_and_shows_markup_in_names_as_text():
    found = left_out()
    marked = replace(found, calls=found.calls.assign(laboratory=f"z{MARKUP}"))
    page = render_page("laboratories.html.j2", laboratories_facts(marked))
    assert MARKUP in Page(page).text and MARKUP not in page
    assert len(page_facts()["mistakes"][NEW])
    assert "kidney, " in Page(page).text
    assert "Doubtful labels" not in page


@pytest.mark.slow
def test_calls_of_laboratories_left_out_are_scored_as_those_of_a_bundle(root: Path, tmp_path: Path):
    found = left_out()
    results = tmp_path / "results"
    for folder in ("laboratories", "cohort", "evaluation/ridge"):
        (results / folder).mkdir(parents=True)
    calls = found.calls.rename(index="{}.set1".format)
    write(replace(found, calls=calls), results / "laboratories")
    (results / "cohort" / "classes.json").write_text(json.dumps(CLASSES))
    shutil.copy(results / "laboratories" / "predictions.tsv", results / "evaluation" / "ridge")
    data = tmp_path / "data"
    data.mkdir()
    own = cohort().iloc[:100].rename_axis("sample").reset_index()
    own = own[["sample", "laboratory", *HEADS, "unit"]].assign(set="set1", file="set1.tsv.gz")
    own = own.assign(protocol="poly-A", gene_ids="symbol", what="as labelled")
    own.to_csv(data / "samples.tsv", sep="\t", index=False)
    table, page = tmp_path / "external.tsv", tmp_path / "pages" / "left_out.html"
    program = [sys.executable, root / "benchmarks" / "external.py"]
    given = [results / "laboratories" / "calls.tsv", data, table, page, "--name", "left out"]
    environment = {**os.environ, "PYTHONPATH": str(root / "workflow" / "lib")}
    done = subprocess.run(
        [*program, *given], check=True, env=environment, capture_output=True, text=True
    )
    scored = own[own["sample"].isin(found.calls.index) & (own["tissue"] != OTHER)]
    assert len(scored) < (own["tissue"] != OTHER).sum(), "test samples of the run have no call"
    rows = read_strings(table)
    rows = rows[(rows["member"] == "pooled") & (rows["question"] == "tissue")]
    rows = rows[rows["labels"] == "all"].set_index("metric")
    assert rows.loc["answered", "samples"] == str(len(scored))
    calls = found.calls.loc[scored["sample"]]
    assert float(rows.loc["answered", "value"]) == pytest.approx(
        (calls["tissue"] != "").mean(), 1e-3
    )
    assert float(rows.loc["area_development_outside", "value"]) == pytest.approx(0, abs=0.2)
    missing = len(own) - own["sample"].isin(found.calls.index).sum()
    assert f"{missing} of 100 samples were not called" in done.stdout


@pytest.mark.slow
def test_a_bundle_is_not_scored_on_laboratories_of_its_training(root: Path, tmp_path: Path):
    bundle = Path(shutil.copytree(root / "tests" / "data" / "bundle", tmp_path / "bundle"))
    for folder in ("cohort", "data"):
        (tmp_path / folder).mkdir()
    (tmp_path / "cohort" / "laboratories.tsv").write_text("laboratory\nGTEx\nUlm\n")
    (tmp_path / "data" / "samples.tsv").write_text("sample\tlaboratory\tset\twhat\nx\tUlm\ts\ty\n")
    program = [sys.executable, root / "benchmarks" / "external.py", bundle, tmp_path / "data"]
    environment = {**os.environ, "PYTHONPATH": str(root / "workflow" / "lib")}
    given = [tmp_path / "external.tsv", tmp_path / "page.html"]
    done = subprocess.run(
        [*program, *given], check=False, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "trained on samples of Ulm" in done.stderr
