const OPERATIONS = [
  'run',
  'runsync',
  'status',
  'status-sync',
  'stream',
  'cancel',
  'retry',
  'purge-queue',
  'requests',
  'health',
  'openai',
]

const BELOW_ENDPOINT = new RegExp(`^/v2/[^/?]+/(?:${OPERATIONS.join('|')})(?:[/?]|$)`)
// The root's `/health` is the server's own, and Azure's routes are a dialect's.
const AT_ROOT = new RegExp(`^/(?!health|openai/deployments/)(?:${OPERATIONS.join('|')})(?:[/?]|$)`)

/** Whether a path is one of RunPod's: for those that no router could read. */
export function isGatewayPath(url: string): boolean {
  return BELOW_ENDPOINT.test(url) || AT_ROOT.test(url)
}
