"""Draw the figures on trust in one model's calls: sets, abstention, novelty, missing genes."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    from tissuestate.report.figures.style import save
    from tissuestate.report.figures.trust import (
        abstention_curves,
        missing_genes,
        novelty_scores,
        set_coverage,
    )
    from tissuestate.tables import read_table

    source, output = snakemake.input, snakemake.output
    for name, draw in (
        ("sets", set_coverage),
        ("abstention", abstention_curves),
        ("novelty", novelty_scores),
        ("missing", missing_genes),
    ):
        save(draw(read_table(source[name])), output[name])
