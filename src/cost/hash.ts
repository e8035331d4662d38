/** A table from two integers to a number, without allocating on look-up: what a search has counted before. */
export class HashTable {
  #first = new Float64Array(64)
  #second = new Float64Array(64)
  /** NaN where free. */
  #values = new Float64Array(64).fill(NaN)
  #size = 0

  get size(): number {
    return this.#size
  }

  clear(): void {
    this.#values.fill(NaN)
    this.#size = 0
  }

  /** The value of a pair that counts up as pairs come. */
  number(first: number, second: number): number {
    const at = this.find(first, second)
    if (at !== -1) return this.valueAt(at)
    this.add(first, second, this.#size)
    return this.#size - 1
  }

  /** Where a value lies, or −1. */
  find(first: number, second: number): number {
    const mask = this.#values.length - 1
    let at = mix(first, second) & mask
    for (;;) {
      const value = this.#values[at] ?? NaN
      if (value !== value) return -1
      if (this.#first[at] === first && this.#second[at] === second) return at
      at = (at + 1) & mask
    }
  }

  valueAt(at: number): number {
    return this.#values[at] ?? NaN
  }

  /** Enters a value (not NaN) that is not there. */
  add(first: number, second: number, value: number): void {
    if (2 * (this.#size + 1) > this.#values.length) this.#grow()
    this.#size++
    const mask = this.#values.length - 1
    let at = mix(first, second) & mask
    while (!Number.isNaN(this.#values[at])) at = (at + 1) & mask
    this.#first[at] = first
    this.#second[at] = second
    this.#values[at] = value
  }

  #grow(): void {
    const [first, second, values] = [this.#first, this.#second, this.#values]
    this.#first = new Float64Array(2 * first.length)
    this.#second = new Float64Array(2 * first.length)
    this.#values = new Float64Array(2 * first.length).fill(NaN)
    this.#size = 0
    for (let at = 0; at < values.length; at++) {
      const value = values[at] ?? NaN
      if (!Number.isNaN(value)) this.add(first[at] ?? 0, second[at] ?? 0, value)
    }
  }
}

function mix(first: number, second: number): number {
  const mixed = Math.imul(first, 0x9e3779b1) ^ Math.imul(second, 0x85ebca6b)
  return mixed ^ (mixed >>> 15) ^ (mixed >>> 7)
}
