# syntax=docker/dockerfile:1
# CPU image: the program, its production modules and the bundled model.
FROM node:26-bookworm-slim AS modules
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Only the Linux build of this machine's architecture of each native module is kept.
RUN npm ci --omit=dev \
 && arch="$(node -p process.arch)" \
 && find node_modules/onnxruntime-node/bin/napi-v6 -mindepth 1 -maxdepth 1 ! -name linux -exec rm -r {} + \
 && find node_modules/onnxruntime-node/bin/napi-v6/linux -mindepth 1 -maxdepth 1 ! -name "$arch" -exec rm -r {} + \
 && find node_modules/tokenizers -name '*.node' ! -name "*linux-$arch-gnu.node" -delete

FROM node:26-bookworm-slim
WORKDIR /app
ENV NODE_ENV=production \
    NODE_COMPILE_CACHE=/app/.cache/node
COPY --from=modules /app/node_modules ./node_modules
COPY . .
# One run fills the compile cache of the main thread and of every worker thread, and proves that the image works.
RUN node handler.ts
# Until the job loop and the server are there, this runs one job and exits.
CMD ["node", "handler.ts"]
