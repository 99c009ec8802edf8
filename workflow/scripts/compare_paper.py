"""The paper's results beside ours."""

from tissuestate.logs import logged

with logged(snakemake.log[0]):
    import json
    from pathlib import Path

    import anndata
    import pandas as pd
    from tissuestate.files import atomic
    from tissuestate.paper_page import Ours, beside_paper, describe, paper_page
    from tissuestate.tables import read_table

    source, output = snakemake.input, snakemake.output

    def table(name):
        return read_table(source[name]) if source.get(name) else pd.DataFrame()

    cohort = anndata.read_h5ad(source.cohort, backed="r")
    studies = " and ".join(sorted(set(cohort.obs["study"])))
    tasks = [(Path(path).parent.name.partition(".")[0], path) for path in source.hyperparameters]
    ours = Ours(
        settings=describe(snakemake.params.config, cohort.n_obs, cohort.n_vars, studies),
        hyperparameters={task: json.loads(Path(path).read_bytes()) for task, path in tasks},
        table=beside_paper(table("metrics"), table("paper"), table("leaks")),
        per_class=table("per_class"),
        comparison=table("comparison"),
        benchmark=table("benchmark"),
        figures={
            name: Path(source[name]).read_bytes()
            for name in ("confusion", "roc", "topk", "accuracy", "cost")
        },
    )
    with atomic(output.table) as temporary:
        ours.table.to_csv(temporary, sep="\t", index=False, lineterminator="\n")
    with atomic(output.html) as temporary:
        temporary.write_text(paper_page(ours), encoding="utf-8")
