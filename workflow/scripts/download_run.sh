#!/usr/bin/env bash
# Reads of an SRA run. A single-end run leaves an empty second file, which the aligner reads as "no mate".
set -euo pipefail
exec 3>&2 > "${snakemake_log[0]}" 2>&1

run=${snakemake_params[accession]}
rm -rf "$(dirname "${snakemake_output[fastq_1]}")/.$run."?????? # left by an attempt that was killed
work=$(mktemp -d "$(dirname "${snakemake_output[fastq_1]}")/.$run.XXXXXX")
trap 'rm -rf "$work"' EXIT

fail() {
    echo "Error: $*" | tee /dev/fd/3
    exit 1
}

prefetch --max-size u --output-directory "$work" "$run" \
    || fail "sample ${snakemake_wildcards[sample]}: run $run cannot be downloaded from the Sequence Read Archive; check the accession and the network, or give FASTQ files."
fasterq-dump --split-files --threads "${snakemake[threads]}" --temp "$work" --outdir "$work" "$work/$run" \
    || fail "sample ${snakemake_wildcards[sample]}: run $run was downloaded, but fasterq-dump cannot read it."

if [ -e "$work/${run}_2.fastq" ]; then
    gzip -c1 "$work/${run}_1.fastq" > "${snakemake_output[fastq_1]}"
    gzip -c1 "$work/${run}_2.fastq" > "${snakemake_output[fastq_2]}"
else
    cat "$work/$run"*.fastq | gzip -c1 > "${snakemake_output[fastq_1]}"
    : > "${snakemake_output[fastq_2]}"
fi
