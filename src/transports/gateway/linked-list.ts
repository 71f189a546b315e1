/** What an item carries to stand in a list; it can stand in one at a time. */
export interface Linked<T> {
  previous: T | undefined
  next: T | undefined
}

/** An order with both ends open, from whose middle an item leaves at the same small cost however long it is. */
export class LinkedList<T extends Linked<T>> {
  #first: T | undefined
  #last: T | undefined
  #size = 0

  get first(): T | undefined {
    return this.#first
  }

  get size(): number {
    return this.#size
  }

  pushBack(item: T): void {
    item.previous = this.#last
    item.next = undefined
    if (this.#last === undefined) this.#first = item
    else this.#last.next = item
    this.#last = item
    this.#size++
  }

  pushFront(item: T): void {
    item.previous = undefined
    item.next = this.#first
    if (this.#first === undefined) this.#last = item
    else this.#first.previous = item
    this.#first = item
    this.#size++
  }

  /** `item` must stand in this list. */
  remove(item: T): void {
    if (item.previous === undefined) this.#first = item.next
    else item.previous.next = item.next
    if (item.next === undefined) this.#last = item.previous
    else item.next.previous = item.previous
    item.previous = undefined
    item.next = undefined
    this.#size--
  }

  *[Symbol.iterator](): Generator<T> {
    for (let item = this.#first; item !== undefined; item = item.next) yield item
  }
}
