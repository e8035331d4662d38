/**
 * How long a matrix product takes under a configuration, before it runs: the time at each bottleneck, as if it were the only one, and
 * how well the grid fills the machine. Think of a bill of five lines of which, on a GPU, the largest is paid:
 *
 *     arithmetic   lanes that compute, those past the edges too      ÷ peak, less where registers do not hold the sums
 *     memory       every word once, and scratch twice                ÷ bandwidth of memory
 *     cache        words that workgroups fetch (`evaluate`, DRAM)    ÷ bandwidth of the caches
 *     workgroup    words through workgroup memory (`evaluate`, GLB)  ÷ its bandwidth
 *     issue        accesses that lanes issue (`accesses`, a vec4: 1) ÷ accesses a second, and halves converted
 *
 * Overlap of all but the largest is the roofline's (Williams, Waterman, Patterson, CACM 2009), with more than two roofs as in the
 * execution-cache-memory model (Treibig, Hager, PPAM 2009), whose rule for a core without overlap, the sum, holds for software adapters.
 * Pure. It ranks candidates; a measured time is never mixed with it.
 */
import { evaluate } from '../../cost/evaluate.ts'
import { deviceByteSize, type DeviceFacts, type OpPlan } from '../../gpu/program.ts'
import type { Hardware } from '../../schedule/hardware.ts'
import type { Mapping } from '../../schedule/mapping.ts'
import { convProblem } from '../../schedule/problem.ts'
import { sizeOf } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { familyNamed } from './families.ts'
import type { Accesses, Config } from './family.ts'
import { slicesOf, type Product } from './product.ts'

/** What a machine does in a second at best. */
export interface Rates {
  /** Operations (a multiply-add is 2): by the dtype of sums, and of matrix units. */
  readonly flops: { readonly f32: number; readonly f16: number; readonly matrix: number }
  /** Bytes of memory, read and written together. */
  readonly bytes: number
  readonly cacheBytes: number
  readonly workgroupBytes: number
  /** Accesses of single lanes to vectors of four. */
  readonly accesses: number
  /** What a scalar access costs beside one of a vector. */
  readonly scalar: number
  /** Halves that are made f32 or back; Infinity where that is an instruction of its own kind. */
  readonly conversions: number
  /** Sums that a lane keeps in registers; beyond them arithmetic is slower by as much. */
  readonly registers: number
  /** Seconds that a dispatch takes beside its work. */
  readonly launch: number
  /** Workgroups that run at once have together at most so many invocations; Infinity where `groups` says it. */
  readonly invocations: number
  readonly groups: number
  /** Whether bottlenecks overlap, so that the largest is paid rather than the sum. */
  readonly overlap: boolean
}

/** `Peaks` of src/profile/peak.ts. */
export interface MeasuredPeaks {
  readonly flops: { readonly f32: number; readonly f16?: number }
  readonly bytes_per_s: number
}

/**
 * Rates by the kind of adapter, with measured peaks where they are given.
 *
 * GPU: 10 TFLOP/s and 500 GB/s, a middling card, where nothing was measured. Beside the peak of f32: an access takes the place of 8
 * operations (32 load/store units beside 128 lanes of multiply-adds in each multiprocessor of an H100, NVIDIA's white paper of 2022; 4
 * on a V100), a byte of workgroup memory that of 2 (128 bytes a cycle, ibid.). Assumed: caches of 4 times the memory's bandwidth, matrix
 * units of 8 times the peak, 65 536 invocations at once, 128 sums in the 255 registers of a lane (NVIDIA), 3 µs a dispatch.
 * Software: ratios fitted to lavapipe 26.1 on two cores of a server (7 problems, all families): accesses are dear, halves dearer, since they are
 * converted by integer arithmetic; caches are as good as any memory.
 */
export function ratesFor(device: Pick<DeviceFacts, 'software'>, peaks?: MeasuredPeaks): Rates {
  const f32 = peaks?.flops.f32 ?? (device.software ? 96e9 : 10e12)
  const bytes = peaks?.bytes_per_s ?? (device.software ? 10e9 : 500e9)
  if (device.software) {
    return {
      flops: { f32, f16: peaks?.flops.f16 ?? f32 / 4, matrix: f32 / 9 },
      bytes,
      cacheBytes: Infinity,
      workgroupBytes: f32 / 60,
      accesses: f32 / 48,
      scalar: 0.4,
      conversions: f32 / 137,
      registers: 128,
      launch: 20e-6,
      invocations: Infinity,
      groups: 4,
      overlap: false,
    }
  }
  return {
    flops: { f32, f16: peaks?.flops.f16 ?? 2 * f32, matrix: 8 * f32 },
    bytes,
    cacheBytes: 4 * bytes,
    workgroupBytes: f32 / 2,
    accesses: f32 / 8,
    scalar: 1,
    conversions: Infinity,
    registers: 128,
    launch: 3e-6,
    invocations: 65536,
    groups: Infinity,
    overlap: true,
  }
}

/** Seconds at each bottleneck if it were the only one. */
export interface EstimateParts {
  readonly arithmetic: number
  readonly memory: number
  readonly cache: number
  readonly workgroup: number
  readonly issue: number
}

export interface Estimate {
  readonly seconds: number
  readonly parts: EstimateParts
  /** Seconds of starting dispatches. */
  readonly launch: number
  /** The largest part. */
  readonly bound: keyof EstimateParts
  /** Grids after one another: workgroups over those that run at once. */
  readonly waves: number
  /** Share of the machine that is busy: waves over whole waves. */
  readonly occupancy: number
}

/**
 * @param product normalised, not empty
 * @param config legal for it on this device
 * @throws OptionError where there is no such kernel
 */
export function estimate(product: Product, config: Config, device: DeviceFacts, rates: Rates = ratesFor(device)): Estimate {
  const family = familyNamed(config.kernel, product.op)
  const plan = family.plan(product, config, device)
  const mapping = family.mappingOf(product, config, device)
  const nest = family.nest?.(product, config) ?? product
  const problem = convProblem({ N: slicesOf(nest), P: nest.rows, M: nest.columns, C: Math.max(1, nest.depth) })
  const { accesses } = evaluate(problem, kernelMachine(device), mapping)
  const [dram, shared] = [accesses['DRAM'], accesses['GLB']]
  const bytesOf = { inputs: nest.a.type, weights: nest.b.type, outputs: nest.output }
  let fetched = 0
  let handed = 0
  for (const [operand, type] of Object.entries(bytesOf) as [keyof typeof bytesOf, TensorType][]) {
    const { reads = 0, updates = 0 } = dram?.[operand] ?? {}
    fetched += (reads + updates) * deviceByteSize(type.dtype)
    const { reads: served = 0, fills = 0, updates: stored = 0 } = shared?.[operand] ?? {}
    handed += (served + fills + stored) * 4
  }
  const scratch = plan.temps.reduce((sum, type) => sum + 2 * byteSize(type), 0)
  const { positions, scales } = product.b.sparse ?? {}
  const whole = [product.a.type, product.b.type, positions?.type, scales?.type, product.output]
  const once = whole.reduce((sum, type) => sum + (type === undefined ? 0 : byteSize(type)), 0)
  const parts: EstimateParts = {
    arithmetic: ((2 * stepsOf(mapping)) / peakOf(product, plan, rates)) * Math.max(1, sumsOf(mapping) / rates.registers),
    memory: (once + scratch) / rates.bytes,
    cache: (fetched + scratch) / rates.cacheBytes,
    workgroup: handed / rates.workgroupBytes,
    issue: issueOf(family.accesses(product, config, device), plan, rates),
  }
  return summed(parts, plan, rates)
}

/** What a plan takes whose parts are known: the largest of them or their sum, over the share of the machine that is busy, and launches. */
export function summed(parts: EstimateParts, plan: OpPlan, rates: Rates): Estimate {
  const bound = largest(parts)
  const { arithmetic, memory, cache, workgroup, issue } = parts
  const work = rates.overlap ? parts[bound] : Math.max(memory, arithmetic + workgroup + issue + cache)
  const waves = wavesOf(plan, rates)
  const occupancy = waves / Math.ceil(waves)
  const launch = plan.dispatches.length * rates.launch
  return { seconds: work / occupancy + launch, parts, launch, bound, waves, occupancy }
}

/** A configuration and how long it is expected to take. */
export interface Ranked<C> {
  readonly config: C
  readonly estimate: Estimate
}

/** The fastest expected first; where one bottleneck makes two equal, by what they spend on all of them. */
export function byEstimate(a: Ranked<unknown>, b: Ranked<unknown>): number {
  return a.estimate.seconds - b.estimate.seconds || spentOn(a.estimate) - spentOn(b.estimate)
}

function spentOn({ parts: { arithmetic, memory, cache, workgroup, issue } }: Estimate): number {
  return arithmetic + memory + cache + workgroup + issue
}

/**
 * The GPU as the machine that kernels of products are mapped on: the levels of `gpuHardware` (models/hardware) without sizes, since a
 * family has refused what a workgroup or registers cannot hold.
 */
export function kernelMachine(device: Pick<DeviceFacts, 'limits'>): Hardware {
  const lanes = device.limits.maxComputeInvocationsPerWorkgroup
  return {
    name: 'gpu',
    source: "The adapter's limits; energies normalised to one MAC after Chen, Emer, Sze, ISCA 2016, Table IV",
    array: { x: lanes, y: lanes },
    levels: [
      { name: 'DRAM', energy: 200, fanout: { x: 2 ** 31, y: 2 ** 31 }, multicast: false },
      { name: 'GLB', energy: 6, fanout: { x: lanes, y: lanes } },
      { name: 'RF', energy: 1 },
    ],
    network: { energy: 2 },
    mac: { energy: 1 },
    word_bits: 32,
  }
}

/** Multiply-adds that lanes step through: all loops of the nest, what lies past the edges included. */
function stepsOf({ levels }: Mapping): number {
  const loops = levels.flatMap(({ temporal, spatial }) => [...temporal, ...(spatial?.x ?? []), ...(spatial?.y ?? [])])
  return loops.reduce((steps, [, bound]) => steps * bound, 1)
}

function peakOf({ accumulate }: Product, { dispatches }: OpPlan, { flops }: Rates): number {
  const isMatrix = dispatches.some(({ program }) => program.requires?.includes('chromium-experimental-subgroup-matrix') === true)
  return isMatrix ? flops.matrix : flops[accumulate]
}

function byteSize({ dtype, shape }: TensorType): number {
  return sizeOf(shape) * deviceByteSize(dtype)
}

/** Seconds of the accesses that lanes issue: elements over the elements that one access moves, and the conversion of halves. */
export function issueOf(counts: Accesses, { dispatches }: OpPlan, rates: Rates): number {
  const operands = dispatches.flatMap(({ program }) => program.operands)
  return Object.entries(counts).reduce((sum, [name, { loads, stores }]) => {
    const { width = 1, dtype = 'f32', raw = false } = operands.find((operand) => operand.name === name) ?? {}
    const elements = loads + stores
    const issued = ((elements / width) * (width === 1 ? rates.scalar : 1)) / rates.accesses
    return sum + issued + (dtype === 'f16' && !raw ? elements / rates.conversions : 0)
  }, 0)
}

/** Sums that a lane keeps: rows times columns of the innermost level. */
function sumsOf({ levels }: Mapping): number {
  const loops = levels.at(-1)?.temporal ?? []
  return loops.reduce((sums, [dimension, bound]) => (dimension === 'P' || dimension === 'M' ? sums * bound : sums), 1)
}

/** Of the dispatch that does the most: its workgroups over those that run at once. */
function wavesOf({ dispatches }: OpPlan, { invocations, groups }: Rates): number {
  const [main] = dispatches.toSorted((a, b) => b.cost.flops - a.cost.flops || b.groups - a.groups)
  if (main === undefined) return 1
  const lanes = main.program.workgroupSize.reduce((product, extent) => product * extent, 1)
  return Math.max(1, main.groups) / Math.min(groups, Math.max(1, Math.floor(invocations / lanes)))
}

function largest(parts: EstimateParts): keyof EstimateParts {
  const names = Object.keys(parts) as (keyof EstimateParts)[]
  return names.reduce((most, name) => (parts[name] > parts[most] ? name : most))
}
