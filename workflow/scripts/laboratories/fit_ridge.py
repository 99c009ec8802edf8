"""Fit ridge regression on training samples and those of no class; call the others."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    import json
    import time
    from pathlib import Path

    from threadpoolctl import threadpool_limits
    from tissuestate.arrays import save_arrays
    from tissuestate.evaluation.predictions import tabulate_predictions
    from tissuestate.files import atomic
    from tissuestate.h5ad import read_features
    from tissuestate.labels import BACKGROUND, read_classes
    from tissuestate.laboratories.calibration import Calibration, head_probabilities
    from tissuestate.laboratories.ridge import Ridge
    from tissuestate.models.cost import peak_memory_mb, write_cost

    source, output = snakemake.input, snakemake.output
    classes = read_classes(source.classes)
    recipe = json.loads(Path(source.recipe).read_text(encoding="utf-8"))
    calibration = Calibration.from_dict(recipe["calibration"])
    features, obs = read_features(source.features)
    fitted, scored = (
        obs["split"].isin(parts).to_numpy()
        for parts in (("train", BACKGROUND), ("validation", "test"))
    )
    started = time.perf_counter()
    with threadpool_limits(snakemake.threads):
        ridge = Ridge().fit(features[fitted], obs[fitted], classes)
    fit_seconds, started = time.perf_counter() - started, time.perf_counter()
    scores = ridge.scores(features[scored])
    probabilities = head_probabilities(calibration, scores, classes)
    predict_seconds = time.perf_counter() - started
    save_arrays(output.ridge, ridge.to_arrays())
    with atomic(output.predictions) as temporary:
        tabulate_predictions(obs[scored], probabilities, classes).to_csv(
            temporary, sep="\t", index=False
        )
    report = {
        "temperatures": calibration.temperatures,
        "sets": recipe["sets"],
        "limits": calibration.limits,
        "confounded_subtypes": recipe["confounded_subtypes"],
        "calibration": calibration.to_dict(),
    }
    with atomic(output.calibration) as temporary:
        temporary.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    write_cost(
        output.cost,
        fit_seconds=fit_seconds,
        predict_seconds=predict_seconds,
        peak_memory_mb=peak_memory_mb(),
    )
