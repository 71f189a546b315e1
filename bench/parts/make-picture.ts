import sharp from 'sharp'
import { seededRandom } from '../harness.ts'

/** A JPEG of waves, discs and noise: it takes a decoder about as long as a photograph. */
export async function makePicture(width: number, height: number, seed = 9): Promise<Buffer> {
  const random = seededRandom(seed)
  const waves = Array.from({ length: 18 }, () => [random() / 5, random() / 5, random() * 6] as const)
  const discs = Array.from({ length: 20 }, () => ({
    x: random() * width,
    y: random() * height,
    radius: (random() * height) / 5,
    color: [random() * 255, random() * 255, random() * 255],
  }))
  const pixels = new Uint8Array(width * height * 3)
  for (let index = 0; index < pixels.length; index++) {
    const [channel, place] = [index % 3, Math.floor(index / 3)]
    const [x, y] = [place % width, Math.floor(place / width)]
    const disc = discs.find((one) => Math.hypot(one.x - x, one.y - y) < one.radius)
    const level = waves
      .filter((_, wave) => wave % 3 === channel)
      .reduce((sum, [across, down, start]) => sum + 20 * Math.sin(across * x + down * y + start), 128)
    const noise = 20 * (random() + random() - 1)
    pixels[index] = Math.min(Math.max((disc?.color[channel] ?? level) + noise, 0), 255)
  }
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 88 })
    .toBuffer()
}
