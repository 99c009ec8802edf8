"""Write the genes behind the call of each new sample."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    from tissuestate.classification.classifier import Classifier
    from tissuestate.classification.explanation import Explainer, explain_calls
    from tissuestate.classification.new_samples import read_new_samples
    from tissuestate.classification.output import write_genes
    from tissuestate.refusals import paths_by_sample
    from tissuestate.sheet.samples import with_local_matrices
    from tissuestate.sheet.sheet import read_sheet
    from tissuestate.tables import read_strings

    source = snakemake.input
    classifier = Classifier.load(source.bundle, source.get("tx2gene") or None)
    sheet = read_sheet(source.sheet, labelled=False)
    sheet = with_local_matrices(sheet, snakemake.params.matrices, source.get("matrices", []))
    calls = read_strings(source.calls, samples=sheet["sample"]).set_index("sample")
    counts = paths_by_sample(source.get("counts", []), ".tsv")
    new = read_new_samples(sheet, counts)
    write_genes(explain_calls(Explainer(classifier), new.frames, calls), snakemake.output.genes)
