"""Turn corrected expression into features; the transformer is fitted on the training samples."""

from tissuestate.arrays import save_arrays
from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    import anndata
    import pandas as pd
    from threadpoolctl import threadpool_limits
    from tissuestate.features.transformers import make_transformer
    from tissuestate.h5ad import write_h5ad
    from tissuestate.labels import HEADS, rows_to_fit

    data = anndata.read_h5ad(snakemake.input.expression)
    fitted = rows_to_fit(data.obs["split"], snakemake.params.fit_on)
    labels = data.obs[list(HEADS)].astype(str).agg("|".join, axis=1).to_numpy()
    transformer = make_transformer(
        snakemake.params.kind, threads=snakemake.threads, **snakemake.params.settings
    )
    with threadpool_limits(snakemake.threads):
        transformer.fit(data.X[fitted], labels[fitted], genes=data.var_names)
        features = transformer.transform(data.X)
    save_arrays(snakemake.output.transformer, transformer.to_arrays())
    var = pd.DataFrame(index=transformer.names_)
    write_h5ad(snakemake.output.features, anndata.AnnData(features, obs=data.obs, var=var))
