# All of hoi in one image: the same `make install` as in a checkout. Use: docs/cluster.md
FROM python:3.11-slim-bookworm
RUN apt-get update && apt-get install -y --no-install-recommends make git && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/hoi
COPY pyproject.toml environment.post-deploy.sh Makefile README.md LICENSE ./
COPY scripts scripts
COPY hoi hoi
RUN make install && rm -rf /var/lib/apt/lists/* /root/.cache
ENV PATH=/opt/hoi/.venv/bin:$PATH
