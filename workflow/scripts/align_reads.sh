#!/usr/bin/env bash
# STAR with RNAseqDB's options, sorted and indexed on the way. STAR itself does not notice a truncated
# gzip file or lanes that end in mid-record, so the reads come through pipes that count and check them.
set -euo pipefail
exec 3>&2 > "${snakemake_log[0]}" 2>&1

sample=${snakemake_wildcards[sample]}
threads=${snakemake[threads]}
bam=${snakemake_output[bam]}
rm -rf "$(dirname "$bam")/.$sample."?????? # left by an attempt that was killed
work=$(mktemp -d "$(dirname "$bam")/.$sample.XXXXXX")
trap 'rm -rf "$work"' EXIT

fail() {
    echo "Error: $*" | tee /dev/fd/3
    exit 1
}

read -ra mate_1 <<< "${snakemake_input[fastq_1]}"
read -ra mate_2 <<< "${snakemake_input[fastq_2]:-}"
# A single-end run of the archive comes with an empty second file.
[ "${#mate_2[@]}" -gt 0 ] && [ ! -s "${mate_2[0]}" ] && mate_2=()

feed() { # feed MATE FILE...: all lanes as text into the mate's pipe; lines and success are noted
    local mate=$1
    shift
    if gzip -cdfq -- "$@" 2> "$work/gzip_$mate" | tee "$work/reads_$mate" | wc -l > "$work/lines_$mate"; then
        : > "$work/fed_$mate"
    fi
}

pipes=()
mkfifo "$work/reads_1"
pipes+=("$work/reads_1")
feed 1 "${mate_1[@]}" &
if [ "${#mate_2[@]}" -gt 0 ]; then
    mkfifo "$work/reads_2"
    pipes+=("$work/reads_2")
    feed 2 "${mate_2[@]}" &
fi

status=0
STAR --runThreadN "$threads" \
    --genomeDir "$(dirname "${snakemake_input[index]%% *}")" \
    --readFilesIn "${pipes[@]}" \
    --outFileNamePrefix "$work/" \
    --outTmpDir "$work/star" \
    --outStd BAM_Unsorted --outSAMtype BAM Unsorted --outSAMunmapped Within \
    --outSAMattrRGline "ID:$sample" "SM:$sample" \
    --outFilterType BySJout --outSAMattributes NH HI AS NM MD \
    --outFilterMultimapNmax 20 --outFilterMismatchNmax 999 --outFilterMismatchNoverLmax 0.04 \
    --alignIntronMin 20 --alignIntronMax 1000000 --alignMatesGapMax 1000000 \
    --alignSJoverhangMin 8 --alignSJDBoverhangMin 1 \
    | samtools sort -@ "$threads" -m 512M -T "$work/sort" --write-index \
        -o "$work/sorted.bam##idx##$work/sorted.bam.bai" - || status=$?
if [ "$status" -ne 0 ]; then # STAR has died: a writer may still wait for a reader of its pipe
    for pipe in "${pipes[@]}"; do timeout 5 cat "$pipe" > /dev/null & done
fi
wait

# A damaged file first: it is the cause where the other mate was cut short by STAR's end.
for mate in $(seq "${#pipes[@]}"); do
    declare -n files="mate_$mate"
    if grep -q -e "unexpected end of file" -e "not in gzip format" -e "invalid compressed data" "$work/gzip_$mate"; then
        fail "sample $sample: $(tr '\n' ' ' < "$work/gzip_$mate")while reading ${files[*]}; the file is truncated or damaged: copy it again."
    fi
done
for mate in $(seq "${#pipes[@]}"); do
    declare -n files="mate_$mate"
    [ -e "$work/fed_$mate" ] || continue
    lines=$(cat "$work/lines_$mate")
    [ "$((lines % 4))" -eq 0 ] || fail "sample $sample: ${files[*]} holds $lines lines, not a multiple of 4; the FASTQ file is truncated: copy it again."
done
if [ "${#pipes[@]}" -eq 2 ] && [ -e "$work/fed_1" ] && [ -e "$work/fed_2" ]; then
    one=$(($(cat "$work/lines_1") / 4)) two=$(($(cat "$work/lines_2") / 4))
    [ "$one" -eq "$two" ] || fail "sample $sample: ${mate_1[*]} holds $one reads and ${mate_2[*]} holds $two; mates must come in pairs: check the sheet's fastq_1 and fastq_2."
fi
if [ "$status" -ne 0 ]; then
    cat "$work/Log.out" 2> /dev/null | tail -n 20 || true
    fail "sample $sample: STAR or samtools sort ended with exit code $status: see ${snakemake_log[0]}."
fi

mv "$work/Log.final.out" "${snakemake_output[log]}"
mv "$work/sorted.bam.bai" "${snakemake_output[bai]}"
mv "$work/sorted.bam" "$bam"
