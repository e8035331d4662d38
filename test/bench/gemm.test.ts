/** The bench without a GPU: its cases, operands, models, rule of sampling, figures. */
import { mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { GEMM, GEMM_CASES, leastBytes, leftOut, macs, type GemmCase } from '../../bench/cases/gemm.ts'
import { casesNamed } from '../../bench/cases/table.ts'
import { gemmGraph } from '../../bench/gemm/graph.ts'
import { errorOf, operandA, operandB, packedB, sampledRows } from '../../bench/gemm/operands.ts'
import { identityModel } from '../../bench/engines/ort.ts'
import { installPeers, missingPeers, peersFolder } from '../../bench/engines/peers.ts'
import { median, repeatsFor, sample } from '../../bench/engines/sample.ts'
import { answerIn, answerLine, engineAnswer, PEERS, type Answer, type Measured, type Peer } from '../../bench/protocol.ts'
import { faultsOf, geometricMean, reportOf, roofTime, type BenchReport } from '../../bench/report.ts'
import { merged } from '../../bench/run.ts'
import { OptionError } from '../../src/errors.ts'
import { exportOnnx } from '../../src/formats/onnx/export.ts'
import { decodeModel } from '../../src/formats/onnx/decode.ts'
import { float16Array } from '../../src/tensor/half.ts'

const folder = mkdtempSync(join(tmpdir(), 'tilewright-bench-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function tiny(dtype: GemmCase['dtype'], more: Partial<GemmCase> = {}): GemmCase {
  return { name: 'tiny', family: 'odd', dtype, batch: 1, m: 5, n: 7, k: 64, transposed: dtype === 'int4', weights: true, ...more }
}

describe('cases', () => {
  test('names are unique and say what they are; every family has some', () => {
    expect(new Set(GEMM_CASES.map(({ name }) => name)).size).toBe(GEMM_CASES.length)
    for (const { name, dtype, k } of GEMM_CASES) {
      expect(name.endsWith(`-${dtype}`)).toBe(true)
      if (dtype === 'int4') expect(k % 32).toBe(0)
    }
    expect(new Set(GEMM_CASES.map(({ family }) => family))).toEqual(new Set(GEMM.families))
    for (const name of GEMM.quick) expect(GEMM_CASES.some((item) => item.name === name)).toBe(true)
  })

  test('globs choose in the order of the table; one that fits nothing is an error', () => {
    expect(casesNamed(GEMM, 'odd-1x*, square-256-f32').map(({ name }) => name)).toEqual(['square-256-f32', 'odd-1x4099x4093-f32'])
    expect(casesNamed(GEMM, 'llm-m1-*').map(({ m }) => m)).toEqual([1, 1, 1, 1, 1, 1])
    // A dot is a dot.
    expect(() => casesNamed(GEMM, 'square.256-f32')).toThrow(OptionError)
    expect(() => casesNamed(GEMM, 'square-256-f32,nothing*')).toThrow(/nothing\*/)
  })

  test('on a software adapter squares end at 2048, on a GPU none is left out', () => {
    const left = GEMM_CASES.filter((item) => leftOut(item, true) !== undefined).map(({ name }) => name)
    expect(left).toEqual(['square-4096-f32', 'square-4096-f16'])
    expect(GEMM_CASES.some((item) => leftOut(item, false) !== undefined)).toBe(false)
  })

  test('work and least traffic', () => {
    const [attention] = casesNamed(GEMM, 'bert-scores-*')
    expect(attention && macs(attention)).toBe(12 * 128 * 64 * 128)
    expect(attention && leastBytes(attention)).toBe(12 * 4 * (128 * 64 + 64 * 128 + 128 * 128))
    const [weights] = casesNamed(GEMM, 'llm-m1-4096x4096-int4')
    // Half a byte each and an f32 scale for 32 of them.
    expect(weights && leastBytes(weights)).toBe(4 * 4096 + 4096 * 4096 * (0.5 + 0.125) + 4 * 4096)
  })
})

/** The product by three loops over the operands as the engines are handed them. */
function product(item: GemmCase): Float64Array {
  const { batch, m, n, k, dtype, transposed } = item
  const numbers = (values: ReturnType<typeof operandA>): ArrayLike<number> =>
    values instanceof Uint16Array ? float16Array(values.buffer, 0, values.length) : values
  const a = numbers(operandA(item))
  let b: ArrayLike<number>
  if (dtype === 'int4') {
    const { codes, scales } = packedB(item)
    b = Float64Array.from({ length: n * k }, (_, index) => {
      const byte = codes[index >> 1] ?? NaN
      return (((index & 1) === 0 ? byte & 15 : byte >> 4) - 8) * (scales[Math.floor(index / 32)] ?? NaN)
    })
  } else b = numbers(operandB(item))
  const c = new Float64Array(batch * m * n)
  for (let part = 0; part < batch; part++) {
    for (let row = 0; row < m; row++) {
      for (let column = 0; column < n; column++) {
        let sum = 0
        for (let depth = 0; depth < k; depth++) {
          const at = transposed ? column * k + depth : depth * n + column
          sum += (a[(part * m + row) * k + depth] ?? NaN) * (b[part * k * n + at] ?? NaN)
        }
        c[(part * m + row) * n + column] = sum
      }
    }
  }
  return c
}

describe('operands and their reference', () => {
  const cases = [tiny('f32'), tiny('f32', { transposed: true }), tiny('f32', { batch: 3 }), tiny('f16'), tiny('int8'), tiny('int4')]

  test.each(cases)('$dtype, batch $batch, transposed $transposed: the reference is the product of what is handed out', (item) => {
    const c = product(item)
    const error = errorOf(item, c)
    expect(error).toMatchObject({ rows: item.batch * item.m, of: item.batch * item.m })
    expect(error.relative).toBeLessThan(1e-12)
    // Values are not all alike, and none is out of range.
    expect(new Set(c).size).toBeGreaterThan(c.length / 2)
  })

  test('one wrong value, a NaN, an infinity and a missing row show', () => {
    const item = tiny('f32', { batch: 2 })
    const c = product(item)
    const largest = Math.max(...c.map(Math.abs))
    for (const [wrong, relative] of [
      [(c[40] ?? 0) + largest / 4, 0.25],
      [NaN, Infinity],
      [Infinity, Infinity],
    ] as const) {
      const changed = c.slice()
      changed[40] = wrong
      expect(errorOf(item, changed).relative).toBeCloseTo(relative, 9)
    }
    expect(() => errorOf(item, c.subarray(1))).toThrow('values')
  })

  test('f16 operands are what their bits say, over the whole range', () => {
    const bits = operandA(tiny('f16', { m: 100, k: 100 }))
    if (!(bits instanceof Uint16Array)) throw new Error('half floats are handed out as bits')
    const values = float16Array(bits.buffer, 0, bits.length)
    expect(Math.min(...values)).toBeLessThan(-0.99)
    expect(Math.max(...values)).toBeGreaterThan(0.99)
    expect([...values].every((value) => Number.isInteger(value * 1024))).toBe(true)
  })

  test('large products are sampled from the first row to the last', () => {
    const [large] = casesNamed(GEMM, 'square-2048-f32')
    if (large === undefined) throw new Error('the case is there')
    const rows = sampledRows(large)
    expect(rows.length).toBeGreaterThan(10)
    expect([rows[0], rows.at(-1)]).toEqual([0, 2047])
    expect(sampledRows(tiny('f32'))).toEqual([0, 1, 2, 3, 4])
  })
})

describe('models for ONNX Runtime', () => {
  test.each([
    [tiny('f32'), 'MatMul', ['a'], ['b']],
    [tiny('f16', { batch: 2, weights: false }), 'MatMul', ['a', 'b'], []],
    [tiny('f32', { transposed: true }), 'Gemm', ['a'], ['b']],
    [tiny('int8'), 'MatMulInteger', ['a'], ['b']],
    [tiny('int4'), 'MatMulNBits', ['a'], ['b', 'scales']],
  ] as const)('$0.dtype: one %s', (item, op, inputs, weights) => {
    const { graph } = decodeModel(exportOnnx(gemmGraph(item)))
    expect(graph.node.map(({ opType }) => opType)).toEqual([op])
    expect(graph.input.map(({ name }) => name)).toEqual(inputs)
    expect(graph.initializer.map(({ name }) => name)).toEqual(weights)
  })

  test('the identity hands its input on', () => {
    const { graph } = decodeModel(identityModel({ dtype: 'f16', shape: [2, 3] }))
    expect(graph.node.map(({ opType, input, output }) => [opType, input, output])).toEqual([['Identity', ['a'], ['c']]])
  })
})

describe('sampling', () => {
  test('fills a sample, within limits', () => {
    expect([repeatsFor(1, 100), repeatsFor(33, 100), repeatsFor(5000, 100), repeatsFor(0, 100)]).toEqual([100, 3, 1, 4096])
    expect([median([3, 1, 2]), median([4, 1, 2, 3])]).toEqual([2, 2.5])
    expect(() => median([])).toThrow('no values')
  })

  test('warms up first, then takes as many samples as the rule says, alike', async () => {
    const runs: number[] = []
    const wait = async (repeats: number): Promise<void> => {
      runs.push(repeats)
      await new Promise((resolve) => setTimeout(resolve, 2 * repeats))
    }
    const { samples_ms, repeats } = await sample(wait, { warm_ms: 20, sample_ms: 10, samples: 3 })
    expect(samples_ms).toHaveLength(3)
    expect(runs.slice(-3)).toEqual([repeats, repeats, repeats])
    expect(runs.length).toBeGreaterThan(4)
    runs.length = 0
    await sample(wait, { warm_ms: 0, sample_ms: 0, samples: 1 })
    expect(runs).toEqual([1])
  })
})

const measured = (resident: number, more: Partial<Measured> = {}): Measured => ({
  status: 'ok',
  open_ms: 1,
  first_ms: 10 * resident,
  end_to_end: { samples_ms: [resident + 1], repeats: 1 },
  resident: { samples_ms: [resident + 5, resident, resident - 5], repeats: 2 },
  error: { relative: 1e-6, rows: 1, of: 1 },
  peak_rss_bytes: 1,
  version: 'x 1',
  toggles: [],
  ...more,
})

function reported(answers: readonly Partial<Record<Peer, Answer>>[]): BenchReport {
  const items = GEMM_CASES.filter(({ family, dtype }) => family === 'square' && dtype === 'f32')
  return reportOf(GEMM, {
    adapter: { vendor: '', architecture: '', device: 'd', description: '', software: true, features: [], toggles: [] },
    roof: { flops: { f32: 1e11 }, bytes_per_s: 1e10 },
    peers: PEERS,
    results: answers.map((row, index) => {
      const item = items[index]
      if (item === undefined) throw new Error('more answers than cases')
      return { item, answers: new Map(Object.entries(row) as [Peer, Answer][]) }
    }),
    machine: { processor: 'p', processors: 1, load: 0, load_before: 0, node: 'v', platform: 'l' },
    shader_caches: 'off',
    rounds: 1,
    tuned: false,
    complete: true,
  })
}

describe('figures', () => {
  test('ratios are of medians, means over what both hold', () => {
    const report = reported([
      { tilewright: measured(10), 'ort-webgpu': measured(20) },
      { tilewright: measured(10), 'ort-webgpu': measured(80) },
      { tilewright: measured(10), 'ort-webgpu': { status: 'cannot', reason: 'no kernel' } },
      { tilewright: { status: 'cannot', reason: 'no op' }, 'ort-webgpu': measured(9) },
    ])
    expect(report.means['ort-webgpu']).toMatchObject({ cases: 2, least: { case: 'square-256-f32', resident: 2 } })
    expect(report.means['ort-webgpu']?.resident).toBeCloseTo(4, 12)
    expect(report.means['ort-webgpu']?.first).toBeCloseTo(4, 12)
    expect(report.means.tilewright).toBeUndefined()
    expect(faultsOf(report)).toEqual([['square-2048-f32, tilewright', 'no op']])
  })

  test('a wrong result counts for nobody', () => {
    const wrong = { error: { relative: 0.5, rows: 1, of: 1 } }
    const report = reported([
      { tilewright: measured(10), 'tfjs-webgpu': measured(20, wrong) },
      { tilewright: measured(1, wrong), 'tfjs-webgpu': measured(20) },
      { tilewright: measured(1, { error: { relative: NaN, rows: 1, of: 1 } }), 'tfjs-webgpu': measured(20) },
    ])
    expect(report.means['tfjs-webgpu']).toBeUndefined()
    expect(faultsOf(report).map(([where]) => where)).toEqual(['square-512-f32, tilewright', 'square-1024-f32, tilewright'])
  })

  test('the share is of what binds: the peak, or the bandwidth', () => {
    const [square, vector] = [casesNamed(GEMM, 'square-1024-f32')[0], casesNamed(GEMM, 'llm-m1-4096x4096-f32')[0]]
    const [half, byte] = [casesNamed(GEMM, 'square-1024-f16')[0], casesNamed(GEMM, 'square-1024-int8')[0]]
    if (square === undefined || vector === undefined || half === undefined || byte === undefined) throw new Error('cases are there')
    const roof = { flops: { f32: 1e11, f16: 2e11 }, bytes_per_s: 1e10 }
    expect(roofTime(GEMM, square, roof)).toEqual({ seconds: (2 * 1024 ** 3) / 1e11, bound: 'peak' })
    expect(roofTime(GEMM, half, roof)).toEqual({ seconds: (2 * 1024 ** 3) / 2e11, bound: 'peak' })
    expect(roofTime(GEMM, vector, roof)).toEqual({ seconds: leastBytes(vector) / 1e10, bound: 'bandwidth' })
    expect(roofTime(GEMM, byte, roof).bound).toBe('bandwidth')
    const bytes = { ...roof, flops: { ...roof.flops, i8: 4e11 } }
    expect(roofTime(GEMM, byte, bytes)).toEqual({ seconds: (2 * 1024 ** 3) / 4e11, bound: 'peak' })
    const { peers } = reported([{ tilewright: measured(10) }]).cases[0] ?? {}
    const ours = peers?.tilewright
    expect(ours?.status === 'ok' && ours.share).toBeCloseTo((2 * 256 ** 3) / 1e11 / 0.01, 12)
  })

  test('rounds are taken together, and one that failed fails them', () => {
    const both = merged([measured(10), measured(30, { error: { relative: 1e-3, rows: 1, of: 1 } })])
    expect(both).toMatchObject({ first_ms: 200, error: { relative: 1e-3 }, resident: { samples_ms: [15, 10, 5, 35, 30, 25] } })
    expect(merged([measured(10), { status: 'failed', reason: 'crashed' }])).toEqual({ status: 'failed', reason: 'crashed' })
  })

  test('the geometric mean', () => {
    expect(geometricMean([1, 4])).toBeCloseTo(2, 12)
    expect(() => geometricMean([])).toThrow('no values')
  })
})

test('an answer is found in what engines print around it', () => {
  const answer: Answer = { status: 'cannot', reason: 'no {kernel}\nat all' }
  expect(answerIn(`Warning: x\nno newline${answerLine(answer)}more`, engineAnswer)).toEqual(answer)
  expect(answerIn('Segmentation fault', engineAnswer)).toBeUndefined()
})

describe('the peers', () => {
  const dependencies = { 'some-engine': '1.2.3' }
  const place = (name: string): string => {
    const at = join(folder, name)
    mkdirSync(join(at, 'node_modules', 'some-engine'), { recursive: true })
    writeFileSync(join(at, 'package.json'), JSON.stringify({ dependencies }))
    return at
  }
  /** A program that stands for npm: it writes what it is told, and ends as it is told. */
  const npm = (name: string, version: string, code: number): string => {
    const at = join(folder, name)
    const found = JSON.stringify(JSON.stringify({ version }))
    const lines = [
      '#!/usr/bin/env node',
      `require('node:fs').writeFileSync('node_modules/some-engine/package.json', ${found})`,
      `require('node:fs').writeFileSync('asked', process.argv.slice(2).join(' ') + process.env.npm_config_onnxruntime_node_install)`,
      `console.error('npm error no network'); process.exitCode = ${code}`,
    ]
    writeFileSync(at, `${lines.join('\n')}\n`, { mode: 0o755 })
    return at
  }

  test('are pinned in bench/peers, with a lockfile that names no host', () => {
    const at = peersFolder()
    const lock = readFileSync(join(at, 'package-lock.json'), 'utf8')
    const wanted = JSON.parse(readFileSync(join(at, 'package.json'), 'utf8')) as { dependencies: Record<string, string> }
    expect(Object.keys(wanted.dependencies)).toContain('onnxruntime-node')
    for (const version of Object.values(wanted.dependencies)) expect(version).toMatch(/^\d+\.\d+\.\d+$/)
    expect(lock).not.toContain('"resolved"')
  })

  test('another version is missing, and is installed without its own download', async () => {
    const at = place('stale')
    writeFileSync(join(at, 'node_modules', 'some-engine', 'package.json'), '{ "version": "1.2.2" }')
    expect(missingPeers(at)).toEqual(['some-engine@1.2.3'])
    await installPeers(at, new AbortController().signal, npm('npm-good', '1.2.3', 0))
    expect(missingPeers(at)).toEqual([])
    expect(readFileSync(join(at, 'asked'), 'utf8')).toMatch(/^ci .*skip$/)
  })

  test('what npm says reaches the person, a stop is a stop', async () => {
    const at = place('bad')
    const never = new AbortController().signal
    await expect(installPeers(at, never, npm('npm-bad', '1', 1))).rejects.toThrow(/no network.*some-engine@1\.2\.3/)
    await expect(installPeers(at, never, npm('npm-other', '9.9.9', 0))).rejects.toThrow(/some-engine@1\.2\.3/)
    await expect(installPeers(at, never, join(folder, 'no-such-npm'))).rejects.toThrow(/ENOENT/)
    await expect(installPeers(at, AbortSignal.abort(new Error('stop')), npm('npm-late', '1.2.3', 0))).rejects.toThrow('stop')
  })
})
