"""Check the sample sheets and assign every sample to train, validation or test."""

from tissuestate.files import atomic
from tissuestate.logs import log_to


def as_list(files):
    return [files] if isinstance(files, str) else list(files)


with log_to(snakemake.log[0]):
    from tissuestate.cohort.split import split_samples
    from tissuestate.sheet.classes import ClassTable
    from tissuestate.sheet.sheet import read_sheet

    classes = ClassTable.read(snakemake.input.classes)
    sheets = as_list(snakemake.input.sheet) + as_list(snakemake.input.get("rnaseqdb", []))
    samples = read_sheet(sheets, classes)
    samples["split"] = split_samples(
        samples,
        mode=snakemake.params.mode,
        fractions=snakemake.params.fractions,
        seed=snakemake.params.seed,
    )
    with atomic(snakemake.output.samples) as temporary:
        samples.to_csv(temporary, sep="\t", index=False, lineterminator="\n")
