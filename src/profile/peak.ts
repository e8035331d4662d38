/**
 * What a device reaches at best, measured: the roof that a kernel's figures are held under. Arithmetic by multiply-adds that never
 * leave registers (shaders/bench/fma.wgsl, dot.wgsl for bytes), memory by copying more than caches hold (shaders/bench/copy.wgsl);
 * of a few shapes of each the fastest counts.
 *
 *   operations/s │        ┌───────────  flops.f32
 *                │      ／ bytes_per_s · (operations per byte)
 *                └────────────────────  operations per byte
 */
import copyBody from '../../shaders/bench/copy.wgsl?raw'
import dotBody from '../../shaders/bench/dot.wgsl?raw'
import fmaBody from '../../shaders/bench/fma.wgsl?raw'
import numberF16 from '../../shaders/bench/number_f16.wgsl?raw'
import numberF32 from '../../shaders/bench/number_f32.wgsl?raw'
import type { BoundDispatch } from '../gpu/commands.ts'
import type { Gpu } from '../gpu/gpu.ts'
import { segmentBytes, type DispatchPlan, type ProgramSource, type TensorRef } from '../gpu/program.ts'
import { timeDispatches } from '../gpu/timer.ts'
import type { Clock } from './report.ts'

export interface Peaks {
  /** Operations a second (a multiply-add is 2), outside of matrix units. `f16` where the device computes in it. */
  readonly flops: { readonly f32: number; readonly f16?: number }
  /** Bytes a second, those read and those written together. */
  readonly bytes_per_s: number
  readonly clock: Clock
  /** Which shape won, for people. */
  readonly shapes: { readonly f32: string; readonly f16?: string; readonly copy: string }
}

export interface PeakOptions {
  readonly signal?: AbortSignal
}

/** Vectors of four in flight: 8 to 32 numbers, what register files from AVX2's to a GPU's hold. */
const CHAINS = [2, 3, 8] as const
/** Vectors of four that an invocation copies. */
const EACH = [1, 8] as const
const LANES = 256
/** Links of each chain, a multiple of what is unrolled. */
const ROUNDS = 1024
const UNROLLED = 8
/** Four bytes that multiply those of a sum: 3, 5, −7, 11. */
const FACTOR = 0x0bf90503
/** A sample this long is one: what starting and ending a dispatch costs no longer shows. */
const LONG_ENOUGH_MS = 5
const MOST_GROUPS = 2 ** 15
const MIB = 2 ** 20

/** Each device is measured once. */
const known = new WeakMap<Gpu, Promise<Peaks>>()

/**
 * The peaks of a device: measured at the first call (a second or two), then remembered. Nothing else should run meanwhile.
 * @throws DeviceLostError, the signal's reason; after either, the next call measures anew
 */
export function measurePeaks(gpu: Gpu, options: PeakOptions = {}): Promise<Peaks> {
  let peaks = known.get(gpu)
  if (peaks === undefined) {
    peaks = measure(gpu, options)
    known.set(gpu, peaks)
    peaks.catch(() => known.delete(gpu))
  }
  return peaks
}

async function measure(gpu: Gpu, { signal }: PeakOptions): Promise<Peaks> {
  const f32 = await best(gpu, 'f32', signal)
  const f16 = gpu.facts.features.has('shader-f16') ? await best(gpu, 'f16', signal) : undefined
  const copy = await bestCopy(gpu, signal)
  return {
    flops: { f32: f32.rate, ...(f16 === undefined ? {} : { f16: f16.rate }) },
    bytes_per_s: copy.rate,
    clock: f32.clock,
    shapes: { f32: f32.shape, copy: copy.shape, ...(f16 === undefined ? {} : { f16: f16.shape }) },
  }
}

interface Rate {
  readonly shape: string
  /** Operations or bytes a second. */
  readonly rate: number
  readonly clock: Clock
}

function fastest(rates: readonly Rate[]): Rate {
  return rates.reduce((one, other) => (other.rate > one.rate ? other : one))
}

/**
 * Operations on bytes a second by packed dot products (a multiply-add is 2), or undefined where the device has none. Measured at
 * each call (a second).
 * @throws DeviceLostError, the signal's reason
 */
export async function measureDotPeak(gpu: Gpu, { signal }: PeakOptions = {}): Promise<number | undefined> {
  if (!gpu.facts.language.has('packed_4x8_integer_dot_product')) return undefined
  return (await best(gpu, 'i8', signal)).rate
}

type Arithmetic = 'f32' | 'f16' | 'i8'

const CHAIN_OF = { f32: 'vec4<f32>', f16: 'vec4<f16>', i8: 'packed bytes' } as const

async function best(gpu: Gpu, dtype: Arithmetic, signal: AbortSignal | undefined): Promise<Rate> {
  const rates: Rate[] = []
  for (const chains of CHAINS) {
    let groups = gpu.facts.software ? 32 : 2048
    let timed = await timeChains(gpu, dtype, chains, groups, signal)
    while (timed.ms < LONG_ENOUGH_MS && groups < MOST_GROUPS) {
      groups = Math.min(MOST_GROUPS, groups * 4)
      timed = await timeChains(gpu, dtype, chains, groups, signal)
    }
    rates.push({
      shape: `${chains} chains of ${CHAIN_OF[dtype]}`,
      rate: chainFlops(chains, groups) / (timed.ms / 1000),
      clock: timed.clock,
    })
  }
  return fastest(rates)
}

/** Links, of four multiply-adds each, in all invocations. */
function chainFlops(chains: number, groups: number): number {
  return groups * LANES * ROUNDS * chains * 8
}

const INPUT: TensorRef = { kind: 'input', index: 0 }
const OUTPUT: TensorRef = { kind: 'output', index: 0 }

/** The multiply-adds of `groups` workgroups; y [groups · 256]. */
export function fmaDispatch(dtype: 'f32' | 'f16', chains: number, groups: number): DispatchPlan {
  const program: ProgramSource = {
    name: `bench/fma_${dtype}`,
    body: `${dtype === 'f16' ? numberF16 : numberF32}${fmaBody}`,
    operands: [{ name: 'y', dtype: 'f32', access: 'write' }],
    params: { rounds: 'u32', factor: 'f32', term: 'f32' },
    constants: { CHAINS: chains, UNROLLED },
    workgroupSize: [LANES, 1, 1],
    requires: dtype === 'f16' ? ['shader-f16'] : [],
  }
  const cost = { flops: chainFlops(chains, groups), bytes: groups * LANES * 4 }
  return { program, bind: [OUTPUT], params: { rounds: ROUNDS, factor: 0.5, term: 0.75 }, groups, cost }
}

/** The packed dot products of `groups` workgroups; y [groups · 256] of i32. */
export function dotDispatch(chains: number, groups: number, factor: number): DispatchPlan {
  const program: ProgramSource = {
    name: 'bench/dot',
    body: dotBody,
    operands: [{ name: 'y', dtype: 'i32', access: 'write' }],
    params: { rounds: 'u32', factor: 'u32' },
    constants: { CHAINS: chains, UNROLLED },
    workgroupSize: [LANES, 1, 1],
    requires: ['packed_4x8_integer_dot_product'],
  }
  const cost = { flops: chainFlops(chains, groups), bytes: groups * LANES * 4 }
  return { program, bind: [OUTPUT], params: { rounds: ROUNDS, factor }, groups, cost }
}

/** y [elements] = x [elements]; `elements` is a multiple of 1024 · `each`. */
export function copyDispatch(elements: number, each: number): DispatchPlan {
  const program: ProgramSource = {
    name: 'bench/copy',
    body: copyBody,
    operands: [
      { name: 'x', dtype: 'f32', access: 'read', width: 4 },
      { name: 'y', dtype: 'f32', access: 'write', width: 4 },
    ],
    params: {},
    constants: { EACH: each },
    workgroupSize: [LANES, 1, 1],
  }
  const cost = { flops: 0, bytes: 2 * 4 * elements }
  return { program, bind: [INPUT, OUTPUT], params: {}, groups: elements / (4 * LANES * each), cost }
}

interface Timed {
  readonly ms: number
  readonly clock: Clock
}

async function timeChains(
  gpu: Gpu,
  dtype: Arithmetic,
  chains: number,
  groups: number,
  signal: AbortSignal | undefined,
): Promise<Timed> {
  const dispatch = dtype === 'i8' ? dotDispatch(chains, groups, FACTOR) : fmaDispatch(dtype, chains, groups)
  using y = gpu.allocate({ dtype: dtype === 'i8' ? 'i32' : 'f32', shape: [groups * LANES] })
  return await time(gpu, { dispatch, tensors: [y] }, signal)
}

async function bestCopy(gpu: Gpu, signal: AbortSignal | undefined): Promise<Rate> {
  // Beyond the last cache of processors and of GPUs (H100: 50 MB), within one binding.
  const bytes = Math.min(gpu.facts.software ? 64 * MIB : 512 * MIB, segmentBytes(gpu.facts.limits))
  const elements = bytes / 4
  using x = gpu.allocate({ dtype: 'f32', shape: [elements] })
  using y = gpu.allocate({ dtype: 'f32', shape: [elements] })
  const rates: Rate[] = []
  for (const each of EACH) {
    const { ms, clock } = await time(gpu, { dispatch: copyDispatch(elements, each), tensors: [x, y] }, signal)
    rates.push({ shape: `${each} × vec4<f32> an invocation, ${bytes / MIB} MiB`, rate: (2 * bytes) / (ms / 1000), clock })
  }
  return fastest(rates)
}

/** The least of a few samples: what disturbs a peak only ever lowers it. */
async function time(gpu: Gpu, bound: BoundDispatch, signal: AbortSignal | undefined): Promise<Timed> {
  const { samples_ms, source, quantum_ns } = await timeDispatches(gpu, [bound], {
    warmups: 1,
    samples: 3,
    ...(signal === undefined ? {} : { signal }),
  })
  return { ms: Math.min(...samples_ms), clock: { source, quantum_ns } }
}
