"""Predict validation and test samples with the tandem of networks, calibrated."""

import json
import time
from pathlib import Path

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    from tissuestate.evaluation.calibration import calibrate_heads
    from tissuestate.evaluation.predictions import tabulate_predictions
    from tissuestate.evaluation.sets import fit_sets
    from tissuestate.files import atomic
    from tissuestate.h5ad import read_features
    from tissuestate.labels import encode, read_classes
    from tissuestate.models.cost import peak_memory_mb, read_cost, write_cost
    from tissuestate.models.network import load_network
    from tissuestate.models.training import predict_logits

    inputs, output = snakemake.input, snakemake.output
    classes = read_classes(inputs.classes)
    x, obs = read_features(inputs.features)
    scored = obs["split"].isin(["validation", "test"]).to_numpy()
    x, obs = x[scored], obs[scored]
    folders = {Path(file).parent: None for file in (*inputs.multitask, *inputs.subtype)}
    networks = [load_network(folder) for folder in folders]
    started = time.perf_counter()
    logits = {head: z for network in networks for head, z in predict_logits(network, x).items()}
    predict_seconds = time.perf_counter() - started
    labels = {head: encode(obs[head], classes[head]) for head in logits}
    probabilities, report = calibrate_heads(logits, labels, obs["split"].to_numpy(), classes)
    report["sets"] = fit_sets(obs, probabilities, classes).to_dict()
    with atomic(output.predictions) as temporary:
        tabulate_predictions(obs, probabilities, classes).to_csv(temporary, sep="\t", index=False)
    with atomic(output.calibration) as temporary:
        temporary.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    costs = [read_cost(cost) for cost in inputs.costs]
    cost = {"fit_seconds": sum(cost["fit_seconds"] for cost in costs)}
    cost["peak_memory_mb"] = max([peak_memory_mb(), *(cost["peak_memory_mb"] for cost in costs)])
    write_cost(output.cost, predict_seconds=predict_seconds, **cost)
