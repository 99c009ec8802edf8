"""Write the page of each new sample."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    import json
    from pathlib import Path

    from tissuestate.bundle.format import read_bundle
    from tissuestate.classification.page import (
        Background,
        PlanePicture,
        sample_facts,
        training_samples,
    )
    from tissuestate.files import atomic
    from tissuestate.report.figures.expression import embedding, tissue_marks
    from tissuestate.report.render import figure_bytes, render
    from tissuestate.tables import read_table

    source = snakemake.input
    bundle = read_bundle(source.bundle)
    training = training_samples(bundle)
    figure = embedding(training)
    plane = PlanePicture.of(figure, figure_bytes(figure), tissue_marks(training))
    background = Background.of(bundle, plane)
    genes = {}
    if source.get("genes"):
        genes = dict(tuple(read_table(source.genes).groupby("sample")))
    for record in json.loads(Path(source.json).read_text(encoding="utf-8")):
        facts = sample_facts(record, background, genes.get(record["sample"]))
        with atomic(Path(snakemake.output.pages) / f"{record['sample']}.html") as temporary:
            temporary.write_text(render("sample.html.j2", facts), encoding="utf-8")
