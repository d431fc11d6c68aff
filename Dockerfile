# Regatta with Chromium. The operator's folder is the volume /folder:
#   docker build -t regatta .
#   docker run --rm --init --shm-size=1g -v "$PWD:/folder" regatta orchestrate --max 5 profiles.txt
# Checked by a linter; it was not built where it was written.
# Chromium's own sandbox needs user namespaces, which Docker's default seccomp profile refuses: allow them with
# `--security-opt seccomp=PROFILE.json`, or isolate the container otherwise and set `arguments = ["--no-sandbox"]`
# below `[chromium]`. The folder has to lie on a local disk: locks do not hold on every network file system.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --bin regatta

FROM debian:bookworm-slim
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates chromium chromium-headless-shell chromium-sandbox fonts-liberation \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 operator
COPY --from=build /src/target/release/regatta /usr/local/bin/regatta
USER 1000
WORKDIR /folder
VOLUME /folder
ENTRYPOINT ["regatta"]
CMD ["--help"]
