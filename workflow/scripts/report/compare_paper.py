"""Compare the paper's results with those of the run, on a page and in a table."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    import json
    from pathlib import Path

    import anndata
    import pandas as pd
    from tissuestate.files import atomic
    from tissuestate.labels import has_class
    from tissuestate.report.figures.paper import paper_intervals
    from tissuestate.report.paper import RunResults, compare_with_paper, paper_facts, read_settings
    from tissuestate.report.render import render
    from tissuestate.tables import read_table

    source, output = snakemake.input, snakemake.output

    def table(name):
        return read_table(source[name]) if source.get(name) else pd.DataFrame()

    cohort = anndata.read_h5ad(source.cohort, backed="r")
    known = cohort.obs[has_class(cohort.obs)]
    studies = sorted(set(known["study"]))
    tasks = [(Path(path).parent.name.partition(".")[0], path) for path in source.hyperparameters]
    run = RunResults(
        settings=read_settings(snakemake.params.config, len(known), cohort.n_vars, studies),
        hyperparameters={task: json.loads(Path(path).read_bytes()) for task, path in tasks},
        table=compare_with_paper(table("metrics"), table("paper"), table("leaks")),
        per_class=table("per_class"),
        comparison=table("comparison"),
        benchmark=table("benchmark"),
    )
    with atomic(output.table) as temporary:
        run.table.to_csv(temporary, sep="\t", index=False, lineterminator="\n")
    with atomic(output.html) as temporary:
        facts = paper_facts(run)
        facts |= {"picture": paper_intervals(facts["totals"]), **snakemake.params.page}
        page = render("paper.html.j2", facts)
        temporary.write_text(page, encoding="utf-8")
