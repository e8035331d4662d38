/**
 * Timeloop's constraints as a dataflow: which loops a level may have, in which order, what it keeps. Think of it as house rules read
 * from another house: a rule that a dataflow can state is taken, level by level, and one that it cannot (a fixed factor, a largest
 * one, a utilisation) is refused by name.
 */
import type { Dataflow } from '../../schedule/dataflow.ts'
import type { Hardware } from '../../schedule/hardware.ts'
import { OPERANDS, type Dimension, type Operand } from '../../schedule/problem.ts'
import type { Field } from '../yaml/read.ts'
import type { NodeConstraints } from './architecture.ts'
import { named, operandsOf } from './mapping.ts'

export interface ConstraintScope {
  readonly hardware: Hardware
  readonly dimensions: ReadonlyMap<string, Dimension>
  readonly operands: ReadonlyMap<string, Operand>
}

/** One constraint of one level. */
export interface Constraint {
  readonly level: string
  readonly type: string
  readonly field: Field
}

type LevelRules = NonNullable<Dataflow['levels']>[string]
type Writable<T> = { -readonly [K in keyof T]: T[K] }

const KEYS = new Set(['target', 'type', 'factors', 'permutation', 'split', 'keep', 'bypass'])

/** The constraints of a list, `architecture_constraints: {targets: […]}` or the list itself. */
export function listedConstraints(field: Field): Constraint[] {
  const list = Array.isArray(field.value) ? field : field.get('targets')
  return (list?.list() ?? []).map((entry) => ({
    level: entry.need('target').text(),
    type: entry.need('type').text(),
    field: entry,
  }))
}

/** The constraints at a node of v0.4: `{dataspace: …, temporal: …, spatial: …}`. */
export function nodeConstraints({ level, spread, field }: NodeConstraints): Constraint[] {
  return [...field.map()].flatMap(([type, value]) =>
    value.value === null ? [] : [{ level: type === 'spatial' ? spread : level, type, field: value }],
  )
}

/**
 * The dataflow that constraints are; absent where there are none.
 * @throws FileFormatError naming the line and the path of a constraint that a dataflow cannot state
 */
export function dataflowOf(constraints: readonly Constraint[], scope: ConstraintScope): Dataflow | undefined {
  if (constraints.length === 0) return undefined
  const levels: Record<string, Writable<LevelRules>> = {}
  for (const { level, type, field } of constraints) {
    if (!scope.hardware.levels.some(({ name }) => name === level)) {
      throw field.refuse(`${scope.hardware.name} has no level ${JSON.stringify(level)}`)
    }
    for (const [key, value] of field.map()) {
      if (!KEYS.has(key))
        throw value.refuse(`the constraint ${key} is not read`, 'A dataflow says which loops, in which order, and what is kept')
    }
    const rules = (levels[level] ??= {})
    if (type === 'temporal') {
      rules.temporal = allowed(field, scope)
      const order = listedOrder(field, scope)
      if (order.length > 0) rules.order = order.toReversed().map((dimension) => [dimension])
    } else if (type === 'spatial') rules.spatial = spread(field, scope)
    else if (['bypass', 'datatype', 'dataspace'].includes(type)) Object.assign(rules, keeping(field, scope))
    else throw field.refuse(`constraints of type ${type} are not read`, 'temporal, spatial, dataspace, datatype and bypass are')
  }
  const all = [...scope.dimensions.values()]
  return {
    name: 'timeloop',
    title: 'constraints of a Timeloop file',
    spatial: { x: all, y: all },
    keep: { buffer: [], registers: [] },
    optional: { buffer: [...OPERANDS], registers: [...OPERANDS] },
    innermost: [],
    order: [],
    registers: all,
    levels,
  }
}

/** Dimensions that may have a loop: those without a factor of 1. @throws FileFormatError for other fixed factors */
function allowed(field: Field, { dimensions }: ConstraintScope): Dimension[] {
  const out = new Set<Dimension>()
  for (const word of field.get('factors')?.words() ?? []) {
    const [, name = '', sign, bound] = /^([A-Za-z_]\w*?)(<?=?)(\d+)$/.exec(word.slice(0, 100)) ?? []
    const dimension = named(field, name, dimensions)
    if (bound !== '1' || sign === '<=' || sign === '<') {
      throw field.refuse(`the constraint ${word.slice(0, 100)} is not read`, 'Factors of 1 are (no loop of that dimension)')
    }
    out.add(dimension)
  }
  return [...dimensions.values()].filter((dimension) => !out.has(dimension))
}

/** The permutation as it stands, innermost first, without dimensions that have no loop anyway. */
function listedOrder(field: Field, scope: ConstraintScope): Dimension[] {
  const given = field.get('permutation')
  if (given === undefined) return []
  const words = given.words().flatMap((word) => (scope.dimensions.has(word) ? [word] : word.split('')))
  const loops = allowed(field, scope)
  return words.map((word) => named(given, word, scope.dimensions)).filter((dimension) => loops.includes(dimension))
}

function spread(field: Field, scope: ConstraintScope): { x: Dimension[]; y: Dimension[] } {
  const loops = allowed(field, scope)
  const given = field.get('permutation')
  const split = field.get('split')?.integer({ least: 0 })
  if (split === undefined) return { x: loops, y: loops }
  if (given === undefined) throw field.refuse('split counts dimensions of a permutation, and there is none')
  const words = given.words().flatMap((word) => (scope.dimensions.has(word) ? [word] : word.split('')))
  const order = words.map((word) => named(given, word, scope.dimensions))
  const [x, y] = [order.slice(0, split), order.slice(split)]
  // Dimensions that the permutation leaves out come after those it lists.
  const rest = loops.filter((dimension) => !order.includes(dimension))
  return {
    x: loops.filter((dimension) => x.includes(dimension)),
    y: loops.filter((dimension) => y.includes(dimension) || rest.includes(dimension)),
  }
}

function keeping(field: Field, { operands }: ConstraintScope): { keep: Operand[]; optional: Operand[] } {
  const [keep = [], bypass = []] = ['keep', 'bypass'].map((key) => {
    const list = field.get(key)
    return list === undefined ? [] : operandsOf(list, operands)
  })
  return { keep, optional: OPERANDS.filter((operand) => !keep.includes(operand) && !bypass.includes(operand)) }
}
