"""Measure how far calls can be trusted: sets, abstention and novelty on test samples."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    import json
    from pathlib import Path

    from tissuestate.arrays import load_arrays
    from tissuestate.cohort.composition import (
        contrasts,
        pairs_without_common_batch,
        states_of_tissue,
    )
    from tissuestate.evaluation.calls import CallRules
    from tissuestate.evaluation.predictions import read_predictions
    from tissuestate.evaluation.sets import ConformalSets
    from tissuestate.evaluation.trust import trust_tables
    from tissuestate.features.novelty import Novelty
    from tissuestate.files import atomic
    from tissuestate.h5ad import read_features
    from tissuestate.labels import read_classes

    inputs, output, params = snakemake.input, snakemake.output, snakemake.params
    classes = read_classes(inputs.classes)
    calibration = json.loads(Path(inputs.calibration).read_text(encoding="utf-8"))
    sets = ConformalSets.from_dict(calibration["sets"])
    features, obs = read_features(inputs.features)
    novelty = Novelty.from_arrays(load_arrays(inputs.novelty))
    scored = obs.index[obs["split"].isin(["validation", "test"])]
    predictions = read_predictions(inputs.predictions, scored)
    rows = obs.index.get_indexer(predictions["sample"])
    score = novelty.score(features[rows])
    pairs = contrasts(obs, "subtype").to_dict("records")
    confounded = pairs_without_common_batch(pairs, "subtype")
    rules = CallRules(classes, states_of_tissue(obs), sets, confounded)
    tables = trust_tables(
        predictions, classes, score, rules, resamples=params.resamples, seed=params.seed
    )
    for name, table in tables.items():
        with atomic(output[name]) as temporary:
            table.to_csv(temporary, sep="\t", index=False, float_format="%.6g")
