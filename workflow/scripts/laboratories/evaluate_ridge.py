"""Measure how far the calls of ridge regression can be trusted, on test samples of the cohort."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    import json
    from pathlib import Path

    import anndata
    import numpy as np
    from threadpoolctl import threadpool_limits
    from tissuestate.cohort.composition import states_of_tissue
    from tissuestate.evaluation.abstention import Limits
    from tissuestate.evaluation.calls import CallRules
    from tissuestate.evaluation.missing_genes import gene_masks, missing_gene_curve
    from tissuestate.evaluation.predictions import read_predictions
    from tissuestate.evaluation.sets import ConformalSets
    from tissuestate.evaluation.trust import trust_tables
    from tissuestate.files import atomic
    from tissuestate.labels import encode, read_classes
    from tissuestate.laboratories.answers import read_ridge_chain
    from tissuestate.laboratories.calibration import Calibration
    from tissuestate.tables import plain_labels

    source, output, params = snakemake.input, snakemake.output, snakemake.params
    classes = read_classes(source.classes)
    recipe = json.loads(Path(source.calibration).read_text(encoding="utf-8"))
    calibration = Calibration.from_dict(recipe["calibration"])
    steps = [source[name] for name in ("normaliser", "imputation", "correction", "transformer")]
    chain = read_ridge_chain(steps, source.ridge, calibration, classes)
    cohort = anndata.read_h5ad(source.cohort)
    obs = plain_labels(cohort.obs)
    scored = obs["split"].isin(["validation", "test"]).to_numpy()
    predictions = read_predictions(source.predictions, obs.index[scored])
    values = np.asarray(cohort.X[obs.index.get_indexer(predictions["sample"])])
    own = obs.loc[predictions["sample"]]
    units = own["unit"].tolist()
    with threadpool_limits(snakemake.threads):
        novelty = chain.novelty.score(chain.transform(values, units))
        curve = missing_gene_curve(
            values,
            {head: encode(own[head], classes[head]) for head in chain.heads},
            own["split"].to_numpy(),
            classes,
            lambda part: chain.predict(part, units),
            gene_masks(chain.normaliser.reference_[None], params.seed),
        )
    confounded = [tuple(pair) for pair in recipe["confounded_subtypes"]]
    sets = ConformalSets.from_dict(recipe["sets"])
    limits = Limits.from_dict(recipe["limits"])
    rules = CallRules(classes, states_of_tissue(obs), sets, confounded, limits)
    tables = trust_tables(
        predictions, classes, novelty, rules, resamples=params.resamples, seed=params.seed
    )
    for name, table in {**tables, "missing": curve}.items():
        with atomic(output[name]) as temporary:
            table.to_csv(temporary, sep="\t", index=False, float_format="%.6g")
