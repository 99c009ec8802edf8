"""Write the summary page of the run, and its numbers as a table."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    import os
    from pathlib import Path

    import anndata
    from markupsafe import Markup
    from tissuestate.cohort.sex import sex_facts
    from tissuestate.files import atomic
    from tissuestate.labels import read_classes
    from tissuestate.report.figures.intervals import accuracy_intervals
    from tissuestate.report.laboratories import read_left_out
    from tissuestate.report.render import render
    from tissuestate.report.summary import Run, read_metrics, summary_facts
    from tissuestate.report.summary_table import tabulate_summary
    from tissuestate.tables import plain_labels, read_table

    def table(path, **options):
        return read_table(path, **options) if path else None

    source, output = snakemake.input, snakemake.output
    cohort = anndata.read_h5ad(source.cohort, backed="r")
    samples = plain_labels(cohort.obs)
    classes = read_classes(source.classes)
    summary = summary_facts(
        Run(
            samples=samples,
            genes=cohort.n_vars,
            qc=table(source.get("qc"), flags=["kept"]),
            datasets=table(source.genes),
            diagnostics=table(source.diagnostics, text=["value"]),
            classes=classes,
            called=snakemake.params.called,
            metrics=read_metrics(source.metrics),
            confusion=table(source.confusion),
            comparison=table(source.comparison),
            sex=sex_facts(source.sex),
            sets=table(source.sets),
            abstention=table(source.abstention),
            protocols={Path(path).stem: table(path) for path in source.get("protocols", [])},
            left_out=read_left_out(source, classes, samples) if source.get("recipe") else None,
            truth=table(source.get("truth"), flags=["degraded", "empty"]),
        )
    )
    rows = summary["accuracy"]["rows"]
    facts = {
        **summary,
        **snakemake.params.page,
        "plot": accuracy_intervals(rows) if len(rows) else "",
        "confusion": Markup(Path(source.matrix).read_text(encoding="utf-8")),
        "links": {
            name: os.path.relpath(path, Path(output.html).parent)
            for name, path in snakemake.params.links.items()
        },
    }
    with atomic(output.html) as temporary:
        temporary.write_text(render("summary.html.j2", facts), encoding="utf-8")
    with atomic(output.table) as temporary:
        tabulate_summary(summary).to_csv(temporary, sep="\t", index=False, lineterminator="\n")
