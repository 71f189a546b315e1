"""OpenAI's library: set its base URL, and it embeds here."""

import os

from openai import OpenAI

client = OpenAI(
    base_url=os.environ.get("EMBEDDINGS_URL", "http://127.0.0.1:8000") + "/v1",
    api_key=os.environ.get("EMBEDDINGS_KEY", "none"),
)

answer = client.embeddings.create(
    model="any",  # with one model served, every name means it
    input=["Hello world", "A second text"],
)
for item in answer.data:
    print(item.index, len(item.embedding), item.embedding[:3])
print(answer.usage)
