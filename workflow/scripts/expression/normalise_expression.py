"""Normalise every sample to one log2 scale and estimate the genes that it lacks.

The reference and the model of the estimates are fitted on training samples.
"""

from tissuestate.arrays import save_arrays
from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    import anndata
    from threadpoolctl import threadpool_limits
    from tissuestate.expression.imputation import fill_missing
    from tissuestate.expression.normaliser import Normaliser
    from tissuestate.expression.recipe import chosen_steps
    from tissuestate.h5ad import write_h5ad
    from tissuestate.labels import rows_to_fit

    data = anndata.read_h5ad(snakemake.input.cohort)
    units = data.obs["unit"].astype(str).to_numpy()
    fitted = rows_to_fit(data.obs["split"], snakemake.params.fit_on)
    method, _ = chosen_steps(
        snakemake.params.method, {"method": "none"}, snakemake.input.get("recipe")
    )
    normaliser = Normaliser(method)
    normaliser.fit(data.X[fitted], units[fitted], data.obs_names[fitted])
    data.X = normaliser.transform(data.X, units, data.obs_names)
    with threadpool_limits(snakemake.threads):
        data.X, imputation = fill_missing(data.X, fitted)
    save_arrays(snakemake.output.normaliser, normaliser.to_arrays())
    save_arrays(snakemake.output.imputation, imputation.to_arrays())
    write_h5ad(snakemake.output.normalised, data)
