# Two stages: wheels are made in the first, the second has no build tools and runs as nobody.
FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv /opt/kn-ahead
ENV PATH=/opt/kn-ahead/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements.lock requirements-dev.lock ./
RUN pip install --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY autoscaler autoscaler
COPY learner learner
COPY knative knative
COPY benchmarks benchmarks
# The build backend is pinned too; it stays behind in this stage.
RUN python -m venv /tmp/backend \
 && /tmp/backend/bin/pip install --require-hashes -r requirements-dev.lock \
 && /tmp/backend/bin/pip wheel --no-deps --no-build-isolation -w /tmp/wheel . \
 && pip install --no-deps /tmp/wheel/*.whl \
 && python -m compileall -q /opt/kn-ahead

FROM python:3.13-slim
COPY --from=build /opt/kn-ahead /opt/kn-ahead
# Nothing is written at run time: bytecode is there, compiled kernels and fonts go to /tmp.
ENV PATH=/opt/kn-ahead/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    NUMBA_CACHE_DIR=/tmp/numba MPLCONFIGDIR=/tmp/matplotlib
WORKDIR /tmp
USER 65532:65532
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=300s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=2)"]
ENTRYPOINT ["kn-ahead"]
CMD ["demo", "--host", "0.0.0.0"]
