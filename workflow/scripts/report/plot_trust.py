"""Draw the figures on trust in one model's calls: sets, answers, novelty, missing genes."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    from functools import partial

    from tissuestate.report.figures.style import save
    from tissuestate.report.figures.trust import (
        missing_genes,
        novelty_scores,
        set_coverage,
        wrong_answers,
    )
    from tissuestate.report.wording import model_title
    from tissuestate.tables import read_table

    model = model_title(snakemake.wildcards.model)
    page = snakemake.params.page
    source, output = snakemake.input, snakemake.output
    for name, draw in (
        ("sets", partial(set_coverage, names=page["names"])),
        ("answers", wrong_answers),
        ("novelty", novelty_scores),
        ("missing", missing_genes),
    ):
        figure = draw(read_table(source[name]))
        save(figure, output[name], of=model, simulated=page["simulated"])
