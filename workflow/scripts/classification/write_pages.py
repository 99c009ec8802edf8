"""Write the page of each new sample, and their index."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    import json
    from datetime import date
    from pathlib import Path

    from tissuestate.bundle.format import read_bundle
    from tissuestate.classification.page import Background, index_facts, sample_facts
    from tissuestate.files import atomic
    from tissuestate.report.render import render
    from tissuestate.tables import read_table

    source = snakemake.input
    called = date.fromtimestamp(Path(source.json).stat().st_mtime)
    background = Background.of(read_bundle(source.bundle), f"{called}")
    genes = {}
    if source.get("genes"):
        genes = dict(tuple(read_table(source.genes).groupby("sample")))
    records = json.loads(Path(source.json).read_text(encoding="utf-8"))
    for record in records:
        facts = sample_facts(record, background, genes.get(record["sample"]))
        with atomic(Path(snakemake.output.pages) / f"{record['sample']}.html") as temporary:
            temporary.write_text(render("sample.html.j2", facts), encoding="utf-8")
    with atomic(Path(snakemake.output.pages) / "index.html") as temporary:
        page = render("index.html.j2", index_facts(records, background))
        temporary.write_text(page, encoding="utf-8")
