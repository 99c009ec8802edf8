"""Write the map of gene ids from org.Hs.eg.db and, if reads are counted, the annotation."""

import subprocess

from tissuestate.logs import log_to

FIND = 'cat(system.file("extdata", "org.Hs.eg.sqlite", package = "org.Hs.eg.db"))'

with log_to(snakemake.log[0]):
    from tissuestate.matrices.gene_sources import build_gene_map
    from tissuestate.matrices.tx2gene import read_tx2gene

    found = subprocess.run(["Rscript", "-e", FIND], check=True, capture_output=True, text=True)
    annotation = snakemake.input.get("annotation")
    genes = build_gene_map(found.stdout.strip() or None, annotation or None)
    if snakemake.input.get("tx2gene"):
        genes = genes.with_transcripts(read_tx2gene(snakemake.input.tx2gene))
    genes.write(snakemake.output.genes)
