# docker build --tag gene_gcn --build-arg PIP_EXTRA_INDEX_URL=ADDRESS .
# docker run --rm --user "$(id -u):$(id -g)" --volume "$PWD:/data" gene_gcn predict cells.h5ad --model model --out types.csv
#
# ADDRESS is that of PyTorch's CPU wheels (pytorch.org). Without it, torch is a CUDA build, some 5 GB larger.
FROM python:3.11-slim AS build
ARG PIP_EXTRA_INDEX_URL=""
RUN python -m venv /opt/gene_gcn
WORKDIR /source
COPY . .
RUN /opt/gene_gcn/bin/python -m pip install --no-cache-dir -c constraints.txt .

FROM python:3.11-slim
COPY --from=build /opt/gene_gcn /opt/gene_gcn
# Any user may write here: downloads, and what numba and matplotlib keep.
RUN useradd --create-home --uid 1000 user && mkdir /cache && chmod 1777 /cache
ENV PATH=/opt/gene_gcn/bin:$PATH \
    GENE_GCN_CACHE=/cache/gene_gcn \
    NUMBA_CACHE_DIR=/cache/numba \
    MPLCONFIGDIR=/cache/matplotlib
USER 1000
WORKDIR /data
ENTRYPOINT ["gene-gcn"]
CMD ["--help"]
