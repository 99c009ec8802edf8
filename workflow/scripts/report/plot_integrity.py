"""Draw the figures of RNA integrity: mRIN, gene-body coverage, gene integrity score."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    from tissuestate.report.figures.integrity import (
        gene_body_coverage,
        gis_histogram,
        mrin_distribution,
    )
    from tissuestate.report.figures.style import save
    from tissuestate.tables import read_table

    qc = read_table(snakemake.input.qc, flags=["kept"])
    coverage = read_table(snakemake.input.coverage, samples=qc["sample"]).set_index("sample")
    gis = read_table(snakemake.input.gis)
    figures = {
        "mrin": mrin_distribution(qc, snakemake.params.min_mrin),
        "coverage": gene_body_coverage(coverage, qc),
        "gis": gis_histogram(gis),
    }
    for name, figure in figures.items():
        save(figure, snakemake.output[name], simulated=snakemake.params.simulated)
