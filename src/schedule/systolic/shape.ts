/**
 * A layer as a systolic array sees it: a matrix product Mp×K×N cut into folds of the array. Think of the array as a sieve that the
 * product is poured through R×C at a time; a fold is one pour. A convolution is the product of its patches: Mp = N·P·Q output
 * pixels, K = C·R·S words of a window, N = M filters; every group is a product of its own.
 *
 *     flow   along the rows   along the columns   streamed    a fold takes
 *     ws     Sr = K           Sc = N              T = Mp      R steps to load the weights, then T+R+C−2
 *     is     Sr = K           Sc = Mp             T = N       R steps to load the inputs, then T+R+C−2
 *     os     Sr = Mp          Sc = N              T = K       T+R+C−2 (the drain is not counted)
 *
 * After SCALE-Sim (Samajdar et al., ISPASS 2020), whose cycles these steps are: folds = ⌈Sr/R⌉·⌈Sc/C⌉.
 */
import { OptionError } from '../../errors.ts'
import type { SystolicFlow } from '../hardware.ts'
import type { Problem } from '../problem.ts'

export const SYSTOLIC_NAMES = ['systolic-ws', 'systolic-os', 'systolic-is'] as const
export type SystolicName = (typeof SYSTOLIC_NAMES)[number]

/** The flows that a name stands for; `systolic` is all three. Undefined for a name that is none. Either spelling (`systolic_ws`). */
export function systolicNames(name: string): readonly SystolicName[] | undefined {
  const key = name.toLowerCase().replaceAll('_', '-')
  if (key === 'systolic') return SYSTOLIC_NAMES
  const found = SYSTOLIC_NAMES.find((known) => known === key)
  return found === undefined ? undefined : [found]
}

export function flowOf(name: SystolicName): SystolicFlow {
  return name === 'systolic-ws' ? 'ws' : name === 'systolic-os' ? 'os' : 'is'
}

export interface SystolicArray {
  readonly rows: number
  readonly columns: number
}

export interface SystolicShape {
  readonly flow: SystolicFlow
  readonly array: SystolicArray
  /** Products: one for each group. */
  readonly products: number
  /** The product of one group: output pixels, words of a window, filters. */
  readonly pixels: number
  readonly window: number
  readonly filters: number
  /** Extents along the array's rows and columns, and of the stream. */
  readonly alongRows: number
  readonly alongColumns: number
  readonly stream: number
  /** Folds of one product. */
  readonly rowFolds: number
  readonly columnFolds: number
  readonly foldSteps: number
  /** Folds and steps of all products. */
  readonly folds: number
  readonly steps: number
}

/** @throws OptionError for an array without lanes */
export function systolicShape(problem: Problem, flow: SystolicFlow, array: SystolicArray): SystolicShape {
  const { rows, columns } = array
  for (const extent of [rows, columns]) {
    if (!Number.isSafeInteger(extent) || extent < 1) {
      throw new OptionError(`A systolic array of ${rows}×${columns}`, { remedy: 'Give it a row and a column at least' })
    }
  }
  const pixels = problem.N * problem.P * problem.Q
  const window = problem.C * problem.R * problem.S
  const filters = problem.M
  const [alongRows, alongColumns, stream] =
    flow === 'ws' ? [window, filters, pixels] : flow === 'is' ? [window, pixels, filters] : [pixels, filters, window]
  const rowFolds = Math.ceil(alongRows / rows)
  const columnFolds = Math.ceil(alongColumns / columns)
  const foldSteps = stream + rows + columns - 2 + (flow === 'os' ? 0 : rows)
  const folds = problem.groups * rowFolds * columnFolds
  return {
    flow,
    array,
    products: problem.groups,
    pixels,
    window,
    filters,
    alongRows,
    alongColumns,
    stream,
    rowFolds,
    columnFolds,
    foldSteps,
    folds,
    steps: folds * foldSteps,
  }
}
