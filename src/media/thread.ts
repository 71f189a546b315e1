/** Decoding and resizing take milliseconds for each picture: they may hold up neither requests nor the model. */
import { serveCalls } from '../base/thread-server.ts'
import { PixelGate } from './pixel-gate.ts'
import type { MediaCalls } from './protocol.ts'

/** Of pictures that are decoded side by side: 100 MB as raw numbers. */
const PIXELS_AT_A_TIME = 32_000_000
/** One is decoded while another is resized, and a third waits for that. */
const PICTURES_AT_A_TIME = 3

const gate = new PixelGate(PIXELS_AT_A_TIME, PICTURES_AT_A_TIME)

serveCalls<MediaCalls>({
  // Each is imported when first asked: a model that hears needs no library for pictures.
  async prepareImage({ bytes, processing, limits }) {
    const { prepareImage } = await import('./prepare-image.ts')
    return { reply: await prepareImage(bytes, processing, { limits, gate }) }
  },
  async prepareAudio({ bytes, processing, limits }) {
    const { prepareAudio } = await import('./prepare-audio.ts')
    return { reply: await prepareAudio(bytes, processing, limits) }
  },
})
