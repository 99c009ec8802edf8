"""Draw the figures of one network: its learning curves and the search for its hyper-parameters."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    import pandas as pd
    from tissuestate.report.figures.models import learning_curves, tuning_history
    from tissuestate.report.figures.style import save
    from tissuestate.report.wording import network_title
    from tissuestate.tables import read_table

    history = read_table(snakemake.input.history)
    trials = pd.read_json(snakemake.input.trials, lines=True)
    chosen = {
        "of": network_title(snakemake.wildcards.task, snakemake.wildcards.features),
        "simulated": snakemake.params.simulated,
    }
    save(learning_curves(history), snakemake.output.learning, **chosen)
    save(tuning_history(trials), snakemake.output.tuning, **chosen)
