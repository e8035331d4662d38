/** The sparse bench without a GPU: its cases, operands and references, where formats break even, its report and tables. */
import { describe, expect, test } from 'vitest'
import { caseNamed, casesNamed } from '../../bench/cases/table.ts'
import {
  DENSITIES,
  SPARSE,
  SPARSE_CASES,
  SPARSE_FAMILIES,
  type FormatCase,
  type ProductCase,
  type RunLengthCase,
  type SparseCase,
} from '../../bench/cases/sparse.ts'
import { ProductReference, prunedFloats, sampledRows, sparseValues } from '../../bench/sparse/operands.ts'
import { crossingOf, sparseFaults, sparseReport, type PointFigures, type SparseResult } from '../../bench/sparse/report.ts'
import type { ContenderFigures, SparseMeasured, SparsePoint } from '../../bench/sparse/measure.ts'
import { denseWork, sparseWork, type Contender } from '../../bench/sparse/work.ts'
import { hostTensor } from '../../bench/work.ts'
import type { Answer, Peer } from '../../bench/protocol.ts'
import { crossingText, listSparse, renderSparse } from '../../src/cli/bench-sparse.ts'
import { colorsFor } from '../../src/cli/context.ts'
import { runLengthRatio } from '../../src/cost/compression.ts'
import { opNamed } from '../../src/ops/registry.ts'
import { parseAttributes } from '../../src/ops/run.ts'
import { checkTwoOfFour, packTwoOfFour, unpackTwoOfFour } from '../../src/sparsity/two-of-four.ts'
import { tensor } from '../../src/tensor/tensor.ts'

/** What the reference of a contender's only op gives: its first result. */
function computed({ work: { graph, feeds } }: Contender): ArrayLike<number> {
  if (typeof graph === 'string') throw new Error('The contender is no graph')
  const [node] = graph.nodes
  if (node === undefined || graph.nodes.length > 1) throw new Error('The contender is not one op')
  const definition = opNamed(node.op)
  const inputs = node.inputs.map((name) => {
    if (name === null) return null
    const feed = feeds[name]
    return feed === undefined ? (graph.constants.get(name) ?? null) : hostTensor(feed)
  })
  const attributes = parseAttributes(definition, node.attributes)
  const [result] = definition.reference(inputs, attributes)
  if (result === undefined) throw new Error('The op gave nothing')
  return result.tensor.values as ArrayLike<number>
}

/** A number to so many decimals. */
const near = (value: number, digits: number): unknown => expect.closeTo(value, digits)

const product = (dtype: ProductCase['dtype'], more: Partial<ProductCase> = {}): ProductCase => ({
  name: 'tiny',
  family: '2:4',
  dtype,
  m: 3,
  n: 8,
  k: 256,
  share: 1,
  ...more,
})

describe('cases', () => {
  test('have unique names, every family some; a quick one of each kind that is there', () => {
    expect(new Set(SPARSE_CASES.map(({ name }) => name)).size).toBe(SPARSE_CASES.length)
    for (const family of SPARSE_FAMILIES)
      expect(
        SPARSE_CASES.some((item) => item.family === family),
        family,
      ).toBe(true)
    expect(SPARSE_CASES.filter(({ name }) => SPARSE.quick.includes(name))).toHaveLength(SPARSE.quick.length)
    expect(casesNamed(SPARSE, '2:4-conv').length).toBeGreaterThanOrEqual(10)
  })

  test('count the work and the bytes of the dense product; the largest are for GPUs', () => {
    const item = caseNamed(SPARSE, 'm16-4096x4096-f16')
    expect([SPARSE.macs(item), SPARSE.leastBytes(item)]).toEqual([16 * 4096 ** 2, 2 * (4096 ** 2 + 2 * 16 * 4096)])
    const largest = caseNamed(SPARSE, 'm4096-4096x4096-f32')
    expect(SPARSE.leftOut(largest, true)).toMatch(/for GPUs/)
    expect(SPARSE.leftOut(largest, false)).toBeUndefined()
    expect(SPARSE.leftOut(item, true)).toBeUndefined()
    // In software, of what is alike one speaks for the others, unless they are named.
    const layer = caseNamed(SPARSE, '2:4-resnet50-1x1-256-64-56-f32')
    expect([SPARSE.leftOut(layer, true), SPARSE.leftOut(layer, true, true), SPARSE.leftOut(layer, false)]).toEqual([
      expect.stringMatching(/--cases/),
      undefined,
      undefined,
    ])
    const left = SPARSE_CASES.filter((one) => SPARSE.leftOut(one, true) === undefined).map(({ family }) => family)
    expect(left.filter((family) => family === '2:4-conv')).toHaveLength(3)
    expect(new Set(left)).toEqual(new Set(SPARSE_FAMILIES))
  })
})

describe('operands', () => {
  test('of 2:4 hold the pattern, with two of every four not zero, in shared lines at the same places', () => {
    const w = prunedFloats('f32', [16, 64], 8)
    checkTwoOfFour(w, 8)
    for (let group = 0; group < 16 * 16; group++) {
      expect([...w.values.slice(4 * group, 4 * group + 4)].filter((value) => value !== 0)).toHaveLength(2)
    }
    expect(unpackTwoOfFour(packTwoOfFour(w, { share: 8 }))).toEqual(w)
  })

  test('of a density have it; a sparser tensor is among a denser one', () => {
    const [dense, sparse] = [sparseValues('f16', [100, 100], 0.5), sparseValues('f16', [100, 100], 0.1)]
    const count = (values: ArrayLike<number>): number => Array.from(values).filter((value) => value !== 0).length
    expect(count(dense.values) / 1e4).toBeCloseTo(0.5, 1)
    expect(count(sparse.values) / 1e4).toBeCloseTo(0.1, 1)
    for (const [index, value] of Array.from(sparse.values).entries()) if (value !== 0) expect(dense.values[index]).toBe(value)
  })

  test('are held against a reference that tells right from wrong', () => {
    const [x, w] = [tensor([1, 2, 3, 4], [2, 2]), tensor([1, 0, 0, 1, 1, 1], [3, 2])]
    const reference = new ProductReference(x, w)
    expect(reference.errorOf([1, 2, 3, 3, 4, 7])).toEqual({ relative: 0, rows: 2, of: 2 })
    expect(reference.errorOf([1, 2, 3, 3, 4, 0]).relative).toBe(1)
    expect(reference.errorOf([1, 2, 3, 3, NaN, 7]).relative).toBe(Infinity)
    expect(() => reference.errorOf([1])).toThrow('1 values for a product of 6')
    const zero = new ProductReference(x, tensor(new Float32Array(6), [3, 2]))
    expect(() => zero.errorOf(new Float32Array(6))).toThrow('nothing was compared')
    expect(sampledRows(128, 4096 ** 2)).toEqual([0, 127])
    expect(sampledRows(1, 4096 ** 2)).toEqual([0])
  })
})

describe('contenders', () => {
  test.each<[string, ProductCase, number]>([
    ['f32', product('f32'), 8.5 / 16],
    ['f16', product('f16'), 4.5 / 8],
    ['f32, lines alike', product('f32', { share: 4 }), 8.125 / 16],
    ['int8', product('int8'), (2.5 + 4 / 32) / (4 + 4 / 32)],
    ['int4', product('int4'), (1.5 + 4 / 32) / (2 + 4 / 32)],
  ])('of %s compute the same product; their bytes are those of their formats', (_, item, part) => {
    const { dense, challengers } = sparseWork(item, true)
    const [sparse] = challengers.map(({ make }) => make())
    const [first] = dense
    if (first === undefined || sparse === undefined) throw new Error('A contender is missing')
    // Floats lie in two ways, [K, N] and [N, K].
    expect(dense).toHaveLength(item.dtype.startsWith('int') ? 1 : 2)
    for (const contender of [...dense, sparse]) {
      const error = contender.work.error(computed(contender))
      expect(error).toMatchObject({ rows: 3, of: 3 })
      expect(error?.relative).toBeLessThan(item.dtype === 'f16' ? 1e-3 : 1e-6)
    }
    expect(sparse.weight_bytes / first.weight_bytes).toBeCloseTo(part, 10)
    expect(first.bytes - first.weight_bytes).toBe(sparse.bytes - sparse.weight_bytes)
    expect(denseWork(item, true).name).toBe('tiny')
  })

  test.each(['csr', 'csc', 'eie'] as const)('of %s compute the product of their density', (format) => {
    const item: FormatCase = { name: 'tiny', family: 'break-even', dtype: 'f32', format, m: 2, n: 70, k: 65 }
    const { challengers } = sparseWork(item, true)
    expect(challengers.map(({ density }) => density)).toEqual(DENSITIES)
    let before = Infinity
    for (const { make } of challengers) {
      const contender = make()
      expect(contender.work.error(computed(contender))?.relative).toBeLessThan(1e-6)
      expect(contender.weight_bytes).toBeLessThanOrEqual(before)
      before = contender.weight_bytes
    }
  })

  test('of run lengths are the code and the values again', () => {
    const item: RunLengthCase = { name: 'tiny', family: 'run-length', dtype: 'f16', count: 5000 }
    const { dense, challengers } = sparseWork(item, true)
    expect(dense).toEqual([])
    for (const { label, density, make } of challengers) {
      const contender = make()
      expect(contender.work.error(computed(contender)), `${label} ${density}`).toMatchObject({ relative: 0 })
      expect(contender.weight_bytes / 10_000).toBeCloseTo(runLengthRatio(1 - density), 1)
    }
    const [first] = challengers
    if (first === undefined) throw new Error('There is no code')
    const contender = first.make()
    const wrong = Array.from(computed(contender), (word, index) => (index === 7 ? word + 1 : word))
    expect(contender.work.error(wrong)?.relative).toBeGreaterThan(0)
    expect(() => denseWork(item, true)).toThrow('no dense kernel')
  })
})

const error = { relative: 1e-7, rows: 1, of: 1 }
const figures: ContenderFigures = { weight_bytes: 1000, bytes: 1200, first_ms: 3, kernel: 'by rule: tiles', error }
/** Runs of `ms` beside dense ones of `dense`. */
function point(label: string, density: number, ms: number, dense = 2): SparsePoint {
  const turns = (each: number) => ({ samples_ms: [each, 2 * each, each], kernels_ms: [each / 2, each] })
  return { label, density, ...figures, bytes: 600, own: turns(ms), dense: turns(dense) }
}

describe('break-even', () => {
  const known = (ratios: readonly (readonly [density: number, ratio: number])[]): PointFigures[] =>
    ratios.map(([density, ratio]) => ({ ...point('csr', density, 1), ms: 1, gb_per_s: 1, ratio }))

  test('is where the ratio passes 1 between two densities, in logarithms', () => {
    expect(
      crossingOf(
        known([
          [0.5, 0.25],
          [0.1, 0.5],
          [0.05, 2],
        ]),
        true,
      ),
    ).toEqual({ at: near(Math.sqrt(0.1 * 0.05), 6) })
    expect(
      crossingOf(
        known([
          [0.1, 2],
          [0.5, 1.5],
        ]),
        true,
      ),
    ).toEqual({ above: 0.5 })
    expect(
      crossingOf(
        known([
          [0.1, 0.7],
          [0.01, 0.9],
        ]),
        true,
      ),
    ).toEqual({ below: 0.01 })
    expect(crossingOf([], true)).toBeUndefined()
    // Faster once more among denser ones: what counts is below which density all are faster.
    expect(
      crossingOf(
        known([
          [0.5, 1.2],
          [0.3, 0.5],
          [0.1, 2],
        ]),
        true,
      ),
    ).toEqual({ at: near(Math.sqrt(0.3 * 0.1), 6) })
  })

  test('leaves wrong results out, and goes by kernels on a GPU', () => {
    const [one, two] = known([
      [0.5, 0.5],
      [0.05, 2],
    ])
    if (one === undefined || two === undefined) throw new Error('There are two points')
    expect(crossingOf([one, { ...two, wrong: true }], true)).toEqual({ below: 0.5 })
    expect(
      crossingOf(
        [
          { ...one, kernel_ratio: 1.5 },
          { ...two, kernel_ratio: 3 },
        ],
        false,
      ),
    ).toEqual({ above: 0.5 })
  })

  test('is said in words', () => {
    expect(crossingText({ at: 0.2134 })).toBe('breaks even at a density of 0.21')
    expect(crossingText({ above: 0.5 })).toContain('up to 0.5')
    expect(crossingText({ below: 0.01 })).toContain('slower than dense even at a density of 0.01')
    expect(crossingText(undefined)).toBe('nothing was compared')
  })
})

describe('the report', () => {
  const answer = (points: readonly SparsePoint[], more: Partial<SparseMeasured> = {}): SparseMeasured => ({
    status: 'ok',
    open_ms: 1,
    peak_rss_bytes: 1,
    version: 'tilewright 1',
    toggles: [],
    dense: figures,
    points,
    busy_others: 0.1,
    unheld: [],
    ...more,
  })
  const result = (name: string, own: SparseResult['own'], others: Partial<Record<Peer, Answer>> = {}): SparseResult => ({
    item: caseNamed(SPARSE, name),
    own,
    others: new Map(Object.entries(others) as [Peer, Answer][]),
  })
  const findings = (results: readonly SparseResult[]) => ({
    adapter: { vendor: '', architecture: '', device: '', description: 'Some GPU', software: true, features: [], toggles: [] },
    machine: { processor: 'CPU', processors: 2, load: 0.5, load_before: 0.2, node: 'v20', platform: 'linux x64' },
    roof: { flops: { f32: 5e10 }, bytes_per_s: 1e10 },
    rounds: 1,
    seconds: 12.4,
    tuned: false,
    peers: ['tilewright', 'ort-webgpu'] as const,
    complete: true,
    results,
  })
  const context = { out: { write: () => {}, isTTY: false, columns: 80 }, err: { write: () => {}, isTTY: false, columns: 80 } }
  const plain = colorsFor({ ...context, signal: new AbortController().signal, env: {} }, context.out)

  const measured: Answer = {
    status: 'ok',
    open_ms: 1,
    first_ms: 1,
    end_to_end: { samples_ms: [5], repeats: 1 },
    resident: { samples_ms: [4], repeats: 1 },
    peak_rss_bytes: 1,
    version: 'onnxruntime-node 1',
    toggles: [],
  }
  const { dense: _, ...encoded } = point('encode', 0.5, 1)
  const { dense: __, ...codeAnswer } = answer([{ ...encoded, weight_bytes: 2 ** 20, error: { ...error, relative: 0 } }], {
    unheld: [{ label: 'decode', density: 0.5, reason: 'no halves' }],
  })
  const onGpu = sparseReport({
    ...findings([result('m1-4096x4096-f32', [answer([point('2:4', 0.5, 1.25)])])]),
    adapter: { ...findings([]).adapter, software: false },
  })
  const report = sparseReport(
    findings([
      result('m1-4096x4096-f32', [answer([point('2:4', 0.5, 1.25)]), answer([point('2:4', 0.5, 1)])], { 'ort-webgpu': measured }),
      result('m16-4096x4096-f32', [answer([{ ...point('2:4', 0.5, 4), error: { ...error, relative: 0.5 } }])]),
      result('2:4-resnet50-1x1-256-64-56-f32', [{ status: 'cannot', reason: 'OptionError: no such thing' }]),
      result('csr-m1-2048x2048-f32', [answer(DENSITIES.map((density) => point('csr', density, 8 * density)))]),
      result('run-length-1048576-f16', [codeAnswer]),
      { ...result('m4096-4096x4096-f32', []), left_out: 'for GPUs' },
    ]),
  )
  const [first, wrong, none, csr, code] = report.cases

  test('has medians over all rounds, ratios as their quotients, and the spread of neighbours', () => {
    // Three pairs of 2 / 1.25, three of 2 / 1.
    expect(first?.points[0]).toMatchObject({
      ms: near(1.25, 6),
      dense_ms: 2,
      ratio: near(1.6, 6),
      spread: near(0.2, 6),
      byte_ratio: 2,
    })
    for (const { points } of report.cases) {
      for (const { ms, dense_ms, ratio, dense_kernel_ms, kernel_ms, kernel_ratio } of points) {
        expect(ratio).toBe(dense_ms === undefined ? undefined : dense_ms / ms)
        expect(kernel_ratio).toBe(dense_kernel_ms === undefined ? undefined : dense_kernel_ms / (kernel_ms ?? NaN))
      }
    }
    // Of a software adapter by the wall clock, of a GPU by kernels: the time that the ratio that counts is of.
    expect(first?.dense).toMatchObject({ ms: 2, kernel_ms: 1.5, bytes: 1200, gb_per_s: 1200 / 2 / 1e6 })
    expect(onGpu.cases[0]?.dense?.gb_per_s).toBe(1200 / 1.5 / 1e6)
    expect(first?.peers['ort-webgpu']).toEqual({ status: 'ok', ms: 4 })
  })

  test('finds the break-even, the ratio of the code, the means of what is right, and all faults', () => {
    expect(csr?.crossing).toEqual({ at: near(0.25, 2) })
    expect(code?.points[0]).toMatchObject({ code_ratio: 0.5, expected_code_ratio: runLengthRatio(0.5) })
    expect(wrong?.points[0]?.wrong).toBe(true)
    expect(none?.fault).toMatch(/no such thing/)
    expect(report.means).toEqual([{ what: '2:4 f32, up to 16 rows', cases: 1, ratio: near(1.6, 6), byte_ratio: near(2, 6) }])
    expect(sparseFaults(report)).toEqual([
      ['m16-4096x4096-f32, 2:4', 'its result is wrong: relative error 5.0e-1'],
      ['2:4-resnet50-1x1-256-64-56-f32', 'OptionError: no such thing'],
      ['run-length-1048576-f16, decode at 0.5', 'no halves'],
    ])
  })

  test('is shown in sections, with a chart, at most 120 columns wide', () => {
    const text = renderSparse(report, plain)
    expect(text).toMatch(/^m1-4096x4096-f32 +2\.00 ms +1\.25 ms +1\.60× +0\.20 +.* 80 % .* 4\.00 ms$/m)
    expect(text).toMatch(/^m16-4096x4096-f32 .* wrong +0\.500×/m)
    expect(text).toMatch(
      /^csr-m1-2048x2048-f32: density of weights, dense 0\.00100 MB of weights; breaks even at a density of 0\.25$/m,
    )
    // Twice the dense time at 0.5: the bar runs through the line to the end; a fifth at 0.05.
    expect(text).toMatch(/^ +0\.5 .* █{20}│█{19}$/m)
    expect(text).toMatch(/^ +0\.05 .* █{4} {16}│/m)
    expect(text).toMatch(/^ +0\.05 +2\.00 ms +400 µs +5\.00×/m)
    expect(text).toContain('12 s in all')
    expect(text).not.toContain('…')
    expect(text).not.toContain('Not quiet')
    expect(text).toMatch(/^ +50 % +0\.500 +0\.\d{3} /m)
    expect(text).toContain('Not run, for GPUs: m4096-4096x4096-f32')
    expect(text).toContain('No figures: OptionError: no such thing: 2:4-resnet50-1x1-256-64-56-f32')
    expect(text).toContain('bytes alone would give 2.00×')
    for (const line of text.split('\n')) expect([...line].length, line).toBeLessThanOrEqual(120)
  })

  test('says where figures are not quiet, and which kernels took longer alone', () => {
    const slow = point('2:4', 0.5, 1)
    const loud = sparseReport({
      ...findings([
        result('m1-4096x4096-f32', [answer([point('2:4', 0.5, 1)], { busy_others: 0.7 })]),
        result('m2-4096x4096-f32', [answer([{ ...slow, own: { ...slow.own, kernels_ms: [2, 2] } }])]),
      ]),
      machine: { ...findings([]).machine, load_before: 1.5 },
    })
    expect(loud.cases[1]?.points[0]).toMatchObject({ kernel_doubtful: true, kernel_ms: 2 })
    expect(loud.cases[1]?.points[0]).not.toHaveProperty('kernel_ratio')
    const text = renderSparse(loud, plain).replaceAll(/\s+/g, ' ')
    expect(text).toContain('Not quiet: the load average was 1.5 on 2 processors before the bench began.')
    expect(text).toContain('up to 0.7 of 2 processors busy; take these figures for rough: m1-4096x4096-f32.')
    expect(text).toMatch(/m2-4096x4096-f32 2\.00 ms 1\.00 ms 2\.00× 0\.00 \* /)
    expect(text).toMatch(/in no ratio\. m2-4096x4096-f32/)
  })

  test('of every case at once stays within its width', () => {
    const all = (item: SparseCase): SparseMeasured => {
      const { challengers } = item.family === 'break-even' ? { challengers: DENSITIES } : { challengers: [0.5] as const }
      return answer(challengers.map((density) => point('2:4', density, 1234.5 * density)))
    }
    const wide = sparseReport(findings(SPARSE_CASES.map((item) => result(item.name, [all(item)], { 'ort-webgpu': measured }))))
    for (const line of renderSparse(wide, plain).split('\n')) expect([...line].length, line).toBeLessThanOrEqual(120)
    for (const line of listSparse(SPARSE_CASES, plain).split('\n')) expect([...line].length, line).toBeLessThanOrEqual(120)
  })
})
