/** evaluate and map on files of Timeloop and SCALE-Sim, on ONNX models, and what evaluate writes. */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systolicRun } from '../../src/cost/systolic.ts'
import { convProblem } from '../../src/schedule/problem.ts'
import { classifier } from './files.ts'
import { folderOf, tilewright } from './harness.ts'

const PROBLEM = `problem:
  version: 0.4
  shape:
    name: Conv1D_OC
    dimensions: [R, P, K]
    data_spaces:
      - {name: Weights, projection: [[[R]], [[K]]]}
      - {name: Inputs, projection: [[[R], [P]]]}
      - {name: Outputs, projection: [[[K]], [[P]]], read_write: true}
  instance: {R: 3, P: 16, K: 8}
`
const ARCH = `architecture:
  version: 0.4
  nodes:
  - !Container {name: machine}
  - !Component {name: Main, class: DRAM, attributes: {width: 16, datawidth: 16}}
  - !Component {name: Glb, class: SRAM, attributes: {depth: 256, width: 16, datawidth: 16}}
  - !Component {name: Regs, class: regfile, spatial: {meshX: 4}, attributes: {depth: 24, width: 16, datawidth: 16}}
  - !Component {name: Unit, class: intmac}
`
const CONSTRAINTS = `architecture_constraints:
  targets:
  - {target: Glb, type: spatial, factors: R=1 P=1, permutation: KRP, split: 1}
  - {target: Regs, type: temporal, factors: P=1 K=1}
`
const MAP = `mapping:
  - {target: Main, type: temporal, factors: [P=4, K=2], permutation: [P, K, R]}
  - {target: Glb, type: temporal, factors: [P=4], permutation: [P, K, R]}
  - {target: Glb, type: spatial, factors: [K=4], permutation: [K, P, R], split: 1}
  - {target: Regs, type: temporal, factors: [R=3], permutation: [R, K, P]}
`
const TOPOLOGY =
  'Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\na, 9, 9, 3, 3, 4, 6, 1,\nb:1, 5, 5, 1, 1, 8, 8, 1,\n'
const CONFIG =
  '[architecture_presets]\nArrayHeight: 4\nArrayWidth: 3\nIfmapSramSzkB: 8\nFilterSramSzkB: 8\nOfmapSramSzkB: 8\nDataflow: ws\n'

let folder: ReturnType<typeof folderOf>
beforeAll(() => {
  folder = folderOf({
    'prob.yaml': PROBLEM,
    'arch.yaml': ARCH,
    'map.yaml': MAP,
    'all.yaml': PROBLEM + ARCH + MAP,
    'rules.yaml': PROBLEM + ARCH + CONSTRAINTS,
    'no-extension': PROBLEM + ARCH + MAP,
    'layers.csv': TOPOLOGY,
    'array.cfg': CONFIG,
    'bomb.yaml': `a: &a [1]\nb: &b [${'*a, '.repeat(500)}]\nproblem: [${'*b, '.repeat(500)}]\n`,
    'net.onnx': classifier(1),
    'large.yaml': 'x'.repeat(17 * 2 ** 20),
  })
})
afterAll(() => folder.remove())

/** The result of a command as JSON. @throws where it fails */
async function json(...args: readonly string[]): Promise<Record<string, unknown>> {
  const { code, out, err } = await tilewright([...args, '--json'])
  if (code !== 0) throw new Error(err)
  return JSON.parse(out) as Record<string, unknown>
}

describe('Timeloop', () => {
  test('one file, three files, a file without an extension: one result', async () => {
    const whole = await json('evaluate', folder.path('all.yaml'), '--halo', 'timeloop')
    expect(whole).toMatchObject({ macs: 384, cycles: 96, utilization: 1, halo: 'timeloop' })
    const three = ['prob.yaml', 'arch.yaml', 'map.yaml'].map(folder.path)
    expect(await json('evaluate', ...three, '--halo', 'timeloop')).toEqual(whole)
    expect(await json('evaluate', folder.path('no-extension'), '--halo', 'timeloop')).toEqual(whole)
    // The file has an architecture and a mapping of its own: those given take their place.
    expect(
      await json('evaluate', folder.path('all.yaml'), folder.path('arch.yaml'), folder.path('map.yaml'), '--halo', 'timeloop'),
    ).toEqual(whole)
  })

  test('what is set and renamed is said on standard error', async () => {
    const { err } = await tilewright(['evaluate', folder.path('all.yaml')])
    expect(err).toContain('Timeloop: dimensions: K is M')
    expect(err).toContain('Timeloop: the file gives no energies')
  })

  test('a mapping for a hardware by name, and for one of our own files', async () => {
    const { code, err } = await tilewright(['evaluate', folder.path('prob.yaml'), 'eyeriss', folder.path('map.yaml')])
    expect(code).toBe(1)
    expect(err).toContain('eyeriss has no level "Main"')
  })

  test('what evaluate writes, it reads; the nest and the energy by operand are printed', async () => {
    const written = folder.path('written.yaml')
    const { code, out } = await tilewright(['evaluate', folder.path('all.yaml'), '--nest', '--yaml', written])
    expect(code).toBe(0)
    expect(out).toContain('parallel-for x m0 = 0 to 3')
    expect(out).toContain('Energy by operand: weights')
    expect(out.split('\n').every((line) => line.length <= 160)).toBe(true)
    expect(readFileSync(written, 'utf8')).toContain('!Component')
    const [ours, again] = [await json('evaluate', folder.path('all.yaml')), await json('evaluate', written)]
    expect(again['accesses']).toEqual(ours['accesses'])
    expect(again['cycles']).toEqual(ours['cycles'])
  })

  test('map on a problem and an architecture, under the constraints of a file', async () => {
    const mapped = await json(
      'map',
      folder.path('prob.yaml'),
      '--hardware',
      folder.path('arch.yaml'),
      '--dataflow',
      folder.path('rules.yaml'),
      '--workers',
      '0',
    )
    const { levels } = mapped['mapping'] as {
      levels: { spatial?: { x?: [string, number][]; y?: [string, number][] }; temporal: [string, number][] }[]
    }
    const spread = [...(levels[1]?.spatial?.x ?? []), ...(levels[1]?.spatial?.y ?? [])]
    expect(spread.every(([dimension]) => dimension === 'M')).toBe(true)
    expect(levels[2]?.temporal.every(([dimension]) => !['P', 'M'].includes(dimension))).toBe(true)
    expect(mapped).toMatchObject({ evaluation: { macs: 384 } })
  })

  test.each([
    ['a bomb', 'bomb.yaml', 'FileFormatError'],
    ['a large file', 'large.yaml', 'has 17825792 bytes'],
    ['a file that is not there', 'gone.yaml', 'there is no such file'],
    ['no problem', 'arch.yaml', 'has no problem'],
  ])('refused: %s', async (_, file, message) => {
    const { code, err, out } = await tilewright(['evaluate', folder.path(file)])
    expect([code, out]).toEqual([1, ''])
    expect(err).toContain(message)
    expect(err).not.toContain('fault of Tilewright')
  })
})

describe('SCALE-Sim', () => {
  test('a layer on an array runs in folds', async () => {
    const { code, out, err } = await tilewright(['evaluate', `${folder.path('layers.csv')}:a`, folder.path('array.cfg'), '--json'])
    expect(code, err).toBe(0)
    const run = systolicRun(convProblem({ C: 4, M: 6, P: 7, Q: 7, R: 3, S: 3 }), { rows: 4, columns: 3 }, 'ws')
    expect(JSON.parse(out)).toMatchObject({
      macs: 4 * 6 * 49 * 9,
      cycles: run.cycles,
      accesses: { IFMAP: { inputs: { reads: run.reads.inputs } } },
    })
    expect(err).toContain('in folds of the systolic array (ws)')
  })

  test('a layer with a colon in its name; layers are listed', async () => {
    expect(await json('evaluate', `${folder.path('layers.csv')}:b:1`, folder.path('array.cfg'))).toMatchObject({ macs: 25 * 64 })
    const all = await tilewright(['map', folder.path('layers.csv'), '--hardware', 'eyeriss', '--budget', '50', '--workers', '0'])
    expect(all.code).toBe(0)
    for (const layer of ['a', 'b:1']) expect(all.out).toMatch(new RegExp(`^${layer} +none `, 'm'))
    for (const text of [folder.path('layers.csv'), `${folder.path('layers.csv')}:c`]) {
      const { code, err } = await tilewright(['evaluate', text, folder.path('array.cfg')])
      expect(code).toBe(1)
      expect(err).toContain('one of a, b:1')
    }
  })

  test('files in each other’s place', async () => {
    const [csv, cfg] = [folder.path('layers.csv'), folder.path('array.cfg')]
    for (const [args, message] of [
      [[cfg, cfg], 'is a configuration: it has a hardware, and no problem'],
      [[`${csv}:a`, csv], 'is a topology: it has layers, and no hardware'],
      [[`${csv}:a`, 'eyeriss', cfg], "is a file of SCALE-Sim's: it has no mapping"],
      [[`${csv}:a`, 'eyeriss'], 'There is no mapping'],
      [[`${csv}:a`], 'There is no hardware'],
    ] as const) {
      const { code, err } = await tilewright(['evaluate', ...args])
      expect(code).toBe(1)
      expect(err).toContain(message)
    }
  })
})

describe('ONNX', () => {
  test('a layer of a model file', async () => {
    const mapped = folder.path('mapped.json')
    const { code, err } = await tilewright([
      'map',
      `${folder.path('net.onnx')}:conv`,
      '--hardware',
      'eyeriss',
      '--dataflow',
      'rs',
      '--budget',
      '2000',
      '--workers',
      '0',
      '--json',
      mapped,
    ])
    expect(code, err).toBe(0)
    expect(await json('evaluate', mapped)).toMatchObject({ macs: 2 * 3 * 9 * 64 })
    expect(await json('evaluate', `${folder.path('net.onnx')}:conv`, 'eyeriss', mapped)).toMatchObject({ macs: 2 * 3 * 9 * 64 })
    const { err: unknown } = await tilewright(['evaluate', `${folder.path('net.onnx')}:relu`, 'eyeriss', mapped])
    expect(unknown).toContain('Its layers are conv, gemm')
  })
})

describe('conventions', () => {
  test('isca16 charges deliveries', async () => {
    const [ours, theirs] = [
      await json('evaluate', folder.path('all.yaml')),
      await json('evaluate', folder.path('all.yaml'), '--convention', 'isca16'),
    ]
    expect(theirs['accesses']).toEqual(ours['accesses'])
    expect(theirs['energy']).not.toEqual(ours['energy'])
    expect(theirs['convention']).toBe('isca16')
  })
})
