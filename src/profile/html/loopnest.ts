/** A mapping as the loop nest it is: level by level, outermost first, with what each level keeps and where loops lie in space. */
import type { Loop, Mapping } from '../../schedule/mapping.ts'
import { keeps } from '../../schedule/mapping.ts'
import { OPERANDS } from '../../schedule/problem.ts'

export interface NestLine {
  readonly depth: number
  readonly kind: 'level' | 'loop' | 'spatial' | 'body'
  readonly text: string
  readonly note?: string
  /** Place of the level among the levels. */
  readonly level: number
}

const loops = (nest: readonly Loop[]) => nest.filter(([, bound]) => bound > 1)
const product = (nest: readonly Loop[]) => nest.map(([dimension, bound]) => `${dimension} ${bound}`).join(' · ')

/** Loops of bound 1 are left out. */
export function loopNest(mapping: Mapping): NestLine[] {
  const lines: NestLine[] = []
  let depth = 0
  mapping.levels.forEach((level, index) => {
    const kept = OPERANDS.filter((operand) => keeps(mapping, index, operand))
    const keeping =
      kept.length === OPERANDS.length ? 'keeps all operands' : kept.length === 0 ? 'keeps nothing' : `keeps ${kept.join(', ')}`
    lines.push({ depth: 0, kind: 'level', text: level.name, note: keeping, level: index })
    for (const [dimension, bound] of loops(level.temporal)) {
      depth += 1
      lines.push({ depth, kind: 'loop', text: `for ${dimension.toLowerCase()} in 0 ..< ${bound}`, level: index })
    }
    for (const axis of ['x', 'y'] as const) {
      const split = loops(level.spatial?.[axis] ?? [])
      if (split.length === 0) continue
      depth += 1
      const forward = OPERANDS.filter((operand) => level.forward?.[operand] === axis)
      const note = forward.length > 0 ? { note: `${forward.join(', ')} handed from neighbour to neighbour` } : {}
      lines.push({ depth, kind: 'spatial', text: `in parallel over ${axis}: ${product(split)}`, ...note, level: index })
    }
  })
  lines.push({ depth: depth + 1, kind: 'body', text: 'outputs += weights × inputs', level: mapping.levels.length - 1 })
  return lines
}
