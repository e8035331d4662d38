/**
 * Zeros against the runs of Sparseloop (Timeloop with sparse optimisations) that its exercises publish: 12 of them. What each run does about zeros is not in
 * the file of figures; it is written down here after the exercises' own inputs (timeloop-accelergy-exercises, the
 * `sparse_optimizations` of each `parsed-processed-input.yaml`). Where the file is absent the tests say so and skip.
 */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { evaluate } from '../../src/cost/evaluate.ts'
import type { Density } from '../../src/cost/density.ts'
import type { SparseCounts } from '../../src/cost/evaluation.ts'
import type { Hardware, HardwareSparsity, OperandSparsity } from '../../src/schedule/hardware.ts'
import type { ReadProblem } from '../../src/formats/timeloop/problem.ts'
import { convProblem, type Operand } from '../../src/schedule/problem.ts'
import { hardwareOf, mappingOf, parseNest, problemOf, reference, sparseReference, type SparseReference } from './timeloop-refs.ts'

const FILE = fileURLToPath(new URL('../../../shared/truth/timeloop_refs.json', import.meta.url))
const isThere = existsSync(FILE)
if (!isThere) console.log('skipped: the published sparse runs are expected in ../shared/truth/timeloop_refs.json')

const raw = isThere ? z.object({ tuples: z.array(z.unknown()) }).parse(JSON.parse(readFileSync(FILE, 'utf8'))).tuples : []
const runs = raw.filter((tuple) => reference.parse(tuple).sparse).map((tuple) => sparseReference.parse(tuple))

/** By level and data space as the exercise names them. Runs of 16 bits never overflow: published counts are of non-zeros alone. */
type Rule = Omit<OperandSparsity, 'on'> & { readonly on?: readonly string[] }
type Rules = Readonly<Record<string, Readonly<Record<string, Rule>>>>
const RLE: Rule = { format: 'rle', run_bits: 16 }

interface Design {
  readonly rules: Rules
  /** Words per cycle and instance of levels that have a port. */
  readonly bandwidth?: Readonly<Record<string, { readonly read: number; readonly write: number }>>
}

const CSR: Rule = { format: 'csr' }
const SPMSPM: Rules = {
  // The exercise names A's rule at Buffer, which A passes by; it acts where A is stored.
  BackingStorage: { A: { ...CSR, action: 'skip', on: ['B'] }, B: CSR },
  Buffer: { B: { ...CSR, action: 'skip', on: ['A'] }, Z: { action: 'skip', on: ['A', 'B'] } },
}
const EYERISS: Design['bandwidth'] = {
  weights_spad: { read: 2, write: 2 },
  ifmap_spad: { read: 2, write: 2 },
  shared_glb: { read: 16, write: 16 },
}
const GATING: Rules = {
  DRAM: { Inputs: RLE, Outputs: RLE },
  weights_spad: { Weights: { action: 'gate', on: ['Inputs'] } },
}

const DESIGNS: Readonly<Record<string, Design>> = {
  sparse_tensor_core_like: { rules: {}, bandwidth: { DRAM: { read: 32, write: 32 }, SMEM: { read: 42, write: 42 } } },
  '01.2.1-DUDU-dot-product': { rules: {}, bandwidth: { Buffer: { read: 3, write: 1 } } },
  '01.2.2-SUDU-dot-product': {
    rules: { Buffer: { B: { action: 'gate', on: ['A'] }, Z: { action: 'gate', on: ['A'] } } },
    bandwidth: { Buffer: { read: 3, write: 1 } },
  },
  '01.2.3-SCDU-dot-product': {
    rules: {
      Buffer: { A: { format: 'coordinate' }, B: { action: 'skip', on: ['A'] }, Z: { action: 'skip', on: ['A'] } },
    },
  },
  '02.2.1-spMspM': { rules: SPMSPM },
  '02.2.2-spMspM-tiled': { rules: SPMSPM },
  '03.2.1-conv1d': {
    rules: {
      BackingStorage: { Weights: RLE },
      Buffer: { Weights: RLE, Inputs: { action: 'skip', on: ['Weights'] }, Outputs: { action: 'skip', on: ['Weights'] } },
    },
  },
  '03.2.2-conv1d+oc': { rules: { BackingStorage: { Weights: RLE }, Buffer: { Inputs: { action: 'skip', on: ['Weights'] } } } },
  '03.2.3-conv1d+oc-spatial': {
    rules: {
      BackingStorage: { Weights: RLE },
      Buffer: { Inputs: { action: 'skip', on: ['Weights'] }, Outputs: { action: 'skip', on: ['Weights'] } },
    },
  },
  '04.2.1-eyeriss-like-gating': { rules: GATING, bandwidth: EYERISS },
  '04.2.2-eyeriss-like-gating-mapspace-search': { rules: GATING, bandwidth: EYERISS },
  '04.2.3-eyeriss-like-onchip-compression': {
    rules: {
      DRAM: { Inputs: RLE, Outputs: RLE },
      shared_glb: { Inputs: RLE },
      ifmap_spad: { Inputs: RLE },
      weights_spad: { Weights: { action: 'skip', on: ['Inputs'] } },
    },
    bandwidth: EYERISS,
  },
}

const densities = z.object({
  densities: z.record(z.string(), z.object({ density: z.coerce.number(), distribution: z.literal('fixed_structured') })),
})

interface Compared {
  /** A line of the table in docs/sparsity.md. */
  readonly row: string
  readonly figures: number
  /** "run LEVEL what: ours, theirs". */
  readonly differing: string[]
}

function compare(entry: SparseReference): Compared {
  const id = entry.id.split('/').at(-1) ?? ''
  const { rules, bandwidth } = DESIGNS[id] ?? { rules: {} }
  // The reader of Timeloop's problems refuses densities, which say nothing of its loops.
  const { densities: _, ...bounds } = z.record(z.string(), z.unknown()).parse(entry.workload.instance)
  const read = /^dot-?product/i.test(entry.workload.shape_name)
    ? dotProduct(bounds)
    : problemOf({ id: entry.id, workload: { ...entry.workload, instance: bounds } })
  const nest = parseNest(entry.mapping_loopnest, read.operands)
  const mapping = mappingOf(nest, read)
  const operandOf = (name: string): Operand => {
    const operand = read.operands.get(name)
    if (operand === undefined) throw new Error(`no data space ${name} in ${id}`)
    return operand
  }
  const levels: HardwareSparsity['levels'] = Object.fromEntries(
    Object.entries(rules).map(([level, own]) => [
      level,
      Object.fromEntries(Object.entries(own).map(([name, rule]) => [operandOf(name), named(rule, operandOf)])),
    ]),
  )
  const plain = hardwareOf(entry, nest)
  const hardware: Hardware = {
    ...plain,
    word_bits: 16,
    sparsity: { levels },
    levels: plain.levels.map((level) => ({
      ...level,
      ...(bandwidth?.[level.name] === undefined ? {} : { bandwidth: bandwidth[level.name] ?? {} }),
    })),
  }
  const instance = densities.parse(entry.workload.instance).densities
  const given = Object.fromEntries(
    Object.entries(instance).map(([name, { density }]): [Operand, Density] => [operandOf(name), { density, spread: 'even' }]),
  )
  const dense = evaluate(read.problem, hardware, mapping, { halo: 'timeloop', densities: given })
  const ours = dense.sparse
  const differing: string[] = []
  let figures = 0
  const check = (name: string, mine: number | undefined, theirs: number, within = 0): void => {
    figures++
    if (mine === undefined || Math.abs(mine - theirs) > within) differing.push(`${id} ${name}: ${short(mine)}, ${short(theirs)}`)
  }
  check('cycles', ours.cycles, Number(entry.summary.Cycles))
  check('utilization', ours.utilization, Number.parseFloat(entry.summary.Utilization) / 100, 0.00005 + 1e-12)
  // Counts are printed by instance, and rounded up.
  const up = (value: number): number => Math.ceil(value - 1e-6)
  const timed = ({ actual, gated, skipped }: SparseCounts, all: number, instances: number): number =>
    gated > 0 && skipped === 0 ? all / instances : up((actual + gated) / instances)
  for (const { level, access, 'Computes (total)': computes, Cycles, 'Utilized instances': instances } of entry.levels) {
    if (computes !== undefined) check(`${level} computes`, ours.macs.performed, computes)
    if (access === undefined) {
      check(`${level} cycles`, up((ours.macs.performed / dense.macs) * (dense.time?.compute ?? NaN)), Cycles)
      if (instances !== undefined) check(`${level} instances`, dense.macs / (dense.time?.compute ?? NaN), instances)
      continue
    }
    const port = ours.time.levels[level] ?? 0
    check(`${level} cycles`, Math.max(up((ours.macs.performed / dense.macs) * (dense.time?.compute ?? NaN)), port), Cycles)
    for (const [name, counts] of Object.entries(access)) {
      const operand = operandOf(name)
      const mine = ours.accesses[level]?.[operand]
      const all = dense.accesses[level]?.[operand]
      if (mine === undefined || all === undefined) throw new Error(`${id} has no ${level} ${name}`)
      for (const kind of ['reads', 'fills', 'updates'] as const) {
        const total = counts[`${kind}_total`]
        if (total !== undefined) check(`${level} ${operand} ${kind}`, mine[kind].actual, total)
      }
      const used = counts.utilized_instances
      const made = operand === 'outputs' ? 'updates' : 'reads'
      const addresses = timed(mine[made], all[made], used) + timed(mine.fills, all.fills, used)
      check(`${level} ${operand} addresses`, addresses, counts.address_generations_per_cluster)
      const again = operand === 'outputs' ? up(mine.reads.actual / used) : 0
      check(`${level} ${operand} sums read back`, again, counts.temporal_reductions_per_inst)
    }
  }
  for (const { name, tiles, stored } of nest) {
    for (const [operand, words] of Object.entries(stored)) {
      const kept = ours.stored[name]?.[operandNamed(operand)]?.values
      check(`${name} ${operand} stored`, kept === undefined ? tiles[operandNamed(operand)] : up(kept), words)
    }
  }
  const parts = Object.entries(instance).map(([name, { density }]) => `${name} ${density}`)
  return { figures, differing, row: `| ${id} | ${parts.join(', ') || 'all'} | ${figures} | ${differing.length} |` }
}

/** Four decimals. */
function short(value: number | undefined): string {
  return value === undefined ? 'none' : String(Number(value.toFixed(4)))
}

/** Z[m] += A[k] · B[k], M being 1: a dimension of the outputs alone is of no loop nest of ours. */
function dotProduct(bounds: Readonly<Record<string, unknown>>): ReadProblem {
  const { K, M } = z.object({ K: z.coerce.number(), M: z.literal('1') }).parse(bounds)
  return {
    problem: convProblem({ C: K, M: Number(M) }),
    notes: [],
    operands: new Map([
      ['A', 'weights'],
      ['B', 'inputs'],
      ['Z', 'outputs'],
    ]),
    dimensions: new Map([
      ['K', 'C'],
      ['M', 'M'],
    ]),
  }
}

function operandNamed(name: string): Operand {
  return z.enum(['weights', 'inputs', 'outputs']).parse(name)
}

/** A rule with our names of the operands that it looks at. */
function named({ on, ...rule }: Rule, operandOf: (name: string) => Operand): OperandSparsity {
  return on === undefined ? rule : { ...rule, on: on.map((name) => z.enum(['weights', 'inputs']).parse(operandOf(name))) }
}

/** Every figure that differs: ours, theirs, and why. */
const GATED_STEPS =
  'a MAC whose weight is gated takes no time there, only the gated read does, through a port of 2 words a cycle; here it takes its step'
const WHOLE_MACS = 'MACs are rounded up to whole ones before they are divided; here 43 % of them are'
const DECIMAL = 'the floating-point product of words and density lies just above a whole number, and is rounded up'
const THROTTLED =
  'MAC cycles, rounded up, are divided by how much the port slows the unrounded ones; here words are divided by the bandwidth'
const RUN_BITS = 'runs are 4 bits there and tiles have offsets of their own; here runs are 16 bits, so that none overflows'
const DIFFERENCES: readonly (readonly [run: string, figure: string, ours: string, theirs: string, why: string])[] = [
  ['03.2.1-conv1d', 'utilization', '0.9675', '1', WHOLE_MACS],
  ['03.2.2-conv1d+oc', 'utilization', '0.9957', '1', WHOLE_MACS],
  ['03.2.3-conv1d+oc-spatial', 'utilization', '0.9957', '1', WHOLE_MACS],
  ['04.2.1-eyeriss-like-gating', 'cycles', '3833856', '1916929', GATED_STEPS],
  ['04.2.1-eyeriss-like-gating', 'utilization', '0.2554', '0.5107', GATED_STEPS],
  ['04.2.1-eyeriss-like-gating', 'weights_spad cycles', '1916928', '1916929', THROTTLED],
  ['04.2.1-eyeriss-like-gating', 'ifmap_spad cycles', '1916928', '1916929', THROTTLED],
  ['04.2.1-eyeriss-like-gating', 'DRAM inputs stored', '63360', '63361', DECIMAL],
  ['04.2.2-eyeriss-like-gating-mapspace-search', 'cycles', '9345024', '4672512', GATED_STEPS],
  ['04.2.2-eyeriss-like-gating-mapspace-search', 'utilization', '0.1048', '0.2095', GATED_STEPS],
  ['04.2.2-eyeriss-like-gating-mapspace-search', 'DRAM inputs stored', '63360', '63361', DECIMAL],
  ['04.2.3-eyeriss-like-onchip-compression', 'cycles', '1969594', '1827229', RUN_BITS],
  ['04.2.3-eyeriss-like-onchip-compression', 'utilization', '0.4971', '0.5358', RUN_BITS],
  ['04.2.3-eyeriss-like-onchip-compression', 'shared_glb cycles', '1969594', '1827229', RUN_BITS],
  ['04.2.3-eyeriss-like-onchip-compression', 'DRAM inputs stored', '63360', '63361', DECIMAL],
]

describe.skipIf(!isThere)('published runs with zeros', () => {
  test('figure by figure: equal, or different for a reason', () => {
    const results = runs.map(compare)
    const differing = results.flatMap((result) => result.differing)
    const figures = results.reduce((sum, result) => sum + result.figures, 0)
    const reasons = new Map<string, number>()
    for (const [, , , , why] of DIFFERENCES) reasons.set(why, (reasons.get(why) ?? 0) + 1)
    console.log(
      [
        `timeloop_refs: ${figures} figures of ${runs.length} runs with zeros compared; ${figures - differing.length} equal, ${differing.length} differ:`,
        ...[...reasons].map(([why, count]) => `  ${count}: ${why}`),
      ].join('\n'),
    )
    expect(differing).toEqual(DIFFERENCES.map(([run, figure, ours, theirs]) => `${run} ${figure}: ${ours}, ${theirs}`))
    expect(runs.map(({ id }) => id.split('/').at(-1))).toEqual(Object.keys(DESIGNS))
    for (const result of results) expect(result.figures).toBeGreaterThan(8)
    expect(figures).toBe(297)
    const rows = [...results.map(({ row }) => row), `| all | | ${figures} | ${differing.length} |`]
    const told = readFileSync(new URL('../../docs/sparsity.md', import.meta.url), 'utf8')
    expect(rows.filter((row) => !told.includes(`\n${row}\n`))).toEqual([])
  })

  test('the reasons give the published figures', () => {
    // DECIMAL
    expect(Math.ceil(230_400 * 0.275)).toBe(63_361)
    // GATED_STEPS: each of 156 (64) PEs reads a weight for each MAC, gated or not, at two a cycle.
    expect(Math.ceil(598_081_536 / 156 / 2)).toBe(1_916_928)
    expect(Math.ceil(598_081_536 / 64 / 2)).toBe(4_672_512)
    // THROTTLED: whole MAC cycles over the throttling factor of broken ones.
    expect(Math.trunc(1_054_311 / (1_054_310.4 / 1_916_928))).toBe(1_916_929)
    expect(Math.trunc(2_569_882 / (2_569_881.6 / 4_672_512))).toBe(4_672_512)
    // RUN_BITS: partial sums, inputs with runs of 4 bits, and for each tile of 96 inputs nine offsets of 4 bits, through 16 words a cycle.
    const inputs = 12_460_032
    const words = 24_660_480 + inputs * 0.275 * (1 + 4 / 16) + ((inputs / 96) * 9 * 4) / 16
    expect(Math.abs(words / 16 - 1_827_229)).toBeLessThan(2)
  })
})
