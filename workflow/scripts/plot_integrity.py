"""Figures of RNA integrity: mRIN, gene-body coverage, gene integrity score."""

from tissuestate.logs import logged

with logged(snakemake.log[0]):
    import pandas as pd
    from tissuestate import plots

    qc = pd.read_csv(snakemake.input.qc, sep="\t", dtype={"sample": str})
    coverage = pd.read_csv(snakemake.input.coverage, sep="\t", index_col=0)
    coverage.index = coverage.index.astype(str)
    gis = pd.read_csv(snakemake.input.gis, sep="\t")
    plots.save(plots.mrin_distribution(qc, snakemake.params.min_mrin), snakemake.output.mrin)
    plots.save(plots.gene_body_coverage(coverage, qc), snakemake.output.coverage)
    plots.save(plots.gis_histogram(gis), snakemake.output.gis)
