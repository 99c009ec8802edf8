#!/usr/bin/env bash
# Install what is missing to run the workflow without conda: Debian packages for the tools, and
# the Python packages of a requirements file in .venv. Does nothing if nothing is missing.
#
#   envs/setup.sh [requirements.txt | requirements-dev.txt] [cluster]
set -euo pipefail
cd "$(dirname "$0")/.."
exec </dev/null
requirements=${1:-requirements.txt}
purpose=${2:-}
python=${PYTHON:-python3}

say() { printf 'setup: %s\n' "$*"; }
fail() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }

install_packages() {
    local wanted package missing="" root=""
    wanted=$(grep -v '^#' envs/debian.txt)
    [ "$requirements" = requirements.txt ] || wanted="$wanted $(grep -v '^#' envs/debian-dev.txt)"
    [ "$purpose" != cluster ] || wanted="$wanted $(grep -v '^#' envs/debian-cluster.txt)"
    if ! command -v apt-get >/dev/null; then
        for tool in STAR featureCounts samtools fastp prefetch bedtools R; do
            command -v "$tool" >/dev/null || missing="$missing $tool"
        done
        if [ -n "$missing" ]; then
            say "there is no apt-get here and these tools are not on the PATH:$missing. Install" \
                "STAR, subread, samtools, fastp, sra-tools, bedtools and R with Bioconductor's" \
                "sva, edgeR and org.Hs.eg.db by your package manager, or let conda do it:" \
                "snakemake --cores 2 --sdm conda."
        fi
        return
    fi
    for package in $wanted; do
        installed "$package" || missing="$missing $package"
    done
    if [ ! -x .venv/bin/python ] && ! "$python" -c 'import ensurepip' 2>/dev/null; then
        missing="$missing python3-venv"
    fi
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || fail "missing Debian packages, and neither root nor sudo to" \
            "install them; ask for: apt-get install --no-install-recommends$missing"
        root="sudo"
    fi
    say "installing Debian packages:$missing"
    $root apt-get update -qq
    # Unquoted on purpose: one word a package.
    # shellcheck disable=SC2086
    $root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

install_python() {
    local stamp state
    stamp=.venv/.$requirements.state
    if ! .venv/bin/python -c 'import pip' 2>/dev/null; then
        say "making .venv with $("$python" --version)"
        "$python" -m venv --clear .venv
    fi
    state=$(cat requirements.txt requirements-dev.txt constraints.txt pyproject.toml | cksum)
    [ "$(cat "$stamp" 2>/dev/null)" != "$state" ] || return 0
    say "installing the Python packages of $requirements"
    # rpy2 without a compiler and without R's headers.
    RPY2_CFFI_MODE=ABI PIP_DISABLE_PIP_VERSION_CHECK=1 .venv/bin/python -m pip install -qq \
        --requirement "$requirements" --constraint constraints.txt
    # The command tissuestate, from the code of this folder.
    PIP_DISABLE_PIP_VERSION_CHECK=1 .venv/bin/python -m pip install -qq --no-deps --editable .
    printf '%s\n' "$state" >"$stamp"
}

command -v "$python" >/dev/null || fail "$python is not on the PATH; install Python 3.11 or newer."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$("$python" --version) is too old; Python 3.11 or newer is needed" \
        "(name another one with PYTHON=/path/to/python3.11 make ...)."
install_packages
install_python
