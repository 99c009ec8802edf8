#!/usr/bin/env bash
# From reads to a sorted, indexed BAM: a run of the archive is downloaded first, fastp trims where it is
# asked to, and STAR aligns with RNAseqDB's options. STAR itself does not notice a truncated gzip file or
# lanes that end in mid-record, so the reads come through pipes that count and check them.
set -euo pipefail
exec 3>&2 > "${snakemake_log[0]}" 2>&1

sample=${snakemake_wildcards[sample]}
threads=${snakemake[threads]}
run=${snakemake_params[accession]}
bam=${snakemake_output[bam]}
rm -rf "$(dirname "$bam")/.$sample."?????? # left by an attempt that was killed
work=$(mktemp -d "$(dirname "$bam")/.$sample.XXXXXX")
trap 'rm -rf "$work"' EXIT

fail() {
    echo "Error: $*" | tee /dev/fd/3
    exit 1
}

first_line() {
    { gzip -cdfq -- "$1" 2> /dev/null || true; } | head -n 1
}

if [ -n "$run" ]; then
    prefetch --max-size u --output-directory "$work" "$run" \
        || fail "sample $sample: run $run cannot be downloaded from the Sequence Read Archive; check the accession and the network, or give FASTQ files."
    fasterq-dump --split-files --threads "$threads" --temp "$work" --outdir "$work" "$work/$run" \
        || fail "sample $sample: run $run was downloaded, but fasterq-dump cannot read it."
    rm -r "${work:?}/$run"
    mate_1=("$work/$run"*.fastq) mate_2=()
    [ -e "$work/${run}_2.fastq" ] && mate_1=("$work/${run}_1.fastq") mate_2=("$work/${run}_2.fastq")
else
    read -ra mate_1 <<< "${snakemake_input[fastq_1]}"
    read -ra mate_2 <<< "${snakemake_input[fastq_2]:-}"
    for lane in "${!mate_1[@]}"; do # STAR pairs reads by their order alone
        one=$(first_line "${mate_1[$lane]}") two=$(first_line "${mate_2[$lane]:-/dev/null}")
        if [[ $one$two == *$'\r'* ]]; then
            fail "sample $sample: ${mate_1[$lane]} ${mate_2[$lane]:-} ends its lines as Windows does; take the files as they were sequenced, or convert them with dos2unix."
        fi
        one=${one%%[[:space:]]*} two=${two%%[[:space:]]*}
        if [ -n "$one" ] && [ -n "$two" ] && [ "${one%?}" != "${two%?}" ]; then # all but /1 and /2
            fail "sample $sample: the first read of ${mate_1[$lane]} is $one, that of ${mate_2[$lane]} $two; mates must be of the same reads in the same order: check the sheet's fastq_1 and fastq_2."
        fi
    done
fi
mates=(1)
[ "${#mate_2[@]}" -gt 0 ] && mates=(1 2)

feed() { # feed MATE FILE...: all lanes as text into the mate's pipe; lines and success are noted
    local mate=$1
    shift
    if gzip -cdfq -- "$@" 2> "$work/gzip_$mate" | tee "$work/reads_$mate" | wc -l > "$work/lines_$mate"; then
        : > "$work/fed_$mate"
    fi
}

check_reads() { # a damaged file first: it is the cause where the other mate was cut short by STAR's end
    local mate lines
    for mate in "${mates[@]}"; do
        declare -n files="mate_$mate"
        if grep -q -e "unexpected end of file" -e "not in gzip format" -e "invalid compressed data" "$work/gzip_$mate"; then
            fail "sample $sample: $(tr '\n' ' ' < "$work/gzip_$mate")while reading ${files[*]}; the file is truncated or damaged: copy it again."
        fi
    done
    for mate in "${mates[@]}"; do
        declare -n files="mate_$mate"
        if [ "$status" -ne 0 ] && [ ! -e "$work/fed_$mate" ]; then # STAR's end cut it short
            gzip -cdfq -- "${files[@]}" | wc -l > "$work/lines_$mate" && : > "$work/fed_$mate"
        fi
        [ -e "$work/fed_$mate" ] || continue
        lines=$(cat "$work/lines_$mate")
        [ "$((lines % 4))" -eq 0 ] || fail "sample $sample: ${files[*]} holds $lines lines, not a multiple of 4; the FASTQ file is truncated: copy it again."
    done
    if [ "${#mates[@]}" -eq 2 ] && [ -e "$work/fed_1" ] && [ -e "$work/fed_2" ]; then
        local one=$(($(cat "$work/lines_1") / 4)) two=$(($(cat "$work/lines_2") / 4))
        [ "$one" -eq "$two" ] || fail "sample $sample: ${mate_1[*]} holds $one reads and ${mate_2[*]} holds $two; mates must come in pairs: check the sheet's fastq_1 and fastq_2."
    fi
}

status=0
open_pipes() { # a pipe a mate, with its reads coming
    local mate
    rm -f "$work"/{reads,fed}_?
    for mate in "${mates[@]}"; do
        declare -n files="mate_$mate"
        mkfifo "$work/reads_$mate"
        feed "$mate" "${files[@]}" &
    done
}

if [ "${snakemake_params[trim]}" = True ]; then
    # fastp reads twice, to find the adapters first: it gets a file of all lanes, and leaves another.
    open_pipes
    options=()
    for mate in "${mates[@]}"; do
        gzip -c1 < "$work/reads_$mate" > "$work/raw_$mate.fastq.gz" &
        options+=("--in$mate" "$work/raw_$mate.fastq.gz" "--out$mate" "$work/trimmed_$mate.fastq.gz")
    done
    wait
    check_reads
    [ "${#mates[@]}" -eq 2 ] && options+=(--detect_adapter_for_pe)
    fastp --thread "$threads" --compression 1 "${options[@]}" --report_title "$sample" \
        --json "$work/fastp.json" --html "$work/fastp.html" \
        || fail "sample $sample: fastp failed: see ${snakemake_log[0]}."
    rm -f "$work"/raw_?.fastq.gz "$work"/*.fastq
    mate_1=("$work/trimmed_1.fastq.gz") mate_2=("$work/trimmed_2.fastq.gz")
fi

open_pipes
pipes=("${mates[@]/#/$work/reads_}")
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

check_reads
if [ "$status" -ne 0 ]; then
    tail -n 20 "$work/Log.out" || true
    reason=$(grep -m 1 -o "FATAL.*" "$work/Log.out" || true)
    fail "sample $sample: STAR or samtools sort ended with exit code $status${reason:+ ($reason)}: see ${snakemake_log[0]}."
fi
if [ "${snakemake_params[trim]}" = True ]; then
    mv "$work/fastp.json" "${snakemake_output[json]}"
    mv "$work/fastp.html" "${snakemake_output[html]}"
fi
mv "$work/Log.final.out" "${snakemake_output[log]}"
mv "$work/sorted.bam.bai" "${snakemake_output[bai]}"
mv "$work/sorted.bam" "$bam"
