/** `tilewright bench` as far as it needs no GPU: its options, the list of cases, and its tables. */
import { readFileSync } from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import { GEMM, GEMM_CASES } from '../../bench/cases/gemm.ts'
import { CONV } from '../../bench/cases/conv.ts'
import { MODEL, MODEL_CASES } from '../../bench/cases/model.ts'
import { caseNamed, casesNamed } from '../../bench/cases/table.ts'
import { countKernels } from '../../bench/engines/kernels.ts'
import type { Answer, Measured, Peer } from '../../bench/protocol.ts'
import { reportOf } from '../../bench/report.ts'
import { renderBench } from '../../src/cli/bench-table.ts'
import { colorsFor } from '../../src/cli/context.ts'
import { folderOf, tilewright } from './harness.ts'

const folder = folderOf({})
afterAll(folder.remove)

describe('the command', () => {
  test('has help with examples', async () => {
    const { code, out } = await tilewright(['bench', '--help'])
    expect(code).toBe(0)
    for (const text of ['Examples:', '--peers', '--quick', '--no-first-call', '--rounds', '--tuned', '--json [FILE]'])
      expect(out).toContain(text)
  })

  test('lists all cases, or those chosen; the JSON is the table that PyTorch is given', async () => {
    const all = await tilewright(['bench', 'gemm', '--list'])
    expect(all.code).toBe(0)
    for (const { name } of GEMM_CASES) expect(all.out).toContain(`${name} `)
    expect(all.out).toContain('M×K×N')
    expect(all.out).toMatch(/^odd-127x131x137-f32 .* 127×137×131 /m)
    expect(all.out).toMatch(/^bert-scores-12x128x64x128-f32 .* 12 of 128×64×128 /m)
    const file = folder.path('cases.json')
    await tilewright(['bench', 'gemm', '--list', '--cases', 'bert-scores-*,llm-m16-*-int8', '--json', file])
    const cases = JSON.parse(readFileSync(file, 'utf8')) as object[]
    expect(cases).toMatchObject([
      { name: 'llm-m16-4096x4096-int8', dtype: 'int8', batch: 1, m: 16, n: 4096, k: 4096, transposed: false },
      { name: 'bert-scores-12x128x64x128-f32', batch: 12, m: 128, n: 128, k: 64 },
    ])
  })

  test('lists convolutions and networks, by name or by family', async () => {
    const conv = await tilewright(['bench', 'conv', '--list', '--cases', 'transposed,alexnet-conv1-*'])
    expect(conv.code).toBe(0)
    expect(conv.out).toMatch(/^alexnet-conv1-f32 .* 1×3×227×227 +96 of 11×11, stride 4 +1×96×55×55 +211 M$/m)
    expect(conv.out).toMatch(/^unet-up2x2-1024-512-16-f32 .* 1×512×32×32 +1\.07 G$/m)
    const model = await tilewright(['bench', 'model', '--list'])
    expect(model.code).toBe(0)
    for (const { name } of MODEL_CASES) expect(model.out).toContain(`${name} `)
  })

  test.each([
    [['bench'], 'BENCH'],
    [
      ['bench', 'conv', '--peers', 'caffe'],
      '--peers does not know "caffe" for conv. Give some of ort-webgpu, ort-cpu, tfjs-webgpu',
    ],
    [['bench', 'model', '--peers', 'tfjs-webgpu'], '--peers does not know "tfjs-webgpu" for model'],
    [['bench', 'conv', '--cases', 'square-*'], 'Families: first, 3x3, 1x1, depthwise'],
    [['bench', 'model', '--cases', 'lenet*'], /Cases: squeezenet1\.1, .*efficientnetb0, .*; families: mobile/],
    [['bench', 'fft'], /Allowed choices are gemm, conv, model, sparse\. See tilewright bench --help\n$/],
    [['bench', 'gemm', '--tuned'], 'TILEWRIGHT_TUNING is off'],
    [['bench', 'gemm', '--cases', 'nothing*'], 'Families: square'],
    [['bench', 'gemm', '--cases', 'odd*', '--quick'], 'Leave one of them out'],
    [['bench', 'gemm', '--rounds', '0'], '--rounds takes an integer'],
    [['bench', 'gemm', '--text', '-'], 'standard output'],
  ])('%j is an error that says what to do', async (args, text) => {
    const { code, out, err } = await tilewright(args)
    expect([code, out]).toEqual([1, ''])
    expect(err).toMatch(text)
  })
})

describe('the tables', () => {
  const measured = (ms: number): Measured => ({
    status: 'ok',
    open_ms: 3,
    first_ms: 250,
    end_to_end: { samples_ms: [ms], repeats: 1 },
    resident: { samples_ms: [ms], repeats: 1 },
    kernel_ms: ms,
    error: { relative: 2e-6, rows: 1, of: 1 },
    peak_rss_bytes: 100 * 2 ** 20,
    version: 'engine 1',
    toggles: ['disable_robustness'],
  })
  const results: (readonly [name: string, answers: Partial<Record<Peer, Answer>>])[] = [
    ['square-256-f32', { tilewright: { ...measured(2), kernel: 'tuned: tiles' }, 'ort-webgpu': measured(6) }],
    ['square-512-int8', { tilewright: measured(2), 'ort-webgpu': { status: 'cannot', reason: 'it would run on the CPU' } }],
  ]
  const report = reportOf(GEMM, {
    adapter: { vendor: '', architecture: '', device: '', description: 'Some GPU', software: true, features: [], toggles: [] },
    roof: { flops: { f32: 5e10, f16: 1e10 }, bytes_per_s: 1e10 },
    peers: ['tilewright', 'ort-webgpu'],
    results: [
      ...results.flatMap(([name, answers]) =>
        casesNamed(GEMM, name).map((item) => ({ item, answers: new Map(Object.entries(answers) as [Peer, Answer][]) })),
      ),
      ...casesNamed(GEMM, 'square-4096-f32').map((item) => ({ item, left_out: 'too long', answers: new Map<Peer, Answer>() })),
    ],
    machine: { processor: 'CPU', processors: 2, load: 0.5, load_before: 0.2, node: 'v20', platform: 'linux x64' },
    shader_caches: 'off',
    rounds: 1,
    tuned: true,
    complete: false,
  })
  const context = { out: { write: () => {}, isTTY: false, columns: 80 }, err: { write: () => {}, isTTY: false, columns: 80 } }
  const plain = colorsFor({ ...context, signal: new AbortController().signal, env: {} }, context.out)

  test('have the adapter, the roof, ratios, what was left out, and who stopped', () => {
    const text = renderBench(report, plain, true)
    expect(text).toContain('Some GPU (software)')
    expect(text).toContain('50.0 GFLOP/s f32, 10.0 GFLOP/s f16')
    // 2·256³ in 2 ms, a third of a peak of 50.
    expect(text).toMatch(/^square-256-f32 +2\.00 ms +2\.00 ms +16\.8 +34 % +peak +– +5\.59$/m)
    expect(text).toMatch(/^square-256-f32 +3\.00× +3\.00×$/m)
    expect(text).toMatch(/3\.00× as fast as ORT WebGPU in geometric mean over 1 case that/)
    expect(text).toContain('Left out of the means, ORT WebGPU: it would run on the CPU: square-512-int8')
    expect(text).toContain('Left out of the means, not run: too long: square-4096-f32')
    expect(text).toContain('Stopped before the end')
    expect(text).toMatch(/^First call/m)
    expect(text).toContain('kernels: 1 tuned, 0 by rule; what tilewright tune kept on this adapter is used')
  })

  test('are at most 120 columns wide, whatever the case and the figures', () => {
    const peers: Peer[] = ['tilewright', 'tilewright-safe', 'ort-webgpu', 'ort-cpu', 'tfjs-webgpu']
    const toggles = Array.from({ length: 9 }, (_, index) => `a_toggle_of_dawn_${index}`)
    const answer = {
      ...measured(1234.5),
      first_ms: 123.4,
      open_ms: 123.4,
      peak_rss_bytes: 1.234 * 2 ** 30,
      toggles,
      error: { relative: 0, rows: 1, of: 1 },
    }
    const wide = reportOf(GEMM, {
      ...report,
      peers,
      tuned: false,
      results: GEMM_CASES.map((item, index) => {
        const kernel = index === 0 ? 'tuned tile cannot run: no halves; shipped: tiles' : 'by rule: tiles'
        return { item, answers: new Map(peers.map((peer) => [peer, { ...answer, kernel }])) }
      }),
    })
    const text = renderBench(wide, plain, true)
    expect(text).toContain('a_toggle_of_dawn_8')
    expect(text).toContain(`kernels: 0 tuned, 1 shipped, ${GEMM_CASES.length - 1} by rule; tuning is left out`)
    expect(text).toContain('as fast as our safe build (robustness and validation on)')
    for (const line of text.split('\n')) expect([...line].length, line).toBeLessThanOrEqual(120)
  })

  const { adapter, roof, machine, shader_caches, rounds } = report
  const findings = {
    ...{ adapter, roof, machine, shader_caches, rounds },
    peers: ['tilewright', 'ort-webgpu'] as const,
    tuned: false,
    complete: true,
  }

  test('of convolutions have what ours runs, and means by family', () => {
    const kernel = `by rule: implicit GEMM, ${'a reason that goes on and on, '.repeat(6)}`
    const text = renderBench(
      reportOf(CONV, {
        ...findings,
        results: casesNamed(CONV, '3x3,depthwise').map((item) => {
          const times = item.family === 'depthwise' ? 8 : 2
          return {
            item,
            answers: new Map<Peer, Answer>([
              ['tilewright', { ...measured(2), kernel }],
              ['ort-webgpu', measured(2 * times)],
            ]),
          }
        }),
      }),
      plain,
      true,
    )
    // Whole, however long it is.
    expect(text).toMatch(/^resnet50-3x3-64-64-56-f32 +implicit GEMM, a reason /m)
    expect(text).not.toContain('…')
    expect(text.replaceAll(/\s+/g, ' ')).toContain(`resnet50-3x3-64-64-56-f32 ${kernel.replace('by rule: ', '').trim()} `)
    expect(text).toMatch(/^3x3 +2\.00× +2\.00× +1\.00×$/m)
    expect(text).toMatch(/^depthwise +8\.00× +8\.00× +1\.00×$/m)
    for (const line of text.split('\n')) expect([...line].length, line).toBeLessThanOrEqual(120)
  })

  test('count kernels behind transposes, and those of networks by node', () => {
    const counted = (bench: typeof CONV | typeof MODEL, name: string, more: Partial<Measured>): string => {
      const answers = new Map<Peer, Answer>([['tilewright', { ...measured(2), ...more }]])
      const given = { ...findings, tuned: true }
      const text =
        bench === CONV
          ? renderBench(reportOf(CONV, { ...given, results: [{ item: caseNamed(CONV, name), answers }] }), plain, true)
          : renderBench(reportOf(MODEL, { ...given, results: [{ item: caseNamed(MODEL, name), answers }] }), plain, true)
      return /^kernels.*;/m.exec(text)?.[0] ?? ''
    }
    const kernel = 'nchw to nhwc: transpose + tuned: implicit GEMM'
    expect(counted(CONV, 'resnet50-3x3-64-64-56-f32', { kernel })).toBe('kernels: 1 tuned, 0 by rule;')
    const nodes = countKernels([
      'tuned: a',
      'old cannot run; by rule for 3×3 filters: b',
      'relu: 4 values an invocation',
      'shipped: c',
    ])
    expect(counted(MODEL, 'resnet50', { nodes })).toBe('kernels of nodes: 1 tuned, 1 shipped, 1 by rule;')
    expect(counted(MODEL, 'resnet50', {})).toBe('kernels of nodes: 0 tuned, 0 by rule;')
  })

  test('mark kernel times that contradict the wall clock, and leave them out of ratios', () => {
    const doubtful = reportOf(GEMM, {
      ...findings,
      results: [['square-256-f32', 2.5] as const, ['square-512-f32', 2.3] as const].map(([name, kernel_ms]) => ({
        item: caseNamed(GEMM, name),
        answers: new Map<Peer, Answer>([
          ['tilewright', { ...measured(2), kernel_ms }],
          ['ort-webgpu', measured(4.6)],
        ]),
      })),
    })
    expect(doubtful.means['ort-webgpu']).toMatchObject({ cases: 2, kernel_cases: 1, kernel: 2 })
    const text = renderBench(doubtful, plain, true)
    expect(text).toMatch(/^square-256-f32 +2\.00 ms +2\.50 ms\* /m)
    expect(text).toMatch(/^square-512-f32 +2\.00 ms +2\.30 ms /m)
    expect(text).toMatch(/^square-256-f32 +2\.30× +–$/m)
    expect(text).toMatch(/^\* By the device's clock .* ours: square-256-f32$/ms)
    expect(text).toMatch(/2\.00× in kernel\s+time \(1 of them\)/)
  })

  test('of networks say what they were held against, or that nothing was there', () => {
    const { error: _, ...unheld } = measured(20)
    const text = renderBench(
      reportOf(MODEL, {
        ...findings,
        results: [
          ['resnet50', { ...measured(20), error: { relative: 1e-6, rows: 1000, of: 1000, top1: false } }] as const,
          ['alexnet', unheld] as const,
        ].map(([name, answer]) => ({ item: caseNamed(MODEL, name), answers: new Map<Peer, Answer>([['tilewright', answer]]) })),
      }),
      plain,
      true,
    )
    expect(text).toMatch(/^resnet50 +1\.0e-6, other top 1 +–$/m)
    expect(text).toContain('Results held against nothing, as ort-cpu is not among the peers: alexnet')
  })

  test('tell no first calls where shader caches were on', () => {
    expect(renderBench(report, plain, false)).not.toMatch(/first call/i)
  })
})
