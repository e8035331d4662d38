/** Timeloop's YAML: what is read and to what, that the spellings of v0.3 and v0.4 say the same, and that what is written reads back. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { evaluate } from '../../src/cost/evaluate.ts'
import { MappingError } from '../../src/errors.ts'
import { readTimeloop, timeloopFile, timeloopMapping } from '../../src/formats/timeloop/index.ts'
import type { Hardware } from '../../src/schedule/hardware.ts'
import type { Loop, Mapping } from '../../src/schedule/mapping.ts'
import { convProblem, gemmProblem, macsOf } from '../../src/schedule/problem.ts'
import { cases } from '../cost/random.ts'

const PROBLEM_V3 = `
problem:
  shape:
    name: "Conv-1D-OC"
    dimensions: [ R, P, K ]
    data-spaces:
    - name: Weights
      projection:
      - [ [R] ]
      - [ [K] ]
    - name: Inputs
      projection:
      - [ [R], [P] ]
    - name: Outputs
      projection:
      - [ [K] ]
      - [ [P] ]
      read-write: True
  instance: {R: 3, P: 16, K: 8}
`

const ARCH_V3 = `
architecture:
  version: 0.3
  subtree:
  - name: machine
    attributes: { technology: 45nm, word-bits: 16 }
    local:
    - name: Main
      class: DRAM
      attributes: { width: 64 }
    subtree:
    - name: chip
      local:
      - name: Glb
        class: SRAM
        attributes: { depth: 128, width: 32, n_banks: 2, read_bandwidth: 4 }
      subtree:
      - name: PE[0..3]
        local:
        - name: Regs
          class: regfile
          attributes: { entries: 24, meshX: 2 }
        - name: Unit
          class: intmac
          attributes: { meshX: 2 }
`

const MAP_V3 = `
mapping:
  - target: Main
    type: temporal
    factors: R=1 P=4 K=1
    permutation: RPK
  - target: Glb
    type: temporal
    factors: R1 P2 K2
    permutation: KPR
  - target: Glb
    type: spatial
    factors: R=1 P=2 K=2
    permutation: PKR
    split: 1
  - target: Glb
    type: datatype
    keep: [ Weights, Inputs ]
    bypass: [ Outputs ]
  - target: Regs
    type: temporal
    factors: R=0 P=1 K=2
    permutation: RKP
`

const ALL_V4 = `
architecture:
  version: 0.4
  nodes:
  - !Container
    name: machine
    attributes: &shared {technology: "45nm", datawidth: 16}
  - !Component
    name: Main
    class: DRAM
    attributes: {<<: *shared, width: 64}
  - !Component
    name: Glb
    class: SRAM
    attributes: {depth: 128, width: 32, n_banks: 2, read_bandwidth: 4}
  - !Nothing
  - !Component
    name: Regs
    class: regfile
    spatial: {meshX: 2, meshY: 2}
    attributes: {entries: 24}
  - !Component
    name: Unit
    class: intmac
problem:
  version: 0.4
  shape:
    name: Conv1D_OC
    dimensions: [R, P, K]
    coefficients: []
    data_spaces:
      - {name: Weights, projection: [[[R]], [[K]]]}
      - {name: Inputs, projection: [[[R], [P]]]}
      - {name: Outputs, projection: [[[K]], [[P]]], read_write: true}
  instance: {R: 3, P: 16, K: 8, densities: {}}
mapping:
  - {target: Main, type: temporal, factors: [R=1, P=4, K=1], permutation: [R, P, K]}
  - {target: Glb, type: temporal, factors: {R: 1, P: 2, K: 2}, permutation: [K, P, R]}
  - {target: Glb, type: spatial, factors: [P=2, K=2], permutation: [P, K, R], split: 1}
  - {target: Glb, type: dataspace, keep: [Weights, Inputs], bypass: [Outputs]}
  - {target: Regs, type: temporal, factors: [R=3, P=1, K=2], permutation: [R, K, P]}
`

/** What both say. */
const PROBLEM = convProblem({ R: 3, P: 16, M: 8 })
const MAPPING: Mapping = {
  levels: [
    { name: 'Main', temporal: [['P', 4]] },
    {
      name: 'Glb',
      temporal: [
        ['P', 2],
        ['M', 2],
      ],
      spatial: { x: [['P', 2]], y: [['M', 2]] },
      keep: ['weights', 'inputs'],
    },
    {
      name: 'Regs',
      temporal: [
        ['M', 2],
        ['R', 3],
      ],
    },
  ],
}

describe('what is read', () => {
  test('v0.3, three files', () => {
    const read = readTimeloop([
      { name: 'prob.yaml', text: PROBLEM_V3 },
      { name: 'arch.yaml', text: ARCH_V3 },
      { name: 'map.yaml', text: MAP_V3 },
    ])
    expect(read.problem).toEqual(PROBLEM)
    expect(read.mapping).toEqual(MAPPING)
    expect(read.hardware).toMatchObject({
      array: { x: 2, y: 2 },
      levels: [
        { name: 'Main', energy: 200 },
        { name: 'Glb', words: 256, energy: 6, bandwidth: { read: 4 } },
        { name: 'Regs', words: 24, energy: 1 },
      ],
      network: { energy: 2 },
      mac: { energy: 1 },
      word_bits: 16,
    })
    expect(read.notes.join('\n')).toContain('dimensions: K is M')
    expect(read.notes.join('\n')).toContain('the file gives no energies')
  })

  test('v0.4, one file, and both give one evaluation', () => {
    const old = readTimeloop([{ name: 'all.yaml', text: `${PROBLEM_V3}${ARCH_V3}${MAP_V3}` }])
    const read = readTimeloop([{ name: 'all.yaml', text: ALL_V4 }])
    expect(read.problem).toEqual(old.problem)
    expect(read.mapping).toEqual(old.mapping)
    expect({ ...read.hardware, notes: [] }).toEqual({ ...old.hardware, notes: [] })
    const { problem, hardware, mapping } = read
    if (problem === undefined || hardware === undefined || mapping === undefined) throw new Error('not all three were read')
    const evaluation = evaluate(problem, hardware, mapping, { halo: 'timeloop' })
    expect(evaluation.macs).toBe(3 * 16 * 8)
    expect(evaluation.cycles).toBe((3 * 16 * 8) / 4)
    expect(evaluation.utilization).toBe(1)
    // Glb, inputs: 4 tiles of 4+2 columns, whose overlap the outer loop of P credits: 6 + 3·4.
    expect(evaluation.accesses['Glb']?.inputs.fills).toBe(18)
    // Regs, weights: two filters of three words, for each of the 4 · 2 rounds of P and both of K, in four PEs.
    expect(evaluation.accesses['Regs']?.weights.fills).toBe(4 * 2 * 2 * (2 * 3) * 4)
  })

  test('containers with a mesh are levels that store nothing; parallel nodes are levels one after the other', () => {
    const { hardware, notes } = readTimeloop([
      {
        name: 'arch.yaml',
        text: `
architecture:
  version: 0.4
  nodes:
  - !Container {name: top}
  - !Component {name: DRAM, class: DRAM, attributes: {width: 64, datawidth: 8}}
  - !Component {name: glb, class: smartbuffer_SRAM, attributes: {depth: 16384, width: 64, datawidth: 8, multiple_buffering: 2}}
  - !Component {name: noc, class: XY_NoC}
  - !Container {name: column, spatial: {meshX: 14}}
  - !Container {name: PE, spatial: {meshY: 12}}
  - !Parallel
    nodes:
    - !Component {name: ifmap, class: smartbuffer_RF, attributes: {depth: 12, width: 16, datawidth: 8}}
    - !Component {name: psum, class: smartbuffer_RF, attributes: {depth: 16, width: 16, datawidth: 16, flavour: sweet}}
  - !Component {name: mac, class: intmac, attributes: {multiplier_width: 8}}
`,
      },
    ])
    expect(hardware?.levels.map(({ name, words, fanout }) => [name, words, fanout?.x, fanout?.y])).toEqual([
      ['DRAM', undefined, undefined, undefined],
      ['glb', 131072, undefined, undefined],
      ['inter_column_spatial', 0, 14, 1],
      ['inter_PE_spatial', 0, 1, 12],
      ['ifmap', 24, undefined, undefined],
      ['psum', 16, undefined, undefined],
    ])
    expect(hardware?.levels[1]?.double_buffered).toBe(true)
    expect(notes.join('\n')).toContain('noc (class XY_NoC) is a network: not read')
    expect(notes.join('\n')).toContain('psum (class smartbuffer_RF): flavour not read')
  })

  test('the form that v0.4 is processed into: absolute meshes, dummies, switches that are off', () => {
    const part = (name: string, className: string, own: string, x: number, y: number): string => `
      - name: ${name}[1..${x * y}]
        class: ${className}
        attributes: {${own}, n_banks: 2, cluster_size: 1, reduction_supported: true, multiple_buffering: 1, min_utilization: 0,
          allow_overbooking: false, meshX: ${x}, meshY: ${y}, technology: -1, power_gated_at: "${name}", has_power_gating: false}
        required_actions: [read, write, leak]
        enabled: true`
    const { hardware, mapping, notes } = readTimeloop([
      {
        name: 'parsed-processed-input.yaml',
        text: `dumped_by_timeloop_front_end: true
architecture:
    version: '0.4'
    subtree:
    - name: top
      attributes: {version: '0.4', technology: 32nm, global_cycle_seconds: 1e-9}
      local:${part('DRAM', 'DRAM', 'type: LPDDR4, width: 64, datawidth: 8', 1, 1)}${part('inter_PE_spatial', 'dummy_storage', 'width: 1, depth: 1, datawidth: 1', 1, 1)}${part('spad', 'smartbuffer_RF', 'depth: 12, width: 16, datawidth: 8', 14, 12)}${part('mac', 'intmac', 'datawidth: 8', 14, 12)}
architecture_constraints: {targets: []}
problem:
    version: '0.4'
    shape: {name: v, dimensions: [M, P], coefficients: [], data_spaces: [
      {name: Weights, projection: [[[M]]], read_write: false}, {name: Inputs, projection: [[[P]]], read_write: false},
      {name: Outputs, projection: [[[M]], [[P]]], read_write: true}]}
    instance: {M: 12, P: 28, densities: {}}
compound_components: {version: '0.4', classes: []}
mapping:
  - {target: DRAM, type: temporal, factors: 'M=1,P=1', permutation: PM}
  - {type: spatial, target: inter_PE_spatial, factors: 'P=14,M=12', permutation: PM, split: 1}
  - {factors: 'P=1,M=1', permutation: MP, type: temporal, target: inter_PE_spatial}
  - {bypass: [Weights, Inputs, Outputs], type: dataspace, target: inter_PE_spatial}
  - {target: 0, type: temporal, factors: 'P=2,M=1', permutation: PM}
mapper: {algorithm: hybrid}
mapspace: {version: '0.4', template: ruby}
globals: {version: '0.4'}
`,
      },
    ])
    expect(hardware).toMatchObject({ name: 'top', array: { x: 14, y: 12 }, word_bits: 8 })
    expect(hardware?.levels.map(({ name, words }) => [name, words])).toEqual([
      ['DRAM', undefined],
      ['inter_PE_spatial', 0],
      ['spad', 24],
    ])
    expect(mapping?.levels).toEqual([
      { name: 'DRAM', temporal: [] },
      { name: 'inter_PE_spatial', temporal: [], spatial: { x: [['P', 14]], y: [['M', 12]] }, keep: [] },
      { name: 'spad', temporal: [['P', 2]] },
    ])
    expect(notes.filter((note) => note.includes('not read'))).toEqual(['compound components are Accelergy’s: not read'])
  })

  test('energies of the file, where all are given', () => {
    const text = ARCH_V3.replace('{ width: 64 }', '{ width: 64, vector-access-energy: 512 }')
      .replace('n_banks: 2', 'n_banks: 2, vector-access-energy: 20')
      .replace('entries: 24', 'entries: 24, vector-access-energy: 1.5')
      .replace(
        'class: intmac\n          attributes: { meshX: 2',
        'class: intmac\n          attributes: { energy-per-op: 0.5, meshX: 2',
      )
    const { hardware } = readTimeloop([{ name: 'arch.yaml', text }])
    // A line of the memory holds 64/16 and 32/16 words.
    expect(hardware?.levels.map(({ energy }) => energy)).toEqual([128, 10, 1.5])
    expect(hardware).toMatchObject({ mac: { energy: 0.5 }, network: { energy: 0 }, energy_unit: 'pJ' })
  })

  test.each([
    [
      'a matrix product',
      '[M, N, K]',
      [
        ['A', '[[[M]], [[K]]]'],
        ['B', '[[[K]], [[N]]]'],
        ['Z', '[[[M]], [[N]]]'],
      ],
      '{M: 6, N: 5, K: 4}',
      gemmProblem({ i: 6, j: 5, k: 4 }),
    ],
    [
      'a batch of them',
      '[B, M, N, K]',
      [
        ['A', '[[[B]], [[M]], [[K]]]'],
        ['Bs', '[[[B]], [[K]], [[N]]]'],
        ['Z', '[[[B]], [[M]], [[N]]]'],
      ],
      '{B: 3, M: 6, N: 5, K: 4}',
      gemmProblem({ i: 6, j: 5, k: 4, batch: 3 }),
    ],
    [
      'columns only',
      '[S, Q]',
      [
        ['Weights', '[[[S]]]'],
        ['Inputs', '[[[S], [Q]]]'],
        ['Outputs', '[[[Q]]]'],
      ],
      '{S: 3, Q: 9}',
      convProblem({ S: 3, Q: 9 }),
    ],
    [
      'names of its own',
      '[kernel, pixel, out, in]',
      [
        ['Filters', '[[[kernel]], [[out]], [[in]]]'],
        ['Image', '[[[in]], [[kernel], [pixel]]]'],
        ['Result', '[[[out]], [[pixel]]]'],
      ],
      '{kernel: 3, pixel: 9, out: 4, in: 2}',
      convProblem({ R: 3, P: 9, M: 4, C: 2 }),
    ],
    [
      'a window of one',
      '[C, M, P, Q]',
      [
        ['Weights', '[[[C]], [[M]]]'],
        ['Inputs', '[[[C]], [[P]], [[Q]]]'],
        ['Outputs', '[[[M]], [[P]], [[Q]]]'],
      ],
      '{C: 2, M: 3, P: 5, Q: 7}',
      convProblem({ C: 2, M: 3, P: 5, Q: 7 }),
    ],
    [
      'a fully connected layer with rows and columns',
      '[C, M, R, S, N]',
      [
        ['Weights', '[[[C]], [[M]], [[R]], [[S]]]'],
        ['Inputs', '[[[N]], [[C]], [[R]], [[S]]]'],
        ['Outputs', '[[[N]], [[M]]]'],
      ],
      '{C: 2, M: 3, R: 5, S: 7, N: 4}',
      convProblem({ C: 2, M: 3, R: 5, S: 7, N: 4 }),
    ],
  ] as const)('%s by its roles', (_, dimensions, spaces, instance, expected) => {
    const list = spaces.map(
      ([name, projection], index) => `    - {name: ${name}, projection: ${projection}${index === 2 ? ', read_write: true' : ''}}`,
    )
    const text = `problem:\n  shape:\n    dimensions: ${dimensions}\n    data_spaces:\n${list.join('\n')}\n  instance: ${instance}\n`
    expect(readTimeloop([{ name: 'p.yaml', text }]).problem).toEqual(expected)
  })

  test('strides, dilations, groups and the plane', () => {
    const problem = convProblem({
      M: 4,
      C: 2,
      P: 5,
      Q: 6,
      R: 3,
      S: 2,
      stride: [2, 1],
      dilation: [1, 2],
      padding: [1, 0, 1, 2],
      groups: 3,
    })
    const { problem: read } = readTimeloop([{ name: 'p.yaml', text: timeloopFile(problem, FLAT, flatMapping(problem)) }])
    expect(read).toEqual(problem)
    expect(read === undefined ? 0 : macsOf(read)).toBe(4 * 2 * 5 * 6 * 3 * 2 * 3)
  })

  test('constraints are a dataflow, those at nodes too', () => {
    const { dataflow, refusal } = readTimeloop([
      {
        name: 'all.yaml',
        text: `${PROBLEM_V3}${ARCH_V3}
architecture_constraints:
  targets:
  - {target: Glb, type: bypass, keep: [Inputs], bypass: [Outputs]}
  - {target: Glb, type: temporal, factors: R=1, permutation: PK}
  - {target: Glb, type: spatial, factors: R=1, permutation: PKR, split: 1}
  - {target: Regs, type: temporal, factors: P=1 K=1}
`,
      },
    ])
    expect(refusal).toBeUndefined()
    expect(dataflow?.levels).toEqual({
      Glb: {
        keep: ['inputs'],
        optional: ['weights'],
        temporal: ['P', 'M'],
        order: [['M'], ['P']],
        spatial: { x: ['P'], y: ['M'] },
      },
      Regs: { temporal: ['R'] },
    })
  })

  test('constraints that are no dataflow are noted, and handed back as a refusal', () => {
    const { dataflow, refusal, notes } = readTimeloop([
      { name: 'a.yaml', text: `${ARCH_V3}\nconstraints:\n  targets:\n  - {target: Glb, type: temporal, factors: [R=3]}\n` },
    ])
    expect(dataflow).toBeUndefined()
    expect(refusal?.message).toContain('the constraint R=3 is not read')
    expect(notes.join('\n')).toContain('constraints are not read')
  })
})

const FLAT: Hardware = {
  name: 'flat',
  array: { x: 1, y: 1 },
  levels: [{ name: 'M', energy: 1 }],
  network: { energy: 0 },
  mac: { energy: 1 },
}
function flatMapping({ groups, M, C, P, Q, R, S }: ReturnType<typeof convProblem>): Mapping {
  const temporal: Loop[] = [
    ['G', groups],
    ['M', M],
    ['C', C],
    ['P', P],
    ['Q', Q],
    ['R', R],
    ['S', S],
  ]
  return { levels: [{ name: 'M', temporal }] }
}

/** Of all loops, those in space counted as those in time. */
function stepsOf({ levels }: Mapping): number {
  return levels
    .flatMap(({ temporal, spatial }) => [...temporal, ...(spatial?.x ?? []), ...(spatial?.y ?? [])])
    .reduce((product, [, bound]) => product * bound, 1)
}

describe('what is written reads back', () => {
  test(
    'random problems, hardware and mappings, ragged ones too, in both spellings: the same evaluation',
    { timeout: 60_000 },
    () => {
      let compared = 0
      let refused = 0
      fc.assert(
        fc.property(
          cases,
          fc.constantFrom('0.3' as const, '0.4' as const),
          ({ problem, hardware: random, mapping: given }, version) => {
            const mapping: Mapping = { levels: given.levels.map((level) => ({ ...level, forward: {} })) }
            const product = (loops: readonly Loop[] = []): number => loops.reduce((all, [, bound]) => all * bound, 1)
            const hardware: Hardware = {
              ...random,
              network: { energy: 0 },
              levels: random.levels.map(({ name, energy }, index) => {
                const { x, y } = mapping.levels[index]?.spatial ?? {}
                return { name, energy, fanout: { x: product(x), y: product(y) } }
              }),
            }
            let text: string
            try {
              text = timeloopFile(problem, hardware, mapping, { version })
            } catch (error) {
              // A dimension twice at a level is the only thing that these mappings have and Timeloop has not.
              expect(error).toBeInstanceOf(MappingError)
              expect(String(error)).toContain('Timeloop has one factor')
              refused++
              return
            }
            const read = readTimeloop([{ name: 'written.yaml', text }])
            if (read.problem === undefined || read.hardware === undefined || read.mapping === undefined)
              throw new Error('not all three were read')
            // Padding beyond the plane has no form: the file says so, and counts are of the plane without.
            const lost = text.includes("Not in Timeloop's form: padding")
            expect(read.problem).toEqual(lost ? { ...problem, padding: [0, 0, 0, 0] } : problem)
            // Rounds that never come are not written: with sets of words they make no difference, Timeloop's rules look at loops.
            const isSame = stepsOf(read.mapping) === stepsOf(mapping)
            for (const halo of isSame ? (['exact', 'timeloop'] as const) : (['exact'] as const)) {
              const { energy, ...original } = evaluate(read.problem, hardware, mapping, { halo })
              expect(evaluate(read.problem, read.hardware, read.mapping, { halo })).toEqual({
                ...original,
                // Every Timeloop file has a unit, these hardwares have none.
                energy: { ...energy, unit: read.hardware.energy_unit },
              })
            }
            compared++
          },
        ),
        { numRuns: 150, seed: 3 },
      )
      console.log(
        `timeloop YAML: ${compared} mappings written, read and evaluated alike; ${refused} refused, a dimension twice at a level`,
      )
      expect(compared).toBeGreaterThan(100)
    },
  )

  test('a ragged loop by hand: 10 = two rounds of 4 and one of 2', () => {
    const problem = convProblem({ M: 10 })
    const hardware: Hardware = {
      ...FLAT,
      levels: [
        { name: 'A', energy: 1 },
        { name: 'B', energy: 1 },
      ],
    }
    const mapping: Mapping = {
      levels: [
        { name: 'A', temporal: [['M', 3]] },
        { name: 'B', temporal: [['M', 4]] },
      ],
    }
    const text = timeloopMapping(problem, hardware, mapping, { version: '0.3' })
    expect(text).toContain('factors: M=3 ')
    expect(text).toContain('factors: M=4,2 ')
    expect(readTimeloop([{ name: 'm', text }], { problem, hardware }).mapping).toEqual(mapping)
    // Rounds that never come are not written.
    const spare: Mapping = {
      levels: [
        { name: 'A', temporal: [['M', 7]] },
        { name: 'B', temporal: [['M', 4]] },
      ],
    }
    expect(timeloopMapping(problem, hardware, spare, { version: '0.3' })).toBe(text)
  })

  test('what Timeloop has no form for is refused', () => {
    const problem = convProblem({ M: 4, P: 4 })
    const twice: Mapping = {
      levels: [
        {
          name: 'M',
          temporal: [
            ['M', 2],
            ['P', 4],
            ['M', 2],
          ],
        },
      ],
    }
    expect(() => timeloopMapping(problem, FLAT, twice)).toThrow(/one factor of M .*level M/)
    const forwarding: Mapping = {
      levels: [
        {
          name: 'M',
          temporal: [
            ['M', 4],
            ['P', 4],
          ],
          forward: { inputs: 'x' },
        },
      ],
    }
    expect(() => timeloopMapping(problem, FLAT, forwarding)).toThrow('Timeloop has no form for words that neighbours hand on')
    const few: Mapping = {
      levels: [
        {
          name: 'M',
          temporal: [
            ['M', 4],
            ['P', 3],
          ],
        },
      ],
    }
    expect(() => timeloopMapping(problem, FLAT, few)).toThrow("multiply to less than the problem's 4")
  })
})
