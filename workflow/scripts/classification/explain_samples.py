"""Write the genes behind the call of each new sample."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    import pandas as pd
    from tissuestate.classification.classifier import Classifier
    from tissuestate.classification.explanation import COLUMNS, Explainer, top_genes
    from tissuestate.classification.new_samples import read_new_samples
    from tissuestate.files import atomic
    from tissuestate.refusals import paths_by_sample
    from tissuestate.sheet.samples import with_local_matrices
    from tissuestate.sheet.sheet import read_sheet
    from tissuestate.tables import read_strings

    source = snakemake.input
    classifier = Classifier.load(source.bundle, source.get("tx2gene") or None)
    explainer = Explainer(classifier)
    sheet = read_sheet(source.sheet, labelled=False)
    sheet = with_local_matrices(sheet, snakemake.params.matrices, source.get("matrices", []))
    calls = read_strings(source.calls, samples=sheet["sample"]).set_index("sample")
    counts = paths_by_sample(source.get("counts", []), ".tsv")
    called = calls.index[calls["refused"] == ""]
    frames = [
        (frame.loc[frame.index.isin(called)], unit)
        for frame, unit in read_new_samples(sheet, counts).frames
    ]
    found = [pd.DataFrame(columns=list(COLUMNS))]
    found += [
        top_genes(explainer, calls, classifier.expression(frame, unit))
        for frame, unit in frames
        if len(frame)
    ]
    origin = calls[["input_sha256", "bundle_fingerprint"]]
    with atomic(snakemake.output.genes) as temporary:
        table = pd.concat([part for part in found if len(part)] or found, ignore_index=True)
        table = table.join(origin, on="sample")
        table.to_csv(temporary, sep="\t", index=False, float_format="%.6g", lineterminator="\n")
