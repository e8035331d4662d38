/**
 * Where the values of a run lie: values that are never alive together share a slot, a buffer of its own. A pure function.
 *
 *   step      0    1    2    3
 *   x       ────┐                  x, b → slot 0
 *   a       ────┴────┐             a, c → slot 1
 *   b            ────┴────┐
 *   c                 ────┴────
 *
 * Slots are handed out by size, largest value first (the "greedy by size" of Pisarchyk and Lee 2020): a slot is as large as its
 * first value. A value that a step reads and one that it writes never share, since one dispatch cannot bind a buffer as both.
 */

export interface MemoryStep {
  /** Names of values read. Unknown names (constants) are skipped. */
  readonly reads: readonly string[]
  readonly writes: readonly { readonly name: string; readonly bytes: number }[]
  /** Bytes of scratch, alive during this step only. */
  readonly temps: readonly number[]
}

export interface MemoryProblem {
  /** Values that are there before the first step. */
  readonly inputs: readonly { readonly name: string; readonly bytes: number }[]
  readonly steps: readonly MemoryStep[]
  /** Values that are another's memory under another shape: alias → its source, which may be an alias itself. */
  readonly aliases: ReadonlyMap<string, string>
  /** Values alive to the end: they are read after the last step. */
  readonly kept: ReadonlySet<string>
}

export interface MemoryPlan {
  /** Bytes of each slot. */
  readonly slots: readonly number[]
  /** Slot of each value, aliases included. */
  readonly slotOf: ReadonlyMap<string, number>
  /** Slot of each temp of each step. */
  readonly temps: readonly (readonly number[])[]
}

interface Block {
  readonly bytes: number
  readonly first: number
  last: number
  slot: number
}

export function planMemory({ inputs, steps, aliases, kept }: MemoryProblem): MemoryPlan {
  const blocks = new Map<string, Block>()
  const define = (name: string, bytes: number, step: number): Block => {
    const block: Block = { bytes, first: step, last: step, slot: -1 }
    blocks.set(name, block)
    return block
  }
  const use = (name: string, step: number): void => {
    const block = blocks.get(rootOf(name, aliases))
    if (block !== undefined) block.last = Math.max(block.last, step)
  }

  for (const { name, bytes } of inputs) define(name, bytes, -1)
  const temps = steps.map((step, index) => {
    for (const { name, bytes } of step.writes) {
      // A value with several makers is there from the first on.
      if (blocks.has(name)) use(name, index)
      else if (!aliases.has(name)) define(name, bytes, index)
    }
    for (const name of step.reads) use(name, index)
    return step.temps.map((bytes): Block => ({ bytes, first: index, last: index, slot: -1 }))
  })
  for (const name of kept) use(name, steps.length)

  const slots = assignSlots([...blocks.values(), ...temps.flat()])
  const slotOf = new Map<string, number>()
  for (const [name, { slot }] of blocks) slotOf.set(name, slot)
  for (const name of aliases.keys()) {
    const block = blocks.get(rootOf(name, aliases))
    if (block !== undefined) slotOf.set(name, block.slot)
  }
  return { slots, slotOf, temps: temps.map((list) => list.map(({ slot }) => slot)) }
}

/** The value whose memory `name` is. */
export function rootOf(name: string, aliases: ReadonlyMap<string, string>): string {
  let root = name
  for (let source = aliases.get(root); source !== undefined; source = aliases.get(root)) root = source
  return root
}

function assignSlots(blocks: readonly Block[]): number[] {
  const slots: { bytes: number; blocks: Block[] }[] = []
  for (const block of blocks.toSorted((a, b) => b.bytes - a.bytes || a.first - b.first)) {
    // Slots were made in descending size: the last that is free is the tightest.
    let slot = slots.findLastIndex((candidate) =>
      candidate.blocks.every((other) => other.last < block.first || block.last < other.first),
    )
    if (slot < 0) slot = slots.push({ bytes: block.bytes, blocks: [] }) - 1
    slots[slot]?.blocks.push(block)
    block.slot = slot
  }
  return slots.map(({ bytes }) => bytes)
}
