/**
 * How two mappings differ, as steps that can be taken one at a time. Think of a sheet of music changed into another bar by bar:
 * any set of steps makes a mapping between the two, which covers the problem as both ends do. A step is
 *   - one dimension's bounds, over all levels at once (a part of them would not multiply to the extent);
 *   - the order of the loops of one level, where the loops that both have stand in another order;
 *   - where one operand is kept, and where it is handed on between neighbours, over all levels at once (between two places it might be
 *     kept in neither, or forwarded twice without being kept between, which is not legal);
 *   - one level of the hardware, the rest of it, and the counting convention.
 * What lies between may not fit the real buffers: counts do not depend on sizes, so it is counted on `roomy` hardware.
 */
import { keeps, type Loop, type Mapping, type MappingLevel } from '../schedule/mapping.ts'
import { DIMENSIONS, OPERANDS, type Dimension, type Operand } from '../schedule/problem.ts'
import { fanoutOf, type Hardware, type StorageLevel } from '../schedule/hardware.ts'
import type { ScorerOptions } from './scorer.ts'

/** One end of a comparison. */
export interface Side {
  readonly hardware: Hardware
  readonly mapping: Mapping
  readonly options: ScorerOptions
}

export interface Difference {
  readonly kind: 'tiling' | 'order' | 'keep' | 'forward' | 'hardware' | 'convention'
  /** What changes from a to b, in words. */
  readonly label: string
  readonly dimension?: Dimension
  readonly level?: string
  readonly operand?: Operand
}

type Axis = 'temporal' | 'x' | 'y'
const AXES: readonly Axis[] = ['temporal', 'x', 'y']

/** A step, and which of its two ends is taken, as `hybrid` reads it. */
interface Step {
  readonly difference: Difference
  readonly keys: readonly string[]
}

export interface Differences {
  readonly list: readonly Difference[]
  /** The side with the given steps taken (one flag per difference); none is a, all is b. */
  hybrid(taken: readonly boolean[]): Side
}

export function differencesOf(a: Side, b: Side): Differences {
  const steps = [...tilings(a, b), ...orders(a, b), ...keepings(a, b), ...hardwareSteps(a, b), ...conventions(a, b)]
  const merged = mergeConventions(steps, a, b)
  return {
    list: merged.map(({ difference }) => difference),
    hybrid: (taken) => {
      const chosen = new Set(merged.flatMap(({ keys }, index) => (taken[index] === true ? keys : [])))
      return build(a, b, chosen)
    },
  }
}

/**
 * Hardware with room for any tile and any split of the side's mapping; only sizes and speeds differ, so counts do not. A level keeps
 * what tells counts apart: whether it stores at all, and whether there is a fan-out below it.
 */
export function roomy({ hardware, mapping }: Side): Hardware {
  const { systolic: _, ...rest } = hardware
  const levels = hardware.levels.map((level, index): StorageLevel => {
    const { words, bandwidth: _bandwidth, double_buffered: _double, holds: _holds, fanout: _fanout, ...others } = level
    const { x, y } = fanoutOf(hardware, index)
    const own = mapping.levels[index]
    const isSpread = x * y > 1 || loopsAt(own, 'x').length + loopsAt(own, 'y').length > 0
    const stores = words !== 0 || OPERANDS.some((operand) => keeps(mapping, index, operand))
    return { ...others, ...(stores ? {} : { words }), fanout: isSpread ? { x: ROOM, y: ROOM } : { x: 1, y: 1 } }
  })
  return { ...rest, array: { x: 1, y: 1 }, levels }
}
const ROOM = 2 ** 26

/** Loops of more than one trip at a level along an axis. */
export function loopsAt(level: MappingLevel | undefined, axis: Axis): readonly Loop[] {
  const loops = axis === 'temporal' ? level?.temporal : level?.spatial?.[axis]
  return (loops ?? []).filter(([, bound]) => bound > 1)
}

/** `Q#1`: the second loop over Q in one list. */
function keyed(loops: readonly Loop[]): (readonly [key: string, loop: Loop])[] {
  const seen = new Map<Dimension, number>()
  return loops.map((loop) => {
    const nth = seen.get(loop[0]) ?? 0
    seen.set(loop[0], nth + 1)
    return [`${loop[0]}#${nth}`, loop]
  })
}

const keysOf = (side: Side, level: number, axis: Axis): string[] =>
  keyed(loopsAt(side.mapping.levels[level], axis)).map(([key]) => key)

/** `main`'s order, with what only `other` has put behind what it follows there. */
function woven(main: readonly string[], other: readonly string[]): string[] {
  const out = [...main]
  other.forEach((key, index) => {
    if (out.includes(key)) return
    const before = other.slice(0, index).findLast((earlier) => out.includes(earlier))
    out.splice(before === undefined ? 0 : out.indexOf(before) + 1, 0, key)
  })
  return out
}

const sameCommonOrder = (a: readonly string[], b: readonly string[]): boolean =>
  a.filter((key) => b.includes(key)).join() === b.filter((key) => a.includes(key)).join()

/** Products of a dimension's bounds by place, places in the order of the nest. */
function factors(side: Side, dimension: Dimension): Map<string, number> {
  const found = new Map<string, number>()
  for (const level of side.mapping.levels) {
    for (const axis of AXES) {
      const product = loopsAt(level, axis).reduce((sum, [name, bound]) => (name === dimension ? sum * bound : sum), 1)
      found.set(placeName(level.name, axis), product)
    }
  }
  return found
}

export function placeName(level: string, axis: Axis): string {
  return axis === 'temporal' ? level : `${axis} below ${level}`
}

function tilings(a: Side, b: Side): Step[] {
  return DIMENSIONS.flatMap((dimension): Step[] => {
    const listOf = (side: Side): string =>
      side.mapping.levels
        .map((level) => AXES.map((axis) => loopsAt(level, axis).flatMap(([name, bound]) => (name === dimension ? [bound] : []))))
        .map((bounds) => bounds.map((list) => list.join('·')).join('/'))
        .join(' ')
    if (listOf(a) === listOf(b)) return []
    const label = tilingLabel(dimension, factors(a, dimension), factors(b, dimension))
    return [{ difference: { kind: 'tiling', dimension, label }, keys: [dimension] }]
  })
}

function tilingLabel(dimension: Dimension, a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): string {
  const changed = [...a].flatMap(([place, before]) => {
    const after = b.get(place) ?? 1
    return before === after ? [] : [{ place, before, after }]
  })
  const [from, to] = changed.toSorted((one, other) => one.after / one.before - other.after / other.before)
  if (changed.length === 0) return `${dimension} split in two loops otherwise`
  const all = changed.map(({ place, before, after }) => `${place} ${before} → ${after}`).join(', ')
  if (changed.length === 2 && from !== undefined && to !== undefined && from.before * to.before === from.after * to.after) {
    const factor = from.before / from.after
    const rest = from.after > 1 || to.before > 1 ? ` (${all})` : ''
    if (Number.isInteger(factor) && factor > 1) return `${dimension} ${factor} moves from ${from.place} to ${to.place}${rest}`
  }
  return `${dimension}: ${all}`
}

function orders(a: Side, b: Side): Step[] {
  return a.mapping.levels.flatMap(({ name }, level): Step[] => {
    const turned = AXES.filter((axis) => !sameCommonOrder(keysOf(a, level, axis), keysOf(b, level, axis)))
    if (turned.length === 0) return []
    const words = turned.map((axis) => {
      const list = (side: Side, other: Side): string =>
        keysOf(side, level, axis)
          .filter((key) => keysOf(other, level, axis).includes(key))
          .map((key) => key.replace(/#.*/, ''))
          .join(' ')
      return `${placeName(name, axis)} ${list(a, b)} → ${list(b, a)}`
    })
    const label = `order of loops, outermost first: ${words.join('; ')}`
    return [{ difference: { kind: 'order', level: name, label }, keys: [`order ${level}`] }]
  })
}

/** A mapping that does not say keeps what the level can hold. */
const keptBy = ({ mapping, hardware }: Side, level: number, operand: Operand): boolean => keeps(mapping, level, operand, hardware)

/** One step for all levels of an operand: between them it might be kept nowhere, which is neither a nor b. */
function keepings(a: Side, b: Side): Step[] {
  return OPERANDS.flatMap((operand): Step[] => {
    const places = a.mapping.levels.map(({ name, forward }, level) => ({
      name,
      level,
      kept: [keptBy(a, level, operand), keptBy(b, level, operand)] as const,
      handed: [forward?.[operand], b.mapping.levels[level]?.forward?.[operand]] as const,
    }))
    const moved = places.filter(({ kept }) => kept[0] !== kept[1])
    const handing = places.filter(({ handed }) => handed[0] !== handed[1])
    if (moved.length + handing.length === 0) return []
    const names = (keptAtB: boolean): string => moved.flatMap(({ name, kept }) => (kept[1] === keptAtB ? [name] : [])).join(' and ')
    const [gained, lost] = [names(true), names(false)]
    const keeping =
      gained === '' ? `${lost} no longer keeps ${operand}` : `${gained} keeps ${operand}${lost === '' ? '' : ` instead of ${lost}`}`
    const labels = handing.map(({ name, handed: [before, after] }) =>
      after === undefined
        ? `${operand} no longer handed on along ${before} below ${name}`
        : `${operand} handed on along ${after} below ${name}${before === undefined ? '' : ` instead of ${before}`}`,
    )
    const difference: Difference = {
      kind: handing.length > 0 ? 'forward' : 'keep',
      operand,
      label: [...(moved.length > 0 ? [keeping] : []), ...labels].join('; '),
    }
    const keys = [
      ...moved.map(({ level }) => `keep ${operand} ${level}`),
      ...handing.map(({ level }) => `forward ${operand} ${level}`),
    ]
    return [{ difference, keys }]
  })
}

/** What of a level matters to counts and energy, field by field. */
function fieldsOf(record: object): Map<string, string> {
  return new Map(
    Object.entries(record)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [key, JSON.stringify(value)]),
  )
}

function changes(a: object, b: object, without: readonly string[]): string[] {
  const [before, after] = [fieldsOf(a), fieldsOf(b)]
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((key) => !without.includes(key) && before.get(key) !== after.get(key))
    .map((key) => `${key} ${before.get(key) ?? 'not given'} → ${after.get(key) ?? 'not given'}`)
}

/** Fields that change neither counts nor energy. */
const SIZES = ['name', 'words', 'fanout', 'bandwidth', 'double_buffered']
const WORDS_ABOUT = ['name', 'source', 'array', 'levels', 'clock_hz', 'systolic', 'dataflow', 'energies', 'notes', 'schema']

function hardwareSteps(a: Side, b: Side): Step[] {
  if (a.hardware === b.hardware) return []
  const levels = a.hardware.levels.flatMap((level, index): Step[] => {
    const said = changes(level, b.hardware.levels[index] ?? level, SIZES)
    const label = `${level.name} of ${b.hardware.name}: ${said.join(', ')}`
    return said.length === 0 ? [] : [{ difference: { kind: 'hardware', level: level.name, label }, keys: [`hardware ${index}`] }]
  })
  const said = changes(a.hardware, b.hardware, WORDS_ABOUT)
  const label = `${b.hardware.name}: ${said.join(', ')}`
  return said.length === 0 ? levels : [...levels, { difference: { kind: 'hardware', label }, keys: ['hardware'] }]
}

function conventions(a: Side, b: Side): Step[] {
  const said = changes({ halo: 'exact', ...a.options }, { halo: 'exact', ...b.options }, [])
  const label = `counting: ${said.join(', ').replaceAll('"', '')}`
  return said.length === 0 ? [] : [{ difference: { kind: 'convention', label }, keys: ['convention'] }]
}

/** Timeloop's convention knows no forwarding: where both change, they change together. */
function mergeConventions(steps: readonly Step[], a: Side, b: Side): readonly Step[] {
  const timeloop = a.options.halo === 'timeloop' || b.options.halo === 'timeloop'
  const convention = steps.find(({ difference }) => difference.kind === 'convention')
  const handing = steps.filter(({ difference }) => difference.kind === 'forward')
  if (!timeloop || convention === undefined || handing.length === 0) return steps
  const together = [convention, ...handing]
  const label = together.map(({ difference }) => difference.label).join('; ')
  return [
    ...steps.filter((step) => !together.includes(step)),
    { difference: { kind: 'convention', label }, keys: together.flatMap(({ keys }) => keys) },
  ]
}

function build(a: Side, b: Side, chosen: ReadonlySet<string>): Side {
  const of = (key: string): Side => (chosen.has(key) ? b : a)
  const levels = a.mapping.levels.map(({ name }, level): MappingLevel => {
    const loops = (axis: Axis): Loop[] => {
      const [inA, inB] = [keysOf(a, level, axis), keysOf(b, level, axis)]
      const fromB = chosen.has(`order ${level}`) && !sameCommonOrder(inA, inB)
      const order = fromB ? woven(inB, inA) : woven(inA, inB)
      const taken = [a, b].flatMap((side) =>
        keyed(loopsAt(side.mapping.levels[level], axis)).filter(([, [dimension]]) => of(dimension) === side),
      )
      const found = new Map<string, Loop>(taken)
      return order.flatMap((key) => {
        const loop = found.get(key)
        return loop === undefined ? [] : [loop]
      })
    }
    const forward = Object.fromEntries(
      OPERANDS.flatMap((operand) => {
        const axis = of(`forward ${operand} ${level}`).mapping.levels[level]?.forward?.[operand]
        return axis === undefined ? [] : [[operand, axis]]
      }),
    )
    return {
      name,
      temporal: loops('temporal'),
      spatial: { x: loops('x'), y: loops('y') },
      ...(level === 0 ? {} : { keep: OPERANDS.filter((operand) => keptBy(of(`keep ${operand} ${level}`), level, operand)) }),
      ...(Object.keys(forward).length === 0 ? {} : { forward }),
    }
  })
  return {
    mapping: { levels },
    hardware: a.hardware === b.hardware ? a.hardware : mixed(a.hardware, b.hardware, chosen),
    options: of('convention').options,
  }
}

function mixed(a: Hardware, b: Hardware, chosen: ReadonlySet<string>): Hardware {
  return {
    ...(chosen.has('hardware') ? b : a),
    levels: a.levels.map((level, index): StorageLevel => (chosen.has(`hardware ${index}`) ? (b.levels[index] ?? level) : level)),
  }
}
