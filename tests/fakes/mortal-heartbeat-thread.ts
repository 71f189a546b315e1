/** Stands in for the heartbeat's thread: tells a server when it starts and with which jobs, and dies on demand. */
import { serveCalls } from '../../src/base/thread-server.ts'
import type { HeartbeatCalls } from '../../src/transports/runpod/heartbeat-protocol.ts'

serveCalls<HeartbeatCalls>({
  start({ settings, jobIds }) {
    void fetch(`${settings.url}?${jobIds.join(',')}`)
    return { reply: {} }
  },
  setJobs({ jobIds }) {
    if (jobIds.includes('die')) setTimeout(() => process.exit(1), 100)
    return { reply: {} }
  },
  failures: () => ({ reply: { count: 0, lastError: '' } }),
})
