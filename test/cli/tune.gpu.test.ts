/** `tilewright tune` as a person meets it: what it says, keeps and refuses. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import { TUNING_SCHEMA, type TunedEntry } from '../../src/profile/tuning.ts'
import { main } from '../../src/cli/program.ts'
import { classifier } from './files.ts'
import { folderOf, tilewright } from './harness.ts'

const folder = folderOf({ 'classifier.onnx': classifier(), 'damaged.json': '{"schema":"other"}' })
afterAll(folder.remove)
const at = folder.path
const STORE = at('tuning.json')
const never = new AbortController().signal

const tune = (args: readonly string[], store = STORE, signal: AbortSignal = never) =>
  tilewright(['tune', ...args], signal, { TILEWRIGHT_TUNING: store })

function kept(): TunedEntry[] {
  const { schema, entries } = JSON.parse(readFileSync(STORE, 'utf8')) as { schema: string; entries: TunedEntry[] }
  expect(schema).toBe(TUNING_SCHEMA)
  return entries
}

describe('tune', () => {
  test('a model: its product and its convolution are kept', async () => {
    const { code, out, err } = await tune([at('classifier.onnx'), '--budget', '30', '--samples', '2'])
    expect(err).not.toContain('Error')
    expect(out).toMatch(/gemm +1×128×4 f32/)
    expect(out).toMatch(/^gemm, 1×128×4 f32: .*(fastest|stays); \d+ of \d+ verified$/m)
    expect(out).toContain(`Kept in ${STORE}`)
    expect(out).toMatch(/^conv, .* f32:[\s\S]*?(fastest|stays);\s+\d+\s+of\s+\d+\s+verified$/m)
    expect(out).not.toContain('Not touched')
    expect(code).toBe(0)
    expect(kept().map(({ problem }) => problem)).toEqual([
      '1x4x128 f32-f32-f32-f32 dd',
      expect.stringMatching(/^conv 1\*1\*\d+>\d+ .* f32-f32-f32-f32$/),
    ])
    // Other commands take it up.
    const after = await tune([at('classifier.onnx'), '--dry-run'])
    expect(after.out).toContain('(tuned)')
  })

  test('a bare product without time: the default alone, as JSON, and not kept', async () => {
    const { code, out } = await tune(['gemm:7x5x3', '--budget', '0.001', '--json'])
    const result = JSON.parse(out) as { schema: string; tuned: { before: unknown; after: unknown }[]; kept_in: string }
    expect(result).toMatchObject({ schema: 'tilewright.tune/1', model: 'gemm:7x5x3', kept_in: STORE, untouched: [], untuned: [] })
    expect(result.tuned).toEqual([expect.objectContaining({ decided: false })])
    expect(code).toBe(0)
    expect(kept()).toHaveLength(2)
  })

  test('a dry run measures nothing and keeps nothing', async () => {
    const before = readFileSync(STORE, 'utf8')
    const { code, out } = await tune(['gemm:70x50x30:f16', '--dry-run'])
    expect(out).toMatch(/gemm:70x50x30:f16 +70×50×30 f16/)
    expect(out).toContain('nothing was measured')
    expect(code).toBe(0)
    expect(readFileSync(STORE, 'utf8')).toBe(before)
  })

  test('the table of the bench, by case', async () => {
    const { code, out } = await tune(['bench', '--layers', 'bert-context-*,square-4096-f16,square-512-int8', '--dry-run'])
    expect(out).toMatch(/bert-context-\S+ +12 of 128×128×64 f32/)
    expect(out).toMatch(/Not touched: 1 bench: products of integers choose by rule \(square-512-int8\)/)
    expect(code).toBe(0)
  })

  test('--reset forgets this adapter, and only it', async () => {
    const entries = [...kept(), { ...kept()[0], adapter: 'another' }]
    writeFileSync(STORE, JSON.stringify({ schema: TUNING_SCHEMA, entries }))
    const { code, err } = await tune(['--reset'])
    expect(err).toMatch(/^Forgot 2 results of /m)
    expect(code).toBe(0)
    expect(kept().map(({ adapter }) => adapter)).toEqual(['another'])
  })

  test('off: nothing is kept, and that is said', async () => {
    const { code, out, err } = await tune(['gemm:7x5x3', '--budget', '0.001'], 'off')
    expect(err).toContain('Results will not be kept: TILEWRIGHT_TUNING is off')
    expect(out).not.toContain('Kept in')
    expect(code).toBe(0)
  })

  test('stopped on the way: what was found is kept and shown', async () => {
    const store = at('stopped.json')
    const stop = new AbortController()
    const watch = setInterval(() => {
      if (existsSync(store)) stop.abort()
    }, 5)
    // The larger is first, and kept; the other has its kernels still to try then.
    const { code, out } = await tune(['bench', '--layers', 'square-256-f32,odd-127*', '--budget', '60'], store, stop.signal)
    clearInterval(watch)
    expect(out).toContain('square-256-f32')
    expect(out).toContain('Not complete: what was found is kept.')
    expect(code).toBe(130)
    const { entries } = JSON.parse(readFileSync(store, 'utf8')) as { entries: TunedEntry[] }
    expect(entries.map(({ problem }) => problem)).toEqual([expect.stringMatching(/^256x256x256 /)])
  })

  test('stopped before anything was decided: nothing is said to be kept', async () => {
    const store = at('undecided.json')
    const stop = new AbortController()
    let [out, err] = ['', '']
    const screen = { isTTY: false, columns: 120 }
    const code = await main(['tune', 'gemm:1000x1000x1000', '--budget', '60'], {
      out: { ...screen, write: (text) => void (out += text) },
      err: {
        ...screen,
        write: (text) => {
          err += text
          // The default is measured, others are not yet.
          if (/ [1-9]\d* of \d+ kernels measured/.test(text)) stop.abort()
        },
      },
      signal: stop.signal,
      env: { TILEWRIGHT_TUNING: store },
    })
    expect(code).toBe(130)
    expect(err).toMatch(/^\[0\/1\] gemm:1000x1000x1000, 1000×1000×1000 f32: (compile|measure), \d+ of \d+ kernels measured$/m)
    expect(out).toContain('Not complete: nothing was decided, nothing kept.')
    expect(out).not.toContain('is kept')
    expect(existsSync(store)).toBe(false)
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(120)
  })

  test('stopped before it began: nothing is measured', async () => {
    const { code } = await tune(['gemm:7x5x3'], STORE, AbortSignal.abort())
    expect(code).toBe(130)
  })

  test.each([
    ['a damaged store', ['gemm:7x5x3'], at('damaged.json'), /FileFormatError: .*damaged\.json.*--reset/],
    ['no model', [], STORE, /OptionError: tune takes a MODEL/],
    [
      'no such layer',
      [at('classifier.onnx'), '--layers', 'fc'],
      STORE,
      /OptionError: .* no layer fc.*Matrix products and convolutions: conv, gemm/,
    ],
    ['nothing to tune', [at('classifier.onnx'), '--layers', 'relu'], STORE, /has no matrix product or convolution to tune/],
    ['layers of a bare problem', ['gemm:7x5x3', '--layers', 'x'], STORE, /a bare problem has no layers/i],
    ['sizes that are none', ['gemm:7x5'], STORE, /names no product/],
    ['a convolution that is none', ['conv:3x8,4x3x3'], STORE, /names no convolution.*conv:64x56x56/],
    ['a budget that is none', ['gemm:7x5x3', '--budget', '-1'], STORE, /--budget takes a number of at least 0/],
    ['no time at all', ['gemm:7x5x3', '--budget', '0'], STORE, /--budget takes a positive number/],
  ])('%s is refused', async (_, args, store, message) => {
    const { code, err } = await tune(args, store)
    expect(err).toMatch(message)
    expect(code).toBe(1)
  })

  test('a damaged store stops no other command: it is told', async () => {
    const { code, out, err } = await tilewright(['doctor'], never, { TILEWRIGHT_TUNING: at('damaged.json') })
    expect(out).toContain('damaged.json: damaged, not used')
    expect(err).toMatch(/Tuned kernels are not used: FileFormatError/)
    expect(code).toBe(0)
  })
})
