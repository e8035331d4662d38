/** Puts nodes in an order in which every value is made before it is used, and refuses graphs that have none. */
import { ModelFormatError } from '../../errors.ts'

export interface Orderable {
  readonly name: string
  readonly opType: string
  /** '' = absent. */
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
}

/**
 * A stable topological order of `nodes` (the given one, where it is valid already).
 * @param defined values that are there before the first node: inputs and initializers.
 * @throws ModelFormatError for a value made twice, a value nobody makes, and cycles.
 */
export function topologicalOrder<N extends Orderable>(
  nodes: readonly N[],
  defined: ReadonlySet<string>,
  outputs: readonly string[],
): N[] {
  const producer = new Map<string, number>()
  nodes.forEach((node, index) => {
    for (const output of node.outputs) {
      if (output === '') continue
      const other = producer.get(output)
      if (other !== undefined || defined.has(output)) {
        const by = other === undefined ? 'an input or initializer' : `node ${nodes[other]?.name}`
        throw new ModelFormatError(`Value '${output}' is made twice, by ${by} and here`, { node: node.name, op: node.opType })
      }
      producer.set(output, index)
    }
  })
  const users: number[][] = nodes.map(() => [])
  const waiting = nodes.map((node, index) => {
    const sources = new Set<number>()
    for (const input of node.inputs) {
      if (input === '' || defined.has(input)) continue
      const source = producer.get(input)
      if (source === undefined) {
        throw new ModelFormatError(`Input '${input}' is made by no node and is no input of the model`, {
          node: node.name,
          op: node.opType,
          remedy: 'The file is damaged or was cut out of a larger graph; export it again',
        })
      }
      sources.add(source)
    }
    for (const source of sources) users[source]?.push(index)
    return sources.size
  })
  for (const output of outputs) {
    if (!producer.has(output) && !defined.has(output)) {
      throw new ModelFormatError(`Output '${output}' of the model is made by no node`)
    }
  }
  const ready = new IndexHeap()
  waiting.forEach((count, index) => {
    if (count === 0) ready.push(index)
  })
  const order: N[] = []
  for (let index = ready.pop(); index !== undefined; index = ready.pop()) {
    const node = nodes[index]
    if (node !== undefined) order.push(node)
    for (const user of users[index] ?? []) {
      const left = (waiting[user] ?? 0) - 1
      waiting[user] = left
      if (left === 0) ready.push(user)
    }
  }
  if (order.length < nodes.length) {
    const stuck = nodes.filter((_, index) => (waiting[index] ?? 0) > 0).map((node) => node.name)
    const more = stuck.length > 5 ? ` and ${stuck.length - 5} more` : ''
    throw new ModelFormatError(`The graph has a cycle: nodes ${stuck.slice(0, 5).join(', ')}${more} wait for each other`)
  }
  return order
}

/** A binary min-heap of indices, so that the order stays as close to the file's as it can. */
class IndexHeap {
  readonly #items: number[] = []

  push(value: number): void {
    const items = this.#items
    let at = items.length
    items.push(value)
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = items[parent] ?? 0
      if (above <= value) break
      items[at] = above
      at = parent
    }
    items[at] = value
  }

  pop(): number | undefined {
    const items = this.#items
    const top = items[0]
    const last = items.pop()
    if (top === undefined || last === undefined || items.length === 0) return top
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= items.length) break
      if ((items[child + 1] ?? Infinity) < (items[child] ?? 0)) child++
      const below = items[child] ?? 0
      if (below >= last) break
      items[at] = below
      at = child
    }
    items[at] = last
    return top
  }
}
