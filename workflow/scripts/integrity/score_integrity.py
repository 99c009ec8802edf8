"""mRIN of every sample with reads, against the medians of the training samples."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    from tissuestate.arrays import save_arrays
    from tissuestate.files import atomic
    from tissuestate.integrity.mrin import score_cohort
    from tissuestate.labels import rows_to_fit
    from tissuestate.refusals import paths_by_sample
    from tissuestate.sheet.samples import read_samples

    out = snakemake.output
    profiles = paths_by_sample(snakemake.input.profiles, ".npz")
    sheet = read_samples(snakemake.input.samples)
    train = rows_to_fit(sheet["split"], snakemake.params.fit_on)
    cohort = score_cohort(profiles, snakemake.input.bed, set(sheet.loc[train, "sample"]))

    save_arrays(out.reference, cohort.model.to_arrays())
    with atomic(out.mrin) as path:
        cohort.mrin.to_csv(path, sep="\t", index=False)
    with atomic(out.gis) as path:
        cohort.gis.to_csv(path, sep="\t", index=False)
    with atomic(out.coverage) as path:
        cohort.coverage.to_csv(path, sep="\t")
