/**
 * A case as the engines take it: each of them is handed one of these, and knows nothing of products, convolutions or models. The graph
 * is the one description of what is computed; ONNX Runtime gets it as a file.
 */
import type { SampleRule } from './engines/sample.ts'
import type { Tf, TfTensor } from './engines/tfjs.ts'
import type { Graph } from '../src/graph/graph.ts'
import type { Shape } from '../src/tensor/shape.ts'
import { tensor, type HostTensor } from '../src/tensor/tensor.ts'
import type { Measured, ResultError } from './protocol.ts'
import type { OperandArray } from './values.ts'

/** A tensor in host memory; half floats as their bits. */
export interface Operand {
  readonly dtype: 'f32' | 'f16' | 'i8'
  readonly shape: Shape
  readonly values: OperandArray
}

export function hostTensor({ dtype, shape, values }: Operand): HostTensor {
  return tensor(values, shape, dtype)
}

/** What TensorFlow.js computes. */
export interface TfWork {
  /** The input as it has it (NHWC for pictures). */
  readonly input: { readonly values: Float32Array; readonly shape: Shape }
  /** Weights, brought to the device. */
  weights(tf: Tf): TfTensor[]
  run(tf: Tf, input: TfTensor, weights: readonly TfTensor[]): TfTensor
  /** The result in the order in which the other engines give it. */
  result(values: Float32Array): ArrayLike<number>
}

export interface Work {
  readonly name: string
  /** One node with its weights, or a whole network; a string is the path of an ONNX file. */
  readonly graph: Graph | string
  /** What each run is fed, by name. */
  readonly feeds: Readonly<Record<string, Operand>>
  /** The value whose result counts. */
  readonly output: string
  /**
   * How ours runs it: `op` calls it eagerly and then submits its plan alone, `model` compiles the graph as callers do.
   */
  readonly ours: 'op' | 'model'
  /** Whether the first call begins before the session is made, or the graph compiled. */
  readonly firstFromOpening: boolean
  /** Whether runs whose operands stay on the device are timed apart, and kernels by the device's clock. */
  readonly resident: boolean
  /** What TensorFlow.js does, or why it cannot. */
  readonly tfjs: TfWork | string
  /** How often runs are repeated, after a first one of `first_ms`; `again` times another. */
  rule(first_ms: number, again: () => Promise<number>): Promise<SampleRule>
  /** How far a result is from what it should be; undefined where nothing tells. @throws Error for another number of values */
  error(values: ArrayLike<number>): ResultError | undefined
}

/** What a run of ours tells by itself, besides its device. */
export type OwnFigures = Omit<Measured, 'status' | 'open_ms' | 'peak_rss_bytes' | 'peak_gpu_bytes' | 'version' | 'toggles'> & {
  /** When what counts as opening was over. */
  readonly opened: number
}
