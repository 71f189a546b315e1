#!/bin/sh
# Embeds and reranks with curl, in three dialects. Prints an answer a line.
set -eu
url=${EMBEDDINGS_URL:-http://127.0.0.1:8000}

ask() {
  curl --silent --show-error --fail-with-body "$url$1" -H 'Content-Type: application/json' \
    -H "Authorization: Bearer ${EMBEDDINGS_KEY:-none}" -d "$2"
  echo
}

# OpenAI: vectors as numbers, and as base64 of float32, a third of the bytes
ask /v1/embeddings '{"model":"any","input":["Hello world","A second text"]}'
ask /v1/embeddings '{"model":"any","input":"Hello world","encoding_format":"base64","dimensions":64}'

# Cohere, Jina, vLLM
ask /v1/rerank '{"model":"any","query":"What is a panda?","documents":["hi","The giant panda is a bear."],"top_n":1,"return_documents":true}'
ask /v2/embed '{"model":"any","texts":["Hello world"],"input_type":"search_query","embedding_types":["float","int8"]}'

# Text Embeddings Inference
ask /embed '{"inputs":["Hello world"]}'
ask /rerank '{"query":"What is a panda?","texts":["hi","The giant panda is a bear."]}'
