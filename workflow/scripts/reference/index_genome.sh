#!/usr/bin/env bash
# The STAR index of a genome; the prefix length follows from the genome's size (STAR manual, 2.2.5).
set -euo pipefail
exec 3>&2 > "${snakemake_log[0]}" 2>&1

folder=$(dirname "${snakemake_output[Genome]}")
sparsity=${snakemake_params[sparsity]}
rm -rf "$folder/.tmp" # left by an attempt that was killed; STAR would not begin

finish() { # no failure without a sentence
    local code=$? reason
    if [ "$code" -ne 0 ]; then
        reason=$(grep -h -m 1 -o "FATAL.*" "$folder/Log.out" "${snakemake_log[0]}" 2> /dev/null | head -n 1 || true)
        if grep -q -e "No space left on device" -e "enough space on the disk" -e "Disk quota exceeded" "${snakemake_log[0]}" "$folder/Log.out" 2> /dev/null \
            || ! head -c 1000000 /dev/zero 2> /dev/null > "$folder/.probe"; then
            reason="no space left on the device that holds $folder"
        elif [ "$code" -eq 137 ] || grep -q "bad_alloc" "${snakemake_log[0]}" "$folder/Log.out" 2> /dev/null; then
            reason="STAR was killed, most often because memory ran out: the index of this genome takes about $(awk -v n="${bases:-0}" -v s="$sparsity" 'BEGIN { printf "%.1f", n / 1e8 / s }') GB of it with 'star_sparsity: $sparsity' in the config, and half with twice that number"
        fi
        reason="Error: the index of ${snakemake_input[genome]} could not be made: ${reason:-exit code $code}; see ${snakemake_log[0]}."
        echo "$reason" >&3
        echo "$reason" || true # the disk may be full
    fi
    rm -rf "$folder/.tmp" "$folder/.probe"
}
trap finish EXIT

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
    --genomeSAsparseD "$sparsity" \
    --sjdbGTFfile "${snakemake_input[annotation]}" \
    --sjdbOverhang "${snakemake_params[overhang]}"
