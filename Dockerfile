# syntax=docker/dockerfile:1
# CPU image: the program, its production modules, the bundled model, and the models that MODEL_NAMES names at the build.
#   docker build -t embeddings .
#   docker build -t embeddings --build-arg MODEL_NAMES=BAAI/bge-small-en-v1.5 --secret id=HF_TOKEN,env=HF_TOKEN .
FROM node:26-bookworm-slim AS modules
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Only the Linux build of this machine's architecture of each native module is kept.
RUN npm ci --omit=dev \
 && arch="$(node -p process.arch)" \
 && find node_modules/onnxruntime-node/bin/napi-v6 -mindepth 1 -maxdepth 1 ! -name linux -exec rm -r {} + \
 && find node_modules/onnxruntime-node/bin/napi-v6/linux -mindepth 1 -maxdepth 1 ! -name "$arch" -exec rm -r {} + \
 && find node_modules/tokenizers -name '*.node' ! -name "*linux-$arch-gnu.node" -delete

# Debian and root: RunPod's Hub tests an image from inside, where it needs curl and apt-get.
FROM node:26-bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates curl \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /app
ENV NODE_ENV=production \
    NODE_COMPILE_CACHE=/app/.cache/node
COPY --from=modules /app/node_modules ./node_modules
COPY . .

# Fills the compile cache of the main thread and of every worker thread, and proves that the image works: one job, then
# a queue worker, whose queue answers nobody, until it is told to stop.
RUN node handler.ts \
 && MODEL_NAMES=models/all-MiniLM-L6-v2-int8 PORT=0 LOG_LEVEL=error \
    RUNPOD_WEBHOOK_GET_JOB='http://127.0.0.1:9/job-take/$ID' RUNPOD_WEBHOOK_POST_OUTPUT='http://127.0.0.1:9/job-done/$ID' \
    RUNPOD_WEBHOOK_PING='http://127.0.0.1:9/ping' RUNPOD_AI_API_KEY=none RUNPOD_POD_ID=warm-up \
    timeout --preserve-status --signal=TERM 10 node handler.ts

# Into the hub cache, whose standard place is looked through whatever HF_HOME says later. The names go to .env, which any
# MODEL_NAMES of the container overrides.
ARG MODEL_NAMES
RUN --mount=type=secret,id=HF_TOKEN \
    HF_TOKEN="$(cat /run/secrets/HF_TOKEN 2>/dev/null)" node tools/bake-models.ts

# Where RunPod's load balancer looks unless its endpoint names another port. It makes the container a server where no
# queue is: it never runs one job and exits, to be started again.
ENV PORT=80
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
    CMD curl -fsS -o /dev/null "http://127.0.0.1:${PORT_HEALTH:-$PORT}/health"
# What the environment asks for: a queue worker, or a server; see docs/configuration.md.
CMD ["node", "handler.ts"]
