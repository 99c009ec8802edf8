"""The paper's test results beside ours."""

from tissuestate.logs import logged

with logged(snakemake.log[0]):
    import pandas as pd
    from tissuestate.claims import check_claims
    from tissuestate.files import atomic
    from tissuestate.report import beside_paper, comparison_page

    metrics = pd.read_csv(snakemake.input.metrics, sep="\t")
    paper = pd.read_csv(snakemake.input.paper, sep="\t")
    table = beside_paper(metrics, paper)
    claims = check_claims(
        *(pd.read_csv(snakemake.input[name], sep="\t") for name in ("comparison", "benchmark"))
    )
    with atomic(snakemake.output.table) as temporary:
        table.to_csv(temporary, sep="\t", index=False, lineterminator="\n")
    with atomic(snakemake.output.html) as temporary:
        temporary.write_text(comparison_page(table, claims), encoding="utf-8")
