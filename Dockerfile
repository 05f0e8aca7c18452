# One image per service: docker build --build-arg SERVICE=ingest -t gatepost/ingest:dev .
# SERVICE is one of ingest drafter gatekeeper sender notifier api cli. The image carries only what that member imports.
ARG BUILD_BASE=python:3.11-slim-bookworm
ARG RUNTIME_BASE=gcr.io/distroless/python3-debian12

FROM ${BUILD_BASE} AS build
ARG SERVICE
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never PIP_NO_CACHE_DIR=1
WORKDIR /src
COPY requirements-uv.lock requirements.lock ./
RUN python -m pip install --require-hashes -r requirements-uv.lock
COPY libs ./libs
COPY services ./services
COPY deploy/members.py ./deploy/members.py
# Third-party packages of this member only, then the members themselves, not editable.
RUN members="$(python deploy/members.py "${SERVICE}")" \
 && uv pip install --target /app/packages --no-sources -c requirements.lock ${members}
RUN printf 'import sys\nfrom gatepost_%s.app import main\nsys.exit(main())\n' "${SERVICE}" > /app/entry.py

FROM ${RUNTIME_BASE}
COPY --from=build /app /app
ENV PYTHONPATH=/app/packages PYTHONUNBUFFERED=1
USER 65532:65532
ENTRYPOINT ["python3", "/app/entry.py"]
