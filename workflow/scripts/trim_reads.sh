#!/usr/bin/env bash
# Adapters off with fastp. Lanes are joined first: gzip members may simply follow one another.
set -euo pipefail
exec 3>&2 > "${snakemake_log[0]}" 2>&1

sample=${snakemake_wildcards[sample]}
rm -rf "$(dirname "${snakemake_output[fastq_1]}")/.$sample."?????? # left by an attempt that was killed
work=$(mktemp -d "$(dirname "${snakemake_output[fastq_1]}")/.$sample.XXXXXX")
trap 'rm -rf "$work"' EXIT

fail() {
    echo "Error: $*" | tee /dev/fd/3
    exit 1
}

read -ra mate_1 <<< "${snakemake_input[fastq_1]}"
read -ra mate_2 <<< "${snakemake_input[fastq_2]:-}"
[ "${#mate_2[@]}" -gt 0 ] && [ ! -s "${mate_2[0]}" ] && mate_2=()

join() { # join NAME FILE...: one file for fastp, checked on the way
    local name=$1
    shift
    gzip -cdf -- "$@" | gzip -c1 > "$work/$name.fastq.gz" \
        || fail "sample $sample: $* is truncated or damaged: copy it again."
}

join 1 "${mate_1[@]}"
mates=(--in1 "$work/1.fastq.gz" --out1 "${snakemake_output[fastq_1]}")
if [ "${#mate_2[@]}" -gt 0 ]; then
    join 2 "${mate_2[@]}"
    mates+=(--in2 "$work/2.fastq.gz" --out2 "${snakemake_output[fastq_2]}" --detect_adapter_for_pe)
else
    : > "${snakemake_output[fastq_2]}"
fi
fastp --thread "${snakemake[threads]}" "${mates[@]}" --report_title "$sample" \
    --json "${snakemake_output[json]}" --html "${snakemake_output[html]}" \
    || fail "sample $sample: fastp failed: see ${snakemake_log[0]}."
