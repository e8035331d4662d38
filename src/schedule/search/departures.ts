/** Whether a mapping follows a dataflow, and where not: the constraint as the mapper reads it, held against a mapping of anybody's. */
import type { Dataflow } from '../dataflow.ts'
import type { Hardware } from '../hardware.ts'
import { keeps, type Loop, type Mapping } from '../mapping.ts'
import { DIMENSIONS, OPERANDS, type Dimension, type Problem } from '../problem.ts'
import { arrayLevel, type LevelRule } from './rules.ts'
import { Space } from './space.ts'

/**
 * In what a mapping departs from a dataflow, as the mapper reads it, one sentence each; empty where it follows it. Spatial splits
 * are held to each axis's own fan-out.
 */
export function departures(problem: Problem, hardware: Hardware, mapping: Mapping, dataflow: Dataflow): string[] {
  const found: string[] = []
  const space = new Space(problem, hardware, dataflow)
  for (const [index, rule] of space.rules.entries()) {
    const level = mapping.levels[index]
    if (level === undefined) continue
    const loops = level.temporal.filter(([, bound]) => bound > 1)
    for (const [name] of loops) if (!rule.temporal.has(name)) found.push(`${rule.name} loops over ${name}`)
    for (const axis of ['x', 'y'] as const) {
      const split = (level.spatial?.[axis] ?? []).filter(([, bound]) => bound > 1)
      for (const [name] of split) if (!rule[axis].has(name)) found.push(`${rule.name} spreads ${name} along ${axis}`)
      const taken = split.reduce((product, [, bound]) => product * bound, 1)
      if (taken > rule.room[axis]) found.push(`${rule.name} takes ${taken} along ${axis}, which has ${rule.room[axis]}`)
    }
    if (rule.ordered) found.push(...disorder(rule, loops))
    for (const [at, operand] of OPERANDS.entries()) {
      const bit = 1 << at
      const kept = keeps(mapping, index, operand)
      if (kept && index > 0 && ((rule.must | rule.may) & bit) === 0) found.push(`${rule.name} keeps ${operand}`)
      if (!kept && (rule.must & bit) !== 0) found.push(`${rule.name} does not keep ${operand}`)
      const axis = level.forward?.[operand]
      if (axis !== undefined && (axis !== 'x' || (rule.forward & bit) === 0))
        found.push(`${rule.name} forwards ${operand} along ${axis}`)
    }
  }
  for (const name of dataflow.whole ?? []) {
    if (!runsWhole(space, mapping, name)) found.push(`${name} does not run whole inside the array`)
  }
  return found
}

function disorder(rule: LevelRule, loops: readonly Loop[]): string[] {
  const found: string[] = []
  for (const [at, [inner]] of loops.entries()) {
    const outer = loops[at - 1]?.[0]
    if (outer !== undefined && rankOf(rule, outer) > rankOf(rule, inner)) found.push(`${rule.name} runs ${inner} under ${outer}`)
  }
  return found
}

function rankOf(rule: LevelRule, name: Dimension): number {
  return rule.rank[DIMENSIONS.indexOf(name)] ?? 0
}

/** Whether what loops inside the array is as much of a dimension as the mapper would put there. */
function runsWhole(space: Space, mapping: Mapping, name: Dimension): boolean {
  const array = arrayLevel(space.hardware)
  const d = DIMENSIONS.indexOf(name)
  const product = (loops: readonly Loop[] = []): number =>
    loops.reduce((sum, [dimension, bound]) => (dimension === name ? sum * bound : sum), 1)
  let inside = 1
  for (const [level, { temporal, spatial }] of mapping.levels.entries()) {
    if (level > array) inside *= product(temporal)
    if (level >= array) inside *= product(spatial?.x) * product(spatial?.y)
  }
  let wanted = 1
  for (const [s, { level, axis }] of space.slots.entries()) {
    if (level > array || (level === array && axis !== 0)) wanted *= Math.max(1, space.fixed[d * space.slots.length + s] ?? 1)
  }
  return inside >= wanted
}
