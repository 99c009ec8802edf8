"""Write the genes that speak for each class, over correctly called test samples."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    from tissuestate.bundle.format import page_facts
    from tissuestate.classification.classifier import Classifier
    from tissuestate.classification.explanation import (
        Explainer,
        class_gene_facts,
        class_genes,
        correct_calls,
    )
    from tissuestate.files import atomic
    from tissuestate.report.render import render

    source, output = snakemake.input, snakemake.output
    classifier = Classifier.load(source.bundle)
    frame, units, calls = correct_calls(source.cohort, source.predictions)
    found = class_genes(Explainer(classifier), calls, classifier.expression(frame, units))
    with atomic(output.table) as temporary:
        found.to_csv(temporary, sep="\t", index=False, float_format="%.6g", lineterminator="\n")
    page = render(
        "genes.html.j2", {**class_gene_facts(found), **page_facts(classifier.description)}
    )
    with atomic(output.html) as temporary:
        temporary.write_text(page, encoding="utf-8")
