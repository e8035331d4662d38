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
  readonly network: {
    /** Words handed over or added up between neighbours. */
    readonly hops: PerOperand<number>
    /** The hops by the level in whose fan-out they occur; like `deliveries` and `time`, `evaluate` always says it. */
    readonly levels?: Readonly<Record<string, PerOperand<number>>>
    /** By level, the words that all its children receive from it (outputs: send up to it), every copy counted. */
    readonly deliveries?: Readonly<Record<string, PerOperand<number>>>
  }
  readonly time?: EvaluationTime
  /** In the hardware's energy unit. */
  readonly energy: {
    /** `MAC` (one MAC of the hardware = 1), `pJ`, …; absent where the hardware names none. */
    readonly unit?: string
    readonly total: number
    readonly mac: number
    readonly network: number
    readonly levels: Readonly<Record<string, number>>
    readonly per_operand: PerOperand<number>
  }
  /** What zeros leave of it; absent where no densities were given. */
  readonly sparse?: SparseEvaluation
  /** Loads and stores the kernel issues; absent for a hardware that is not this GPU. */
  readonly issued?: Issued
}

/** Where the cycles go, see `time.ts`. */
export interface EvaluationTime {
  /** Steps in which any MAC works. */
  readonly compute: number
  /** Cycles to fill and drain a systolic array; absent for other hardware. */
  readonly fill_drain?: number
  /** Cycles that the slower port of each level needs, of those with a bandwidth. */
  readonly levels: Readonly<Record<string, number>>
  /** Cycles in which nothing runs because a level with a single buffer is loaded or emptied; absent where there is none. */
  readonly exchange?: Readonly<Record<string, number>>
  /** What the overlapping part waits for: `compute`, `fill/drain`, or a level's name. */
  readonly bound: string
  /** At the hardware's clock; absent where it names none. */
  readonly seconds?: number
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

/** Expected values: what is done, what stands still for its time, what is passed over. Zeros that are not stored are in none of them. */
export interface SparseCounts {
  readonly actual: number
  readonly gated: number
  readonly skipped: number
}

/** What zeros leave of an evaluation, see `sparsity.ts`. Expected values, so not whole numbers. */
export interface SparseEvaluation {
  /** Part of each operand that is not zero, of those given. */
  readonly densities: Partial<Readonly<Record<Operand, number>>>
  readonly macs: {
    /** Of two factors that are not zero: what any machine has to do. */
    readonly effective: number
    /** What this one does. */
    readonly performed: number
    readonly gated: number
    readonly skipped: number
  }
  readonly cycles: number
  /** performed / (cycles × PEs). */
  readonly utilization: number
  /** By level name: values, and of the outputs partial sums. */
  readonly accesses: Readonly<
    Record<string, PerOperand<{ readonly reads: SparseCounts; readonly fills: SparseCounts; readonly updates: SparseCounts }>>
  >
  /** By level: bits beside the values that formats move with them. */
  readonly metadata: Readonly<Record<string, PerOperand<number>>>
  /** By level and operand in a format: values and bits that a tile takes. */
  readonly stored: Readonly<
    Record<string, Partial<Readonly<Record<Operand, { readonly values: number; readonly metadata: number }>>>>
  >
  readonly time: EvaluationTime
  readonly energy: Evaluation['energy']
  /** Energy that gated and skipped accesses and MACs would have taken. */
  readonly saved: { readonly gated: number; readonly skipped: number }
}
