"""Fit one classical model on the training samples and predict validation and test samples."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    from tissuestate.benchmark.baselines import fit_predict
    from tissuestate.evaluation.predictions import tabulate_predictions
    from tissuestate.files import atomic
    from tissuestate.h5ad import read_features
    from tissuestate.labels import HEADS, encode, read_classes
    from tissuestate.models.cost import peak_memory_mb, write_cost

    classes = read_classes(snakemake.input.classes)
    x, obs = read_features(snakemake.input.features)
    train = (obs["split"] == "train").to_numpy()
    scored = obs["split"].isin(["validation", "test"]).to_numpy()
    heads = {head: classes[head] for head in HEADS if classes[head]}
    result = fit_predict(
        snakemake.params.model,
        x[train],
        {head: encode(obs[head][train], names) for head, names in heads.items()},
        x[scored],
        heads,
        seed=snakemake.params.seed,
        threads=snakemake.threads,
    )
    with atomic(snakemake.output.predictions) as temporary:
        table = tabulate_predictions(obs[scored], result.probabilities, classes)
        table.to_csv(temporary, sep="\t", index=False)
    write_cost(
        snakemake.output.cost,
        fit_seconds=result.fit_seconds,
        predict_seconds=result.predict_seconds,
        peak_memory_mb=peak_memory_mb(),
    )
