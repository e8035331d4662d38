/**
 * Dimensions on both axes of a level's fan-out, for which Timeloop has no form: it has one spatial factor of a dimension a level.
 * Think of it as the customs officer before the journey: what could not pass later is kept out of the search.
 */
import type { Dataflow } from '../../schedule/dataflow.ts'
import type { Mapping } from '../../schedule/mapping.ts'
import type { Dimension } from '../../schedule/problem.ts'

/** A dimension that is spread along x and along y of one level. */
export interface Crossing {
  readonly level: string
  readonly dimension: Dimension
}

/** The outermost crossing of a mapping; undefined where each level spreads a dimension along one axis at most. */
export function crossingOf(mapping: Mapping): Crossing | undefined {
  for (const { name: level, spatial } of mapping.levels) {
    const along = (spatial?.y ?? []).filter(([, bound]) => bound > 1).map(([dimension]) => dimension)
    const twice = (spatial?.x ?? []).find(([dimension, bound]) => bound > 1 && along.includes(dimension))
    if (twice !== undefined) return { level, dimension: twice[0] }
  }
  return undefined
}

/** A dataflow that spreads a dimension at a level along the other axis alone: both of these together miss crossings only. */
export function withoutAxis(dataflow: Dataflow, { level, dimension }: Crossing, axis: 'x' | 'y'): Dataflow {
  const own = dataflow.levels?.[level]
  const spatial = { x: own?.spatial?.x ?? dataflow.spatial.x, y: own?.spatial?.y ?? dataflow.spatial.y }
  const left = spatial[axis].filter((name) => name !== dimension)
  return { ...dataflow, levels: { ...dataflow.levels, [level]: { ...own, spatial: { ...spatial, [axis]: left } } } }
}
