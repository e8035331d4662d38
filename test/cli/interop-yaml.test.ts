/** What map writes as Timeloop's YAML reads back to the mapping that it found, and constraints that stand in a file alone. */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HARDWARE_NAMES } from '../../models/hardware/index.ts'
import { crossingOf, withoutAxis } from '../../src/formats/timeloop/axes.ts'
import { UNCONSTRAINED } from '../../src/schedule/dataflow.ts'
import { parseMapping } from '../../src/schedule/parse.ts'
import { folderOf, tilewright } from './harness.ts'

const CONV = `problem:
  version: 0.4
  shape:
    name: Conv1D_OC
    dimensions: [R, P, K]
    data_spaces:
      - {name: Weights, projection: [[[R]], [[K]]]}
      - {name: Inputs, projection: [[[R], [P]]]}
      - {name: Outputs, projection: [[[K]], [[P]]], read_write: true}
  instance: {R: 3, P: 17, K: 10}
`
const GEMM = `problem:
  shape:
    name: GEMM
    dimensions: [M, N, K]
    data-spaces:
      - {name: A, projection: [[[M]], [[K]]]}
      - {name: B, projection: [[[K]], [[N]]]}
      - {name: Z, projection: [[[M]], [[N]]], read-write: True}
  instance: {M: 12, N: 10, K: 7}
`
const ARCH = `architecture:
  version: 0.3
  subtree:
    - name: machine
      local:
        - {name: Main, class: DRAM, attributes: {width: 16, datawidth: 16}}
        - {name: Glb, class: SRAM, attributes: {depth: 256, width: 16, datawidth: 16}}
        - {name: "Regs[0..7]", class: regfile, attributes: {depth: 24, width: 16, datawidth: 16, meshX: 4}}
        - {name: "Unit[0..7]", class: intmac, attributes: {meshX: 4}}
`
const CONSTRAINTS = `architecture_constraints:
  targets:
  - {target: Glb, type: spatial, factors: R=1 P=1, permutation: KRP, split: 3}
  - {target: Regs, type: temporal, factors: P=1 K=1}
`
const SMALL = ['--budget', '150', '--workers', '0']

let folder: ReturnType<typeof folderOf>
beforeAll(() => {
  folder = folderOf({
    'conv.yaml': CONV,
    'gemm.yaml': GEMM,
    'arch.yaml': ARCH,
    'rules.yaml': CONSTRAINTS,
    'mapspace.yaml': CONSTRAINTS.replace('architecture_constraints', 'constraints'),
    'crossing.json': JSON.stringify({ ...UNCONSTRAINED, name: 'crossing', spatial: { x: ['M'], y: ['M'] } }),
    'bracket.json': JSON.stringify({
      name: 'bracket',
      array: { x: 2, y: 1 },
      levels: [
        { name: 'DRAM[1]', energy: 200 },
        { name: 'RF', energy: 1, words: 32 },
      ],
      network: { energy: 2 },
      mac: { energy: 1 },
    }),
  })
})
afterAll(() => folder.remove())

interface Evaluated {
  readonly macs: number
  readonly cycles: number
  readonly energy: { readonly total: number }
  readonly accesses: unknown
}

interface Found {
  readonly evaluation: Evaluated
  readonly mapping: unknown
}

async function run(...args: readonly string[]): Promise<{ text: string; err: string }> {
  const { code, out, err } = await tilewright([...args, '--json'])
  if (code !== 0) throw new Error(`${args.join(' ')}: ${err}`)
  return { text: out, err }
}

async function evaluated(...args: readonly string[]): Promise<Evaluated> {
  return JSON.parse((await run('evaluate', ...args)).text) as Evaluated
}

async function mapped(
  problem: string,
  hardware: string,
  ...more: readonly string[]
): Promise<{ file: string; found: Evaluated; json: Found; err: string }> {
  const file = folder.path('out.yaml')
  const { text, err } = await run('map', problem, '--hardware', hardware, ...SMALL, '--yaml', file, ...more)
  const json = JSON.parse(text) as Found
  return { file, found: json.evaluation, json, err }
}

describe('what map writes is read back', () => {
  const layers = ['conv1', 'conv2', 'conv3', 'conv5', 'fc6']
  test.each(HARDWARE_NAMES)('AlexNet on %s: the same energy, cycles and accesses', async (machine) => {
    for (const layer of layers) {
      const { file, found, json } = await mapped(`alexnet:${layer}`, machine)
      expect(crossingOf(parseMapping(json.mapping))).toBeUndefined()
      const again = await evaluated(file, machine)
      expect([again.energy.total, again.cycles, again.accesses], `${layer} on ${machine}`).toEqual([
        found.energy.total,
        found.cycles,
        found.accesses,
      ])
      const alone = await evaluated(file)
      expect(alone.macs).toBe(found.macs)
      expect(alone.accesses, `${layer} on the architecture written for ${machine}`).toEqual(found.accesses)
    }
  })

  test('a mapping that crosses is searched again along one axis', async () => {
    const only = ['--dataflow', folder.path('crossing.json'), '--objective', 'latency']
    const free = await run('map', 'alexnet:conv2', '--hardware', 'eyeriss', ...SMALL, ...only)
    expect(crossingOf(parseMapping((JSON.parse(free.text) as Found).mapping))).toEqual({ level: 'GLB', dimension: 'M' })
    const { file, json, found, err } = await mapped('alexnet:conv2', 'eyeriss', ...only)
    expect(err).toContain("one factor of M over GLB's fan-out: searching again with it along either axis alone")
    expect(err).toMatch(/mappings were evaluated[^]*Wrote/)
    expect(crossingOf(parseMapping(json.mapping))).toBeUndefined()
    expect((await evaluated(file, 'eyeriss')).energy.total).toBe(found.energy.total)
  })

  test.each(['conv.yaml', 'gemm.yaml'])('the dimensions of %s have other names: alone, and beside its own files', async (name) => {
    const [problem, arch] = [folder.path(name), folder.path('arch.yaml')]
    const { file, found } = await mapped(problem, arch)
    expect(readFileSync(file, 'utf8')).toMatch(/^problem:/m)
    for (const args of [[file], [file, arch], [problem, arch, file]]) {
      const json = await evaluated(...args)
      expect([json.cycles, json.accesses]).toEqual([found.cycles, found.accesses])
    }
    const json = await evaluated(problem, arch, file)
    expect(json.energy.total).toBe(found.energy.total)
    const { code, err } = await tilewright(['evaluate', folder.path(name === 'conv.yaml' ? 'gemm.yaml' : 'conv.yaml'), arch, file])
    expect(code).toBe(1)
    expect(err).toContain('is of another problem')
  })

  test('what Timeloop has no form for is refused before the search', async () => {
    const { code, out, err } = await tilewright([
      'map',
      folder.path('conv.yaml'),
      '--hardware',
      folder.path('bracket.json'),
      '--yaml',
      folder.path('no.yaml'),
    ])
    expect([code, out]).toEqual([1, ''])
    expect(err).toContain('reads brackets in a name as instances')
    expect(err).not.toContain('were evaluated')
  })
})

test('either axis of a dataflow is narrowed at one level alone', () => {
  const crossing = { level: 'GLB', dimension: 'M' } as const
  const once = withoutAxis(UNCONSTRAINED, crossing, 'x')
  expect(once.levels?.['GLB']?.spatial?.x).toEqual(UNCONSTRAINED.spatial.x.filter((name) => name !== 'M'))
  expect(once.levels?.['GLB']?.spatial?.y).toEqual(UNCONSTRAINED.spatial.y)
  const twice = withoutAxis(once, { level: 'GLB', dimension: 'C' }, 'y')
  expect(twice.levels?.['GLB']?.spatial?.x).not.toContain('M')
  expect(twice.levels?.['GLB']?.spatial?.y).not.toContain('C')
  expect(twice.spatial).toEqual(UNCONSTRAINED.spatial)
})

describe('constraints in a file alone', () => {
  test.each(['rules.yaml', 'mapspace.yaml'])('%s: with the problem and the architecture of the command', async (rules) => {
    const { json } = await mapped(folder.path('conv.yaml'), folder.path('arch.yaml'), '--dataflow', folder.path(rules))
    const { levels } = parseMapping(json.mapping)
    const spread = [...(levels[1]?.spatial?.x ?? []), ...(levels[1]?.spatial?.y ?? [])]
    expect(spread.length).toBeGreaterThan(0)
    // K is called M here.
    expect(spread.every(([dimension]) => dimension === 'M')).toBe(true)
    expect(levels[2]?.temporal.every(([dimension]) => !['P', 'M'].includes(dimension))).toBe(true)
  })

  test('without a hardware, or with names that the problem has not: said as it is', async () => {
    const rules = folder.path('rules.yaml')
    const none = await tilewright(['map', folder.path('conv.yaml'), '--dataflow', rules])
    expect(none.err).toContain('has constraints of an architecture that is not given')
    const other = await tilewright(['map', 'alexnet:conv2', '--hardware', folder.path('arch.yaml'), '--dataflow', rules])
    expect(other.err).toContain('the problem has no dimension "K"')
    const level = await tilewright(['map', folder.path('conv.yaml'), '--hardware', 'eyeriss', '--dataflow', rules])
    expect(level.err).toContain('has no level "Glb"')
    expect([none.code, other.code, level.code]).toEqual([1, 1, 1])
  })
})
