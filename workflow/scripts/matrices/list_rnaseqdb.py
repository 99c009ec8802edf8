"""Write the sample sheet of RNAseqDB's matrices."""

from tissuestate.files import atomic
from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    from tissuestate.matrices.rnaseqdb import read_file_table, rnaseqdb_sheet

    sheet = rnaseqdb_sheet(snakemake.input.matrices, read_file_table(snakemake.input.table))
    with atomic(snakemake.output.sheet) as temporary:
        sheet.to_csv(temporary, sep="\t", index=False)
