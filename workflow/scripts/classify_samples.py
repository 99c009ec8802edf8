"""Send new samples through a bundle: a table and JSON."""

from tissuestate.logs import logged

with logged(snakemake.log[0]):
    import json
    from pathlib import Path

    from tissuestate.classify import Classifier, Predictions
    from tissuestate.errors import InputError
    from tissuestate.files import atomic
    from tissuestate.new_samples import read_new_samples
    from tissuestate.sheet import fetched, read_sheet
    from tissuestate.tables import read_table

    source, output = snakemake.input, snakemake.output
    classifier = Classifier.load(source.bundle)
    sheet = read_sheet(source.sheet, labelled=False)
    sheet = fetched(sheet, snakemake.params.matrices, source.get("matrices", []))
    mrin = None
    if source.get("mrin"):
        from_reads = sheet.loc[sheet["origin"] != "matrix", "sample"]
        mrin = read_table(source.mrin, samples=from_reads).set_index("sample")["mrin"]
    counts = {Path(path).stem: path for path in source.get("counts", [])}
    groups = read_new_samples(sheet, counts)
    found = Predictions.concat([classifier.predict(frame, unit, mrin) for frame, unit in groups])
    records = [found.record(sample) for sample in sheet["sample"]]
    if all(record["refused"] for record in records):
        first = f"sample {records[0]['sample']!r}: {records[0]['refused']}"
        raise InputError(f"no sample can be classified; {first}")
    with atomic(output.calls) as temporary:
        table = found.table().set_index("sample").loc[sheet["sample"]]
        table.to_csv(temporary, sep="\t", float_format="%.6g", lineterminator="\n")
    with atomic(output.json) as temporary:
        temporary.write_text(json.dumps(records, indent=1, ensure_ascii=False) + "\n")
