/** What an item carries to have a deadline. */
export interface Timed {
  /** In milliseconds. */
  deadline: number
  /** Where it stands in the heap; -1: nowhere. */
  heapIndex: number
}

/** Which deadline is over first: a binary heap in which every item knows its place, so that its deadline can be moved. */
export class Deadlines<T extends Timed> {
  readonly #heap: T[] = []

  set(item: T, deadline: number): void {
    if (item.heapIndex < 0) item.heapIndex = this.#heap.push(item) - 1
    item.deadline = deadline
    this.#settle(item)
  }

  delete(item: T): void {
    const index = item.heapIndex
    if (index < 0) return
    item.heapIndex = -1
    const last = this.#heap.pop() as T
    if (last === item) return
    last.heapIndex = index
    this.#heap[index] = last
    this.#settle(last)
  }

  /** Takes out an item whose deadline is over; undefined where there is none. */
  takeDue(now: number): T | undefined {
    const first = this.#heap[0]
    if (first === undefined || first.deadline > now) return undefined
    this.delete(first)
    return first
  }

  /** Moves an item to where its deadline belongs. */
  #settle(item: T): void {
    while (this.#rise(item) || this.#sink(item));
  }

  #rise(item: T): boolean {
    const parent = this.#heap[(item.heapIndex - 1) >> 1]
    if (parent === undefined || parent.deadline <= item.deadline) return false
    this.#swap(parent, item)
    return true
  }

  #sink(item: T): boolean {
    const left = this.#heap[2 * item.heapIndex + 1]
    const right = this.#heap[2 * item.heapIndex + 2]
    const child = right !== undefined && left !== undefined && right.deadline < left.deadline ? right : left
    if (child === undefined || child.deadline >= item.deadline) return false
    this.#swap(item, child)
    return true
  }

  #swap(upper: T, lower: T): void {
    const { heapIndex } = upper
    upper.heapIndex = lower.heapIndex
    lower.heapIndex = heapIndex
    this.#heap[upper.heapIndex] = upper
    this.#heap[lower.heapIndex] = lower
  }
}
