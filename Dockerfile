# The server in a container:
# docker build -t numpyclip . && docker run -p 127.0.0.1:8000:8000 numpyclip serve --model tiny --no-index
# docs/guides/deployment.md describes its use; `python -m tools.check_image` builds and checks it.

# Both stages have Debian's Python 3.13, at /usr/bin/python3, so that the environment can be copied.
FROM debian:trixie-slim AS build
# Extras to install: "server,heif,postgres" for an index in PostgreSQL.
ARG EXTRAS=server,heif
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends python3-venv && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/numpyclip
ENV PATH=/opt/numpyclip/bin:$PATH
WORKDIR /src
COPY . .
RUN pip install --no-cache-dir --constraint deploy/constraints.txt ".[$EXTRAS]" \
    && pip uninstall --yes pip \
    && find /opt/numpyclip -depth \( -type d -name tests -o -name '*.pyi' -o -name '*.a' \) -exec rm -r {} +
# Group 0 can write, so a container can run as any user in it. (COPY keeps the modes of a folder's content, not its own.)
RUN install -d -m 0775 /volumes/data

# No shell and no package manager, and a user that is not root.
FROM gcr.io/distroless/python3-debian13:nonroot
COPY --from=build /opt/numpyclip /opt/numpyclip
COPY --from=build --chown=65532:0 /volumes /
ENV PATH=/opt/numpyclip/bin:$PATH \
    HOME=/data \
    PYTHONUNBUFFERED=1 \
    NUMPYCLIP_INDEX=/data/index \
    NUMPYCLIP_CACHE=/data/cache \
    CLIP_DIR=/data/models \
    HF_HOME=/data/models/huggingface \
    NUMPYCLIP_SERVE_HOST=0.0.0.0 \
    NUMPYCLIP_SERVE_PORT=8000
USER 65532
VOLUME /data
EXPOSE 8000
WORKDIR /data
HEALTHCHECK --interval=30s --timeout=5s --start-period=5m \
    CMD ["python3", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"NUMPYCLIP_SERVE_PORT\"]}/healthz', timeout=4)"]
ENTRYPOINT ["numpyclip"]
CMD ["serve"]
