#!/usr/bin/env bash
# The STAR index of a genome; the prefix length follows from the genome's size (STAR manual, 2.2.5).
set -euo pipefail
exec > "${snakemake_log[0]}" 2>&1

folder=$(dirname "${snakemake_output[0]}")
bases=$(awk '!/^>/ { n += length($0) } END { printf "%.0f", n }' "${snakemake_input[genome]}")
prefix=$(awk -v n="$bases" 'BEGIN { b = int(log(n) / log(2) / 2 - 1); print (b < 14) ? b : 14 }')
echo "genome of $bases bases, genomeSAindexNbases $prefix"

STAR --runMode genomeGenerate \
    --runThreadN "${snakemake[threads]}" \
    --genomeDir "$folder" \
    --outTmpDir "$folder/.tmp" \
    --outFileNamePrefix "$folder/" \
    --genomeFastaFiles "${snakemake_input[genome]}" \
    --genomeSAindexNbases "$prefix" \
    --genomeSAsparseD "${snakemake_params[sparsity]}" \
    --sjdbGTFfile "${snakemake_input[annotation]}" \
    --sjdbOverhang "${snakemake_params[overhang]}"
