"""Keep or drop each sample, with every figure and reason in one table."""

from tissuestate.files import atomic
from tissuestate.logs import log_to
from tissuestate.refusals import paths_by_sample

with log_to(snakemake.log[0]):
    from tissuestate.quality import multiqc
    from tissuestate.quality.decisions import decide_quality
    from tissuestate.sheet.samples import read_samples
    from tissuestate.tables import read_table

    samples = read_samples(snakemake.input.samples)
    from_reads = samples.loc[samples["origin"] != "matrix", "sample"]
    params, output = snakemake.params, snakemake.output
    table = decide_quality(
        samples,
        read_table(snakemake.input.mrin, samples=from_reads),
        paths_by_sample(snakemake.input.get("star_logs", []), ".Log.final.out"),
        paths_by_sample(snakemake.input.summaries, ".tsv.summary"),
        min_aligned=params.min_aligned,
        min_assigned=params.min_assigned,
        min_mrin=params.min_mrin,
    )
    with atomic(output.qc) as temporary:
        table.to_csv(temporary, sep="\t", index=False)
    least = {name: params[f"min_{name}"] for name in ("aligned", "assigned", "mrin")}
    multiqc.write_multiqc_decisions(output.multiqc_decisions, table, least)
    multiqc.write_multiqc_mrin(output.multiqc_mrin, table, params.min_mrin)
    coverage = read_table(snakemake.input.coverage, samples=from_reads).set_index("sample")
    multiqc.write_multiqc_coverage(output.multiqc_coverage, table, coverage)
