/**
 * A mapping as the loop nest that it is, for people. Think of it as the programme a reader would write by hand: `for` lines run
 * one after the other, `parallel-for` lines run side by side, and a heading says what each level holds while the loops below it run.
 */
import { tileWords } from './check.ts'
import { fanoutOf, wordsPerValue, type Hardware, type StorageLevel } from './hardware.ts'
import { keeps, type Loop, type Mapping, type MappingLevel } from './mapping.ts'
import { DIMENSIONS, OPERANDS, extentOf, type Dimension, type Operand, type Problem } from './problem.ts'

/** No line is longer. */
const WIDTH = 132
const STEP = 2
/** Deeper loops stay at this depth, so that there is room for words. */
const DEEPEST = 40

/** One loop of the nest with the name of its variable. */
interface NamedLoop {
  readonly dimension: Dimension
  readonly bound: number
  readonly variable: string
  /** Points of the dimension between two steps of this loop. */
  readonly stride: number
  readonly kind: 'for' | 'parallel-for x' | 'parallel-for y'
  readonly level: number
}

/**
 * The indented loop nest of a mapping, in lines of at most 132 columns, without a line break at its end. Loops of bound 1 are left
 * out. Tile sizes are of one instance, all loops at the level and inside it taken together: words where a value is one word of
 * the level, else values, and the words that they take.
 * @throws OptionError where an operand has a precision and nothing says how wide a word is
 */
export function loopNest(problem: Problem, hardware: Hardware, mapping: Mapping): string {
  const loops = namedLoops(mapping)
  const lines: string[] = []
  let depth = 0
  for (const [index, level] of mapping.levels.entries()) {
    lines.push(...wrapped(heading(problem, hardware, mapping, index), depth))
    depth++
    for (const { kind, variable, bound } of loops.filter((loop) => loop.level === index)) {
      lines.push(...wrapped(`${kind} ${variable} = 0 to ${bound - 1}`, depth++))
    }
    const forwarded = OPERANDS.filter((operand) => level.forward?.[operand] !== undefined)
    if (forwarded.length > 0) {
      const list = forwarded.map((operand) => `${operand} along ${level.forward?.[operand]}`).join(', ')
      lines.push(...wrapped(`neighbours hand on ${list}`, depth))
    }
  }
  for (const line of [...indices(problem, loops), body(problem, loops)]) lines.push(...wrapped(line, depth))
  return lines.join('\n')
}

function namedLoops(mapping: Mapping): NamedLoop[] {
  const used = (list: readonly Loop[] = []): readonly Loop[] => list.filter(([, bound]) => bound > 1)
  const flat = mapping.levels.flatMap(({ temporal, spatial }: MappingLevel, level) => [
    ...used(temporal).map((loop) => ({ loop, level, kind: 'for' as const })),
    ...used(spatial?.x).map((loop) => ({ loop, level, kind: 'parallel-for x' as const })),
    ...used(spatial?.y).map((loop) => ({ loop, level, kind: 'parallel-for y' as const })),
  ])
  const strides = new Map<Dimension, number>()
  const seen = new Map<Dimension, number>()
  const loopsOver = (dimension: Dimension): number => flat.filter(({ loop }) => loop[0] === dimension).length
  return flat
    .toReversed()
    .map(({ loop: [dimension, bound], level, kind }): NamedLoop => {
      const stride = strides.get(dimension) ?? 1
      const digit = seen.get(dimension) ?? 0
      strides.set(dimension, stride * bound)
      seen.set(dimension, digit + 1)
      const letter = dimension.toLowerCase()
      return { dimension, bound, level, kind, stride, variable: loopsOver(dimension) > 1 ? `${letter}${digit}` : letter }
    })
    .toReversed()
}

/**
 * "GLB: inputs 5,120 + outputs 7,168 = 12,288 of 55,296 words; passes weights; 14×12 below"; of values of half a word
 * "GLB: inputs 5,120 + outputs 7,168 = 12,288 values in 6,144 of 55,296 words".
 */
function heading(problem: Problem, hardware: Hardware, mapping: Mapping, index: number): string {
  const level = mapping.levels[index]
  const storage = hardware.levels.find(({ name }) => name === level?.name)
  const kept = OPERANDS.filter((operand) => keeps(mapping, index, operand, hardware))
  const passed = OPERANDS.filter((operand) => !kept.includes(operand))
  const sizes = kept.map((operand): readonly [Operand, number] => [operand, tileWords(problem, mapping, index, operand)])
  const parts: string[] = []
  if (storage?.words === 0 || kept.length === 0) parts.push('holds nothing')
  else {
    const total = sizes.reduce((sum, [, values]) => sum + values, 0)
    const words = sizes.reduce((sum, [operand, values]) => sum + values * wordsPerValue(hardware, index, operand), 0)
    const areWords = sizes.every(([operand]) => wordsPerValue(hardware, index, operand) === 1)
    const list = sizes.map(([operand, values]) => `${operand} ${count(values)}`).join(' + ')
    const sum = sizes.length > 1 ? ` = ${count(total)}` : ''
    parts.push(`${list}${sum}${areWords ? '' : ` values in ${count(words)}`}${room(storage)}`)
  }
  if (kept.length > 0 && passed.length > 0) parts.push(`passes ${passed.join(' and ')}`)
  const { x, y } = fanoutOf(hardware, index)
  if (x * y > 1) parts.push(`${x}×${y} below`)
  return `${clipped(level?.name ?? '')}: ${parts.join('; ')}`
}

function room(storage: StorageLevel | undefined): string {
  if (storage?.words === undefined) return ' words'
  const isDouble = storage.double_buffered === true
  const words = isDouble ? Math.floor(storage.words / 2) : storage.words
  return ` of ${count(words)} words${isDouble ? ' (half of a double buffer)' : ''}`
}

/** With separators, and at most two decimals: a value of few bits is part of a word. */
function count(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 2 })
}

function clipped(name: string): string {
  return name.length > 60 ? `${name.slice(0, 59)}…` : name
}

/** How a dimension's index is put together where several loops run over it, and where ragged tiles end. */
function indices(problem: Problem, loops: readonly NamedLoop[]): string[] {
  return DIMENSIONS.flatMap((dimension) => {
    const own = loops.filter((loop) => loop.dimension === dimension)
    const extent = extentOf(problem, dimension)
    const product = own.reduce((all, { bound }) => all * bound, 1)
    const letter = dimension.toLowerCase()
    const ragged = product > extent ? [`skip where ${letter} ≥ ${extent}`] : []
    if (own.length < 2) return ragged
    const sum = own.map(({ variable, stride }) => (stride === 1 ? variable : `${stride}·${variable}`)).join(' + ')
    return [`${letter} = ${sum}${ragged.length > 0 ? `; ${ragged.join('')}` : ''}`]
  })
}

/** The multiply-accumulate with the indices that its loops give; a dimension without a loop has index 0. */
function body(problem: Problem, loops: readonly NamedLoop[]): string {
  const at = (dimension: Dimension): string => (loops.some((loop) => loop.dimension === dimension) ? dimension.toLowerCase() : '0')
  const grouped = (dimension: 'M' | 'C'): string =>
    problem.groups === 1
      ? at(dimension)
      : sum(
          [
            [problem[dimension], at('G')],
            [1, at(dimension)],
          ],
          0,
        )
  const { stride, dilation, padding } = problem
  const row = sum(
    [
      [stride[0], at('P')],
      [dilation[0], at('R')],
    ],
    padding[0],
  )
  const column = sum(
    [
      [stride[1], at('Q')],
      [dilation[1], at('S')],
    ],
    padding[1],
  )
  const [m, c] = [grouped('M'), grouped('C')]
  return `O[${at('N')}][${m}][${at('P')}][${at('Q')}] += W[${m}][${at('C')}][${at('R')}][${at('S')}] · I[${at('N')}][${c}][${row}][${column}]`
}

function sum(terms: readonly (readonly [factor: number, index: string])[], less: number): string {
  const parts = terms.filter(([, index]) => index !== '0').map(([factor, index]) => (factor === 1 ? index : `${factor}·${index}`))
  const text = parts.length === 0 ? '0' : parts.join(' + ')
  return less === 0 ? text : `${text} − ${less}`
}

/** A line at its depth, continued further in where it would pass the width. */
function wrapped(text: string, depth: number): string[] {
  const indent = ' '.repeat(STEP * Math.min(depth, DEEPEST))
  const lines: string[] = []
  let line = indent
  for (const word of text.split(' ')) {
    const more = line.trim() === '' ? `${line}${word}` : `${line} ${word}`
    if (more.length <= WIDTH || line.trim() === '') line = more
    else {
      lines.push(line)
      line = `${indent}    ${word}`
    }
  }
  return [...lines, line]
}
