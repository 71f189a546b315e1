import { createCipheriv } from 'node:crypto'
import { readSync } from 'node:fs'
import { WEIGHTS_FILE } from './files.ts'
import { openPrivateFile } from './private-folder.ts'

/** Small enough to be summed while it lies in the processor's cache. */
const READ_BYTES = 524_288

/**
 * GMAC (NIST SP 800-38D) under a key and a nonce of zeros, in hexadecimal digits, of no bytes where a model is so small that its
 * graph holds all of its weights. It tells damage as CRC-32 does. With the processor's instructions for it, reading and summing
 * takes a fifth longer than reading; with CRC-32 it took three times as long.
 */
export async function sumWeights(folder: string): Promise<string> {
  const file = await openPrivateFile(folder, WEIGHTS_FILE)
  try {
    const cipher = createCipheriv('aes-128-gcm', Buffer.alloc(16), Buffer.alloc(12))
    const buffer = Buffer.alloc(READ_BYTES)
    let bytesRead = 0
    // Whoever sums has a thread for it, and to wait for each read took half as long again.
    while (file !== undefined && (bytesRead = readSync(file.fd, buffer)) > 0)
      cipher.setAAD(buffer.subarray(0, bytesRead))
    cipher.final()
    return cipher.getAuthTag().toString('hex')
  } finally {
    await file?.close()
  }
}
