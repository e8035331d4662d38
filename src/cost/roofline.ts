/**
 * The roofline (Williams, Waterman, Patterson, CACM 2009): a kernel does at most min(peak, intensity × bandwidth). Think of the
 * ridge as the intensity below which memory is the bound and above which arithmetic is.
 */
import { fanoutOf, type Hardware } from '../schedule/hardware.ts'
import { inputSpan, macsOf, type Problem } from '../schedule/problem.ts'
import type { Evaluation } from './evaluation.ts'

export interface Machine {
  /** Operations per second at most; a multiply-accumulate is two. */
  readonly peak: number
  /** Bytes per second at most. */
  readonly bandwidth: number
}

export interface Roofline {
  /** Operations per byte. */
  readonly intensity: number
  /** Intensity at which both bounds meet. */
  readonly ridge: number
  /** Operations per second that the roof allows. */
  readonly attainable: number
  readonly bound: 'memory' | 'compute'
}

/** Where work of so many operations and bytes lies under a machine's roof. Work without bytes is bound by arithmetic. */
export function roofline(work: { readonly operations: number; readonly bytes: number }, machine: Machine): Roofline {
  const intensity = work.bytes === 0 ? Infinity : work.operations / work.bytes
  const ridge = machine.peak / machine.bandwidth
  return {
    intensity,
    ridge,
    attainable: intensity >= ridge ? machine.peak : intensity * machine.bandwidth,
    bound: intensity >= ridge ? 'compute' : 'memory',
  }
}

/** Bytes that any run moves at least: weights and touched, real inputs read once, outputs written once. */
export function compulsoryBytes(problem: Problem, bytesPerWord: number): number {
  const { N, M, C, P, Q, R, S, groups, padding } = problem
  const { rows, columns } = inputSpan(problem)
  const touched = (span: number, before: number, after: number, outer: number, U: number, inner: number, D: number): number => {
    const seen = new Set<number>()
    for (let p = 0; p < outer; p++) {
      for (let r = 0; r < inner; r++) {
        const at = p * U + r * D
        if (at >= before && at < span - after) seen.add(at)
      }
    }
    return seen.size
  }
  const height = touched(rows, padding[0], padding[2], P, problem.stride[0], R, problem.dilation[0])
  const width = touched(columns, padding[1], padding[3], Q, problem.stride[1], S, problem.dilation[1])
  return groups * (M * C * R * S + N * C * height * width + N * M * P * Q) * bytesPerWord
}

/** Work of a problem with the least traffic there can be. */
export function compulsoryWork(problem: Problem, bytesPerWord: number): { operations: number; bytes: number } {
  return { operations: 2 * macsOf(problem), bytes: compulsoryBytes(problem, bytesPerWord) }
}

/** Work of an evaluated mapping: its traffic at the outermost level, padding left out. */
export function mappedWork(evaluation: Evaluation, hardware: Hardware): { operations: number; bytes: number } {
  const [outermost] = hardware.levels
  const accesses = outermost === undefined ? undefined : evaluation.accesses[outermost.name]
  const words = Object.values(accesses ?? {}).reduce((sum, { reads, fills, updates }) => sum + reads + fills + updates, 0)
  const padding = outermost === undefined ? 0 : (evaluation.padding?.[outermost.name] ?? 0)
  const bits = outermost?.word_bits ?? hardware.word_bits ?? 32
  return { operations: 2 * evaluation.macs, bytes: ((words - padding) * bits) / 8 }
}

/** Peak and outermost bandwidth of a hardware, or undefined where its file gives no clock or no bandwidth. */
export function machineOf(hardware: Hardware): Machine | undefined {
  const [outermost] = hardware.levels
  const { read, write } = outermost?.bandwidth ?? {}
  const words = read === undefined || write === undefined ? (read ?? write) : Math.min(read, write)
  if (hardware.clock_hz === undefined || words === undefined) return undefined
  const pes = hardware.levels.reduce((product, _, level) => product * fanoutOf(hardware, level).x * fanoutOf(hardware, level).y, 1)
  const bits = outermost?.word_bits ?? hardware.word_bits ?? 32
  return { peak: 2 * pes * hardware.clock_hz, bandwidth: (words * bits * hardware.clock_hz) / 8 }
}
