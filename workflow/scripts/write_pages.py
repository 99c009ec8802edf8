"""A page a person reads for each new sample."""

from tissuestate.logs import logged

with logged(snakemake.log[0]):
    import json
    from pathlib import Path

    from tissuestate.bundle import read_bundle
    from tissuestate.files import atomic
    from tissuestate.sample_page import Background, sample_page
    from tissuestate.tables import read_table

    source = snakemake.input
    background = Background.of(read_bundle(source.bundle))
    genes = {}
    if source.get("genes"):
        genes = dict(tuple(read_table(source.genes).groupby("sample")))
    for record in json.loads(Path(source.json).read_text(encoding="utf-8")):
        page = sample_page(record, background, genes.get(record["sample"]))
        with atomic(Path(snakemake.output.pages) / f"{record['sample']}.html") as temporary:
            temporary.write_text(page, encoding="utf-8")
