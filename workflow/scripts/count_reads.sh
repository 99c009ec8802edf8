#!/usr/bin/env bash
# featureCounts over exons by gene: pairs where the reads are paired, and the strand as the sheet says or,
# for "auto", as the first million alignments show (more than three quarters of the stranded counts on one side).
set -euo pipefail
exec 3>&2 > "${snakemake_log[0]}" 2>&1

bam=${snakemake_input[bam]}
counts=${snakemake_output[counts]}
rm -rf "$(dirname "$counts")/.${snakemake_wildcards[sample]}."?????? # left by an attempt that was killed
work=$(mktemp -d "$(dirname "$counts")/.${snakemake_wildcards[sample]}.XXXXXX")
trap 'rm -rf "$work"' EXIT

zipped=$(head -c 2 "$bam" | od -An -tx1)
if [ "$zipped" != " 1f 8b" ] || ! samtools quickcheck -u "$bam"; then # featureCounts would crash
    echo "Error: $bam: not a BAM file, or cut off before its end; copy or make it again." | tee /dev/fd/3
    exit 1
fi

paired=()
[ "$(samtools head -n 1000 "$bam" 2> /dev/null | grep -v '^@' | awk '{ n += $2 % 2 } END { print n + 0 }')" -gt 0 ] \
    && paired=(-p --countReadPairs)

count() { # count STRAND BAM OUTPUT
    featureCounts -T "${snakemake[threads]}" -t exon -g gene_id -s "$1" "${paired[@]}" --tmpDir "$work" \
        -a "${snakemake_input[annotation]}" -o "$3" "$2"
}
assigned() { awk '$1 == "Assigned" { print $2 }' "$1.summary"; }

case ${snakemake_params[strandedness]} in
    none) strand=0 ;;
    forward) strand=1 ;;
    reverse) strand=2 ;;
    auto)
        { samtools view -h "$bam" || true; } | head -n 1000000 | samtools view -b -o "$work/head.bam" -
        count 1 "$work/head.bam" "$work/forward"
        count 2 "$work/head.bam" "$work/reverse"
        strand=$(awk -v f="$(assigned "$work/forward")" -v r="$(assigned "$work/reverse")" \
            'BEGIN { print (f > 3 * r) ? 1 : (r > 3 * f) ? 2 : 0 }')
        ;;
esac
echo "strand $strand (0 none, 1 forward, 2 reverse)"
count "$strand" "$bam" "$work/all.tsv"
# Gene and count alone: the coordinates of every exon would make a cohort's tables a hundred times larger,
# and the command line above them, with its temporary folder, makes equal counts unequal files.
sed '/^#/d' "$work/all.tsv" | cut -f 1,7 > "$work/counts.tsv"
mv "$work/all.tsv.summary" "${snakemake_output[summary]}"
mv "$work/counts.tsv" "$counts"
