/** What is not read is refused by name, with the place; hostile files in well under a second. */
import { describe, expect, test } from 'vitest'
import { TilewrightError } from '../../src/errors.ts'
import { readTimeloop } from '../../src/formats/timeloop/index.ts'
import { processorTime } from '../processor.ts'

const PROBLEM = `problem:
  shape:
    dimensions: [C, M, P]
    data_spaces:
      - {name: Weights, projection: [[[C]], [[M]]]}
      - {name: Inputs, projection: [[[C]], [[P]]]}
      - {name: Outputs, projection: [[[M]], [[P]]], read_write: true}
  instance: {C: 4, M: 6, P: 5}
`
const ARCH = `architecture:
  version: 0.4
  nodes:
  - !Component {name: Main, class: DRAM, attributes: {width: 16, datawidth: 16}}
  - !Component {name: Buf, class: SRAM, attributes: {depth: 64, width: 16, datawidth: 16}}
  - !Component {name: mac, class: intmac}
`
const MAP = `mapping:
  - {target: Main, type: temporal, factors: [C=4, M=2, P=5], permutation: [C, M, P]}
  - {target: Buf, type: temporal, factors: [M=3], permutation: [M, P, C]}
`

/** What is thrown, as "Name: message"; an error without a name of ours fails. */
function refusalOf(text: string): string {
  try {
    readTimeloop([{ name: 'f.yaml', text }])
  } catch (error) {
    if (error instanceof TilewrightError) return `${error.name}: ${error.message}`
    throw error
  }
  throw new Error('it was read')
}

test('the three that the tables below change are read as they are', () => {
  expect(readTimeloop([{ name: 'f.yaml', text: PROBLEM + ARCH + MAP }]).mapping?.levels).toHaveLength(2)
})

describe('problems', () => {
  test.each([
    [
      'densities',
      'instance: {C: 4',
      'instance: {densities: {Weights: {density: 0.5}}, C: 4',
      'problem.instance.densities: sparse data spaces',
    ],
    ['a bound below 1', 'C: 4', 'C: -4', 'f.yaml:8: problem.instance.C: expected a number from 1'],
    ['a huge bound', 'C: 4', 'C: 1e300', 'problem.instance.C: expected a number'],
    [
      'more MACs than can be counted',
      'C: 4, M: 6, P: 5',
      'C: 2147483647, M: 2147483647, P: 5',
      'ShapeError: The problem is too large',
    ],
    ['no number', 'C: 4', 'C: .nan', 'problem.instance.C: expected a number'],
    ['infinity', 'C: 4', 'C: .inf', 'problem.instance.C: expected a number'],
    ['half a channel', 'C: 4', 'C: 4.5', 'expected an integer, found 4.5'],
    ['an expression', 'C: 4', 'C: width * 2', 'Write the number: expressions and variables are not read'],
    ['a dimension without a bound', 'C: 4, ', '', 'the dimension C has no bound'],
    ['a bound of no dimension', 'C: 4', 'C: 4, X: 3', 'problem.instance.X: the shape has no dimension X'],
    ['an unknown key of the shape', 'dimensions:', 'ranks: 3\n    dimensions:', 'problem.shape: ranks is not read'],
    ['no written data space', ', read_write: true', '', '0 data spaces are written and 3 read'],
    [
      'four data spaces',
      '  instance',
      '      - {name: Bias, projection: [[[M]]]}\n  instance',
      'data spaces are written and 3 read',
    ],
    ['a projection on nothing', '[[[C]], [[P]]]', '[[[C]], [[X]]]', 'the shape has no dimension "X"'],
    ['outputs that slide', '[[[M]], [[P]]], read', '[[[M], [P]]], read', 'Outputs slides over an axis'],
    ['a dimension of one data space', '[[[C]], [[M]]]', '[[[M]]]', 'the dimension C stands in one data space only'],
    ['a window of two of the same kind', '[[[C]], [[P]]]', '[[[C], [C]], [[P]]]', 'is no window'],
    ['a coefficient of its own', '[[P]]]}', '[[P, stride]]]}', 'ShapeError'],
    ['a shape by name', 'shape:', 'shape: attention\n  other:', 'the shape "attention" is a name that Timeloop looks up'],
    ['a version to come', 'problem:\n', 'problem:\n  version: 0.9\n', 'problem.version: version 0.9 is not read'],
  ])('%s', (name, from, to, message) => {
    const text = PROBLEM.replace(from, to)
    expect(text).not.toBe(PROBLEM)
    // A coefficient without a value is 1: nothing to refuse.
    if (name === 'a coefficient of its own') expect(readTimeloop([{ name: 'f.yaml', text }]).problem?.P).toBe(5)
    else expect(refusalOf(text)).toContain(message)
  })

  test('too many dimensions of a kind', () => {
    const text = PROBLEM.replace('[C, M, P]', '[C, M, P, A, B, D, E]')
      .replace('[[[C]], [[P]]]', '[[[C]], [[P]], [[A]], [[B]], [[D]], [[E]]]')
      .replace('[[[M]], [[P]]]', '[[[M]], [[P]], [[A]], [[B]], [[D]], [[E]]]')
      .replace('C: 4', 'A: 2, B: 2, D: 2, E: 2, C: 4')
    expect(refusalOf(text)).toContain('there is no room for the dimension')
  })
})

describe('architectures', () => {
  test.each([
    ['overbooking', 'depth: 64', 'depth: 64, allow_overbooking: true', 'allow_overbooking is not read: it would change the counts'],
    ['a level that cannot reduce', 'depth: 64', 'depth: 64, reduction_supported: false', 'reduction_supported is not read'],
    ['a least utilisation', 'depth: 64', 'depth: 64, min_utilization: 0.5', 'min_utilization is not read'],
    ['metadata', 'depth: 64', 'depth: 64, metadata-storage-width: 8', 'metadata_storage_width is not read'],
    ['threefold buffers', 'depth: 64', 'depth: 64, multiple_buffering: 3', '3-fold buffers are not read'],
    [
      'a line of half words',
      'depth: 64, width: 16',
      'depth: 64, width: 24',
      'a line of 24 bits does not hold a whole number of words of 16 bits',
    ],
    ['a negative depth', 'depth: 64', 'depth: -64', 'attributes.depth: expected a number from 0'],
    ['a depth beyond all', 'depth: 64', 'depth: 2147483647, block_size: 1000', 'is too large'],
    ['an expression', 'depth: 64', 'depth: 8 * 8', 'Write the number'],
    ['no bandwidth', 'depth: 64', 'depth: 64, read_bandwidth: 0', 'read_bandwidth: expected a number'],
    [
      'sparse optimisations',
      'class: SRAM',
      'class: SRAM, sparse_optimizations: {action_optimization: []}',
      'sparse_optimizations is not read',
    ],
    [
      'a class of no kind',
      'class: SRAM, attributes: {depth: 64, width: 16, datawidth: 16}',
      'class: oven',
      'oven is known neither as storage nor as arithmetic',
    ],
    ['a pipeline', '!Component {name: Buf', '!Pipelined {name: Buf', 'nodes of kind !Pipelined are not read'],
    ['two of a name', 'name: Buf', 'name: Main', 'two levels are called Main'],
    ['no arithmetic', '  - !Component {name: mac, class: intmac}\n', '', 'there is no arithmetic unit'],
    [
      'storage inside the arithmetic',
      ARCH.slice(-44),
      `${ARCH.slice(-44)}  - !Component {name: R, class: regfile}\n`,
      'mac is not the innermost part',
    ],
    ['a name that is none', 'name: Buf', 'name: "Buf[[0..3]]"', 'is no name'],
    ['instances from 3 to 1', 'name: Buf', 'name: "Buf[3..1]"', 'has -1 instances'],
    ['a billion billion instances', 'class: SRAM', 'class: SRAM, spatial: {meshX: 2147483647, meshY: 2147483647}', 'ok'],
    ['a depth to the mesh', 'class: SRAM', 'class: SRAM, spatial: {meshX: 2, meshZ: 2}', 'meshZ is not read'],
    ['neither nodes nor a subtree', '  nodes:', '  levels:', 'there are neither nodes (v0.4) nor a subtree (v0.3)'],
  ])('%s', (_, from, to, message) => {
    const text = ARCH.replace(from, to)
    expect(text).not.toBe(ARCH)
    if (message === 'ok') expect(readTimeloop([{ name: 'f.yaml', text }]).hardware?.levels).toHaveLength(2)
    else expect(refusalOf(text)).toContain(message)
  })

  test('a mesh that does not divide', () => {
    const text = `architecture:
  subtree:
  - name: s
    local:
    - {name: "A[0..2]", class: SRAM, attributes: {depth: 4, meshX: 3}}
    - {name: "B[0..3]", class: SRAM, attributes: {depth: 4, meshX: 4}}
    - {name: mac, class: mac}
`
    expect(refusalOf(text)).toContain('a mesh of 4×1 below A, a mesh of 3×1, is not the same for each')
    expect(refusalOf(text.replace('meshX: 4', 'meshX: 3'))).toContain('4 instances do not fill a mesh of meshX 3')
  })
})

describe('mappings', () => {
  test.each([
    ['a skew', 'type: temporal, factors: [M=3]', 'type: skew, factors: [M=3]', 'directives of type skew are not read'],
    [
      'a switch of multicast',
      'permutation: [M, P, C]',
      'permutation: [M], no_multicast_no_reduction: [Inputs]',
      'no_multicast_no_reduction is not read',
    ],
    ['an unknown key', 'permutation: [M, P, C]', 'swizzle: 3', 'swizzle is not read'],
    ['an unknown level', 'target: Buf', 'target: L2', 'has no level "L2"'],
    ['a level number beyond', 'target: Buf', 'target: 7', 'has no level 7'],
    ['an unknown dimension', '[M=3]', '[Z=3]', 'the problem has no dimension "Z"'],
    ['no factor', '[M=3]', '[M*3]', '"M*3" is no factor'],
    ['a factor that is too large', '[M=3]', '[M=9999999999]', 'is out of range'],
    ['a remainder beyond the bound', '[M=3]', "['M=3,4']", 'is out of range'],
    ['factors that fall short', '[M=3]', '[M=2]', 'MappingError: f.yaml: the factors of M come to 4, the problem has 6'],
    ['factors that go beyond', '[M=3]', '[M=4]', 'the factors of M come to 8, the problem has 6'],
    ['a remainder that does not fit', '[M=3]', "['M=4,1']", 'the factors of M come to 5, the problem has 6'],
    ['two rests', '[C=4, M=2, P=5]', '[C=4, M=0, P=5]', 'ok'],
    ['a rest that is none', '[M=3]', '[M=0]', 'ok'],
    ['a dimension twice', '[C=4, M=2, P=5]', '[C=4, M=2, P=5, M=1]', 'M has two factors'],
    ['an order with one twice', '[M, P, C]', '[M, P, M]', 'M stands twice in the permutation'],
    ['a level twice', 'target: Buf', 'target: Main', 'a second temporal directive for Main'],
    [
      'kept and not',
      '{target: Buf',
      '{target: Buf, type: bypass, keep: [Weights], bypass: [Weights]}\n  - {target: Buf',
      'weights are both kept and bypassed',
    ],
    [
      'an unknown data space',
      '{target: Buf',
      '{target: Buf, type: bypass, keep: [Bias]}\n  - {target: Buf',
      'no data space "Bias"',
    ],
    [
      'an outermost level that passes',
      '{target: Buf',
      '{target: Main, type: bypass, bypass: [Inputs]}\n  - {target: Buf',
      'is the outermost level and keeps',
    ],
    ['a text for a list', MAP, 'mapping: none\n', 'mapping: expected a list, found "none"'],
  ])('%s', (_, from, to, message) => {
    const text = MAP.replace(from, to)
    expect(text).not.toBe(MAP)
    if (message === 'ok') expect(readTimeloop([{ name: 'f.yaml', text: PROBLEM + ARCH + text }]).mapping).toBeDefined()
    else expect(refusalOf(PROBLEM + ARCH + text)).toContain(message)
  })

  test('without the architecture, and rests and remainders without the problem', () => {
    expect(refusalOf(MAP)).toContain('there is no architecture to read the mapping for')
    expect(refusalOf(ARCH + MAP.replace('M=3', 'M=0'))).toContain('M=0 means the rest, and the problem is not known')
    expect(refusalOf(ARCH + MAP.replace('[M=3]', "['M=4,2']"))).toContain('a remainder needs the problem')
    expect(refusalOf(PROBLEM + ARCH + MAP.replace('M=3', 'M=0').replace('M=2', 'M=0'))).toContain('two factors of M are 0')
    expect(refusalOf(PROBLEM + ARCH + MAP.replace('M=3', 'M=0').replace('M=2', 'M=4'))).toContain('6 is no multiple of 4')
  })
})

describe('sections', () => {
  test('unknown, doubled and sparse ones', () => {
    expect(refusalOf(`${PROBLEM}workload: {}\n`)).toContain('f.yaml:9: workload: the section workload is not read')
    expect(refusalOf(`${PROBLEM}sparse_optimizations: {targets: [{name: Buf}]}\n`)).toContain('sparse optimizations are not read')
    expect(readTimeloop([{ name: 'f', text: `${PROBLEM}sparse_optimizations: {version: 0.4, targets: []}\n` }]).problem?.C).toBe(4)
    expect(() =>
      readTimeloop([
        { name: 'a', text: PROBLEM },
        { name: 'b', text: PROBLEM },
      ]),
    ).toThrow('a second problem, beside that of a:2')
    expect(refusalOf('- 1\n- 2\n')).toContain('expected a map, found a list')
  })
})

/** `&a [x, x, …]`, each a list of ten of the one before: 10^9 values in 400 characters. */
function laughs(): string {
  const lines = Array.from(
    { length: 9 },
    (_, at) => `l${at}: &l${at} [${Array.from({ length: 10 }, () => (at === 0 ? '1' : `*l${at - 1}`)).join(', ')}]`,
  )
  return `${lines.join('\n')}\nproblem: *l8\n`
}

describe('hostile files end in a named error within a second', () => {
  test.each<readonly [name: string, text: () => string, message: string]>([
    ['a billion laughs', laughs, 'grows too large through its aliases'],
    ['laughs through merge keys', () => laughs().replaceAll('[', '{a: [').replaceAll(']', ']}'), 'FileFormatError'],
    ['an alias of itself', () => 'problem: &a\n  shape: *a\n', '*a: it is an alias of itself'],
    ['a merge key of itself', () => 'problem: &a\n  <<: *a\n', '*a: it is an alias of itself'],
    ['an alias of nothing', () => 'problem: *nowhere\n', 'FileFormatError'],
    ['lists in lists', () => `problem: ${'['.repeat(100_000)}`, 'FileFormatError'],
    ['lists in lists, closed', () => `problem: ${'['.repeat(2000)}${']'.repeat(2000)}`, 'nested too deeply'],
    ['maps in maps', () => `problem: ${'{a: '.repeat(20_000)}`, 'FileFormatError'],
    ['block lists in lists', () => `problem:\n  ${'- '.repeat(60_000)}1`, 'FileFormatError'],
    [
      'ever further in',
      () => `problem:\n${Array.from({ length: 500 }, (_, at) => `${' '.repeat(at + 1)}a:`).join('\n')}`,
      'nested too deeply',
    ],
    ['100 MB', () => 'problem: {}\n'.padEnd(100_000_000, '#'), 'has 100000000 characters'],
    ['as much as is read', () => `problem: {}\n${'#'.repeat(127 * 1024)}`, 'there is no shape'],
    ['many keys', () => `problem:\n${Array.from({ length: 4000 }, (_, at) => `  k${at}: 1`).join('\n')}`, 'there is no shape'],
    ['one key many times', () => `problem:\n${'  k: 1\n'.repeat(4_000)}`, 'this key is given twice'],
    [
      'many anchors and aliases',
      () => `problem: [${Array.from({ length: 3000 }, (_, at) => `&a${at} ${at}, *a${at}`).join(', ')}]`,
      'expected a map',
    ],
    ['many documents', () => '---\na: 1\n'.repeat(14_000), 'holds several YAML documents'],
    ['many brackets that close nothing', () => `problem: ${']'.repeat(100_000)}`, 'is no YAML: a bracket closes'],
    ['many quotes', () => `problem: ${'"a" '.repeat(10_000)}`, 'this is no YAML'],
    ['all tokens', () => `problem:\n${'  k: 1\n'.repeat(18_000)}`, 'f.yaml is too large (limit 50000 tokens of YAML)'],
    ['many tags', () => `problem: ${'!x '.repeat(50_000)}`, 'FileFormatError'],
    ['many colons', () => `problem: ${'a: '.repeat(50_000)}`, 'FileFormatError'],
    ['many question marks', () => `problem:\n  ${'? '.repeat(50_000)}`, 'FileFormatError'],
    ['many dashes', () => `problem: ${'-'.repeat(100_000)}`, 'expected a map'],
    ['many line breaks', () => `problem:${'\n'.repeat(200_000)}  shape`, 'FileFormatError'],
    ['a block text of many lines', () => `problem: |\n${'  a\n'.repeat(30_000)}`, 'expected a map'],
    ['a plain text over many lines', () => `problem: a\n${'  b\n'.repeat(30_000)}`, 'expected a map'],
    ['tabs', () => `problem:\n\t${'\t'.repeat(100_000)}a: 1`, 'FileFormatError'],
    ['half a template opening many times', () => `problem: "${'{ { '.repeat(30_000)}"`, 'expected a map'],
    ['a template', () => "architecture:\n  nodes: {{include('x.yaml')}}\n", 'f.yaml:2: this is a jinja2 template'],
    ['an include that includes itself', () => "{{include('f.yaml')}}\n", 'f.yaml:1: this is a jinja2 template'],
    ['an include tag', () => 'problem: !include f.yaml\n', 'FileFormatError'],
    ['zero bytes', () => '\0'.repeat(100_000), 'FileFormatError'],
    ['nothing', () => '', 'f.yaml is empty'],
    ['a prototype', () => '__proto__: {problem: 1}\n', 'the section __proto__ is not read'],
    ['a prototype within', () => PROBLEM.replace('C: 4', '__proto__: {C: 4}, C: 4'), 'the shape has no dimension __proto__'],
    ['a constructor', () => PROBLEM.replace('C: 4', 'constructor: 4, C: 4'), 'the shape has no dimension constructor'],
    ['a long factor', () => PROBLEM + ARCH + MAP.replace('[M=3]', `"${'M'.repeat(100_000)}"`), 'FileFormatError'],
    ['a factor of many spaces', () => PROBLEM + ARCH + MAP.replace('[M=3]', `"M${' '.repeat(100_000)}x"`), 'FileFormatError'],
    ['a long permutation', () => PROBLEM + ARCH + MAP.replace('[M, P, C]', `"${'M'.repeat(100_000)}"`), 'FileFormatError'],
    ['a long name', () => ARCH.replace('name: Buf', `name: ${'B'.repeat(100_000)}`), 'is no name'],
    [
      'many levels',
      () =>
        ARCH.replace(
          / {2}- !Component \{name: Buf.*\n/,
          Array.from({ length: 1000 }, (_, at) => `  - {name: B${at}, class: SRAM}\n`).join(''),
        ),
      'there are 1001 levels',
    ],
    [
      'a name of many instances at each level',
      () => ARCH.replace('name: Buf', 'name: "Buf[0..2147483646]"').replace('name: mac', 'name: "mac[0..2147483646]"'),
      'instances',
    ],
  ])('%s', (_, make, message) => {
    const text = make()
    const seconds = processorTime()
    const refusal = refusalOf(text)
    const took = seconds()
    expect(refusal.slice(0, 2000)).toContain(message)
    expect(took).toBeLessThan(1)
    expect(refusal.length).toBeLessThan(4000)
  })

  test('prototypes stay as they are', () => {
    refusalOf('__proto__: {polluted: yes}\nproblem: {__proto__: {polluted: yes}}\n')
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })
})
