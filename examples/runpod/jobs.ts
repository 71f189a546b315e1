/** RunPod's library: a job that is waited for, and one that is asked after. */
import runpodSdk from 'runpod-sdk'

const url = process.env['EMBEDDINGS_URL'] ?? 'http://127.0.0.1:8000'
const runpod = runpodSdk(process.env['EMBEDDINGS_KEY'] ?? 'none', { baseUrl: `${url}/v2` })
const endpoint = runpod.endpoint(process.env['ENDPOINT_ID'] ?? 'local')
if (endpoint === null) throw new Error('ENDPOINT_ID is empty')

const { output } = await endpoint.runSync({ input: { input: ['Hello world', 'A second text'] } })
for (const { index, embedding } of output.data) console.log(index, embedding.length, embedding.slice(0, 3))

const query = 'What is a panda?'
const { id } = await endpoint.run({ input: { query, docs: ['hi', 'The giant panda is a bear.'] } })
let job = await endpoint.status(id)
while (job.status === 'IN_QUEUE' || job.status === 'IN_PROGRESS') {
  await new Promise((resolve) => setTimeout(resolve, 200))
  job = await endpoint.status(id)
}
console.log(job.status, 'output' in job ? job.output : job)
