/** OpenAI's library: set its base URL, and it embeds here. */
import OpenAI from 'openai'

const client = new OpenAI({
  baseURL: `${process.env['EMBEDDINGS_URL'] ?? 'http://127.0.0.1:8000'}/v1`,
  apiKey: process.env['EMBEDDINGS_KEY'] ?? 'none',
})

const { data, usage } = await client.embeddings.create({
  model: 'any', // with one model served, every name means it
  input: ['Hello world', 'A second text'],
})
for (const { index, embedding } of data) console.log(index, embedding.length, embedding.slice(0, 3))
console.log(usage)
