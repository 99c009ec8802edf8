"""Score the calls of the protocols: cross-validation, leaks, samples from outside."""

from pathlib import Path

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    from tissuestate.files import atomic
    from tissuestate.labels import read_classes
    from tissuestate.protocols import results
    from tissuestate.protocols.page import protocol_facts
    from tissuestate.report.figures.intervals import left_out_intervals
    from tissuestate.report.render import render

    params, output = snakemake.params, snakemake.output
    classes = read_classes(snakemake.input.classes)
    calls = results.read_protocols(snakemake.input.predictions)
    options = {"resamples": params.resamples, "seed": params.seed}
    tables = {
        "crossvalidation": results.compare_crossvalidated(calls, classes, "dl_pca", **options),
        "leaks": results.compare_leaks(calls, classes, "dl_pca", **options),
    }
    names = ("outside", "outside_classes", "outside_mistakes")
    tables |= dict(zip(names, results.score_outside(calls, classes, **options), strict=True))
    tables["outside_false_tumours"] = results.count_false_tumours(calls)
    for name, table in tables.items():
        with atomic(Path(output[0]).with_name(f"{name}.tsv")) as temporary:
            table.to_csv(temporary, sep="\t", index=False, float_format="%.6g")
    facts = {**protocol_facts(tables, bool(params.searched)), **params.page}
    facts["pictures"] = {
        section["column"]: left_out_intervals(section["accuracies"]) for section in facts["outside"]
    }
    with atomic(output.page) as temporary:
        temporary.write_text(render("protocols.html.j2", facts), encoding="utf-8")
