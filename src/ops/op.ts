/**
 * What an op is: one folder under src/ops with `op.ts` (this definition), `reference.ts` (CPU, f64) and `plan.ts` (pure kernel
 * choice), registered once in `registry.ts`. Ops follow ONNX semantics and argument order; layouts are NCHW, weights MCRS.
 *
 * An input whose *value* shapes the result (the shape of a reshape, the starts of a slice) is a *host input*: its index is
 * in `hostInputs`, and `infer`, `plan` and `reference` find its values in `values`.
 */
import type { z } from 'zod'
import type { DeviceFacts, OpPlan } from '../gpu/program.ts'
import type { Problem } from '../schedule/problem.ts'
import type { HostTensor, TensorType } from '../tensor/tensor.ts'

/** Inputs by position; null where an optional one is absent. */
export type InputTypes = readonly (TensorType | null)[]
export type InputValues = readonly (HostTensor | null)[]

/** How far a kernel's result may lie from the reference. `exact`: equal, NaN to NaN. */
export type Tolerance =
  | { readonly kind: 'exact' }
  | { readonly kind: 'relative'; readonly relative: number; readonly absolute: number }
  /** |error| ≤ bound[i]: γ_K · Σ|w||x| for K accumulated terms, see `gamma` in src/ops/tolerance.ts. */
  | {
      readonly kind: 'bound'
      readonly bound: Float64Array
      /**
       * Whether a NaN or an infinity of an operand may show anywhere that `bound` is infinite (transforms spread it over their patch): there
       * any result is right. Absent: a NaN or an infinity of the reference is held to.
       */
      readonly spreads?: boolean
    }

export interface ReferenceOutput {
  readonly tensor: HostTensor
  /** Values before they were rounded to the tensor's dtype, for float results. */
  readonly exact?: Float64Array
  readonly tolerance: Tolerance
}

export interface InferContext<A> {
  readonly inputs: InputTypes
  /** Values of the host inputs (null elsewhere). */
  readonly values: InputValues
  readonly attributes: A
}

export interface PlanContext<A> extends InferContext<A> {
  readonly outputs: readonly TensorType[]
  readonly device: DeviceFacts
}

export interface OpDefinition<A = unknown> {
  readonly name: string
  /** Parses attributes, with their defaults. */
  readonly attributes: z.ZodType<A>
  readonly hostInputs: readonly number[]
  /** Shape rule. @throws ShapeError, DtypeError naming what does not fit. */
  infer(context: InferContext<A>): TensorType[]
  /** What it asks of values that are known before it runs (null elsewhere), as of constant weights. @throws naming what does not hold */
  checkValues?(inputs: InputValues, attributes: A): void
  /** CPU reference, independent of the kernels. Inputs are all given. */
  reference(inputs: InputValues, attributes: A): ReferenceOutput[]
  /** Pure kernel choice. */
  plan(context: PlanContext<A>): OpPlan
  /** The attributes with what `plan` chooses said in them, where the reference's tolerance depends on it: see settled.ts. */
  settled?(context: PlanContext<A>): A
  /** Arithmetic operations (a MAC is 2). */
  flops(context: InferContext<A> & { readonly outputs: readonly TensorType[] }): number
  /** The loop nest, for ops that a dataflow can run (convolutions and matrix products); undefined for a form that none can. */
  problem?(context: InferContext<A>): Problem | undefined
  /** Bias input index, for ops with a `problem` (added after the dataflow kernel). */
  readonly biasInput?: number
  /** Of what no dataflow runs, its own kernels alone: for what counts, measures and explains. */
  readonly ownLoops?: OwnLoops<A>
}

/** Products of quantised operands; convolutions that are transposed or run over three axes. */
export interface OwnLoops<A> {
  /** With its article, for people: `a product of quantised operands`. */
  readonly what: string
  /** A loop nest of as many multiply-accumulates; undefined where an extent is 0, or where `problem` has one. */
  problem(context: InferContext<A>): Problem | undefined
  /** The two factors. */
  readonly factors: readonly [number, number]
  readonly bias?: number
}
