# One run, one integer: `docker run --rm IMAGE` prints the host's clock minus true time in seconds.
# docs/containers.md has the lines for docker, podman and compose, and how to pin the base.

# Any image with python3 (3.11 or newer, with venv), a shell, and root as its user.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
# For an index of your own; nothing of this stage but its files gets into the image.
ARG PIP_INDEX_URL
WORKDIR /opt/time-drift
COPY config.toml /etc/time-drift/config.toml
COPY requirements.txt time-drift.sh LICENSE ./
COPY sources sources
COPY nodes nodes
COPY fleet fleet
COPY lab lab
COPY drift drift
# The script makes its environment as it does on any machine: from the hashed lock, and without
# pip in it. Byte code that is not compared with its source: nothing changes here any more.
RUN ./time-drift.sh --version \
    && .venv/bin/python -m compileall -q -f --invalidation-mode unchecked-hash \
        .venv/packages/ drift sources nodes fleet lab \
    && rm -f .venv.lock \
    && chmod -R u+rwX,go+rX,go-w . /etc/time-drift

FROM ${BASE}
ARG VERSION=0.2.0
ARG REVISION=unknown
ARG BASE
LABEL org.opencontainers.image.title="time-drift" \
      org.opencontainers.image.description="One integer: the host's clock minus true time, in seconds" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE}"

# Nothing is installed in a container: neither pip, nor the wheels that venv would make one of; no
# cache. Nothing can be written in it, but below /tmp and in the state directory; so the standard
# library is compiled here, which some bases deliver without byte code, or each run would do it.
RUN packages=$(python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))') \
    && library=$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))') \
    && scripts=$(python3 -c 'import sysconfig; print(sysconfig.get_path("scripts"))') \
    && rm -rf "$packages"/pip "$packages"/pip-*.dist-info "$scripts"/pip* "$library"/ensurepip \
        /usr/share/python-wheels /var/lib/apt/lists/* /var/cache/apt/* /root/.cache \
    && { python3 -m compileall -qq --invalidation-mode unchecked-hash \
        -x '/(tests?|idlelib|lib2to3|tkinter|turtledemo)/' "$library" || true; } \
    && find / -xdev -path /tmp -prune -o -type d -perm -0002 -exec chmod o-w {} + \
    && install -d -m 0700 -o 10001 -g 10001 /var/lib/time-drift

COPY --from=build /opt/time-drift /opt/time-drift
# Where a configuration is mounted over it; beside the script it would be found before that.
COPY --from=build /etc/time-drift /etc/time-drift

# Used where a volume is mounted on it; a read-only root keeps nothing, and that costs no answer.
ENV STATE_DIRECTORY=/var/lib/time-drift
USER 10001:10001
WORKDIR /
STOPSIGNAL SIGTERM
# A run lasts seconds and ends with its own verdict; there is nothing that could be asked meanwhile.
HEALTHCHECK NONE
ENTRYPOINT ["/opt/time-drift/time-drift.sh"]
CMD []
