"""Fit the novelty score on training samples and its limits on validation samples."""

from tissuestate.arrays import save_arrays
from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    from threadpoolctl import threadpool_limits
    from tissuestate.features.novelty import Novelty
    from tissuestate.h5ad import read_features

    features, obs = read_features(snakemake.input.features)
    train, validation = ((obs["split"] == part).to_numpy() for part in ("train", "validation"))
    classes = obs["tissue"] + "|" + obs["disease_state"]
    with threadpool_limits(snakemake.threads):
        novelty = Novelty().fit(features[train], classes[train].to_numpy())
        novelty.calibrate(features[validation], obs["donor"][validation].to_numpy())
    save_arrays(snakemake.output.novelty, novelty.to_arrays())
