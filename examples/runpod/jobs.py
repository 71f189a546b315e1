"""RunPod's library: a job that is waited for, and one that is asked after."""

import os

import runpod

runpod.api_key = os.environ.get("EMBEDDINGS_KEY", "none")
runpod.endpoint_url_base = os.environ.get("EMBEDDINGS_URL", "http://127.0.0.1:8000") + "/v2"
endpoint = runpod.Endpoint(os.environ.get("ENDPOINT_ID", "local"))

output = endpoint.run_sync({"input": {"input": ["Hello world", "A second text"]}})
for item in output["data"]:
    print(item["index"], len(item["embedding"]), item["embedding"][:3])

job = endpoint.run({"input": {"query": "What is a panda?", "docs": ["hi", "The giant panda is a bear."]}})
print(job.output(timeout=60))
print(job.status())
