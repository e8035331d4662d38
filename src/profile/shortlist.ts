/** Which mappings are worth running: the distinct ones of least predicted cost, and where to look for them besides the seven dataflows. */
import type { Dataflow } from '../schedule/dataflow.ts'
import type { Loop, Mapping } from '../schedule/mapping.ts'
import { DIMENSIONS, OPERANDS, type Dimension, type Operand } from '../schedule/problem.ts'
import { Random } from '../schedule/search/random.ts'

export interface Shortlisted {
  readonly dataflow: string
  readonly mapping: Mapping
  /** Predicted cost: less is better. */
  readonly score: number
}

/** Keeps the best `size` distinct mappings of any number. Of equal scores the first that was added stays. */
export class Shortlist {
  readonly #size: number
  readonly #entries: { readonly key: string; readonly entry: Shortlisted }[] = []

  constructor(size: number) {
    this.#size = size
  }

  /** The best first. */
  get entries(): Shortlisted[] {
    return this.#entries.map(({ entry }) => entry)
  }

  add(entry: Shortlisted): void {
    const worst = this.#entries.at(-1)
    if (worst !== undefined && this.#entries.length >= this.#size && entry.score >= worst.entry.score) return
    const key = keyOf(entry.mapping)
    if (this.#entries.some((known) => known.key === key)) return
    const at = this.#entries.findIndex((known) => known.entry.score > entry.score)
    this.#entries.splice(at < 0 ? this.#entries.length : at, 0, { key, entry })
    if (this.#entries.length > this.#size) this.#entries.pop()
  }
}

/** Equal for mappings that differ only in loops of one trip. */
export function keyOf({ levels }: Mapping): string {
  const trips = (loops: readonly Loop[] = []): readonly Loop[] => loops.filter(([, bound]) => bound > 1)
  return JSON.stringify(
    levels.map(({ temporal, spatial, keep, forward }) => [
      trips(temporal),
      trips(spatial?.x),
      trips(spatial?.y),
      keep?.toSorted() ?? 'all',
      forward ?? {},
    ]),
  )
}

/**
 * Constraints beyond the seven, drawn at random, the same for a seed: any two dimensions along each axis, any operands in the
 * buffer and in registers, any order of the loops over the buffer.
 */
export function randomConstraints(count: number, seed: number): Dataflow[] {
  const source = new Random(seed)
  const random = (): number => source.next()
  const some = <T>(from: readonly T[], most: number): T[] => shuffled(from, random).slice(0, 1 + Math.floor(random() * most))
  const spread = DIMENSIONS.filter((dimension) => dimension !== 'G')
  return Array.from({ length: count }, (_, index): Dataflow => {
    const x = some<Dimension>(spread, 2)
    const y = some(
      spread.filter((dimension) => !x.includes(dimension)),
      2,
    )
    const keep = (): Operand[] => OPERANDS.filter(() => random() < 0.6)
    return {
      name: `none-${index + 1}`,
      title: 'a random constraint',
      spatial: { x, y },
      keep: { buffer: keep(), registers: keep() },
      innermost: some(spread, spread.length),
      registers: (['M', 'C', 'S'] as const).filter(() => random() < 0.5),
    }
  })
}

/** Fisher–Yates. */
function shuffled<T>(from: readonly T[], random: () => number): T[] {
  const list = [...from]
  for (let k = list.length - 1; k > 0; k--) {
    const other = Math.floor(random() * (k + 1))
    const [held, moved] = [list[k], list[other]]
    if (held !== undefined && moved !== undefined) [list[k], list[other]] = [moved, held]
  }
  return list
}
