"""Figures on how far to trust one model's calls: sets, abstention, novelty, missing genes."""

from tissuestate.logs import logged

with logged(snakemake.log[0]):
    from tissuestate import plots, trust_plots
    from tissuestate.tables import read_table

    source, output = snakemake.input, snakemake.output
    for name, draw in (
        ("sets", trust_plots.set_coverage),
        ("answered", trust_plots.accuracy_answered),
        ("novelty", trust_plots.novelty_scores),
        ("missing", trust_plots.missing_genes),
    ):
        plots.save(draw(read_table(source[name])), output[name])
