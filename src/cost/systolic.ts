/**
 * Systolic arrays in closed form, after SCALE-Sim (Samajdar et al., ISPASS 2020; its v3 counts). Think of the array as a loom: one
 * operand is strung (stationary), the others run through it, and a matrix larger than the loom is woven in folds.
 *
 * A convolution is the matrix product of its im2col form, Mp × K × N with Mp = N·P·Q pixels, K = C·R·S, N = M filters; each
 * group is a product of its own. On R rows and C columns:
 *
 *     flow   rows hold   columns hold   steps T   cycles of a fold
 *     ws     K           N              Mp        T + 2R + C − 2
 *     is     K           Mp             N         T + 2R + C − 2
 *     os     Mp          N              K         T +  R + C − 2   (the last drain is not counted)
 */
import { MappingError } from '../errors.ts'
import { checkMapping } from '../schedule/check.ts'
import type { Hardware, SystolicFlow } from '../schedule/hardware.ts'
import type { Loop, Mapping, MappingLevel } from '../schedule/mapping.ts'
import { gemmProblem, type Operand, type Problem } from '../schedule/problem.ts'
import { STATIONARY, skewOf, systolicShape } from './time.ts'

export interface ArrayShape {
  readonly rows: number
  readonly columns: number
}

export interface SystolicRun {
  readonly rowFolds: number
  readonly columnFolds: number
  /** Of all groups. */
  readonly folds: number
  /** Steps of a fold, without fill and drain. */
  readonly steps: number
  readonly cycles: number
  /** Words that pass between the buffers and the array: im2col words, not shared between windows; outputs are partial sums. */
  readonly reads: { readonly inputs: number; readonly weights: number }
  readonly writes: { readonly outputs: number }
  /** Part of the array that holds something, over the folds. */
  readonly mappingEfficiency: number
  /** MACs over cycles and PEs. */
  readonly utilization: number
  /** SCALE-Sim's compute utilisation: with weights or inputs stationary it counts C − 1 cycles more a fold until the last column is done. */
  readonly computeUtilization: number
}

/** The matrix product that a convolution is after im2col: P = N·P·Q, C = C·R·S, M = M, groups kept. */
export function im2col(problem: Problem): Problem {
  const { N, M, C, P, Q, R, S, groups } = problem
  return gemmProblem({ i: N * P * Q, j: M, k: C * R * S, batch: groups })
}

/** Which dimension of the matrix product lies over rows, over columns, and in time. */
const PLACES: Readonly<Record<SystolicFlow, Readonly<Record<'rows' | 'columns' | 'time', 'P' | 'C' | 'M'>>>> = {
  ws: { rows: 'C', columns: 'M', time: 'P' },
  is: { rows: 'C', columns: 'P', time: 'M' },
  os: { rows: 'P', columns: 'M', time: 'C' },
}

/** Cycles, SRAM accesses and utilisation of a problem on an array. */
export function systolicRun(problem: Problem, { rows, columns }: ArrayShape, flow: SystolicFlow): SystolicRun {
  const product = im2col(problem)
  const { P: pixels, C: window, M: filters, groups } = product
  const place = PLACES[flow]
  const [alongRows, alongColumns, steps] = [product[place.rows], product[place.columns], product[place.time]]
  const rowFolds = Math.ceil(alongRows / rows)
  const columnFolds = Math.ceil(alongColumns / columns)
  const folds = groups * rowFolds * columnFolds
  const cycles = folds * (steps + skewOf(flow, { rows, columns }))
  const macs = groups * pixels * window * filters
  const pes = rows * columns
  const again = {
    ws: { inputs: columnFolds, weights: 1, outputs: rowFolds },
    is: { inputs: 1, weights: columnFolds, outputs: rowFolds },
    os: { inputs: columnFolds, weights: rowFolds, outputs: 1 },
  }[flow]
  return {
    rowFolds,
    columnFolds,
    folds,
    steps,
    cycles,
    reads: { inputs: groups * pixels * window * again.inputs, weights: groups * window * filters * again.weights },
    writes: { outputs: groups * pixels * filters * again.outputs },
    mappingEfficiency: (alongRows * alongColumns) / (rowFolds * columnFolds * pes),
    utilization: macs / (cycles * pes),
    computeUtilization: macs / ((cycles + (flow === 'os' ? 0 : folds * (columns - 1))) * pes),
  }
}

/**
 * The same run as a mapping that `evaluate` takes, of the im2col matrix product: the stationary operand in the innermost level, the
 * buffer above the array keeping all three, as many of the loops over folds inside the buffer as fit it, the others outside.
 * Its reads of the buffer are `reads`, its updates `writes`; its steps and `foldsOf` give `cycles`. Words that pass from
 * lane to lane are counted as multicast.
 * @throws MappingError where the hardware has fewer than two levels, or not even one fold of one step fits
 */
export function systolicMapping(
  problem: Problem,
  hardware: Hardware,
  flow: SystolicFlow,
): { readonly problem: Problem; readonly mapping: Mapping } {
  if (hardware.levels.length < 2) {
    throw new MappingError(`${hardware.name} has ${hardware.levels.length} level`, {
      remedy: 'Give a memory and a level in the PEs',
    })
  }
  const product = im2col(problem)
  const { rows, columns } = systolicShape(hardware)
  const place = PLACES[flow]
  const spread = {
    y: [[place.rows, Math.min(rows, product[place.rows])]] satisfies Loop[],
    x: [[place.columns, Math.min(columns, product[place.columns])]] satisfies Loop[],
  }
  const folds: Loop[] = [
    ['G', product.groups],
    [place.columns, Math.ceil(product[place.columns] / columns)],
    [place.rows, Math.ceil(product[place.rows] / rows)],
  ]
  const steps = product[place.time]
  const build = (inside: number, chunk: number): Mapping => {
    const outer: Loop[] = [...folds.slice(0, folds.length - inside), [place.time, Math.ceil(steps / chunk)]]
    const inner: Loop[] = [...folds.slice(folds.length - inside), [place.time, chunk]]
    return levelsOf(hardware, STATIONARY[flow], outer, inner, spread)
  }
  const tries = [...folds.keys(), folds.length].toReversed().map((inside) => build(inside, steps))
  for (let chunk = Math.ceil(steps / 2); steps > 1; chunk = Math.ceil(chunk / 2)) {
    tries.push(build(0, chunk))
    if (chunk === 1) break
  }
  let refusal: unknown
  for (const mapping of tries) {
    try {
      checkMapping(product, hardware, mapping)
      return { problem: product, mapping }
    } catch (error) {
      if (!(error instanceof MappingError)) throw error
      refusal = error
    }
  }
  throw refusal
}

/** `outer` loops at the outermost level, `inner` ones and the split at the level above the array (one and the same where there are two). */
function levelsOf(
  hardware: Hardware,
  stationary: Operand,
  outer: readonly Loop[],
  inner: readonly Loop[],
  spatial: MappingLevel['spatial'],
): Mapping {
  const last = hardware.levels.length - 1
  const used = (loops: readonly Loop[]): Loop[] => loops.filter(([, bound]) => bound > 1)
  return {
    levels: hardware.levels.map(({ name, holds }, index): MappingLevel => {
      const temporal = used([...(index === 0 ? outer : []), ...(index === last - 1 ? inner : [])])
      if (index === last) return { name, temporal, keep: [stationary] }
      return {
        name,
        temporal,
        ...(index === last - 1 && spatial !== undefined ? { spatial } : {}),
        ...(holds === undefined || index === 0 ? {} : { keep: holds }),
      }
    }),
  }
}
