/** A network as a value: nodes in topological order over named values. Importers and the builder make it, passes rewrite it. */
import type { DType } from '../tensor/dtype.ts'
import type { HostTensor } from '../tensor/tensor.ts'

export interface GraphInput {
  readonly name: string
  readonly dtype: DType
  /** A string is a symbolic dimension, fixed by the first tensor that is fed. */
  readonly shape: readonly (number | string)[]
}

export interface GraphNode {
  /** Unique in the graph. */
  readonly name: string
  /** A name in the op registry. */
  readonly op: string
  /** Value names; null where an optional input is absent. */
  readonly inputs: readonly (string | null)[]
  readonly outputs: readonly string[]
  readonly attributes: Readonly<Record<string, unknown>>
}

export interface Graph {
  readonly name: string
  readonly inputs: readonly GraphInput[]
  /** Names of values. */
  readonly outputs: readonly string[]
  readonly nodes: readonly GraphNode[]
  readonly constants: ReadonlyMap<string, HostTensor>
}

/** A node of a model file that cannot be run, and why. */
export interface UnsupportedNode {
  readonly node: string
  readonly op: string
  readonly reason: string
}
