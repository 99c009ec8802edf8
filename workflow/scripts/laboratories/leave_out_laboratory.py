"""Score a laboratory's samples by models fitted without it, one for each candidate recipe."""

from tissuestate.arrays import save_arrays
from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    import anndata
    import numpy as np
    from threadpoolctl import threadpool_limits
    from tissuestate.labels import read_classes
    from tissuestate.laboratories.left_out import candidates, score_left_out

    params = snakemake.params
    cohort = anndata.read_h5ad(snakemake.input.cohort)
    classes = read_classes(snakemake.input.classes)
    arrays: dict[str, np.ndarray] = {}
    for candidate in candidates(params.normalisation, params.correction):
        with threadpool_limits(snakemake.threads):
            samples, scores = score_left_out(
                cohort,
                params.laboratory,
                classes,
                candidate,
                correction=params.correction,
                seed=params.seed,
                threads=snakemake.threads,
            )
        arrays["samples"] = samples.to_numpy(str)
        arrays |= {f"{candidate.name}|{name}": values for name, values in scores.items()}
        print(f"{params.laboratory}: {len(samples)} samples scored with {candidate.name}")
    save_arrays(snakemake.output.scores, arrays)
