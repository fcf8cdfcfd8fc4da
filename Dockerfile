# The service with its locked dependencies. Models come in as a volume:
#   docker build -t coldstart .
#   docker run -p 127.0.0.1:50051:50051 -p 127.0.0.1:9464:9464 -v "$PWD/models:/models:ro" coldstart
# With members in Redis, traces and models at an address:
#   docker build --build-arg EXTRAS="redis otel remote" -t coldstart .
ARG PYTHON_IMAGE=python:3.11-slim

FROM ${PYTHON_IMAGE} AS dependencies
ARG EXTRAS=""
COPY requirements.lock .
COPY deploy/extras extras
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.lock \
        $(for extra in $EXTRAS; do echo "-r extras/$extra.lock"; done) \
    && /opt/venv/bin/python -m pip uninstall --yes --quiet setuptools pip

FROM ${PYTHON_IMAGE}
# LightGBM needs the OpenMP runtime, which slim images lack.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin coldstart
COPY --from=dependencies /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    COLDSTART_MODELS=/models \
    COLDSTART_HOST=0.0.0.0 \
    COLDSTART_METRICS_HOST=0.0.0.0
WORKDIR /app
COPY LICENSE ./
COPY client/coldstart_client coldstart_client
COPY features features
COPY model model
COPY service service
COPY training training
# Volumes take over who owns these: both the service and the job run as this user.
RUN python -m compileall -q . && mkdir /models /outcomes && chown 10001:10001 /models /outcomes
USER 10001:10001
EXPOSE 50051 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-m", "service.probe"]
ENTRYPOINT ["python", "-m", "service"]
