/** What Xinference's client asks before anything else. */
import { z } from 'zod'
import { endpoint } from './endpoint.ts'

export const clusterAuth = endpoint({
  routes: ['/v1/cluster/auth'],
  method: 'GET',
  docs: {
    summary: 'That there is nothing to log in to: a key goes with each request',
    response: z.object({ auth: z.literal(false) }),
  },
  answer: async () => ({ auth: false }),
})
