/**
 * What the parent asks of a peer's process, and what that answers: one job, one answer, one process. The answer is a line of JSON
 * behind a mark, since the engines print what they like.
 */
import type { BenchName } from './cases/table.ts'
import type { Samples } from './engines/sample.ts'

export const PEERS = ['tilewright', 'tilewright-safe', 'ort-webgpu', 'ort-cpu', 'tfjs-webgpu'] as const
/** `tilewright-safe`: ours with Dawn's robustness and validation on. */
export type Peer = (typeof PEERS)[number]

export interface Job {
  readonly peer: Peer
  readonly bench: BenchName
  /** Name in the table of cases. */
  readonly case: string
  /** Of a model: its ONNX file. */
  readonly model?: string
  /** Where the results of ONNX Runtime's CPU provider are kept, which the others are held against. */
  readonly expected?: string
  /** As `openGpu` takes it. */
  readonly adapter?: string
  /** Folder with the peers' node_modules. */
  readonly peersFolder: string
  readonly software: boolean
  /** File with what `tilewright tune` kept; absent: kernels by rule. */
  readonly tuning?: string
}

/** By where a kernel comes from; `shipped`: tuned by the makers, part of this version. */
export type KernelCounts = Readonly<Record<'tuned' | 'shipped' | 'rule', number>>

/** How far a result is from what it should be. */
export interface ResultError {
  /** max |Δ| / max |reference| over what was compared. */
  readonly relative: number
  /** Rows of a product, or values of another result, that were compared, of so many. */
  readonly rows: number
  readonly of: number
  /** Of class scores: whether the largest is the same one. */
  readonly top1?: boolean
}

export interface Measured {
  readonly status: 'ok'
  /**
   * Opening the engine: of a product the device, the session, and weights brought there; of a convolution or a model the device alone.
   */
  readonly open_ms: number
  /**
   * The first run, inputs from host memory, the result back in host memory; kernels chosen and compiled in it. Of a convolution or a
   * model it begins with making the session, or compiling.
   */
  readonly first_ms: number
  /** Later runs of that kind. */
  readonly end_to_end: Samples
  /** Runs whose operands and results stay where the engine computes, until the last is done. */
  readonly resident: Samples
  /** On the device's own clock, where the engine tells. */
  readonly kernel_ms?: number
  /** Absent where there is nothing to hold the result against. */
  readonly error?: ResultError
  /** Of the whole process, operands and this harness in it. */
  readonly peak_rss_bytes: number
  /** Most that the engine held on the device at once, where it tells. */
  readonly peak_gpu_bytes?: number
  /** Which kernel, where the engine tells. */
  readonly kernel?: string
  /** Of a network of ours: its nodes whose op chooses among kernels. */
  readonly nodes?: KernelCounts
  /** As the engine names itself. */
  readonly version: string
  /** What of Dawn was switched, as far as it is known. */
  readonly toggles: readonly string[]
}

/** A case that a peer cannot hold, or runs elsewhere than it was asked to: with the reason, for people. */
export interface Unheld {
  /** `failed`: its process ended without an answer. */
  readonly status: 'cannot' | 'failed'
  readonly reason: string
}

export type Answer = Measured | Unheld

const MARK = 'tilewright-bench-answer '

/** @param answer an `Answer`; of the sparse bench, ours is a `SparseAnswer` */
export function answerLine(answer: object): string {
  return `\n${MARK}${JSON.stringify(answer)}\n`
}

/** What a process answered, as `read` has it, in what it printed; undefined where it gave none. */
export function answerIn<A>(printed: string, read: (json: unknown) => A): A | undefined {
  const line = printed.split('\n').find((text) => text.startsWith(MARK))
  return line === undefined ? undefined : read(JSON.parse(line.slice(MARK.length)))
}

/** The answer of an engine. */
export const engineAnswer = (json: unknown): Answer => json as Answer
