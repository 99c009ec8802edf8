"""mRIN of new samples, against the cohort that a bundle was trained on."""

from tissuestate.logs import logged

with logged(snakemake.log[0]):
    from pathlib import Path

    from tissuestate.files import atomic, load_arrays
    from tissuestate.integrity import MRIN, score_samples

    profiles = {Path(path).name.removesuffix(".npz"): path for path in snakemake.input.profiles}
    model = MRIN.from_arrays(load_arrays(snakemake.input.reference))
    with atomic(snakemake.output.mrin) as path:
        score_samples(profiles, snakemake.input.bed, model).to_csv(path, sep="\t", index=False)
