"""A bundle that real pipeline pieces trained on 90 simulated samples."""

import json
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
from scipy.special import softmax
from tissuestate.arrays import save_arrays
from tissuestate.bundle.build import BundleSources, build_bundle, describe_bundle
from tissuestate.bundle.card import card_facts
from tissuestate.evaluation.predictions import tabulate_predictions
from tissuestate.evaluation.scores import count_confusions
from tissuestate.evaluation.sets import fit_sets
from tissuestate.evaluation.trust import abstention_curve, set_coverage
from tissuestate.expression.correction import SurrogateVariableCorrection
from tissuestate.expression.imputation import fill_missing
from tissuestate.expression.normaliser import Normaliser
from tissuestate.features.novelty import Novelty
from tissuestate.features.transformers import PrincipalComponents
from tissuestate.matrices.gene_map import GeneMap
from tissuestate.models.network import load_network, save_network
from tissuestate.models.training import Hyperparameters, fit_network, predict_logits
from tissuestate.report.render import render

GENES = [f"GENE{number}" for number in range(60)]


CLASSES = {
    "disease_state": ["non-neoplastic", "neoplastic"],
    "tissue": ["kidney", "liver"],
    "subtype": ["kirc", "kirp"],
    "subtypes_of": {"kidney": ["kirc", "kirp"]},
}


QUALITY = {"min_aligned": 0.4, "min_assigned": 0.01, "min_mrin": -0.11}


TEMPERATURES = {"disease_state": 1.3, "tissue": 0.8, "subtype": 1.1}


def gene_map() -> GeneMap:
    """The bundle's genes and some others, with every kind of name."""
    names = [*GENES, "OTHER1", "OTHER2"]
    return GeneMap(
        pd.DataFrame(
            {
                "symbol": names,
                "ensembl": [f"ENSG{number:011d}" for number in range(len(names))],
                "entrez": [str(1000 + number) for number in range(len(names))],
                "aliases": [f"OLD{number}" for number in range(len(names))],
                "transcripts": "",
            },
            dtype=str,
        )
    )


def cohort() -> anndata.AnnData:
    """90 samples whose counts tell state, tissue and subtype."""
    rng = np.random.default_rng(7)
    n = 90
    obs = pd.DataFrame(
        {
            "donor": [f"donor{number // 2}" for number in range(n)],
            "study": rng.choice(["GTEx", "TCGA"], n),
            "laboratory": "lab",
            "source": "lab",
            "disease_state": rng.choice(CLASSES["disease_state"], n),
            "tissue": rng.choice(CLASSES["tissue"], n),
            "split": np.repeat(["train", "validation", "test"], [60, 15, 15]),
            "unit": "count",
        },
        index=[f"S{number}" for number in range(n)],
    )
    tumour = (obs["disease_state"] == "neoplastic") & (obs["tissue"] == "kidney")
    obs["subtype"] = np.where(tumour, rng.choice(CLASSES["subtype"], n), "")
    means = np.tile(100 * 2.0 ** np.random.default_rng(8).normal(0, 2, 60), (n, 1))
    means[:, 0:10] *= np.where(obs["tissue"] == "kidney", 8, 1)[:, None]
    means[:, 10:20] *= np.where(obs["disease_state"] == "neoplastic", 8, 1)[:, None]
    means[:, 20:25] *= np.where(obs["subtype"] == "kirc", 8, 1)[:, None]
    means[:, 25:30] *= np.where(obs["study"] == "TCGA", 3, 1)[:, None]
    values = rng.poisson(means * rng.uniform(0.5, 2, (n, 1))).astype(np.float32)
    return anndata.AnnData(values, obs=obs, var=pd.DataFrame(index=GENES))


def write_whole_bundle(folder: Path, sources: BundleSources, config: dict) -> None:
    description = describe_bundle(sources, config)
    card = render("model_card.md.j2", card_facts(description))
    build_bundle(folder, sources, description, card)


def train_bundle(folder, sparse=()):
    """Every stage from cohort to bundle: (bundle folder, cohort, probabilities in training).

    sparse: numbers of samples that lack a fifth of the genes.
    """
    data = cohort()
    data.X[np.ix_(list(sparse), range(0, len(GENES), 5))] = np.nan
    obs, train = data.obs, (data.obs["split"] == "train").to_numpy()
    units = obs["unit"].tolist()
    normaliser = Normaliser().fit(
        data.X[train], [u for u, t in zip(units, train, strict=True) if t]
    )
    expression, imputation = fill_missing(normaliser.transform(data.X, units), train)
    correction = SurrogateVariableCorrection("two-step", 1).fit(
        expression[train], obs.loc[train, ["tissue", "disease_state"]]
    )
    corrected = correction.transform(expression)
    transformer = PrincipalComponents(10).fit(corrected[train], genes=GENES)
    features = transformer.transform(corrected)
    validation = (obs["split"] == "validation").to_numpy()
    novelty = Novelty(10).fit(features[train], (obs["tissue"] + "|" + obs["disease_state"])[train])
    novelty.calibrate(features[validation], obs["donor"][validation])
    for name, fitted in (
        ("imputation", imputation),
        ("novelty", novelty),
        ("normaliser", normaliser),
        ("correction", correction),
        ("features", transformer),
    ):
        save_arrays(folder / f"{name}.npz", fitted.to_arrays())
    probabilities = {}
    for task, heads in (("multitask", ("disease_state", "tissue")), ("subtype", ("subtype",))):
        codes = {head: pd.Index(CLASSES[head]).get_indexer(pd.Index(obs[head])) for head in heads}
        labelled = train & np.any([codes[head] >= 0 for head in heads], axis=0)
        labels = {head: codes[head][labelled] for head in heads}
        fitted = fit_network(
            features[labelled],
            labels,
            features[labelled],
            labels,
            {head: CLASSES[head] for head in heads},
            Hyperparameters(widths=(16, 16, 16, 16, 16), batch_size=16, dropout=0.0),
            epochs=120,
            seed=1,
            threads=1,
        )
        save_network(folder / task, fitted.network)
        for head, logits in predict_logits(load_network(folder / task), features).items():
            probabilities[head] = softmax(logits / TEMPERATURES.get(head, 1.0), axis=1)
    anndata.AnnData(expression, obs=obs).write_h5ad(folder / "normalised.h5ad")
    data.write_h5ad(folder / "cohort.h5ad")
    obs.to_csv(folder / "samples.tsv", sep="\t")
    gene_map().write(folder / "genes.tsv.gz")
    (folder / "classes.json").write_text(json.dumps(CLASSES))
    table, sets = (
        tabulate_predictions(obs, probabilities, CLASSES),
        fit_sets(obs, probabilities, CLASSES),
    )
    count_confusions(table, CLASSES).to_csv(folder / "confusion.tsv", sep="\t", index=False)
    calibration = {"temperatures": TEMPERATURES, "sets": sets.to_dict()}
    (folder / "calibration.json").write_text(json.dumps(calibration))
    trust = {
        "sets": set_coverage(table, CLASSES, sets, resamples=20),
        "abstention": abstention_curve(table, CLASSES, novelty.is_new(features), {}),
        "missing_genes": pd.DataFrame(
            {"split": "validation", "missing": [0.0, 0.2, 0.5, 0.8], "loss": [0, 0.01, 0.02, 0.3]}
        ),
    }
    for name, part in trust.items():
        part.to_csv(folder / f"{name}.tsv", sep="\t", index=False)
    metrics = [
        ("tissue", "accuracy", 1.0, 0.9, 1.0, 15),
        ("tissue", "auc", np.nan, np.nan, np.nan, 0),
    ]
    pd.DataFrame(metrics, columns=["head", "metric", "value", "low", "high", "n"]).to_csv(
        folder / "metrics.tsv", sep="\t", index=False
    )
    network = [str(folder / "{}" / name) for name in ("network.json", "weights.safetensors")]
    stages = BundleSources(
        normaliser=str(folder / "normaliser.npz"),
        imputation=str(folder / "imputation.npz"),
        novelty=str(folder / "novelty.npz"),
        sets=str(folder / "sets.tsv"),
        abstention=str(folder / "abstention.tsv"),
        missing_genes=str(folder / "missing_genes.tsv"),
        correction=str(folder / "correction.npz"),
        transformer=str(folder / "features.npz"),
        normalised=str(folder / "normalised.h5ad"),
        genes=str(folder / "genes.tsv.gz"),
        cohort=str(folder / "cohort.h5ad"),
        samples=str(folder / "samples.tsv"),
        classes=str(folder / "classes.json"),
        calibration=str(folder / "calibration.json"),
        metrics=str(folder / "metrics.tsv"),
        confusion=str(folder / "confusion.tsv"),
        multitask=[path.format("multitask") for path in network],
        subtype=[path.format("subtype") for path in network],
    )
    config = {"seed": 1, "quality": QUALITY, "fit_on": "train"}
    bundle = folder / "bundle"
    write_whole_bundle(bundle, stages, config)
    return bundle, data, probabilities, stages, config
