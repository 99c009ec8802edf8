"""Collect the trials of all workers and choose the hyper-parameters with the smallest loss."""

import json

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    from tissuestate.files import atomic
    from tissuestate.models.trials import best_trial, read_trials, write_trials

    history = read_trials(snakemake.input.trials)
    write_trials(snakemake.output.trials, history)
    with atomic(snakemake.output.hyperparameters) as temporary:
        temporary.write_text(json.dumps(best_trial(history).parameters, indent=2) + "\n")
