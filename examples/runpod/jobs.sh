#!/bin/sh
# A queue endpoint by curl: one job that is waited for, one that is asked after.
set -eu
url=${EMBEDDINGS_URL:-http://127.0.0.1:8000}/v2/${ENDPOINT_ID:-local}

ask() {
  curl --silent --show-error --fail-with-body "$@" -H 'Content-Type: application/json' \
    -H "Authorization: Bearer ${EMBEDDINGS_KEY:-none}"
}

ask "$url/runsync" -d '{"input":{"input":["Hello world","A second text"]}}'
echo

id=$(ask "$url/run" -d '{"input":{"query":"What is a panda?","docs":["hi","The giant panda is a bear."]}}' |
  sed 's/.*"id":"\([^"]*\)".*/\1/')
# held until the job has ended
ask "$url/status-sync/$id"
echo
