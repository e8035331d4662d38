/** Every mapping of a small problem, enumerated with no thought of speed: what the mapper's search of small spaces is held to. */
import type { Dataflow } from '../../src/schedule/dataflow.ts'
import { fanoutOf, type Hardware } from '../../src/schedule/hardware.ts'
import type { Loop, Mapping } from '../../src/schedule/mapping.ts'
import { DIMENSIONS, OPERANDS, extentOf, type Dimension, type Operand, type Problem } from '../../src/schedule/problem.ts'

/** Every permutation. */
function orders<T>(values: readonly T[]): T[][] {
  if (values.length === 0) return [[]]
  return values.flatMap((first, at) => orders(values.toSpliced(at, 1)).map((tail) => [first, ...tail]))
}

function subsets<T>(values: readonly T[]): T[][] {
  return values.reduce<T[][]>((found, value) => found.flatMap((subset) => [subset, [...subset, value]]), [[]])
}

interface Place {
  readonly level: number
  readonly axis: 'temporal' | 'x' | 'y'
}

/** Every way to write a dimension over places from the innermost out, what is left outermost; `balanced`: no tile larger than it need be. */
function tilings(
  extent: number,
  places: readonly Place[],
  may: (place: Place) => boolean,
  room: (place: Place) => number,
  balanced: boolean,
): number[][] {
  const [place, ...outer] = places
  if (place === undefined) return [[]]
  if (outer.length === 0) return extent === 1 || may(place) ? [[extent]] : []
  const found: number[][] = []
  for (let bound = 1; bound <= (may(place) ? Math.min(extent, room(place)) : 1); bound++) {
    if (balanced && Math.ceil(extent / Math.ceil(extent / bound)) !== bound) continue
    for (const rest of tilings(Math.ceil(extent / bound), outer, may, room, balanced)) found.push([bound, ...rest])
  }
  return found
}

/**
 * Every mapping of a small problem under a constraint of the fields above, written without the mapper's own enumeration; `all`:
 * those too that ask more of an axis than it has, as the size of a space counts them.
 */
export function* everything(
  problem: Problem,
  hardware: Hardware,
  dataflow: Dataflow,
  balanced: boolean,
  all = false,
): Generator<Mapping> {
  const last = hardware.levels.length - 1
  const places: Place[] = []
  for (let level = last; level >= 0; level--) {
    const { x, y } = fanoutOf(hardware, level)
    if (y > 1) places.push({ level, axis: 'y' })
    if (x > 1) places.push({ level, axis: 'x' })
    places.push({ level, axis: 'temporal' })
  }
  const active = DIMENSIONS.filter((name) => extentOf(problem, name) > 1)
  const may =
    (name: Dimension) =>
    ({ level, axis }: Place): boolean =>
      axis === 'temporal' ? level !== last || dataflow.registers.includes(name) : dataflow.spatial[axis].includes(name)
  const room = ({ level, axis }: Place): number => (axis === 'temporal' ? Infinity : fanoutOf(hardware, level)[axis])
  const group = (name: Dimension): number => (dataflow.order ?? []).findIndex((names) => names.includes(name))
  const keepsOf = (level: number): Operand[][] => {
    const part = level === last ? 'registers' : 'buffer'
    const optional = dataflow.optional?.[part] ?? []
    const must = dataflow.keep[part].filter((operand) => !optional.includes(operand))
    return level === 0 ? [[...OPERANDS]] : subsets(optional).map((subset) => [...must, ...subset])
  }
  const levels = hardware.levels.map((_, index) => index)
  const keeps = levels.reduce<Operand[][][]>(
    (found, level) => found.flatMap((kept) => keepsOf(level).map((own) => [...kept, own])),
    [[]],
  )
  const choose = function* (names: readonly Dimension[], chosen: ReadonlyMap<Dimension, readonly number[]>): Generator<Mapping> {
    const [name, ...others] = names
    if (name !== undefined) {
      for (const bounds of tilings(extentOf(problem, name), places, may(name), room, balanced))
        yield* choose(others, new Map([...chosen, [name, bounds]]))
      return
    }
    const loopsAt = ({ level, axis }: Place): Loop[] => {
      const at = places.findIndex((place) => place.level === level && place.axis === axis)
      return active.flatMap((dimension): Loop[] => {
        const bound = chosen.get(dimension)?.[at] ?? 1
        return bound > 1 ? [[dimension, bound]] : []
      })
    }
    for (const place of all ? [] : places)
      if (loopsAt(place).reduce((product, [, bound]) => product * bound, 1) > room(place)) return
    const ordersOf = (level: number): Loop[][] => {
      const loops = loopsAt({ level, axis: 'temporal' })
      if (level === last) return [loops]
      const isOrdered = (order: readonly Loop[]): boolean =>
        level !== last - 1 || order.every(([inner], at) => at === 0 || group(order[at - 1]?.[0] ?? inner) <= group(inner))
      return orders(loops).filter(isOrdered)
    }
    const nests = levels.reduce<Loop[][][]>(
      (found, level) => found.flatMap((nest) => ordersOf(level).map((own) => [...nest, own])),
      [[]],
    )
    for (const nest of nests) {
      for (const keep of keeps) {
        yield {
          levels: hardware.levels.map(({ name: level }, index) => ({
            name: level,
            temporal: nest[index] ?? [],
            spatial: { x: loopsAt({ level: index, axis: 'x' }), y: loopsAt({ level: index, axis: 'y' }) },
            keep: keep[index] ?? [],
          })),
        }
      }
    }
  }
  yield* choose(active, new Map())
}
