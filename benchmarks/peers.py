"""How the classical models after published classifiers call the samples of other laboratories.

python benchmarks/peers.py RESULTS DATA_FOLDER benchmarks/external.tsv

RESULTS is the results folder of a finished run with a bundle, DATA_FOLDER that of `make external`.
CanID, He 2023 and logistic regression learn tissue and state from the run's training samples, as in
the benchmark of the run. New samples are read, refused, normalised, completed and corrected as the
bundle does. CanID answers from its thresholds on; the others always. Novelty is one less the
probability of the tissue: these models have no other. The rows of each model stand in
the table beside those of bundles (see external.py), in place of those that it had.
"""

import sys
import tempfile
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
from external import append_rows, read_labels, write_sheet
from tissuestate.benchmark.baselines import MODELS, class_scores
from tissuestate.benchmark.peers import NO_ANSWER
from tissuestate.classification.classifier import Classifier
from tissuestate.classification.new_samples import call_samples, read_new_samples, read_qualities
from tissuestate.errors import InputError
from tissuestate.evaluation.outside import development_answers, score_outside
from tissuestate.evaluation.predictions import tabulate_predictions
from tissuestate.features.transformers import AllGenes
from tissuestate.labels import encode, features_of_model
from tissuestate.report.wording import model_title
from tissuestate.sheet.sheet import read_sheet

HEADS = ("tissue", "disease_state")
SEED = 2022


def read_new(
    classifier: Classifier, labels: pd.DataFrame, data: Path
) -> tuple[pd.DataFrame, pd.Series]:
    """Corrected expression of the samples that the bundle accepts, and why it refuses others."""
    with tempfile.TemporaryDirectory() as folder:
        sheet_path = Path(folder) / "samples.tsv"
        write_sheet(labels, data, sheet_path)
        sheet = read_sheet(sheet_path, labelled=False)
    new = read_new_samples(sheet, {})
    calls = call_samples(classifier, sheet, new, read_qualities([], {}, {}), None)
    refused = calls.samples["refused"]
    parts = []
    for frame, unit in new.frames:
        try:
            parts += list(classifier.expression(frame, unit))
        except InputError:  # the whole table is refused
            continue
    measured = pd.concat(parts)
    measured = measured[(refused[measured.index] == "").to_numpy()]
    complete = classifier.chain.imputation.transform(measured.to_numpy())
    corrected = classifier.chain.correction.transform(complete)
    return pd.DataFrame(corrected, measured.index, measured.columns), refused


def fit_and_call(
    name: str, train: tuple[np.ndarray, pd.DataFrame], asked: list[np.ndarray], classes: dict
) -> list[tuple[dict[str, np.ndarray], dict[str, np.ndarray]]]:
    """Probabilities and answers ('' = none) by head, for each matrix of samples × features."""
    x, obs = train
    found = [({}, {}) for _ in asked]
    for head in HEADS:
        codes = encode(obs[head], classes[head])
        model = MODELS[name](SEED, 1).fit(x[codes >= 0], codes[codes >= 0])
        names = np.array([*classes[head], ""], dtype=object)
        for features, (probabilities, answers) in zip(asked, found, strict=True):
            probabilities[head] = class_scores(model, features, len(classes[head]))
            called = model.predict(features)
            answers[head] = names[np.where(called == NO_ANSWER, len(classes[head]), called)]
    return found


def tabulate_calls(
    samples: pd.Index,
    probabilities: dict[str, np.ndarray],
    answers: dict[str, np.ndarray],
    refused: pd.Series,
    classes: dict,
) -> pd.DataFrame:
    """Calls with the columns that scores need, one row per sample of `refused`."""
    table = pd.DataFrame(index=samples)
    for head, shares in probabilities.items():
        table[head] = answers[head]
        table[f"{head}_probability"] = shares.max(axis=1)
        table[[f"{head}:{name}" for name in classes[head]]] = shares
    table["novelty"] = 1 - table["tissue_probability"]
    table = table.reindex(refused.index).assign(refused=refused)
    return table.fillna(dict.fromkeys(probabilities, ""))


def main() -> None:
    results, data, path = map(Path, sys.argv[1:])
    classifier = Classifier.load(results / "bundle")
    classes = {**classifier.description["classes"]}
    classes["subtypes_of"] = classifier.description["subtypes_of"]
    corrected = anndata.read_h5ad(results / "expression" / "corrected.h5ad")
    obs = corrected.obs.astype(str).replace("nan", "")
    train, test = ((obs["split"] == part).to_numpy() for part in ("train", "test"))
    labels = read_labels(data)
    expression, refused = read_new(classifier, labels, data)
    features = {
        "all": AllGenes().fit(corrected.X[train], genes=classifier.genes),
        "pca": classifier.chain.features,
    }
    for name in ("canid", "he2023", "logreg"):
        transform = features[features_of_model(name)].transform
        x_train, x_test, x_new = map(
            transform, (corrected.X[train], corrected.X[test], expression.to_numpy())
        )
        inside, outside = fit_and_call(name, (x_train, obs[train]), [x_test, x_new], classes)
        predictions = tabulate_predictions(obs[test], inside[0], classes)
        calls = tabulate_calls(expression.index, *outside, refused, classes)
        development = development_answers(predictions, classes)
        scores = score_outside(calls, labels, classes, development)
        append_rows(path, model_title(name), scores)
        print(scores[scores["group"] == "all"].assign(model=name).to_string(), flush=True)


if __name__ == "__main__":
    main()
