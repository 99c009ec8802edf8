"""Write the page of each new sample, and their index."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    import json
    from datetime import date
    from pathlib import Path

    from tissuestate.bundle.format import read_bundle
    from tissuestate.classification.page import Background
    from tissuestate.report.sample_pages import write_pages
    from tissuestate.tables import read_table

    source = snakemake.input
    called = date.fromtimestamp(Path(source.json).stat().st_mtime)
    write_pages(
        snakemake.output.pages,
        json.loads(Path(source.json).read_text(encoding="utf-8")),
        Background.of(read_bundle(source.bundle), f"{called}"),
        read_table(source.genes) if source.get("genes") else None,
    )
