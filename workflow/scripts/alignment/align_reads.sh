#!/usr/bin/env bash
# From reads to a sorted, indexed BAM: a run of the archive is downloaded first, fastp trims if the
# config says so, and STAR aligns with RNAseqDB's options. STAR itself does not notice a truncated gzip file or
# lanes that end in mid-record, and stops at an empty line: the reads come through pipes in which each
# record is looked at and counted, and STAR must have read as many.
set -euo pipefail
exec 3>&2 > "${snakemake_log[0]}" 2>&1

sample=${snakemake_wildcards[sample]}
threads=${snakemake[threads]}
run=${snakemake_params[accession]}
trim=${snakemake_params[trim]}
bam=${snakemake_output[bam]}
folder=$(dirname "$bam")

reported=
say() { # write to the log and to the terminal, which may be a file and is appended to
    reported=1
    echo "Error: sample $sample: $*" >&3
    echo "Error: sample $sample: $*" || true # the disk may be full
}

stop() { # something is wrong with the machine or the settings
    say "$*"
    exit 1
}

trimmed=
fail() { # something is wrong with these reads: in classification, the other samples go on
    [ -z "${work:-}" ] || check_machine bash 0
    [ -z "$trimmed" ] || stop "$*" # they were checked before
    say "$*"
    [ "${snakemake_params[refuse]:-False}" = True ] || exit 1
    local file
    for file in "${snakemake_output[@]}"; do
        [ -z "$file" ] || echo "refused: $*" > "$file"
    done
    exit 0
}

check_machine() { # check_machine TOOL EXIT_CODE: stop if the disk or the memory is the cause
    if grep -q -e "No space left on device" -e "enough space on the disk" -e "Disk quota exceeded" "${snakemake_log[0]}" "$work/Log.out" 2> /dev/null \
        || ! head -c 1000000 /dev/zero 2> /dev/null > "$work/probe"; then
        stop "no space left on the device that holds $folder."
    fi
    if [ "$2" -eq 137 ] || grep -q "bad_alloc" "${snakemake_log[0]}"; then
        stop "$1 was killed, most often because memory ran out: the index alone takes $index_gb GB of it, and about half with 'star_sparsity: 2' in the config."
    fi
}

finish() { # no failure without a sentence; removes temporary files
    local code=$?
    if [ "$code" -ne 0 ] && [ -z "$reported" ]; then
        (check_machine bash "$code") || reported=1
        [ -n "$reported" ] || say "ended with exit code $code: see ${snakemake_log[0]}."
    fi
    rm -rf "$work"
}

index=$(dirname "${snakemake_input[index]%% *}")
index_gb=$(du -m "$index" | awk '{ printf "%.1f", $1 / 1000 }')
rm -rf "$folder/.$sample."?????? # left by an attempt that was killed
work=$(mktemp -d "$folder/.$sample.XXXXXX") || stop "no folder can be made in $folder; is the disk full?"
trap finish EXIT
[ -z "${snakemake_params[flaw]:-}" ] || fail "${snakemake_params[flaw]}"

# Passes reads on, FASTQ or FASTA, without the empty lines between them, each line with its end. At the
# first line that is no record it stops, with a sentence in FILES.fault. Else FILES.reads has the number
# of reads, FILES.names the name of each thousandth.
records='
function wrong(what) {
    print file " " what > (files ".fault")
    failed = 1
    exit 1
}
function shown(text) {
    text = substr(text, 1, 40)
    return text ~ /[^ -~\t]/ ? "binary, or no plain text" : "\047" text "\047"
}
function begins() {
    reads++
    if (reads % 1000 == 1) print $1 > (files ".names")
    if (reads == 1) {
        head = mate = $1
        sub(/[\/._:-]1$/, "", mate)
        mate = mate == head ? "" : substr(head, 1, length(head) - 1) "2"
    } else if (reads == 2) {
        varied = $1 != head
    } else if (varied && ($1 == head || $1 == mate && substr(head, length(head) - 1, 1) == "/")) {
        wrong("names its first read, " head ", again in line " NR ": it holds its reads twice, or both mates one after the other; take the files as they were sequenced, mates in fastq_1 and fastq_2.")
    }
    if (reads > 20000) return
    sub(/[\/._:-][12]$/, "", $1) # of a copy: fields were split from the line
    twice += $1 == last
    last = $1
    if (reads == 20000) interleaved()
}
function interleaved() {
    if (twice > 1 && twice * 4 >= reads)
        wrong("holds both mates of its reads in turn (interleaved): names like " last " come twice in a row; split it, such as with fastp --interleaved_in, and name the two files in fastq_1 and fastq_2.")
}
function windows() {
    if ($0 ~ /^[ -~\t]*\r$/) wrong("ends line " NR " as Windows does; take the file as it was sequenced, or convert it with dos2unix.")
}
place == 0 {
    first = substr($0, 1, 1)
    if (first == "@") {
        whole = $0
        if (NR == 1 && whole ~ /\r./) wrong("separates its lines as old Macintosh computers did; take the file as it was sequenced.")
        begins()
        print whole
        place = 1
    } else if (first == ">") {
        if (qualities) wrong("is FASTA, which cannot be trimmed: it has no qualities; give FASTQ, or set trim: false.")
        if (reads && !bases && fasta) wrong("has no bases under the name in line " (NR - 1) "; take such reads out.")
        fasta = 1
        bases = 0
        whole = $0
        windows()
        begins()
        print whole
    } else {
        windows()
        if ($0 !~ /[^ \t]/) next
        if (!fasta) wrong("is no FASTQ at line " NR ": it is " shown($0) ", expected a read that begins with @.")
        bases += length($0)
        print
    }
    next
}
place == 1 {
    size = length($0)
    if (!size && !qualities) wrong("has no bases in line " NR "; take such reads out, as with a least length if they were trimmed.")
    print
    place = 2
    next
}
place == 2 {
    if ($0 != "+") {
        windows()
        if (substr($0, 1, 1) != "+") wrong("is no FASTQ at line " NR ": it is " shown($0) ", expected a line that begins with +; the file is damaged: copy it again.")
    }
    print
    place = 3
    next
}
{
    if (length($0) != size) {
        windows()
        wrong("has " size " bases, but " length($0) " qualities in line " NR "; the FASTQ file is damaged or truncated: copy it again.")
    }
    print
    place = 0
}
END {
    if (failed) exit 1
    if (place && !part) wrong("ends in the middle of a read: its " NR " lines are not a multiple of 4; the FASTQ file is truncated: copy it again.")
    if (fasta && !bases && !part) wrong("ends with a name without bases; the file is truncated: copy it again.")
    interleaved()
    print reads + 0 > (files ".reads")
}
'
look() { LC_ALL=C awk -v file="$1" -v files="$2" -v part="${3:-}" -v qualities="$qualities" "$records"; }

beginning() { # the first reads of a file
    { gzip -cdfq -- "$1" 2> /dev/null | head -c 1000000 | tr -d '\0' | head -n 40; } || true
}
first_name() { awk 'NF { sub(/^[@>]/, ""); print $1; exit }' <<< "$1"; }
alike() { # whether two beginnings hold the same bases and qualities, and not N alone
    local one two
    one=$(awk 'NR % 2 == 0' <<< "$1") two=$(awk 'NR % 2 == 0' <<< "$2")
    [ "$one" = "$two" ] && awk 'NR % 2 == 1' <<< "$one" | grep -q '[ACGT]'
}

check_beginnings() { # faults of the first reads, before the genome is loaded
    local lane other mate file fault="$work/beginning.fault"
    declare -A seen=()
    for lane in "${!mate_1[@]}"; do
        for file in "${mate_1[$lane]}" ${mate_2[$lane]:+"${mate_2[$lane]}"}; do
            { beginning "$file" | look "$file" "$work/beginning" part > /dev/null; } || true
            [ ! -e "$fault" ] || fail "$(cat "$fault")"
        done
        local one two name_1 name_2
        one=$(beginning "${mate_1[$lane]}") two=$(beginning "${mate_2[$lane]:-/dev/null}")
        name_1=$(first_name "$one") name_2=$(first_name "$two")
        if [ -n "$name_1" ] && [ -n "$name_2" ]; then
            if [ -n "$(strangers <<< "$name_1"$'\t'"$name_2")" ]; then
                fail "the first read of ${mate_1[$lane]} is $name_1, that of ${mate_2[$lane]} $name_2; mates must be of the same reads in the same order: check the sheet's fastq_1 and fastq_2."
            fi
            if alike "$one" "$two"; then
                fail "${mate_1[$lane]} and ${mate_2[$lane]} hold the same reads, but the two mates of a pair differ; check the sheet's fastq_1 and fastq_2."
            fi
        fi
        for other in "${!seen[@]}"; do
            if alike "$one" "${seen[$other]}"; then
                fail "$other and ${mate_1[$lane]} begin with the same reads: a lane is named twice; check the sheet's fastq_1."
            fi
            if [[ $name_1 =~ ^([SED]RR[0-9]|.*:.*:.*:.*:) ]] \
                && [ "${name_1%/?}" = "$(first_name "${seen[$other]}" | sed 's#/.$##')" ]; then
                fail "$other and ${mate_1[$lane]} begin with read ${name_1%/?}, both: mates stand in fastq_1 and fastq_2, lanes of one mate with commas between them; check the sheet."
            fi
        done
        seen[${mate_1[$lane]}]=$one
    done
}

strangers() { # of lines with the names of two mates the first that are not of one read: its number
    awk -F '\t' '{
        one = substr($1, 1, length($1) - 1)
        two = substr($2, 1, length($2) - 1)
        if ($1 "" == $2 "" || one == two && (one ~ /[^A-Za-z0-9]$/ || $1 ~ /1$/ && $2 ~ /2$/)) next
        print NR
        exit
    }'
}

feed() { # feed MATE FILE...: all lanes as text, one after the other; fed_MATE if all was read
    local mate=$1 lane=0 file codes
    shift
    for file in "$@"; do
        if gzip -cdfq -- "$file" 2> "$work/gzip_$mate.$lane" | look "$file" "$work/lane_$mate.$lane"; then
            codes=(0 0)
        else
            codes=("${PIPESTATUS[@]}")
        fi
        [ "${codes[0]}" -eq 0 ] || [ "${codes[0]}" -eq 2 ] || return 0 # 2: a warning
        [ "${codes[1]}" -eq 0 ] || return 0
        lane=$((lane + 1))
    done
    : > "$work/fed_$mate"
}

check_faults() { # a damaged file first: it is the cause of what comes of it
    local mate lane fault
    for mate in "${mates[@]}"; do
        declare -n files="mate_$mate"
        for lane in "${!files[@]}"; do
            fault=$work/gzip_$mate.$lane
            if grep -q -e "unexpected end of file" -e "not in gzip format" -e "invalid compressed data" "$fault" 2> /dev/null; then
                fail "$(grep . "$fault" | tr '\n' ' ')while reading ${files[$lane]}; the file is truncated or damaged: copy it again."
            fi
        done
    done
    for fault in "$work"/lane_?.*.fault; do
        [ ! -e "$fault" ] || fail "$(cat "$fault")"
    done
}

check_reads() { # all lanes, to their ends; `total` is how many reads, or pairs, they hold
    local mate lane one two differs
    check_faults
    for mate in "${mates[@]}"; do
        declare -n files="mate_$mate"
        [ -e "$work/fed_$mate" ] || feed "$mate" "${files[@]}" > /dev/null # its pipe was closed early
    done
    check_faults
    total=0
    for lane in "${!mate_1[@]}"; do
        one=$(cat "$work/lane_1.$lane.reads")
        total=$((total + one))
        [ "${#mates[@]}" -eq 2 ] || continue
        two=$(cat "$work/lane_2.$lane.reads")
        [ "$one" -eq "$two" ] || fail "${mate_1[$lane]} holds $one reads and ${mate_2[$lane]} holds $two; mates must come in pairs: check the sheet's fastq_1 and fastq_2."
        [ "$one" -eq 0 ] && continue
        differs=$(paste "$work/lane_1.$lane.names" "$work/lane_2.$lane.names" | strangers)
        [ -z "$differs" ] || fail "read $((differs * 1000 - 999)) of ${mate_1[$lane]} is another than that of ${mate_2[$lane]}; mates must be of the same reads in the same order: take both files as they were sequenced."
    done
    [ "$total" -gt 0 ] || fail "${mate_1[*]} ${mate_2[*]} hold no reads."
}

open_pipes() { # one pipe per mate, into which its reads are written
    local mate
    feeders=()
    rm -f "$work"/{reads,fed}_? "$work"/{lane,gzip}_?.*
    for mate in "${mates[@]}"; do
        declare -n files="mate_$mate"
        mkfifo "$work/reads_$mate"
        feed "$mate" "${files[@]}" > "$work/reads_$mate" &
        feeders+=($!)
    done
}

qualities=$([ "$trim" = True ] && echo 1 || true)
if [ -n "$run" ]; then
    if ! prefetch --max-size u --output-directory "$work" "$run"; then
        check_machine prefetch 0
        stop "run $run cannot be downloaded from the Sequence Read Archive; check the accession and the network, or give FASTQ files."
    fi
    if ! fasterq-dump --split-files --threads "$threads" --temp "$work" --outdir "$work" "$work/$run"; then
        check_machine fasterq-dump 0
        stop "run $run was downloaded, but fasterq-dump cannot read it."
    fi
    rm -r "${work:?}/$run"
    mate_1=("$work/$run"*.fastq) mate_2=()
    [ ! -e "$work/${run}_2.fastq" ] || mate_1=("$work/${run}_1.fastq") mate_2=("$work/${run}_2.fastq")
else
    read -ra mate_1 <<< "${snakemake_input[fastq_1]}"
    read -ra mate_2 <<< "${snakemake_input[fastq_2]:-}"
    check_beginnings
fi
mates=(1)
[ "${#mate_2[@]}" -eq 0 ] || mates=(1 2)

if [ "$trim" = True ]; then
    # fastp reads twice, to find the adapters first: it gets a file of all lanes, and leaves another.
    open_pipes
    options=() packers=()
    for mate in "${mates[@]}"; do
        gzip -c1 < "$work/reads_$mate" > "$work/raw_$mate.fastq.gz" &
        packers+=($!)
        options+=("--in$mate" "$work/raw_$mate.fastq.gz" "--out$mate" "$work/trimmed_$mate.fastq.gz")
    done
    for packer in "${packers[@]}"; do wait "$packer"; done
    wait
    check_reads
    [ "${#mates[@]}" -eq 1 ] || options+=(--detect_adapter_for_pe)
    code=0
    fastp --thread "$threads" --compression 1 "${options[@]}" --report_title "$sample" \
        --json "$work/fastp.json" --html "$work/fastp.html" || code=$?
    if [ "$code" -ne 0 ]; then
        check_machine fastp "$code"
        stop "fastp failed: see ${snakemake_log[0]}."
    fi
    { read -r taken && read -r passed; } < <(grep -o '"total_reads": *[0-9]*' "$work/fastp.json" | tr -dc '0-9\n')
    [ "$taken" -eq "$((total * ${#mates[@]}))" ] \
        || fail "${mate_1[*]} ${mate_2[*]} hold $((total * ${#mates[@]})) reads, but fastp took $taken; the files are damaged: copy them again."
    rm -f "$work"/raw_?.fastq.gz "$work"/*.fastq
    mate_1=("$work/trimmed_1.fastq.gz") mate_2=()
    [ "${#mates[@]}" -eq 1 ] || mate_2=("$work/trimmed_2.fastq.gz")
    [ "$passed" -gt 0 ] || fail "no read is left after trimming: see ${snakemake_log[0]}."
    trimmed=1
fi

open_pipes
pipes=("${mates[@]/#/$work/reads_}")
if STAR --runThreadN "$threads" \
    --genomeDir "$index" \
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
        -o "$work/sorted.bam##idx##$work/sorted.bam.bai" -; then
    codes=(0 0)
else
    codes=("${PIPESTATUS[@]}")
    # STAR has died: a writer may still wait for a reader of its pipe.
    for mate in "${!feeders[@]}"; do
        ! kill -0 "${feeders[mate]}" 2> /dev/null || timeout 5 cat "${pipes[mate]}" > /dev/null &
    done
fi
wait

if [ "${codes[*]}" != "0 0" ]; then
    tail -n 20 "$work/Log.out" || true
    check_machine STAR "${codes[0]}"
    check_machine "samtools sort" "${codes[1]}"
fi
check_reads
if [ "${codes[*]}" != "0 0" ]; then
    reason=$(grep -m 1 -o "FATAL.*" "$work/Log.out" || true)
    say_codes="STAR ended with exit code ${codes[0]}, samtools sort with ${codes[1]}${reason:+ ($reason)}: see ${snakemake_log[0]}."
    [[ $reason != *"reads input"* ]] || fail "$say_codes"
    stop "$say_codes"
fi
[ -z "$trimmed" ] || [ "$passed" -eq "$((total * ${#mates[@]}))" ] \
    || fail "fastp kept $passed reads, but has written $((total * ${#mates[@]})): see ${snakemake_log[0]}."
aligned=$(awk -F '\t' '/Number of input reads/ { print $2 }' "$work/Log.final.out")
[ "$aligned" = "$total" ] \
    || fail "${mate_1[*]} ${mate_2[*]} hold $total reads or pairs, but STAR has read ${aligned:-none} of them: see ${snakemake_log[0]}."
if [ "$trim" = True ]; then
    mv "$work/fastp.json" "${snakemake_output[json]}"
    mv "$work/fastp.html" "${snakemake_output[html]}"
fi
mv "$work/Log.final.out" "${snakemake_output[log]}"
mv "$work/sorted.bam.bai" "${snakemake_output[bai]}"
mv "$work/sorted.bam" "$bam"
