"""Figures: what they draw, for any number of classes, and equal bytes."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from tissuestate.report.figures.benchmark import benchmark_bars, cost_bars
from tissuestate.report.figures.evaluation import confusion_matrices, reliability, roc_curves, top_k
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


def confusion(counts: dict[tuple[str, str, str], int]) -> pd.DataFrame:
    return pd.DataFrame(
        [(*key, count) for key, count in counts.items()],
        columns=["head", "true", "called", "count"],
    )


def test_confusion_cells_show_count_and_share_of_the_row(tmp_path):
    table = confusion(
        {
            ("disease_state", "neoplastic", "neoplastic"): 3,
            ("disease_state", "neoplastic", "non-neoplastic"): 1,
            ("tissue", TISSUES[0], TISSUES[13]): 7,
        }
    )
    figure = confusion_matrices(table, CLASSES)
    shown = texts(figure)
    assert {"3\n75%", "1\n25%", "7\n100%"} <= set(shown)
    assert "Subtype" not in shown  # no row of that head
    drawn(figure, tmp_path)


def test_confusion_labels_do_not_reach_over_other_panels(tmp_path):
    table = confusion({(head, names[0], names[0]): 5 for head, names in CLASSES.items()})
    figure = confusion_matrices(table, CLASSES)
    figure.canvas.draw()
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    for number, box in enumerate(boxes):
        assert box.x0 >= 0 and box.y0 >= 0
        assert box.x1 <= figure.bbox.width and box.y1 <= figure.bbox.height
        assert not any(box.overlaps(other) for other in boxes[number + 1 :])


def test_area_under_the_curve_is_that_of_the_curve(tmp_path):
    roc = pd.DataFrame(
        {
            "head": "subtype",
            "class": ["kirc"] * 3 + ["kirp"] * 3,
            "fpr": [0, 0, 1, 0, 0.5, 1],
            "tpr": [0, 1, 1, 0, 0.5, 1],
        }
    )
    figure = roc_curves(roc, CLASSES)
    labels = [
        text.get_text()
        for axes in figure.axes
        if axes.get_legend()
        for text in axes.get_legend().get_texts()
    ]
    assert "kirc  1.000" in labels
    assert "kirp  0.500" in labels
    assert "macro average  0.750" in labels
    drawn(figure, tmp_path)


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
    figure = learning_curves({"multitask": history})
    marks = [
        line.get_xdata()[0]
        for axes in figure.axes
        for line in axes.lines
        if str(line.get_label()).startswith("kept")
    ]
    assert marks == [2, 2]
    drawn(figure, tmp_path)


def test_tuning_history_ignores_failed_trials(tmp_path):
    trials = pd.DataFrame({"number": [0, 1, 2], "loss": [1.0, np.nan, 0.5]})
    figure = tuning_history({"multitask": trials})
    assert figure.axes[0].lines[0].get_ydata().tolist() == [1.0, 0.5]
    drawn(figure, tmp_path)


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
    figure = principal_components(points(400), points(400), {"before": (0.3, 0.1)})
    handles = figure.axes[3].get_legend().legend_handles[: len(TISSUES)]
    looks = {(to_rgb(handle.get_color()), handle.get_marker()) for handle in handles}
    assert len(looks) == len(TISSUES)
    drawn(figure, tmp_path)


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
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["kept (2)", "dropped (1)"]
    assert "1 without reads" in figure.axes[0].get_title(loc="left")
    drawn(figure, tmp_path)


def test_coverage_has_one_panel_per_decision(tmp_path):
    coverage = pd.DataFrame(np.ones((3, 100)), index=list("abc"))
    qc = pd.DataFrame({"sample": list("abc"), "kept": [True, True, False]})
    figure = gene_body_coverage(coverage, qc)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["Kept (2)", "Dropped (1)"]
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


def test_benchmark_bars_follow_the_usual_order_and_name_what_was_not_scored(tmp_path):
    table = pd.DataFrame(
        {
            "model": ["dt", "dl_pca", "mine"],
            "head": "tissue",
            "balanced_accuracy": [0.8, 0.95, np.nan],
            "low": [0.7, 0.9, np.nan],
            "high": [0.9, 0.97, np.nan],
            "fit_seconds": [1.0, 20.0, np.nan],
            "predict_seconds": [0.1, 0.2, 0.0],
            "peak_memory_mb": [100.0, 300.0, 5.0],
        }
    )
    figure = benchmark_bars(table)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["DL PCA", "decision tree", "mine"]
    assert {"0.950", "0.800", "not scored"} <= set(texts(figure))
    drawn(figure, tmp_path)
    drawn(cost_bars(table), tmp_path)


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
    assert figure.axes[1].get_title(loc="left").startswith(f"Subtype: error {expected:.3f} (")
    drawn(figure, tmp_path)


def test_top_k_is_drawn_for_each_head(tmp_path):
    metrics = pd.DataFrame(
        [
            ("tissue", "top1", 0.8, 0.7, 0.9),
            ("tissue", "top2", 0.9, 0.8, 1.0),
            ("tissue", "auc", 1, 1, 1),
        ],
        columns=["head", "metric", "value", "low", "high"],
    )
    figure = top_k(metrics)
    assert figure.axes[0].lines[0].get_ydata().tolist() == [0.8, 0.9]
    drawn(figure, tmp_path)


def test_empty_tables_give_a_figure_with_a_message(tmp_path):
    empty = confusion({})
    no_roc = pd.DataFrame(columns=["head", "class", "fpr", "tpr"])
    no_metrics = pd.DataFrame(columns=["head", "metric", "value", "low", "high"], dtype=str)
    no_qc = pd.DataFrame({"sample": ["a"], "mrin": [np.nan], "kept": [True], "reason": [""]})
    for figure in (
        confusion_matrices(empty, CLASSES),
        roc_curves(no_roc, CLASSES),
        top_k(no_metrics),
        mrin_distribution(no_qc, -0.11),
        gis_histogram(pd.DataFrame({"gis": [np.nan]})),
        correction_diagnostics(pd.DataFrame(columns=["stage", "measure", "value"])),
    ):
        assert texts(figure)
        drawn(figure, tmp_path)


def test_equal_figures_are_equal_bytes(tmp_path):
    first, second = (drawn(principal_components(points(), points()), tmp_path) for _ in range(2))
    assert first == second
