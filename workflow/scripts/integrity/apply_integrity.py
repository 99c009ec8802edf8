"""mRIN of new samples, against the cohort that a bundle was trained on."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    from tissuestate.arrays import load_arrays
    from tissuestate.files import atomic
    from tissuestate.integrity.mrin import MRIN, score_samples
    from tissuestate.refusals import paths_by_sample

    profiles = paths_by_sample(snakemake.input.profiles, ".npz")
    model = MRIN.from_arrays(load_arrays(snakemake.input.reference))
    with atomic(snakemake.output.mrin) as path:
        score_samples(profiles, snakemake.input.bed, model).to_csv(path, sep="\t", index=False)
