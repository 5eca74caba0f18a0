# Two images of one wheel, without build tools, run as nobody:
#
#   docker build -t kn-ahead .                                  everything
#   docker build -t kn-ahead-controller --target controller .   what the controller needs, a third of the size
#
FROM python:3.13-slim AS base
ENV PATH=/opt/kn-ahead/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

FROM base AS wheel
WORKDIR /src
COPY requirements-dev.lock pyproject.toml README.md LICENSE ./
COPY autoscaler autoscaler
COPY learner learner
COPY knative knative
COPY benchmarks benchmarks
# The build backend is pinned too; it stays behind in this stage.
RUN python -m venv /tmp/backend \
 && /tmp/backend/bin/pip install --require-hashes -r requirements-dev.lock \
 && /tmp/backend/bin/pip wheel --no-deps --no-build-isolation -w /tmp/wheel .

FROM base AS controller-build
COPY requirements-controller.lock ./
COPY --from=wheel /tmp/wheel /tmp/wheel
# Bytecode of what is imported alone: most of the Kubernetes client never is.
RUN python -m venv /opt/kn-ahead \
 && pip install --no-compile --require-hashes -r requirements-controller.lock \
 && pip install --no-compile --no-deps /tmp/wheel/*.whl \
 && python -c 'import knative.controller.__main__' \
 && pip uninstall -y pip

FROM base AS build
COPY requirements.lock ./
COPY --from=wheel /tmp/wheel /tmp/wheel
RUN python -m venv /opt/kn-ahead \
 && pip install --require-hashes -r requirements.lock \
 && pip install --no-deps /tmp/wheel/*.whl \
 && python -m compileall -q /opt/kn-ahead

FROM base AS controller
COPY --from=controller-build /opt/kn-ahead /opt/kn-ahead
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /tmp
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["kn-ahead"]
CMD ["controller"]

FROM base
COPY --from=build /opt/kn-ahead /opt/kn-ahead
# Nothing is written at run time: bytecode is there, compiled kernels and fonts go to /tmp.
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    NUMBA_CACHE_DIR=/tmp/numba MPLCONFIGDIR=/tmp/matplotlib
WORKDIR /tmp
USER 65532:65532
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=300s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=2)"]
ENTRYPOINT ["kn-ahead"]
CMD ["demo", "--host", "0.0.0.0"]
