"""Call new samples with a bundle; write a table and JSON."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    from tissuestate.classification.classifier import Classifier
    from tissuestate.classification.new_samples import (
        call_samples,
        describe_calls,
        read_new_samples,
        read_qualities,
        tabulate_origins,
    )
    from tissuestate.classification.output import write_calls
    from tissuestate.refusals import paths_by_sample, read_refusal
    from tissuestate.sheet.samples import with_local_matrices
    from tissuestate.sheet.sheet import read_sheet
    from tissuestate.tables import read_table

    source, output, params = snakemake.input, snakemake.output, snakemake.params
    classifier = Classifier.load(source.bundle, source.get("tx2gene") or None)
    sheet = read_sheet(source.sheet, labelled=False)
    here = dict(zip(params.matrices, source.get("matrices", []), strict=True))
    summaries = paths_by_sample(source.get("summaries", []), ".tsv.summary")
    star_logs = paths_by_sample(source.get("star_logs", []), ".Log.final.out")
    quality = read_qualities(list(summaries), star_logs, summaries)
    counts = paths_by_sample(source.get("counts", []), ".tsv")
    new = read_new_samples(with_local_matrices(sheet, list(here), list(here.values())), counts)
    for name, profile in paths_by_sample(source.get("profiles", []), ".npz").items():
        if reason := read_refusal(profile):
            new.refused.setdefault(name, reason)
    mrin = None
    if source.get("mrin"):
        integrity = read_table(source.mrin).set_index("sample")
        mrin = integrity["mrin"]
        quality = quality.join(integrity["transcripts"].rename("mrin_transcripts"))
    found = call_samples(classifier, sheet, new, quality, mrin)

    table, records = describe_calls(
        found, sheet, quality, tabulate_origins(sheet, here, params.reads, classifier)
    )
    write_calls(table, records, output.calls, output.json)
