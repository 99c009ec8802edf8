"""Figures: what they draw, for any number of classes, and equal bytes."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from tissuestate.report.figures.benchmark import accuracy_dots, cost_dots
from tissuestate.report.figures.confusion import confusion_matrices
from tissuestate.report.figures.evaluation import class_areas, reliability
from tissuestate.report.figures.expression import (
    correction_diagnostics,
    principal_components,
    project,
)
from tissuestate.report.figures.integrity import (
    gene_body_coverage,
    gis_histogram,
    mrin_distribution,
)
from tissuestate.report.figures.models import learning_curves, tuning_history
from tissuestate.report.figures.style import save

TISSUES = [f"tissue {number}" for number in range(14)]
CLASSES = {
    "disease_state": ["non-neoplastic", "peri-neoplastic", "neoplastic"],
    "tissue": TISSUES,
    "subtype": ["kirc", "kirp"],
}
NAMES = {"kirc": "clear cell renal cell carcinoma (KIRC)"}


def texts(figure: Figure) -> list[str]:
    found = []
    for axes in figure.axes:
        found += [text.get_text() for text in axes.texts]
        found += [axes.get_title(loc="left"), axes.get_title()]
    return [text for text in found if text]


def drawn(figure: Figure, tmp_path: Path) -> bytes:
    save(figure, tmp_path / "figure.png")
    content = (tmp_path / "figure.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    return content


def hovered(figure: Figure, tmp_path: Path) -> set[str]:
    """The texts on hover of a figure written as SVG."""
    save(figure, tmp_path / "figure.svg")
    svg = ElementTree.parse(tmp_path / "figure.svg")
    return {title.text for title in svg.iter("{http://www.w3.org/2000/svg}title")}


def confusion(counts: dict[tuple[str, str, str], int]) -> pd.DataFrame:
    return pd.DataFrame(
        [(*key, count) for key, count in counts.items()],
        columns=["head", "true", "called", "count"],
    )


def test_confusion_cells_show_counts_and_rows_how_many_are_right(tmp_path):
    table = confusion(
        {
            ("disease_state", "neoplastic", "neoplastic"): 3,
            ("disease_state", "neoplastic", "non-neoplastic"): 1,
            ("tissue", TISSUES[0], TISSUES[13]): 7,
        }
    )
    figure = confusion_matrices(table, CLASSES, NAMES)
    shown = texts(figure)
    assert {"3", "1", "7", "3 of 4", "0 of 7", "no sample"} <= set(shown)
    assert "Subtype" not in shown  # no row of that head
    assert "true neoplastic, called non-neoplastic: 1 of 4 (25%)" in hovered(figure, tmp_path)


@pytest.mark.parametrize("tissues", [4, 14, 28])
def test_confusion_panels_stand_in_order_and_their_labels_overlap_nothing(tissues):
    classes = {**CLASSES, "tissue": [f"tissue {number}" for number in range(tissues)]}
    table = confusion({(head, names[0], names[0]): 1234 for head, names in classes.items()})
    figure = confusion_matrices(table, classes, NAMES)
    figure.canvas.draw()
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "Disease state",
        "Tissue of origin",
        "Subtype",
    ]
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    for number, box in enumerate(boxes):
        assert box.x0 >= 0 and box.y0 >= 0
        assert box.x1 <= figure.bbox.width and box.y1 <= figure.bbox.height
        assert not any(box.overlaps(other) for other in boxes[number + 1 :])


def test_areas_of_classes_stand_below_their_mean_and_are_hollow_if_few(tmp_path):
    per_class = pd.DataFrame(
        [("subtype", "kirc", 1.0, 12), ("subtype", "kirp", 0.5, 9), ("subtype", "kich", np.nan, 0)],
        columns=["head", "class", "auc", "support"],
    )
    means = pd.DataFrame(
        [("subtype", "auc", 0.75, 0.6, 0.9)], columns=["head", "metric", "value", "low", "high"]
    )
    figure = class_areas(per_class, means, CLASSES, NAMES)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["mean of the classes", "KIRC (12)", "kirp (9)"]
    dots = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert [line.get_xdata()[0] for line in dots] == [0.75, 1.0, 0.5]
    assert [line.get_markerfacecolor() == "white" for line in dots] == [False, False, True]
    said = "clear cell renal cell carcinoma (KIRC): AUC 1.000, 12 test samples"
    assert said in hovered(figure, tmp_path)


def test_learning_curves_mark_the_epoch_of_least_validation_loss(tmp_path):
    history = pd.DataFrame(
        {
            "epoch": [1, 2, 3],
            "loss": [3.0, 2.0, 1.0],
            "validation_loss": [2.0, 1.0, 1.5],
            "tissue_validation_loss": [2.0, 1.0, 1.5],
            "tissue_validation_accuracy": [0.2, 0.6, 0.7],
        }
    )
    figure = learning_curves(history)
    marks = [
        line.get_xdata()[0]
        for axes in figure.axes
        for line in axes.lines
        if str(line.get_label()).startswith("kept")
    ]
    assert marks == [2, 2]
    drawn(figure, tmp_path)
    history["epoch"] -= 2
    labels = [text.get_text() for text in learning_curves(history).legends[0].get_texts()]
    assert "kept: epoch 0, the logistic regression that training began as" in labels


def test_tuning_history_ignores_failed_trials(tmp_path):
    trials = pd.DataFrame({"number": [0, 1, 2], "loss": [1.0, np.nan, 0.5]})
    figure = tuning_history(trials)
    assert figure.axes[0].lines[0].get_ydata().tolist() == [1.0, 0.5]
    drawn(figure, tmp_path)


def test_a_search_of_equal_trials_is_a_sentence():
    figure = tuning_history(pd.DataFrame({"number": range(8), "loss": [0.0031] * 8}))
    same = "All 8 trials have the same loss, 0.0031: nothing to choose between."
    assert texts(figure) == [same]


def test_projection_is_that_of_scikit_learn():
    from sklearn.decomposition import PCA

    rng = np.random.default_rng(1)
    values = rng.normal(size=(300, 30)) * 0.7 ** np.arange(30)
    points, shares = project(values)
    expected = PCA(n_components=2, svd_solver="full").fit(values)
    coordinates = expected.transform(values)
    signs = np.sign((points * coordinates).sum(axis=0))
    np.testing.assert_allclose(points * signs, coordinates, atol=1e-3 * np.abs(coordinates).max())
    np.testing.assert_allclose(shares, expected.explained_variance_ratio_, rtol=1e-3)


def test_projection_takes_a_missing_value_for_the_gene_mean():
    rng = np.random.default_rng(2)
    values = rng.normal(size=(10, 5))
    values[0, 0] = np.nan
    filled = values.copy()
    filled[0, 0] = np.nanmean(values[:, 0])
    np.testing.assert_allclose(project(values)[0], project(filled)[0], atol=1e-5)


def points(n: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "x": rng.normal(size=n),
            "y": rng.normal(size=n),
            "study": rng.choice(["GTEx", "TCGA"], n),
            "tissue": rng.choice(TISSUES, n),
            "disease_state": rng.choice(CLASSES["disease_state"], n),
        }
    )


def test_each_of_many_classes_has_its_own_colour_and_marker(tmp_path):
    figure = principal_components(points(400), points(401), {"before": (0.3, 0.1)}, {})
    handles = figure.axes[3].get_legend().legend_handles[: len(TISSUES)]
    looks = {(to_rgb(handle.get_color()), handle.get_marker()) for handle in handles}
    assert len(looks) == len(TISSUES)
    drawn(figure, tmp_path)


def test_samples_that_were_not_corrected_are_drawn_once():
    same = points(40)
    assert len(principal_components(same, same.copy(), {}, {}).axes) == 2


def test_mrin_shows_kept_and_dropped_samples_and_counts_those_without_reads(tmp_path):
    qc = pd.DataFrame(
        {
            "sample": list("abcd"),
            "mrin": [0.02, 0.01, -0.3, np.nan],
            "kept": [True, True, False, True],
            "reason": ["", "", "mRIN", ""],
        }
    )
    figure = mrin_distribution(qc, -0.11)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["Kept: 2", "Dropped: 1"]
    assert "1 without reads" in figure.get_suptitle()
    drawn(figure, tmp_path)


def test_coverage_has_one_panel_per_decision(tmp_path):
    coverage = pd.DataFrame(np.ones((3, 100)), index=list("abc"))
    qc = pd.DataFrame({"sample": list("abc"), "kept": [True, True, False]})
    figure = gene_body_coverage(coverage, qc)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["Kept: 2", "Dropped: 1"]
    drawn(figure, tmp_path)


def test_diagnostics_show_only_what_was_measured_on_both_sides(tmp_path):
    table = pd.DataFrame(
        [
            ("before", "predicted_source", "1"),
            ("after", "predicted_source", "0.4"),
            ("before", "concordance", ""),
            ("after", "concordance", ""),
            ("after", "surrogate_variables", "5"),
            ("note", "message", "all is well"),
        ],
        columns=["stage", "measure", "value"],
    )
    figure = correction_diagnostics(table)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["source predicted from expression"]
    drawn(figure, tmp_path)


def test_models_follow_the_usual_order_and_say_what_was_not_scored_or_not_trained(tmp_path):
    table = pd.DataFrame(
        {
            "model": ["dt", "dl_all", "mine"],
            "head": "tissue",
            "balanced_accuracy": [0.8, 0.95, np.nan],
            "low": [0.7, 0.9, np.nan],
            "high": [0.9, 0.97, np.nan],
            "is_linear": [False, True, False],
            "fit_seconds": [1.0, 20.0, np.nan],
            "predict_seconds": [0.1, 0.2, 0.0],
            "peak_memory_mb": [100.0, 300.0, 5.0],
        }
    )
    figure = accuracy_dots(table, "dt")
    labels = figure.axes[0].get_yticklabels()
    assert [label.get_text() for label in labels] == ["DL all genes", "decision tree", "mine"]
    assert [label.get_fontweight() for label in labels] == ["normal", "bold", "normal"]
    assert "not scored" in texts(figure)
    assert "logistic regression" in figure.get_supxlabel()
    said = hovered(figure, tmp_path)
    assert "decision tree: 0.800 (95 % interval 0.700 to 0.900)" in said
    assert "hollow" not in accuracy_dots(table.assign(is_linear=False), "dt").get_supxlabel()
    assert "DL all genes: 20 s" in hovered(cost_dots(table, "dt"), tmp_path)


def test_calibration_error_is_that_of_a_hand_calculation(tmp_path):
    predictions = pd.DataFrame(
        {
            "split": ["test"] * 4 + ["validation"],
            "donor": list("abcde"),
            "tissue_true": "kidney",
            "tissue:kidney": 0.9,
            "tissue:lung": 0.1,
            "subtype_true": ["kirc", "kirc", "kirp", "kirp", "kirc"],
            "subtype:kirc": [0.45, 0.45, 0.45, 0.2, 0.1],
            "subtype:kirp": [0.05, 0.05, 0.05, 0.3, 0.9],
            "subtype:luad": [0.5, 0.5, 0.5, 0.5, 0],  # not of the tissue called
        }
    )
    classes = {
        "tissue": ["kidney", "lung"],
        "subtype": ["kirc", "kirp", "luad"],
        "subtypes_of": {"kidney": ["kirc", "kirp"], "lung": ["luad"]},
    }
    # Three calls at 0.9 of which two are right, one at 0.6 that is right.
    expected = 0.75 * abs(2 / 3 - 0.9) + 0.25 * abs(1 - 0.6)
    figure = reliability(predictions, classes)
    assert f"calibration error {expected:.3f} (" in figure.axes[3].get_xlabel()
    assert "2 of 3 right at a probability of 0.900 on average" in hovered(figure, tmp_path)
    assert figure.axes[1].get_xlim()[0] == pytest.approx(9 / 15)  # the bin of the least sure call


def test_empty_tables_give_a_figure_with_a_message(tmp_path):
    empty = confusion({})
    no_areas = pd.DataFrame(columns=["head", "class", "auc", "support"])
    no_metrics = pd.DataFrame(columns=["head", "metric", "value", "low", "high"])
    no_qc = pd.DataFrame({"sample": ["a"], "mrin": [np.nan], "kept": [True], "reason": [""]})
    for figure in (
        confusion_matrices(empty, CLASSES, NAMES),
        class_areas(no_areas, no_metrics, CLASSES, NAMES),
        mrin_distribution(no_qc, -0.11),
        gis_histogram(pd.DataFrame({"gis": [np.nan]})),
        correction_diagnostics(pd.DataFrame(columns=["stage", "measure", "value"])),
    ):
        assert texts(figure)
        drawn(figure, tmp_path)


def test_equal_figures_are_equal_bytes(tmp_path):
    trials = pd.DataFrame({"number": [0, 1], "loss": [1.0, 0.5]})
    for name, draw in (
        ("figure.png", lambda: principal_components(points(), points(), {}, {})),
        ("figure.svg", lambda: tuning_history(trials)),
    ):
        for folder in ("first", "second"):
            (tmp_path / folder).mkdir(exist_ok=True)
            save(draw(), tmp_path / folder / name)
        first, second = (tmp_path / folder / name for folder in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()


def test_a_figure_for_a_page_has_a_name_and_notes_and_no_ids_of_its_own(tmp_path):
    figure = tuning_history(pd.DataFrame({"number": [0, 1], "loss": [1.0, 0.5]}))
    save(figure, tmp_path / "figure.svg", of="DL & <PCA>", simulated=True)
    text = (tmp_path / "figure.svg").read_text()
    svg = ElementTree.fromstring(text)
    assert text.startswith("<svg ") and svg.get("role") == "img"
    assert svg.get("aria-label") == "Search for hyper-parameters"
    assert "DL & <PCA> · simulated data" in list(svg.itertext())
    named = {element.get("id") for element in svg.iter() if element.tag.endswith("}g")}
    assert named == {None}
