"""Send new samples through a bundle: a table and JSON."""

from tissuestate.logs import logged

with logged(snakemake.log[0]):
    import json
    from pathlib import Path

    from tissuestate.classify import Classifier
    from tissuestate.files import atomic, refusal
    from tissuestate.new_samples import (
        call_samples,
        describe,
        origins,
        read_new_samples,
        read_qualities,
    )
    from tissuestate.sheet import fetched, read_sheet
    from tissuestate.tables import read_table

    def by_sample(name, suffix):
        return {Path(path).name.removesuffix(suffix): path for path in source.get(name, [])}

    source, output, params = snakemake.input, snakemake.output, snakemake.params
    classifier = Classifier.load(source.bundle)
    sheet = read_sheet(source.sheet, labelled=False)
    here = dict(zip(params.matrices, source.get("matrices", []), strict=True))
    summaries = by_sample("summaries", ".tsv.summary")
    quality = read_qualities(list(summaries), by_sample("star_logs", ".Log.final.out"), summaries)
    new = read_new_samples(
        fetched(sheet, list(here), list(here.values())), by_sample("counts", ".tsv")
    )
    for name, profile in by_sample("profiles", ".npz").items():
        if refusal(profile):
            new.refused.setdefault(name, refusal(profile))
    mrin = None
    if source.get("mrin"):
        mrin = read_table(source.mrin).set_index("sample")["mrin"]
    found = call_samples(classifier, sheet, new, quality, mrin)

    table, records = describe(found, sheet, quality, origins(sheet, here, params.reads, classifier))
    with atomic(output.calls) as temporary:
        table.to_csv(temporary, sep="\t", float_format="%.6g", lineterminator="\n")
    with atomic(output.json) as temporary:
        temporary.write_text(json.dumps(records, indent=1, ensure_ascii=False) + "\n")
