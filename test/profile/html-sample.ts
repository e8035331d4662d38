/**
 * A made-up report to develop the page with: AlexNet's shapes under eight dataflows, figures of a plausible size from simple
 * reuse factors and a seeded generator. Not a result of anything: never shipped, never quoted.
 */
import type { Evaluation, Issued } from '../../src/cost/evaluation.ts'
import type { DataflowReport, LayerReport, ProfileReport } from '../../src/profile/report.ts'
import { REPORT_SCHEMA } from '../../src/profile/report.ts'
import type { Loop, Mapping } from '../../src/schedule/mapping.ts'
import type { Dimension, Operand, Problem } from '../../src/schedule/problem.ts'
import { OPERANDS, convProblem, extentOf, inputSpan, macsOf } from '../../src/schedule/problem.ts'

export const ALEXNET: readonly (readonly [string, Problem])[] = [
  ['conv1', convProblem({ M: 96, C: 3, P: 55, Q: 55, R: 11, S: 11, stride: [4, 4] })],
  ['conv2', convProblem({ M: 128, C: 48, P: 27, Q: 27, R: 5, S: 5, padding: [2, 2, 2, 2], groups: 2 })],
  ['conv3', convProblem({ M: 384, C: 256, P: 13, Q: 13, R: 3, S: 3, padding: [1, 1, 1, 1] })],
  ['conv4', convProblem({ M: 192, C: 192, P: 13, Q: 13, R: 3, S: 3, padding: [1, 1, 1, 1], groups: 2 })],
  ['conv5', convProblem({ M: 128, C: 192, P: 13, Q: 13, R: 3, S: 3, padding: [1, 1, 1, 1], groups: 2 })],
  ['fc6', convProblem({ M: 4096, C: 256, R: 6, S: 6 })],
  ['fc7', convProblem({ M: 4096, C: 4096 })],
  ['fc8', convProblem({ M: 1000, C: 4096 })],
]

export const DATAFLOW_NAMES = ['ws', 'os-a', 'os-b', 'os-c', 'is', 'nlr', 'rs', 'fastest'] as const

/** Mulberry32: numbers in [0, 1) that depend on the seed alone. */
function random(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

interface Shape {
  readonly x: Dimension
  readonly y: Dimension
  readonly kept: readonly Operand[]
  /** Words read from the global buffer per MAC, one over reuse; DRAM refetches; GMAC/s. */
  readonly reuse: Readonly<Record<Operand, number>>
  readonly refetch: Readonly<Record<Operand, number>>
  readonly rate: number
  readonly hops: number
}

const SHAPES: Readonly<Record<string, Shape>> = {
  ws: {
    x: 'M',
    y: 'C',
    kept: ['weights'],
    reuse: { weights: 700, inputs: 14, outputs: 12 },
    refetch: { weights: 1, inputs: 3, outputs: 4 },
    rate: 210,
    hops: 0.9,
  },
  'os-a': {
    x: 'Q',
    y: 'P',
    kept: ['outputs'],
    reuse: { weights: 150, inputs: 9, outputs: 900 },
    refetch: { weights: 3, inputs: 6, outputs: 1 },
    rate: 190,
    hops: 0.5,
  },
  'os-b': {
    x: 'Q',
    y: 'M',
    kept: ['outputs'],
    reuse: { weights: 13, inputs: 12, outputs: 900 },
    refetch: { weights: 2, inputs: 3, outputs: 1 },
    rate: 240,
    hops: 0,
  },
  'os-c': {
    x: 'M',
    y: 'M',
    kept: ['outputs'],
    reuse: { weights: 1, inputs: 160, outputs: 900 },
    refetch: { weights: 5, inputs: 2, outputs: 1 },
    rate: 120,
    hops: 0,
  },
  is: {
    x: 'Q',
    y: 'C',
    kept: ['inputs'],
    reuse: { weights: 12, inputs: 300, outputs: 11 },
    refetch: { weights: 4, inputs: 1, outputs: 3 },
    rate: 150,
    hops: 0.9,
  },
  nlr: {
    x: 'M',
    y: 'C',
    kept: [],
    reuse: { weights: 1, inputs: 14, outputs: 12 },
    refetch: { weights: 3, inputs: 3, outputs: 3 },
    rate: 95,
    hops: 0.9,
  },
  rs: {
    x: 'P',
    y: 'R',
    kept: ['weights', 'inputs', 'outputs'],
    reuse: { weights: 120, inputs: 60, outputs: 70 },
    refetch: { weights: 1, inputs: 2, outputs: 1 },
    rate: 260,
    hops: 0.3,
  },
}

const ARRAY = { x: 14, y: 12 } as const
const PES = ARRAY.x * ARRAY.y

export interface SampleOptions {
  readonly seed?: number
  readonly software?: boolean
  /** Adds an unverified row, a row whose counts differ and two skipped ones. */
  readonly trouble?: boolean
  readonly complete?: boolean
  readonly layers?: readonly (readonly [string, Problem])[]
  readonly dataflows?: readonly string[]
  readonly model?: string
}

export function sampleReport(options: SampleOptions = {}): ProfileReport {
  const {
    seed = 1,
    software = false,
    trouble = false,
    complete = true,
    layers = ALEXNET,
    dataflows = DATAFLOW_NAMES,
    model = 'AlexNet',
  } = options
  const next = random(seed)
  const reports = layers.map(([name, problem]): LayerReport => {
    const rows = dataflows.map((dataflow) => [dataflow, sampleRow(problem, dataflow, next, software)] as const)
    return { name, problem, macs: macsOf(problem), dataflows: Object.fromEntries(rows) }
  })
  return {
    schema: REPORT_SCHEMA,
    model,
    date: '2026-01-02T03:04:05.000Z',
    adapter: software
      ? {
          vendor: 'mesa',
          architecture: 'llvmpipe',
          device: 'llvmpipe (LLVM 19.1.7, 256 bits)',
          description: 'llvmpipe: Mesa 26.1',
          software,
          features: ['shader-f16', 'subgroups', 'timestamp-query'],
          toggles: [],
        }
      : {
          vendor: 'example',
          architecture: 'gen-9',
          device: 'Example GPU 9000',
          description: 'Example GPU 9000 (made-up)',
          software,
          features: ['shader-f16', 'subgroups', 'timestamp-query'],
          toggles: ['disable_robustness'],
        },
    hardware: 'eyeriss',
    precision: 'f32',
    batch: 1,
    clock: { source: 'timestamp-query', quantum_ns: 32 },
    samples: software ? 3 : 15,
    warmups: software ? 1 : 3,
    complete,
    layers: trouble ? reports.map(spoil) : reports,
  }
}

/** A network of many layers with long names, for the page's other form. */
export function manyLayers(count = 40): (readonly [string, Problem])[] {
  return Array.from({ length: count }, (_, index) => {
    const stage = Math.floor((index * 4) / count)
    const extent = 56 >> stage
    const filter = index % 3 === 1 ? 3 : 1
    const M = 64 << stage
    const problem = convProblem({ M, C: index % 3 === 0 ? M * 4 : M, P: extent, Q: extent, R: filter, S: filter })
    return [`res${stage + 2}.block${index % 7}.conv${(index % 3) + 1}`, problem] as const
  })
}

function spoil(layer: LayerReport): LayerReport {
  const change = (dataflow: string, made: (row: DataflowReport) => DataflowReport): LayerReport => {
    const row = layer.dataflows[dataflow]
    return row === undefined ? layer : { ...layer, dataflows: { ...layer.dataflows, [dataflow]: made(row) } }
  }
  switch (layer.name) {
    case 'conv2':
      return change('nlr', (row) => ({ ...row, verified: false, max_error: 0.37, max_error_ratio: 5123.4 }))
    case 'conv4':
      return change('is', (row) => ({
        ...row,
        counted_equal: false,
        ...(row.counted === undefined ? {} : { counted: { ...row.counted, macs: row.counted.macs - 169 } }),
      }))
    case 'fc6':
      return change('os-a', () => ({
        skipped: 'Needs subgroups of at least 8 lanes, to hand inputs from lane to lane; this adapter has 4',
      }))
    case 'fc7':
      return change('rs', (row) => ({ ...row, notes: ['Register file: 48 of 64 words used; 2 channels per pass instead of 4'] }))
    default:
      return layer
  }
}

function words(problem: Problem): Record<Operand, number> {
  const { rows, columns } = inputSpan(problem)
  return {
    weights: problem.groups * problem.M * problem.C * problem.R * problem.S,
    inputs: problem.groups * problem.N * problem.C * rows * columns,
    outputs: problem.groups * problem.N * problem.M * problem.P * problem.Q,
  }
}

function sampleRow(problem: Problem, dataflow: string, next: () => number, software: boolean): DataflowReport {
  const macs = macsOf(problem)
  const shape = SHAPES[dataflow]
  const flat = problem.P === 1 && problem.Q === 1
  const rate = (shape?.rate ?? 900) * (flat ? 0.14 : 1) * (0.8 + 0.4 * next()) * (software ? 0.0012 : 1)
  const time = macs / rate / 1e6 + 0.004
  const samples = Array.from({ length: software ? 3 : 15 }, () => time * (0.98 + 0.06 * next())).toSorted((a, b) => a - b)
  const time_ms = samples[Math.floor(samples.length / 2)] ?? time
  const figures = {
    time_ms,
    samples_ms: samples,
    gflops: (2 * macs) / time_ms / 1e6,
    verified: true,
    max_error: 1e-6 * (1 + 9 * next()),
    max_error_ratio: 0.01 + 0.2 * next(),
  }
  if (shape === undefined)
    return { ...figures, notes: ['Default kernels of Tilewright, chosen by shape; no dataflow of the model'] }
  const predicted = sampleEvaluation(problem, shape, next)
  return {
    ...figures,
    mapping: sampleMapping(problem, shape),
    predicted,
    ...(predicted.issued === undefined ? {} : { counted: predicted.issued, counted_equal: true }),
  }
}

function sampleEvaluation(problem: Problem, shape: Shape, next: () => number): Evaluation {
  const macs = macsOf(problem)
  const size = words(problem)
  const per = <T>(make: (operand: Operand) => T): Record<Operand, T> => ({
    weights: make('weights'),
    inputs: make('inputs'),
    outputs: make('outputs'),
  })
  // No operand is read less often than it has words, nor more often than there are MACs.
  const served = (operand: Operand, reuse: number) => Math.min(macs, Math.max(size[operand], Math.round(macs / reuse)))
  const glb = per((operand) => {
    const count = served(operand, shape.reuse[operand])
    return operand === 'outputs'
      ? { reads: count - size.outputs, fills: 0, updates: count }
      : { reads: count, fills: served(operand, macs / (size[operand] * shape.refetch[operand])), updates: 0 }
  })
  const dram = per((operand) => {
    const count = size[operand] * shape.refetch[operand]
    return operand === 'outputs'
      ? { reads: count - size.outputs, fills: 0, updates: count }
      : { reads: glb[operand].fills, fills: 0, updates: 0 }
  })
  const rf = per((operand) => {
    if (!shape.kept.includes(operand)) return { reads: 0, fills: 0, updates: 0 }
    return operand === 'outputs'
      ? { reads: macs - size.outputs, fills: 0, updates: macs }
      : { reads: macs, fills: glb[operand].reads, updates: 0 }
  })
  const hops = per((operand) => (operand === 'outputs' ? Math.round(macs * shape.hops) : 0))
  const accesses = { DRAM: dram, GLB: glb, RF: rf }
  const costs = { DRAM: 200, GLB: 6, RF: 1 } as const
  const spent = (level: keyof typeof costs, operand: Operand) => {
    const { reads, fills, updates } = accesses[level][operand]
    return (reads + fills + updates) * costs[level]
  }
  const levels = { DRAM: 0, GLB: 0, RF: 0 }
  for (const level of ['DRAM', 'GLB', 'RF'] as const)
    levels[level] = OPERANDS.reduce((sum, operand) => sum + spent(level, operand), 0)
  const network = OPERANDS.reduce((sum, operand) => sum + hops[operand] * 2, 0)
  const per_operand = per((operand) => spent('DRAM', operand) + spent('GLB', operand) + spent('RF', operand) + hops[operand] * 2)
  const utilization = 0.55 + 0.45 * next()
  const issued: Issued = {
    macs,
    storage: per((operand) => ({ loads: dram[operand].reads, stores: dram[operand].updates })),
    workgroup: per((operand) => ({ loads: glb[operand].reads, stores: glb[operand].fills + glb[operand].updates })),
    hops,
  }
  return {
    macs,
    cycles: Math.ceil(macs / PES / utilization),
    utilization,
    accesses,
    network: { hops },
    energy: { total: macs + network + levels.DRAM + levels.GLB + levels.RF, mac: macs, network, levels, per_operand },
    issued,
  }
}

function sampleMapping(problem: Problem, shape: Shape): Mapping {
  const left = new Map<Dimension, number>(
    (['G', 'N', 'M', 'C', 'P', 'Q', 'R', 'S'] as const).map((dimension) => [dimension, extentOf(problem, dimension)]),
  )
  const take = (dimension: Dimension, most: number): Loop => {
    const rest = left.get(dimension) ?? 1
    const bound = Math.min(rest, most)
    left.set(dimension, Math.ceil(rest / bound))
    return [dimension, bound]
  }
  const x = [take(shape.x, ARRAY.x)]
  const y = [take(shape.y, ARRAY.y)]
  const rf = shape.kept.length === 3 ? [take('M', 8), take('S', 11)] : []
  const glb = [take('C', 16), take('R', 11), take('S', 11), take('Q', 14)]
  const dram = ([...left.keys()] as Dimension[]).map((dimension) => take(dimension, Number.MAX_SAFE_INTEGER))
  return {
    levels: [
      { name: 'DRAM', temporal: dram },
      {
        name: 'GLB',
        temporal: glb,
        spatial: { x, y },
        keep: ['inputs', 'outputs'],
        ...(shape.x === 'Q' && shape.y === 'P' ? { forward: { inputs: 'x' as const } } : {}),
      },
      { name: 'RF', temporal: rf, keep: shape.kept },
    ],
  }
}
