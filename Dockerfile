# The workflow with all its tools; see "Conda and containers" in docs/cluster.md.
#   docker build -t tissuestate .
#   docker run --rm --user "$(id -u):$(id -g)" --volume "$PWD:/data" tissuestate --cores 8 --configfile mine.yaml
FROM debian:bookworm-slim

# No versions here: those of Debian's stable release are the ones that were tested.
# hadolint ignore=DL3008
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends ca-certificates make python3-venv \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /tissuestate
COPY . .
RUN make setup && rm -rf /var/lib/apt/lists/* /root/.cache

# Any user may run it, also one without a name or a home.
ENV PATH="/tissuestate/.venv/bin:$PATH" HOME=/tmp LOGNAME=tissuestate
WORKDIR /data
ENTRYPOINT ["snakemake", "--snakefile", "/tissuestate/Snakefile"]
CMD ["--help"]
