"""Fit the batch correction on training samples, apply it to all, and measure what it did."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    import anndata
    from tissuestate.arrays import save_arrays
    from tissuestate.expression.correction import SurrogateVariableCorrection
    from tissuestate.expression.diagnostics import add_notes, diagnose_correction
    from tissuestate.expression.recipe import chosen_steps
    from tissuestate.files import atomic
    from tissuestate.labels import rows_to_fit

    cohort = anndata.read_h5ad(snakemake.input.normalised)
    obs, params = cohort.obs, snakemake.params
    training = rows_to_fit(obs["split"], params.fit_on)
    configured = {"method": params.method, "n_sv": params.n_sv}
    _, chosen = chosen_steps("", configured, snakemake.input.get("recipe"))
    correction = SurrogateVariableCorrection(
        chosen["method"], chosen["n_sv"], engine=params.engine, seed=params.seed
    )
    design = obs.loc[training, list(params.design)]
    correction.fit(cohort.X[training], design, obs=obs[training])
    before, cohort.X = cohort.X, correction.transform(cohort.X)
    table, warnings = diagnose_correction(
        *(before, cohort.X, obs, training),
        weights=correction.weights_,
        surrogates=correction.n_sv_,
        seed=params.seed,
    )
    for warning in warnings:
        print(f"Warning: {warning}")
    save_arrays(snakemake.output.correction, correction.to_arrays())
    with atomic(snakemake.output.corrected) as path:
        cohort.write_h5ad(path)
    with atomic(snakemake.output.diagnostics) as path:
        add_notes(table, correction.messages_).to_csv(path, sep="\t", index=False)
