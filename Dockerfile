# syntax=docker/dockerfile:1
# One file for both images, which differ in three stages: RunPod's Hub builds it as it is, and gets the one with CUDA.
#   docker build -t embeddings .
#   docker build -t embeddings:cpu --build-arg DEVICE=cpu .
#   docker build -t embeddings --build-arg MODEL_NAMES=BAAI/bge-small-en-v1.5 --secret id=HF_TOKEN,env=HF_TOKEN .
# Build arguments:
#   DEVICE       cuda (amd64 only) or cpu (amd64, arm64)
#   MODEL_NAMES  models to put into the image, as in the variable of this name
#   CACHE_DIR    folder of the image that keeps these packed for a CPU like the builder's, of up to twice their size
#   CUDNN        1 adds cuDNN, 493 MB that ONNX Runtime uses only where it is told to prefer its attention
# What the images hold, with sizes: npm run image:check.
ARG DEVICE=cuda

FROM node:26.10.0-bookworm-slim AS nodejs

FROM nodejs AS modules-cpu
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund
COPY tools/image/prune-modules.ts tools/image/
RUN node tools/image/prune-modules.ts node_modules

# The program, and beside it what of it is read at a start: a few files in place of hundreds.
FROM nodejs AS program
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN npm run build \
 && rm -r node_modules

# Packages pinned by hash. Of CUDA only what the provider loads, and the licences.
FROM debian:bookworm-slim AS wheels
ARG CUDNN=0
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3-pip \
 && rm -rf /var/lib/apt/lists/*
COPY tools/image/cuda-provider.txt tools/image/cuda-libraries.txt tools/image/cudnn.txt ./
ENV PIP_NO_CACHE_DIR=1 PIP_NO_DEPS=1 PIP_ONLY_BINARY=:all: PIP_REQUIRE_HASHES=1
RUN python3 -m pip download --python-version 3.12 --platform manylinux_2_28_x86_64 --dest /provider -r cuda-provider.txt
RUN python3 -m pip install --target /wheels/cuda -r cuda-libraries.txt \
 && if [ "$CUDNN" = 1 ]; then python3 -m pip install --target /wheels/cudnn -r cudnn.txt; fi \
 && mkdir -p /cuda/lib /cuda/share/doc \
 && cp /wheels/*/nvidia/*/lib/lib*.so.* /cuda/lib \
 && rm /cuda/lib/libnvblas.so.* \
 && cp -r /wheels/*/*.dist-info /cuda/share/doc

# The two files of ONNX Runtime's CUDA provider, beside the library that looks for them there.
FROM modules-cpu AS modules-cuda
COPY src ./src
COPY tools ./tools
RUN --mount=type=bind,from=wheels,source=/provider,target=/provider \
    npm run setup:cuda -- --wheel "$(ls /provider/*.whl)"

# Debian and root: RunPod's Hub tests an image from inside, where it needs curl and apt-get. Its volumes are root's too.
FROM debian:bookworm-slim AS system-cpu
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates curl libatomic1 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 1000 --create-home node
COPY --from=nodejs /usr/local/bin/node /usr/local/bin/node

FROM system-cpu AS system-cuda
COPY --from=wheels /cuda /usr/local
RUN ldconfig
# The driver comes from the host. NVIDIA_REQUIRE_CUDA is not set: a container that cannot start says less than our log.
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility

FROM modules-${DEVICE} AS modules

FROM system-${DEVICE}
WORKDIR /app
ENV NODE_ENV=production \
    NODE_COMPILE_CACHE=/app/.cache/node
COPY --from=modules /app/node_modules ./node_modules
COPY --from=program /app ./

# Node keeps a compile cache for each user: root's and node's are filled, others fill their own.
RUN mkdir -p .cache/node \
 && chmod 1777 .cache/node \
 && node tools/image/warm-up.ts 0 1000

# Into one hub cache for both users, in their standard place, which is looked through whatever HF_HOME says later. The names
# go to .env, which any MODEL_NAMES of the container overrides. What CACHE_DIR gets is root's, and both users read it.
ARG MODEL_NAMES
ARG CACHE_DIR
ENV CACHE_DIR=$CACHE_DIR
RUN --mount=type=secret,id=HF_TOKEN \
    mkdir -p .cache/huggingface /root/.cache /home/node/.cache \
 && ln -s /app/.cache/huggingface /root/.cache/huggingface \
 && ln -s /app/.cache/huggingface /home/node/.cache/huggingface \
 && HF_TOKEN="$(cat /run/secrets/HF_TOKEN 2>/dev/null)" node tools/bake-models.ts \
 && chown -R node:node .cache/huggingface

# Where RunPod's load balancer looks unless its endpoint names another port. It makes the container a server where no
# queue is: it never runs one job and exits, to be started again.
ENV PORT=80
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD curl -fsS -o /dev/null "http://127.0.0.1:${PORT_HEALTH:-$PORT}/health"
STOPSIGNAL SIGTERM
# What the environment asks for: a queue worker, or a server; see docs/configuration.md.
CMD ["node", "handler.ts"]
