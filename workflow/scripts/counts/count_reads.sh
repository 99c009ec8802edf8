#!/usr/bin/env bash
# featureCounts over exons by gene: pairs if the reads are paired, and the strand as the sheet says or,
# for "auto", as the first million alignments show (more than three quarters of the stranded counts on one
# side). A strand that the sheet states is refused if these show the other one. CRAM, which featureCounts
# does not read, is converted to BAM first, without sequences, so that no reference is needed.
set -euo pipefail
exec 3>&2 > "${snakemake_log[0]}" 2>&1

sample=${snakemake_wildcards[sample]}
threads=${snakemake[threads]}
given=${snakemake_input[bam]}
bam=$given
stated=${snakemake_params[strandedness]}
counts=${snakemake_output[counts]}
folder=$(dirname "$counts")

reported=
say() { # write to the log and to the terminal, which may be a file and is appended to
    reported=1
    echo "$*" >&3
    echo "$*" || true # the disk may be full
}

refuse() { # these alignments are not counted; the other samples are
    local file
    for file in "${snakemake_output[@]}"; do
        echo "refused: $*" > "$file"
    done
    exit 0
}

fail() { # something is wrong with these alignments: in classification, the other samples go on
    say "Error: $*"
    [ "${snakemake_params[refuse]:-False}" = True ] || exit 1
    refuse "$*"
}

full() { # whether the disk is
    grep -q -e "No space left on device" -e "Disk quota exceeded" "${snakemake_log[0]}" \
        || ! head -c 1000000 /dev/zero 2> /dev/null > "$work/probe"
}

finish() { # no failure without a sentence; removes temporary files
    local code=$?
    if [ "$code" -ne 0 ] && [ -z "$reported" ]; then
        if full; then
            say "Error: sample $sample: no space left on the device that holds $folder."
        elif [ "$code" -eq 137 ]; then
            say "Error: sample $sample: featureCounts or samtools was killed, most often because memory ran out."
        else
            say "Error: sample $sample: counting ended with exit code $code: see ${snakemake_log[0]}."
        fi
    fi
    rm -rf "$work"
}

first=$(head -c 4096 "$bam" | tr -d '\0' | head -n 1)
[ "${first#refused: }" = "$first" ] || refuse "${first#refused: }"

rm -rf "$folder/.$sample."?????? # left by an attempt that was killed
if ! work=$(mktemp -d "$folder/.$sample.XXXXXX"); then
    say "Error: sample $sample: no folder can be made in $folder; is the disk full?"
    exit 1
fi
trap finish EXIT
[ -z "${snakemake_params[flaw]:-}" ] || fail "${snakemake_params[flaw]}"

begins=$(head -c 4 "$bam" | od -An -tx1)
case $begins in
    " 1f 8b"*) cram= ;;
    " 43 52 41 4d") cram=1 ;;
    *) fail "$bam: neither BAM nor CRAM; copy or make it again." ;;
esac
if ! samtools quickcheck -u "$bam"; then # featureCounts would crash
    fail "$bam: damaged, or cut off before its end; copy or make it again."
fi
samtools view -H "$bam" > "$work/header"
differs=$(awk -F '\t' '
    FILENAME == ARGV[1] { bases[$1] = $2; next }
    /^@SQ\t/ {
        delete field
        for (i = 2; i <= NF; i++) field[substr($i, 1, 2)] = substr($i, 4)
        name = field["SN"]
        if (FILENAME == ARGV[2]) { md5[name] = field["M5"]; next }
        if (name in bases) {
            known++
            if (bases[name] != field["LN"] && !wrong)
                wrong = "its " name " has " field["LN"] " bases, that of the reference " bases[name]
            if (name in md5 && "M5" in field) {
                compared += bases[name]; sequences++
                if (tolower(field["M5"]) != md5[name]) {
                    apart += bases[name]
                    if (!changed++) first = "the bases of its " name " have MD5 " field["M5"] ", those of the reference " md5[name]
                }
            }
        } else if (!other) other = name
    }
    END {
        # Chromosomes that are masked in one of two genomes differ in bases, but not in coordinates.
        if (!wrong && 2 * apart > compared) wrong = first " (" changed " of " sequences " chromosomes differ)"
        if (!known && !other) wrong = "it names no chromosomes, as if its reads were not aligned yet"
        if (!known) for (name in bases) if (!wrong) wrong = "none of its chromosomes is in the reference: it has " other ", the reference has " name
        print wrong
    }' "${snakemake_input[chromosomes]}" "${snakemake_input[sequences]:-/dev/null}" "$work/header")
[ -z "$differs" ] || fail "$bam: aligned to another genome build: $differs; align its reads to this reference, or name the reference it was aligned to in the config."
if [ -n "$cram" ]; then # all fields but template length, sequence and qualities
    read_all=(samtools view -b -1 --input-fmt-option required_fields=0x8ff --input-fmt-option decode_md=0 -o "$work/reads.bam")
else
    read_all=(samtools view -c -o /dev/null)
fi
if ! "${read_all[@]}" -@ "$threads" "$bam" 2> "$work/damage"; then
    cat "$work/damage"
    fail "$bam: damaged: samtools cannot read it to its end ($(tr '\n' ' ' < "$work/damage" | cut -c 1-200 | sed 's/ *$//')); copy or make it again."
fi
[ -z "$cram" ] || bam=$work/reads.bam

paired=()
[ "$(samtools head -n 1000 "$bam" 2> /dev/null | grep -v '^@' | awk '{ n += $2 % 2 } END { print n + 0 }')" -gt 0 ] \
    && paired=(-p --countReadPairs)

count() { # count STRAND BAM OUTPUT
    featureCounts -T "$threads" -t exon -g gene_id -s "$1" "${paired[@]}" --tmpDir "$work" \
        -a "${snakemake_input[annotation]}" -o "$3" "$2"
}
assigned() { awk '$1 == "Assigned" { print $2 }' "$1.summary"; }

if [ "$stated" = none ]; then
    strand=0
else
    { samtools view -h "$bam" || true; } | head -n 1000000 | samtools view -b -o "$work/head.bam" -
    count 1 "$work/head.bam" "$work/forward"
    count 2 "$work/head.bam" "$work/reverse"
    forward=$(assigned "$work/forward") reverse=$(assigned "$work/reverse")
    shown=$(awk -v f="$forward" -v r="$reverse" 'BEGIN { print (f > 3 * r) ? 1 : (r > 3 * f) ? 2 : 0 }')
    case $stated in
        forward) strand=1 right=$forward wrong=$reverse other=reverse ;;
        reverse) strand=2 right=$reverse wrong=$forward other=forward ;;
        auto) strand=$shown right=0 wrong=0 other= ;;
    esac
    if [ "$wrong" -ge 20 ] && [ "$wrong" -ge "$((3 * right))" ]; then # fewer may be chance
        fail "sample $sample: the sheet says strandedness $stated, but of the first alignments $right are on that strand of a gene and $wrong on the other; write $other, or auto."
    fi
    if [ "$stated" != auto ] && [ "$shown" -eq 0 ] && [ "$wrong" -ge 20 ]; then
        say "Warning: sample $sample: the sheet says strandedness $stated, but of the first alignments $right are on that strand of a gene and $wrong on the other, which are not counted; 'none' counts both."
        reported=
    fi
fi
echo "strand $strand (0 none, 1 forward, 2 reverse)"
count "$strand" "$bam" "$work/all.tsv"
# Gene and count alone: the coordinates of every exon would make a cohort's tables a hundred times larger,
# and the command line above them, with its temporary folder, makes equal counts unequal files.
{
    printf 'Geneid\t%s\n' "$given"
    sed '/^#/d' "$work/all.tsv" | tail -n +2 | cut -f 1,7
} > "$work/counts.tsv"
# MultiQC takes the sample's name from the header.
sed "1s/\t.*/\t$sample/" "$work/all.tsv.summary" > "$work/summary"
mv "$work/summary" "${snakemake_output[summary]}"
mv "$work/counts.tsv" "$counts"
