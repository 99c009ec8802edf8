"""Draw the figures of one network: its learning curves and the search for its hyper-parameters."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    import pandas as pd
    from tissuestate.report.figures.models import learning_curves, tuning_history
    from tissuestate.report.figures.style import save
    from tissuestate.tables import read_table

    task = snakemake.wildcards.task
    history = read_table(snakemake.input.history)
    trials = pd.read_json(snakemake.input.trials, lines=True)
    save(learning_curves({task: history}), snakemake.output.learning)
    save(tuning_history({task: trials}), snakemake.output.tuning)
