"""Split the cohort by a protocol and make the models' features for that split."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    import anndata
    from threadpoolctl import threadpool_limits
    from tissuestate.expression.recipe import chosen_steps
    from tissuestate.h5ad import write_h5ad
    from tissuestate.protocols.features import prepare_features
    from tissuestate.protocols.splits import FITTED_ON_ALL, split_for_protocol
    from tissuestate.tables import plain_labels

    params, wildcards = snakemake.params, snakemake.wildcards
    cohort = anndata.read_h5ad(snakemake.input.cohort)
    options = {"folds": params.folds, "validation": params.validation, "seed": params.seed}
    split = split_for_protocol(
        plain_labels(cohort.obs), wildcards.protocol, wildcards.part, **options
    )
    normalisation, correction = chosen_steps(
        params.normalisation, params.correction, snakemake.input.get("recipe")
    )
    with threadpool_limits(snakemake.threads):
        tables = prepare_features(
            cohort,
            split,
            params.kinds,
            normalisation=normalisation,
            correction=correction,
            features=params.features,
            on_all=FITTED_ON_ALL.get(wildcards.protocol, ()),
            seed=params.seed,
            threads=snakemake.threads,
        )
    for path, kind in zip(snakemake.output, params.kinds, strict=True):
        write_h5ad(path, tables[kind])
