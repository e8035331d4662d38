/**
 * Timeloop's mapping: directives for a level's loops (`temporal`), its spread (`spatial`) and what it keeps (`bypass`, `datatype`,
 * `dataspace`). Think of it as sheet music for another instrument: loops stand innermost first, `split` says how many of the spatial
 * ones lie along x, and `M=4,2` is four steps of which the last round takes two.
 */
import { MappingError } from '../../errors.ts'
import type { Hardware } from '../../schedule/hardware.ts'
import type { Loop, Mapping, MappingLevel } from '../../schedule/mapping.ts'
import { OPERANDS, extentOf, type Dimension, type Operand, type Problem } from '../../schedule/problem.ts'
import type { Field } from '../yaml/read.ts'

/** What a mapping is read against. */
export interface MappingScope {
  readonly hardware: Hardware
  /** Resolves `=0` and checks the bounds; without it both are refused or left to `checkMapping`. */
  readonly problem: Problem | undefined
  readonly dimensions: ReadonlyMap<string, Dimension>
  readonly operands: ReadonlyMap<string, Operand>
}

/** Steps of a loop, those of its last round, and where they stand. */
interface Factor {
  bound: number
  last: number
  readonly field: Field
}

interface Directive {
  readonly factors: ReadonlyMap<Dimension, Factor>
  /** Innermost first, all dimensions. */
  readonly order: readonly Dimension[]
  /** How many of `order` lie along x. */
  readonly split: number
}

/** Of a list of factors. */
const LONGEST_TEXT = 1000
const KEYS = new Set(['target', 'type', 'factors', 'permutation', 'split', 'keep', 'bypass'])
/** Directives of Timeloop's that change how it counts. */
const SWITCHES = new Set([
  'passthrough',
  'no_multicast_no_reduction',
  'no_link_transfer',
  'no_temporal_reuse',
  'rmw_on_first_writeback',
])

/**
 * @param field the value of `mapping:`, a list of directives
 * @throws FileFormatError naming the line and the path; MappingError where bounds do not multiply to the problem's
 */
export function readMapping(field: Field, scope: MappingScope): Mapping {
  const temporal = new Map<number, Directive>()
  const spatial = new Map<number, Directive>()
  const kept = new Map<number, readonly Operand[]>()
  for (const directive of field.list()) {
    const type = directive.need('type').text()
    const level = targetOf(directive, scope.hardware)
    for (const [key, value] of directive.map()) {
      if (SWITCHES.has(key) && isEmpty(value)) continue
      if (!KEYS.has(key))
        throw value.refuse(`${key} is not read`, SWITCHES.has(key) ? 'It would change the counts: leave it out' : undefined)
    }
    const once = <T>(table: Map<number, T>, value: T): void => {
      if (table.has(level))
        throw directive.refuse(`a second ${type} directive for ${scope.hardware.levels[level]?.name}`, 'Keep one')
      table.set(level, value)
    }
    if (type === 'temporal') once(temporal, loopsOf(directive, scope))
    else if (type === 'spatial') once(spatial, loopsOf(directive, scope))
    else if (['bypass', 'datatype', 'dataspace'].includes(type)) once(kept, keptOf(directive, scope.operands))
    else
      throw directive
        .need('type')
        .refuse(`directives of type ${type} are not read`, 'temporal, spatial, dataspace, datatype and bypass are')
  }
  resolve(field, scope, temporal, spatial)
  return {
    levels: scope.hardware.levels.map((storage, level): MappingLevel => {
      const loops = (directive: Directive | undefined, from: number, to: number): Loop[] =>
        (directive?.order.slice(from, to) ?? [])
          .map((dimension): Loop => [dimension, directive?.factors.get(dimension)?.bound ?? 1])
          .filter(([, bound]) => bound > 1)
          .toReversed()
      const spread = spatial.get(level)
      const [x, y] = [loops(spread, 0, spread?.split ?? 0), loops(spread, spread?.split ?? 0, Infinity)]
      const keep = storage.words === 0 ? (kept.get(level) ?? []) : (kept.get(level) ?? storage.holds ?? OPERANDS)
      if (level === 0 && keep.length < OPERANDS.length) {
        throw field.refuse(
          `${storage.name} is the outermost level and keeps ${keep.join(', ') || 'nothing'}`,
          'It keeps all operands',
        )
      }
      return {
        name: storage.name,
        temporal: loops(temporal.get(level), 0, Infinity),
        ...(x.length + y.length > 0 ? { spatial: { ...(x.length > 0 ? { x } : {}), ...(y.length > 0 ? { y } : {}) } } : {}),
        ...(level === 0 || keep.length === OPERANDS.length ? {} : { keep }),
      }
    }),
  }
}

function isEmpty({ value }: Field): boolean {
  return value === null || (Array.isArray(value) && value.length === 0)
}

/** A level by name, or counted from the innermost, as Timeloop does. */
function targetOf(directive: Field, { levels, name }: Hardware): number {
  const target = directive.need('target')
  const found = levels.findIndex((level) => level.name === target.value)
  if (found >= 0) return found
  if (typeof target.value === 'number' && Number.isInteger(target.value) && target.value >= 0 && target.value < levels.length) {
    return levels.length - 1 - target.value
  }
  const names = levels.map((level) => level.name).join(', ')
  throw target.refuse(`${name} has no level ${target.kind}`, `Its levels are ${names}`)
}

function loopsOf(directive: Field, { dimensions }: MappingScope): Directive {
  const given = directive.get('factors')
  const factors = new Map<Dimension, Factor>()
  for (const { text, field } of given === undefined ? [] : factorTexts(given)) {
    const match = /^([A-Za-z_]\w*?)\s*=?\s*(\d{1,10})(?:,(\d{1,10}))?$/.exec(text)
    const [, name = '', bound, last] = match ?? []
    if (bound === undefined)
      throw field.refuse(`${JSON.stringify(text.slice(0, 40))} is no factor`, 'As C=4, or C=4,2 with a remainder')
    const dimension = named(field, name, dimensions)
    if (factors.has(dimension)) throw field.refuse(`${name} has two factors`)
    const [steps, rest] = [Number(bound), Number(last ?? bound)]
    if (steps > 2 ** 31 - 1 || (last !== undefined && (rest < 1 || rest > steps))) {
      throw field.refuse(`the factor ${text} is out of range`, 'Bounds go to 2^31 − 1, remainders from 1 to the bound')
    }
    factors.set(dimension, { bound: steps, last: rest, field })
  }
  const order = orderOf(directive, dimensions)
  const split = directive.get('split')?.integer({ least: 0 }) ?? order.length
  return { factors, order, split }
}

/** `[C=4, 'M=4,2']`, `C=4 M=4,2`, `C4 M2`, `{C: 4, M: 2}`. */
function factorTexts(field: Field): { text: string; field: Field }[] {
  if (field.value instanceof Map) {
    return [...field.map()].map(([name, value]) => ({ text: `${name}=${value.text()}`, field: value }))
  }
  if (Array.isArray(field.value))
    return field.list().map((item) => ({ text: item.text().trim().slice(0, LONGEST_TEXT), field: item }))
  const text = field.text().replace(/#.*$/, '')
  if (text.length > LONGEST_TEXT) throw field.refuse(`factors of ${text.length} characters are too long`)
  const texts = text.match(/[A-Za-z_]\w*?\s*=?\s*\d+(?:,\s*\d+)?/g) ?? []
  const rest = text.replaceAll(/[A-Za-z_]\w*?\s*=?\s*\d+(?:,\s*\d+)?/g, '').replaceAll(/[\s,]/g, '')
  if (rest !== '') throw field.refuse(`${JSON.stringify(rest.slice(0, 40))} is no factor`, 'As C=4 M=2')
  return texts.map((factor) => ({ text: factor.replaceAll(/\s/g, ''), field }))
}

/** The permutation, innermost first; dimensions that it leaves out run outside, in the problem's order, as in Timeloop. */
export function orderOf(directive: Field, dimensions: ReadonlyMap<string, Dimension>): Dimension[] {
  const field = directive.get('permutation')
  const order: Dimension[] = []
  if (field !== undefined) {
    // RPK is three dimensions where no dimension is called so.
    const words = field.words().flatMap((word) => (dimensions.has(word) ? [word] : word.length <= 32 ? word.split('') : [word]))
    for (const word of words) {
      const dimension = named(field, word, dimensions)
      if (order.includes(dimension)) throw field.refuse(`${word} stands twice in the permutation`)
      order.push(dimension)
    }
  }
  for (const dimension of dimensions.values()) if (!order.includes(dimension)) order.push(dimension)
  return order
}

export function named(field: Field, name: string, dimensions: ReadonlyMap<string, Dimension>): Dimension {
  const dimension = dimensions.get(name)
  if (dimension !== undefined) return dimension
  throw field.refuse(
    `the problem has no dimension ${JSON.stringify(name.slice(0, 40))}`,
    `It has ${[...dimensions.keys()].join(', ')}`,
  )
}

/** Operands kept: all but those bypassed, as in Timeloop, where keep and bypass name each once. */
function keptOf(directive: Field, operands: ReadonlyMap<string, Operand>): Operand[] {
  const [keep, bypass] = (['keep', 'bypass'] as const).map((key) => {
    const field = directive.get(key)
    return field === undefined ? [] : operandsOf(field, operands)
  })
  const both = keep?.find((operand) => bypass?.includes(operand))
  if (both !== undefined) throw directive.refuse(`${both} are both kept and bypassed`)
  return OPERANDS.filter((operand) => bypass?.includes(operand) !== true)
}

export function operandsOf(field: Field, operands: ReadonlyMap<string, Operand>): Operand[] {
  return field.words().map((word) => {
    const operand = operands.get(word)
    if (operand !== undefined) return operand
    throw field.refuse(
      `the problem has no data space ${JSON.stringify(word.slice(0, 40))}`,
      `It has ${[...operands.keys()].join(', ')}`,
    )
  })
}

/** Gives `=0` its value, the rest of its dimension, and checks that bounds and remainders come to the problem's. */
function resolve(
  field: Field,
  { problem, dimensions }: MappingScope,
  temporal: ReadonlyMap<number, Directive>,
  spatial: ReadonlyMap<number, Directive>,
): void {
  const depth = 1 + Math.max(-1, ...temporal.keys(), ...spatial.keys())
  for (const dimension of dimensions.values()) {
    // From the outermost in: a level's temporal loop is outside its spatial one.
    const own: Factor[] = []
    for (let level = 0; level < depth; level++) {
      for (const table of [temporal, spatial]) {
        const factor = table.get(level)?.factors.get(dimension)
        if (factor !== undefined) own.push(factor)
      }
    }
    const open = own.filter(({ bound }) => bound === 0)
    if (problem === undefined) {
      const [first] = open
      const remainder = own.find(({ bound, last }) => last !== bound)
      if (first !== undefined)
        throw first.field.refuse(`${dimension}=0 means the rest, and the problem is not known`, 'Read it with its problem')
      if (remainder !== undefined) throw remainder.field.refuse('a remainder needs the problem', 'Read it with its problem')
      continue
    }
    const extent = extentOf(problem, dimension)
    const [, second] = open
    if (second !== undefined) throw second.field.refuse(`two factors of ${dimension} are 0, the rest`, 'Write one of them')
    const others = own.filter(({ bound }) => bound > 0).reduce((product, { bound }) => product * bound, 1)
    for (const factor of open) {
      if (extent % others !== 0) {
        throw factor.field.refuse(`${dimension}=0 means the rest, but ${extent} is no multiple of ${others}`, 'Write the bound')
      }
      factor.bound = extent / others
      factor.last = factor.bound
    }
    // (((r₂−1)·b₁ + r₁−1)·b₀ + r₀−1) + 1, with remainders r and bounds b.
    const reached = 1 + own.reduce((steps, { bound, last }) => steps * bound + last - 1, 0)
    if (reached !== extent) {
      throw new MappingError(`${field.file}: the factors of ${dimension} come to ${reached}, the problem has ${extent}`, {
        dimension,
        remedy: 'Correct a factor, or give the last round its own: 4,2',
      })
    }
  }
}
