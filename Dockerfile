# btcbot under supervisord. `docker build -t btcbot . && docker run btcbot` trades on the embedded sandbox exchange.
#
# Production: mount two environment files and a data volume, nothing else changes:
#   docker run -d --restart unless-stopped --init --stop-timeout 60 --read-only --cap-drop ALL \
#     --security-opt no-new-privileges --pids-limit 128 --tmpfs /run/btcbot:uid=10001,gid=10001,mode=0700 \
#     -v btcbot-data:/var/lib/btcbot -v /srv/btcbot/secrets:/run/secrets:ro \
#     -v /srv/btcbot/live.env:/etc/btcbot/live.env:ro -v /srv/btcbot/monitor.env:/etc/btcbot/monitor.env:ro btcbot
# The files must be readable, and the key files owned, by user id 10001.
ARG PYTHON_IMAGE=python:3.13-slim-trixie

FROM ${PYTHON_IMAGE} AS build
# How this build reaches a package registry, where the default one cannot be reached. pip reads them from the
# environment; none of them gets into the image.
ARG PIP_INDEX_URL
ARG PIP_TRUSTED_HOST
ARG PIP_CERT
ARG PIP_DEFAULT_TIMEOUT
ARG PIP_RETRIES
ARG HTTP_PROXY
ARG HTTPS_PROXY
ARG NO_PROXY
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
# The environment never has a pip of its own: the build stage's installs into it.
RUN ["python3", "-m", "venv", "--without-pip", "/opt/btcbot"]
# The lock alone first: a change of the code does not fetch the dependencies again.
COPY requirements/run.lock /build/requirements/run.lock
RUN ["python3", "-m", "pip", "--python", "/opt/btcbot/bin/python3", "install", "--require-hashes", "--no-deps", "-r", "/build/requirements/run.lock"]
COPY pyproject.toml README.md LICENSE /build/
COPY btcbot /build/btcbot
RUN ["python3", "-m", "pip", "--python", "/opt/btcbot/bin/python3", "install", "--no-deps", "--no-build-isolation", "--no-index", "/build"]
COPY deploy /opt/btcbot/deploy
RUN rm -r /opt/btcbot/deploy/env /opt/btcbot/deploy/supervisord.conf /opt/btcbot/deploy/up \
    /opt/btcbot/deploy/checkout


FROM ${PYTHON_IMAGE}
ARG VERSION=0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="btcbot" \
      org.opencontainers.image.description="A trading bot for the spot pairs of BtcTurk: one process trades, one watches and can never trade." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# Nothing in a running container installs anything. The state directory is the volume; the run directory may be a tmpfs.
RUN rm -rf /usr/local/bin/pip* /usr/local/lib/python3.*/site-packages/pip /usr/local/lib/python3.*/site-packages/pip-* \
        /usr/local/lib/python3.*/ensurepip /usr/bin/pip* /usr/lib/python3/dist-packages/pip \
        /usr/lib/python3/dist-packages/pip-* /usr/lib/python3.*/ensurepip /usr/share/python-wheels \
    && install -d -m 0700 -o 10001 -g 10001 /var/lib/btcbot /run/btcbot \
    && install -d -m 0755 /etc/btcbot
COPY --from=build /opt/btcbot /opt/btcbot
COPY deploy/supervisord.conf /etc/supervisord.conf
COPY deploy/env/live.env deploy/env/monitor.env deploy/env/sandbox.env /etc/btcbot/
ENV PATH=/opt/btcbot/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
USER 10001:10001
# Not the volume: supervisorctl would take a configuration that lies in its working directory.
WORKDIR /
VOLUME ["/var/lib/btcbot"]
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=25s --start-period=60s --retries=3 \
    CMD ["/opt/btcbot/bin/python3", "-IB", "/opt/btcbot/deploy/healthcheck"]
CMD ["/opt/btcbot/bin/python3", "-IB", "/opt/btcbot/deploy/entry"]
