/**
 * Whether a mapping is legal for its problem and hardware, and how large its tiles are. Think of it as the fitting room: every
 * refusal names the level, the operand, the words needed and the words there.
 */
import { MappingError } from '../errors.ts'
import { fanoutOf, wordsPerValue, type Hardware } from './hardware.ts'
import { keeps, type Mapping, type MappingLevel } from './mapping.ts'
import { DIMENSIONS, OPERANDS, RELEVANT, convProblem, extentOf, type Dimension, type Operand, type Problem } from './problem.ts'

const FIELDS = [...DIMENSIONS.filter((name) => name !== 'G'), 'stride', 'dilation', 'padding', 'groups'] as const

/** The same problem where it names every field, else one with the defaults of `convProblem`. @throws ShapeError from there */
export function completeProblem(problem: Partial<Problem>): Problem {
  return isComplete(problem) ? problem : convProblem(problem)
}

function isComplete(problem: Partial<Problem>): problem is Problem {
  for (const field of FIELDS) if (problem[field] === undefined) return false
  return true
}

/** A loop bound above this is a mistake, and products of such bounds would leave the exact integers. */
export const LARGEST_BOUND = 2 ** 31 - 1

/**
 * @throws MappingError when levels are unknown or out of order, a bound is not a positive integer, the bounds of a dimension
 * multiply to less than it, a spatial split exceeds its fan-out, or the kept tiles do not fit a level.
 */
export function checkMapping(problem: Problem, hardware: Hardware, mapping: Mapping): void {
  checkLevels(hardware, mapping)
  const lengths = new Map<Dimension, number>(DIMENSIONS.map((dimension) => [dimension, 1]))
  for (let index = mapping.levels.length - 1; index >= 0; index--) {
    const level = mapping.levels[index]
    const storage = hardware.levels[index]
    if (level === undefined || storage === undefined) continue
    for (const [dimension, bound] of loopsOf(level)) {
      checkBound(level, dimension, bound)
      lengths.set(dimension, (lengths.get(dimension) ?? 1) * bound)
    }
    checkFanout(hardware, index, level)
    checkForward(hardware, level, mapping, index)
    if (index === 0) continue
    checkHolds(hardware, mapping, index)
    checkFit(problem, hardware, mapping, index, lengths)
  }
  for (const dimension of DIMENSIONS) {
    const product = lengths.get(dimension) ?? 1
    const extent = extentOf(problem, dimension)
    if (product < extent) {
      throw new MappingError(`The bounds of ${dimension} multiply to ${product}, less than the problem's ${extent}`, {
        dimension,
        remedy: `Raise a bound of ${dimension}; points beyond ${extent} are skipped`,
      })
    }
    if (product > Number.MAX_SAFE_INTEGER) {
      throw new MappingError(`The bounds of ${dimension} multiply to more than can be counted`, { dimension, limit: '2^53 − 1' })
    }
  }
}

/** Words that a mapping may fill of one instance of a level: half of a double buffer; Infinity where no size is given. */
export function roomOf(hardware: Hardware, level: number): number {
  const { words = Infinity, double_buffered: isDouble = false } = hardware.levels[level] ?? {}
  return isDouble ? Math.floor(words / 2) : words
}

/** Words that one instance of a level holds of an operand: the union of what all loops at the level and inside it touch. */
export function tileWords(problem: Problem, mapping: Mapping, level: number, operand: Operand): number {
  const lengths = new Map<Dimension, number>(DIMENSIONS.map((dimension) => [dimension, 1]))
  for (const inner of mapping.levels.slice(level)) {
    for (const [dimension, bound] of loopsOf(inner)) lengths.set(dimension, (lengths.get(dimension) ?? 1) * bound)
  }
  return wordsOf(problem, operand, lengths)
}

function wordsOf(problem: Problem, operand: Operand, lengths: ReadonlyMap<Dimension, number>): number {
  const length = (dimension: Dimension): number => Math.min(lengths.get(dimension) ?? 1, extentOf(problem, dimension))
  if (operand !== 'inputs') return RELEVANT[operand].reduce((words, dimension) => words * length(dimension), 1)
  const rows = reach(length('P'), problem.stride[0], length('R'), problem.dilation[0])
  const columns = reach(length('Q'), problem.stride[1], length('S'), problem.dilation[1])
  return length('G') * length('N') * length('C') * rows * columns
}

/** How many different a·U + b·D there are, a < `outer`, b < `inner`. */
export function reach(outer: number, U: number, inner: number, D: number): number {
  if (outer === 1 || inner === 1) return outer * inner
  if (U === 1 && D === 1) return outer + inner - 1
  // a·U + b·D = a'·U + b'·D exactly when (a, b) and (a', b') differ by a multiple of (D/g, −U/g): count each line's first point.
  const g = gcd(U, D)
  return outer * inner - Math.max(0, outer - D / g) * Math.max(0, inner - U / g)
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b)
}

function loopsOf(level: MappingLevel): readonly (readonly [Dimension, number])[] {
  return [...level.temporal, ...(level.spatial?.x ?? []), ...(level.spatial?.y ?? [])]
}

function checkLevels(hardware: Hardware, mapping: Mapping): void {
  const names = hardware.levels.map(({ name }) => name)
  const given = mapping.levels.map(({ name }) => name)
  const unknown = given.find((name) => !names.includes(name))
  if (unknown !== undefined) {
    throw new MappingError(`${hardware.name} has no level called "${unknown}"`, { remedy: `Its levels are ${names.join(', ')}` })
  }
  if (given.length !== names.length || given.some((name, index) => name !== names[index])) {
    throw new MappingError(`The mapping has the levels ${given.join(', ')}, ${hardware.name} has ${names.join(', ')}`, {
      remedy: 'Name every level once, from the outermost in; a level without loops has "temporal": []',
    })
  }
}

function checkBound(level: MappingLevel, dimension: Dimension, bound: number): void {
  if (!DIMENSIONS.includes(dimension)) {
    throw new MappingError(`There is no loop called "${String(dimension)}"`, {
      level: level.name,
      remedy: `Loops are ${DIMENSIONS.join(' ')}`,
    })
  }
  if (!Number.isInteger(bound) || bound < 1 || bound > LARGEST_BOUND) {
    throw new MappingError(`The bound of ${dimension} is ${bound}`, {
      level: level.name,
      remedy: `Bounds are integers from 1 to ${LARGEST_BOUND}`,
    })
  }
}

function checkFanout(hardware: Hardware, index: number, level: MappingLevel): void {
  const wanted = [...(level.spatial?.x ?? []), ...(level.spatial?.y ?? [])].reduce((product, [, bound]) => product * bound, 1)
  const { x, y } = fanoutOf(hardware, index)
  if (wanted > x * y) {
    throw new MappingError(`The spatial split takes ${wanted} instances, the fan-out is ${x}×${y}`, {
      level: level.name,
      limit: `${x * y} ${x * y === 1 ? 'instance' : 'instances'}`,
      ...(x * y === 1 ? { remedy: fanoutsOf(hardware) } : {}),
    })
  }
}

/** Where a split can go: "fan-outs: GLB 14×12". */
function fanoutsOf(hardware: Hardware): string {
  const found = hardware.levels.flatMap(({ name }, index) => {
    const { x, y } = fanoutOf(hardware, index)
    return x * y > 1 ? [`${name} ${x}×${y}`] : []
  })
  return found.length === 0
    ? `No level of ${hardware.name} fans out: loop in time`
    : `Split at a level that fans out; fan-outs: ${found.join(', ')}`
}

function checkForward(hardware: Hardware, level: MappingLevel, mapping: Mapping, index: number): void {
  for (const operand of OPERANDS) {
    if (level.forward?.[operand] === undefined) continue
    // Levels between this one and the one that serves it: two forwarding networks for one word are not told apart.
    for (let above = index; above > 0 && !keeps(mapping, above, operand, hardware); above--) {
      if (mapping.levels[above - 1]?.forward?.[operand] !== undefined) {
        throw new MappingError(`Two levels forward ${operand} with no level between them that keeps them`, {
          level: level.name,
          remedy: `Keep ${operand} at ${level.name}, or forward at one level`,
        })
      }
    }
  }
}

function checkHolds(hardware: Hardware, mapping: Mapping, index: number): void {
  const { name, holds = OPERANDS } = hardware.levels[index] ?? { name: '' }
  for (const operand of mapping.levels[index]?.keep ?? []) {
    if (holds.includes(operand)) continue
    throw new MappingError(`${name} of ${hardware.name} does not hold ${operand}`, {
      level: name,
      operand,
      limit: holds.length === 0 ? 'it holds nothing' : `it holds ${holds.join(', ')}`,
      remedy: `Leave ${operand} out of what ${name} keeps`,
    })
  }
}

/** Room is counted in the level's own words: a value of fewer or more bits takes less or more than one. */
function checkFit(
  problem: Problem,
  hardware: Hardware,
  mapping: Mapping,
  index: number,
  lengths: ReadonlyMap<Dimension, number>,
): void {
  const room = roomOf(hardware, index)
  if (room === Infinity) return
  const needs = OPERANDS.filter((operand) => keeps(mapping, index, operand, hardware)).map((operand) => ({
    operand,
    words: wordsPerValue(hardware, index, operand) * wordsOf(problem, operand, lengths),
  }))
  const total = needs.reduce((sum, { words }) => sum + words, 0)
  if (total <= room) return
  const largest = needs.reduce((most, need) => (need.words > most.words ? need : most))
  const { name, words: all = 0, double_buffered: isDouble } = hardware.levels[index] ?? { name: '' }
  throw new MappingError(`${total} words do not fit ${name} of ${hardware.name}`, {
    level: name,
    operand: largest.operand,
    words: needs.map(({ operand, words }) => `${operand} ${words}`).join(', '),
    limit: `${room} words${isDouble === true ? ' (half of a double buffer)' : ''}`,
    remedy: all === 0 ? `Add "keep": [] to ${name}` : `Move loops of ${largest.operand} outwards, or keep fewer operands`,
  })
}
