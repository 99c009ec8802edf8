"""Figures on how far to trust one model's calls: sets, abstention, novelty, missing genes."""

from tissuestate.logs import logged

with logged(snakemake.log[0]):
    import pandas as pd
    from tissuestate import plots, trust_plots

    source, output = snakemake.input, snakemake.output
    for name, draw in (
        ("sets", trust_plots.set_coverage),
        ("answered", trust_plots.accuracy_answered),
        ("novelty", trust_plots.novelty_scores),
        ("missing", trust_plots.missing_genes),
    ):
        table = pd.read_csv(source[name], sep="\t", dtype={"sample": str})
        plots.save(draw(table), output[name])
