interface Waiting {
  readonly pixels: number
  readonly start: () => void
}

/** Bounds what is decoded at a time: a picture of 64 million pixels takes 200 MB and more. First come, first served. */
export class PixelGate {
  readonly #maxPixels: number
  readonly #maxPictures: number
  readonly #waiting: Waiting[] = []
  #pixels = 0
  #pictures = 0

  /** A picture of more than `maxPixels` has the gate to itself. */
  constructor(maxPixels: number, maxPictures: number) {
    this.#maxPixels = maxPixels
    this.#maxPictures = maxPictures
  }

  /** Resolves, or rejects, as `work` does, which begins when there is room for it. */
  async run<T>(pixels: number, work: () => Promise<T>): Promise<T> {
    await new Promise<void>((start) => {
      this.#waiting.push({ pixels, start })
      this.#admit()
    })
    try {
      return await work()
    } finally {
      this.#pixels -= pixels
      this.#pictures--
      this.#admit()
    }
  }

  #admit(): void {
    for (
      let next = this.#waiting[0];
      next !== undefined && this.#hasRoom(next.pixels);
      next = this.#waiting[0]
    ) {
      this.#waiting.shift()
      this.#pixels += next.pixels
      this.#pictures++
      next.start()
    }
  }

  #hasRoom(pixels: number): boolean {
    if (this.#pictures === 0) return true
    return this.#pictures < this.#maxPictures && this.#pixels + pixels <= this.#maxPixels
  }
}
