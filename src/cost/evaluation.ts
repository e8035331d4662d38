/** What `evaluate` predicts of a mapping. Counts are words, totals over all instances of a level. */
import type { Operand } from '../schedule/problem.ts'

export interface Accesses {
  /** Words served to the child, plus partial-sum reads. */
  readonly reads: number
  /** Words newly written from the parent. */
  readonly fills: number
  /** Words written up from the child. */
  readonly updates: number
}

export type PerOperand<T> = Readonly<Record<Operand, T>>

export interface Evaluation {
  readonly macs: number
  readonly cycles: number
  /** macs / (cycles × PEs). */
  readonly utilization: number
  /** By level name. */
  readonly accesses: Readonly<Record<string, PerOperand<Accesses>>>
  /** Of the input accesses of each level, how many are zero padding. */
  readonly padding?: Readonly<Record<string, number>>
  readonly network: { readonly hops: PerOperand<number> }
  /** In the hardware's energy unit (normalised: one MAC = 1). */
  readonly energy: {
    readonly total: number
    readonly mac: number
    readonly network: number
    readonly levels: Readonly<Record<string, number>>
    readonly per_operand: PerOperand<number>
  }
  /** Loads and stores the kernel issues; absent for a hardware that is not this GPU. */
  readonly issued?: Issued
}

/** Accesses that a GPU kernel issues, per active lane: by address space and operand. */
export interface Issued {
  readonly macs: number
  readonly storage: PerOperand<IssuedAccesses>
  readonly workgroup: PerOperand<IssuedAccesses>
  /** Words that moved between lanes (subgroup shuffles, or workgroup memory used as a network). */
  readonly hops: PerOperand<number>
}

export interface IssuedAccesses {
  readonly loads: number
  readonly stores: number
}
