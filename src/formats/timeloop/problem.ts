/**
 * Timeloop's problem: dimensions, data spaces that project on them, and an instance. Think of it as recognising a face: whatever the
 * dimensions are called, their roles (in which data spaces they stand, and with whom they share an axis) say which of our loops
 * they are. What has the face of neither a convolution nor a matrix product is refused.
 */
import { ShapeError } from '../../errors.ts'
import { DIMENSIONS, convProblem, macsOf, type Dimension, type Operand, type Problem } from '../../schedule/problem.ts'
import type { Field } from '../yaml/read.ts'

export interface ReadProblem {
  readonly problem: Problem
  /** Our dimension of each of the file's, `K` → `M`. */
  readonly dimensions: ReadonlyMap<string, Dimension>
  /** Our operand of each of the file's data spaces. */
  readonly operands: ReadonlyMap<string, Operand>
  readonly notes: readonly string[]
}

/** Names that mappings use where no problem stands in the file: those of Timeloop's own CNN layer. */
export const USUAL_DIMENSIONS: ReadonlyMap<string, Dimension> = new Map(DIMENSIONS.map((dimension) => [dimension, dimension]))
export const USUAL_OPERANDS: ReadonlyMap<string, Operand> = new Map([
  ['Weights', 'weights'],
  ['Inputs', 'inputs'],
  ['Outputs', 'outputs'],
])

/** One term of an axis: a dimension times a coefficient's name. */
interface Term {
  readonly dimension: string
  readonly coefficient: string | undefined
}

interface DataSpace {
  readonly name: string
  readonly field: Field
  readonly isWritten: boolean
  readonly axes: readonly (readonly Term[])[]
}

/** A row or column of the input: at most one dimension of the output and one of the filter. */
interface Axis {
  readonly outer: Term | undefined
  readonly inner: Term | undefined
}

/** Whether a plane with this padding can be meant: files leave W and H at placeholders where nothing reads them. */
export function isPlane(length: number, [before, after]: readonly [number, number], reach: number, stride: number): boolean {
  return length > 0 && after <= before + reach + stride
}

/** Instance keys that say how large the input is: Timeloop does not count with them, our padding does. */
const PLANE = new Set(['W', 'H', 'Wpad', 'Hpad'])
const SHAPE_KEYS = new Set(['name', 'dimensions', 'coefficients', 'data-spaces', 'data_spaces', 'dataspaces', 'version'])

/**
 * @param field the value of `problem:` (also with `shape` and `instance` in the forms of v0.2 to v0.4)
 * @throws FileFormatError naming the line and the path for shapes that are none of ours; ShapeError for a problem too large to count
 */
export function readProblem(field: Field): ReadProblem {
  const shape = field.need('shape')
  const instance = field.get('instance') ?? field
  if (typeof shape.value === 'string') {
    const usual = /^cnn[-_]layer$/i.test(shape.value)
    if (!usual) throw shape.refuse(`the shape "${shape.value}" is a name that Timeloop looks up`, 'Write the shape out')
    return usualProblem(instance)
  }
  const unknown = [...shape.map().keys()].find((key) => !SHAPE_KEYS.has(key))
  if (unknown !== undefined) throw shape.refuse(`${unknown} is not read`, 'Dense convolutions and matrix products are')
  checkDense(instance)
  const dimensions = shape
    .need('dimensions')
    .list()
    .map((item) => item.text())
  const values = valuesOf(shape, instance, dimensions)
  const spaces = (shape.get('data-spaces', 'data_spaces', 'dataspaces') ?? shape.need('data_spaces'))
    .list()
    .map((space) => dataSpace(space, dimensions))
  return recognised(shape, dimensions, spaces, values)
}

/** The shape that Timeloop has by itself. */
function usualProblem(instance: Field): ReadProblem {
  checkDense(instance)
  const fields: Partial<Record<Dimension, number>> = {}
  const map = instance.map()
  const known = new Set([...DIMENSIONS, 'Wstride', 'Hstride', 'Wdilation', 'Hdilation', 'shape', 'version', 'densities', 'name'])
  for (const [key, value] of map) {
    if (!known.has(key)) throw value.refuse(`the CNN layer has no ${key}`)
  }
  for (const dimension of DIMENSIONS) fields[dimension] = map.get(dimension)?.integer({ least: 1 }) ?? 1
  const of = (name: string): number => map.get(name)?.integer({ least: 1 }) ?? 1
  const { G = 1, ...bounds } = fields
  const problem = convProblem({
    ...bounds,
    groups: G,
    stride: [of('Wstride'), of('Hstride')],
    dilation: [of('Wdilation'), of('Hdilation')],
  })
  return { problem: countable(problem), dimensions: USUAL_DIMENSIONS, operands: USUAL_OPERANDS, notes: [] }
}

function checkDense(instance: Field): void {
  const densities = instance.get('densities', 'density')
  if (densities === undefined) return
  const isEmpty = densities.value instanceof Map && densities.value.size === 0
  if (!isEmpty) throw densities.refuse('sparse data spaces are not read', 'Leave the densities out: counts are of dense operands')
}

/** Bounds of dimensions and values of coefficients. */
function valuesOf(shape: Field, instance: Field, dimensions: readonly string[]): ReadonlyMap<string, number> {
  const values = new Map<string, number>()
  for (const coefficient of shape.get('coefficients')?.list() ?? []) {
    const name = coefficient.need('name').text()
    const given = instance.get(name) ?? coefficient.get('default')
    if (given === undefined) throw coefficient.refuse(`the coefficient ${name} has no value`)
    values.set(name, given.integer({ least: 1 }))
  }
  const coefficients = new Set(values.keys())
  for (const [key, value] of instance.map()) {
    if (dimensions.includes(key)) values.set(key, value.integer({ least: 1 }))
    else if (PLANE.has(key)) values.set(key, value.integer({ least: 0 }))
    else if (coefficients.has(key) || ['densities', 'density', 'shape', 'version', 'name'].includes(key)) continue
    // A group count of 1 changes nothing.
    else if (value.value !== 1 && value.value !== '1') throw value.refuse(`the shape has no dimension ${key}`)
  }
  const missing = dimensions.find((name) => !values.has(name))
  if (missing !== undefined) throw instance.refuse(`the dimension ${missing} has no bound`)
  return values
}

function dataSpace(field: Field, dimensions: readonly string[]): DataSpace {
  const term = (item: Field): Term => {
    const words = typeof item.value === 'string' ? [item.value] : item.list().map((word) => word.text())
    const [dimension = '', coefficient, more] = words
    if (!dimensions.includes(dimension)) throw item.refuse(`the shape has no dimension ${JSON.stringify(dimension)}`)
    if (more !== undefined) throw item.refuse('a product of several coefficients is not read')
    return { dimension, coefficient }
  }
  const written = field.get('read-write', 'read_write')
  return {
    name: field.need('name').text(),
    field,
    isWritten: written?.flag() ?? false,
    axes: field
      .need('projection')
      .list()
      .map((axis) => axis.list().map(term)),
  }
}

function recognised(
  shape: Field,
  dimensions: readonly string[],
  spaces: readonly DataSpace[],
  values: ReadonlyMap<string, number>,
): ReadProblem {
  const outputs = spaces.filter(({ isWritten }) => isWritten)
  const read = spaces.filter(({ isWritten }) => !isWritten)
  const [output] = outputs
  const [first, second] = read
  if (output === undefined || first === undefined || second === undefined || spaces.length !== 3) {
    const refusal = `${outputs.length} data spaces are written and ${read.length} read`
    throw shape.refuse(refusal, 'A convolution or a matrix product reads two data spaces and writes one (read_write: true)')
  }
  const [weights, inputs] = sides(first, second)
  for (const space of [output, weights]) {
    const sliding = space.axes.find((axis) => axis.length > 1 || axis[0]?.coefficient !== undefined)
    if (sliding !== undefined) throw space.field.refuse(`${space.name} slides over an axis: only the inputs of a convolution do`)
  }
  const has = (space: DataSpace, name: string): boolean =>
    space.axes.some((axis) => axis.some(({ dimension }) => dimension === name))
  const roles = new Map<string, 'group' | 'filter' | 'outer' | 'inner'>()
  for (const name of dimensions) {
    const [inOutput, inWeights, inInputs] = [has(output, name), has(weights, name), has(inputs, name)]
    if (inOutput && inWeights && inInputs) roles.set(name, 'group')
    else if (inOutput && inWeights) roles.set(name, 'filter')
    else if (inOutput && inInputs) roles.set(name, 'outer')
    else if (inWeights && inInputs) roles.set(name, 'inner')
    else throw shape.refuse(`the dimension ${name} stands in one data space only, or in none`, 'It is in two or three of ours')
  }
  const slots = slotsOf(inputs, roles)
  const problem = countable(problemOf(slots, values))
  const found = new Map<string, Dimension>()
  for (const [dimension, name] of slots.names) found.set(name, dimension)
  const operands = new Map<string, Operand>([
    [weights.name, 'weights'],
    [inputs.name, 'inputs'],
    [output.name, 'outputs'],
  ])
  return { problem, dimensions: found, operands, notes: renamed(found, operands) }
}

/** Which is which: the one that slides is the input; else its name says; else the first is (a matrix product's A). */
function sides(first: DataSpace, second: DataSpace): readonly [weights: DataSpace, inputs: DataSpace] {
  const slides = ({ axes }: DataSpace): boolean => axes.some((axis) => axis.length > 1 || axis[0]?.coefficient !== undefined)
  const isWeights = ({ name }: DataSpace): boolean => /weight|filter|kernel/i.test(name)
  const isInputs = ({ name }: DataSpace): boolean => /input|ifmap|activation|image/i.test(name)
  if (slides(first) !== slides(second)) return slides(first) ? [second, first] : [first, second]
  if (isWeights(first) || (isInputs(second) && !isWeights(second))) return [first, second]
  return [second, first]
}

interface Slots {
  readonly names: ReadonlyMap<Dimension, string>
  readonly rows: Axis
  readonly columns: Axis
}

/** Finds a place among our loops for each of the file's dimensions. @throws FileFormatError where there are more than places */
function slotsOf(inputs: DataSpace, roles: ReadonlyMap<string, 'group' | 'filter' | 'outer' | 'inner'>): Slots {
  const names = new Map<Dimension, string>()
  const place = (name: string, ...candidates: readonly Dimension[]): void => {
    const free = candidates.filter((dimension) => !names.has(dimension))
    const chosen = free.find((dimension) => dimension === name) ?? free[0]
    if (chosen === undefined)
      throw inputs.field.refuse(`there is no room for the dimension ${name}`, `It would be one of ${candidates.join(', ')}`)
    names.set(chosen, name)
  }
  const axes = inputs.axes.map((axis) => axisOf(inputs, axis, roles))
  const windows = axes.filter(
    ({ outer, inner }) =>
      (outer !== undefined && inner !== undefined) || outer?.coefficient !== undefined || inner?.coefficient !== undefined,
  )
  if (windows.length > 2)
    throw inputs.field.refuse(`${windows.length} axes slide`, 'Convolutions of one and two dimensions are read')
  const [one, two] = windows
  // Rows are P and R, columns Q and S; where names leave it open, in the file's order.
  const isColumn = ({ outer, inner }: Axis): boolean => outer?.dimension === 'Q' || inner?.dimension === 'S'
  const none: Axis = { outer: undefined, inner: undefined }
  const turned = one !== undefined && isColumn(one) && (two === undefined || !isColumn(two))
  const [rows, columns] = turned ? [two ?? none, one] : [one ?? none, two ?? none]
  for (const [axis, outer, inner] of [
    [rows, 'P', 'R'],
    [columns, 'Q', 'S'],
  ] as const) {
    if (axis.outer !== undefined) names.set(outer, axis.outer.dimension)
    if (axis.inner !== undefined) names.set(inner, axis.inner.dimension)
  }
  const placed = new Set(names.values())
  const isFree = (axis: Axis): boolean => axis === none || (axis.outer === undefined && axis.inner === undefined)
  const lone: Record<'outer' | 'inner', Dimension[]> = { outer: ['N'], inner: ['C'] }
  const open = [...(isFree(rows) ? (['rows'] as const) : []), ...(isFree(columns) ? (['columns'] as const) : [])]
  const rest = [...roles].filter(([name]) => !placed.has(name))
  // An axis without a window holds one dimension: of the output, or of the filter, never both (they would slide).
  const wanted = rest.filter(([, role]) => role === 'outer').map(([name]) => name)
  const isProduct = windows.length === 0
  for (const axis of open) {
    const [outer, inner] = axis === 'rows' ? (['P', 'R'] as const) : (['Q', 'S'] as const)
    const needsOuter =
      wanted.length > lone.outer.length || wanted.includes(outer) || (isProduct && axis === 'rows' && !wanted.includes('N'))
    if (needsOuter) lone.outer.push(outer)
    else lone.inner.push(inner)
  }
  // Those whose own name is a place go first, so that no other takes it; a matrix product's rows are P.
  const order = rest.toSorted(([a], [b]) => Number(isOurs(b)) - Number(isOurs(a)))
  for (const [name, role] of order) {
    if (role === 'group') place(name, 'G')
    else if (role === 'filter') place(name, 'M')
    else place(name, ...(role === 'outer' && isProduct ? lone.outer.toReversed() : lone[role]))
  }
  return { names, rows, columns }
}

function isOurs(name: string): boolean {
  return DIMENSIONS.some((dimension) => dimension === name)
}

function axisOf(inputs: DataSpace, axis: readonly Term[], roles: ReadonlyMap<string, string>): Axis {
  const outer = axis.filter(({ dimension }) => roles.get(dimension) === 'outer')
  const inner = axis.filter(({ dimension }) => roles.get(dimension) === 'inner')
  const others = axis.length - outer.length - inner.length
  if (outer.length > 1 || inner.length > 1 || (others > 0 && axis.length > 1)) {
    const names = axis.map(({ dimension }) => dimension).join(' + ')
    throw inputs.field.refuse(
      `the axis ${names} of ${inputs.name} is no window`,
      'One output and one filter dimension share an axis',
    )
  }
  return { outer: outer[0], inner: inner[0] }
}

function problemOf({ names, rows, columns }: Slots, values: ReadonlyMap<string, number>): Problem {
  const factor = (term: Term | undefined): number => (term?.coefficient === undefined ? 1 : (values.get(term.coefficient) ?? 1))
  const bound = (dimension: Dimension): number => values.get(names.get(dimension) ?? '') ?? 1
  const [N, M, C, P, Q, R, S] = (['N', 'M', 'C', 'P', 'Q', 'R', 'S'] as const).map(bound)
  const [stride, dilation] = [
    [factor(rows.outer), factor(columns.outer)],
    [factor(rows.inner), factor(columns.inner)],
  ] as const
  const edges = (axis: Axis, count: number, window: number, index: 0 | 1): readonly [number, number] => {
    // The plane's size is called after the coefficient of its axis: Wstride, W, Wpad.
    const letter = /^([WH])(?:stride|dilation)$/.exec(axis.outer?.coefficient ?? axis.inner?.coefficient ?? '')?.[1]
    const [before, length] = [values.get(`${letter}pad`) ?? 0, values.get(letter ?? '') ?? 0]
    if (letter === undefined || length === 0 || !values.has(`${letter}pad`)) return [0, 0]
    const reach = (window - 1) * (dilation[index] ?? 1) + 1
    const span = (count - 1) * (stride[index] ?? 1) + reach
    const after = Math.max(0, span - before - length)
    return isPlane(length, [before, after], reach, stride[index] ?? 1) ? [before, after] : [0, 0]
  }
  const [top, bottom] = edges(rows, P ?? 1, R ?? 1, 0)
  const [left, right] = edges(columns, Q ?? 1, S ?? 1, 1)
  return convProblem({
    ...{ N: N ?? 1, M: M ?? 1, C: C ?? 1, P: P ?? 1, Q: Q ?? 1, R: R ?? 1, S: S ?? 1 },
    stride: [stride[0], stride[1]],
    dilation: [dilation[0], dilation[1]],
    padding: [top, left, bottom, right],
    groups: bound('G'),
  })
}

function countable(problem: Problem): Problem {
  if (macsOf(problem) <= Number.MAX_SAFE_INTEGER) return problem
  throw new ShapeError('The problem is too large to count exactly', { limit: '2^53 − 1 multiply-accumulates' })
}

function renamed(dimensions: ReadonlyMap<string, Dimension>, operands: ReadonlyMap<string, Operand>): string[] {
  const changed = [...dimensions].filter(([name, dimension]) => name !== dimension)
  const called = [...operands].filter(([name, operand]) => name.toLowerCase() !== operand)
  return [
    ...(changed.length > 0 ? [`dimensions: ${changed.map(([name, dimension]) => `${name} is ${dimension}`).join(', ')}`] : []),
    ...(called.length > 0 ? [`data spaces: ${called.map(([name, operand]) => `${name} is ${operand}`).join(', ')}`] : []),
  ]
}
