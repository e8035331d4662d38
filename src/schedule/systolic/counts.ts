/**
 * What a systolic kernel does, predicted in closed form and read back from its counted build: the two must be equal, figure by
 * figure. A *step* is one beat of one array; an *injection* is a word that enters at an edge (an SRAM read of SCALE-Sim, zero
 * padding included); a *hop* is a word that a lane takes from its neighbour.
 */
import type { Issued } from '../../cost/evaluation.ts'
import { macsOf, type Problem } from '../problem.ts'
import type { SystolicShape } from './shape.ts'

/** Counters of the counted build, in the order of shaders/systolic/access_counted.wgsl, as (low, high) pairs of u32. */
export const SYSTOLIC_COUNTERS = 11

export interface SystolicCounts {
  /** Beats of all arrays: folds × steps of a fold. */
  readonly steps: number
  /** Words that enter at the array's edges, padding included: SCALE-Sim's SRAM reads of the filters and of the input features. */
  readonly injections: { readonly weights: number; readonly inputs: number }
  /** Words that leave the array: SCALE-Sim's SRAM writes of output features, a partial sum of each row fold included. */
  readonly ejections: number
  /** Loads and stores of storage buffers (padding is no load), and hops between lanes. Workgroup memory is the network, no level. */
  readonly issued: Issued
}

/** @param input extents of the input plane, which decide what is zero padding */
export function predictSystolic(
  problem: Problem,
  shape: SystolicShape,
  input: { readonly rows: number; readonly columns: number },
): SystolicCounts {
  const { flow, array, products, pixels, window, filters, rowFolds, columnFolds, stream } = shape
  const { weights, inputs } = flowing(shape)
  const words = {
    weights: products * window * filters * weights.times,
    inputs: products * window * pixels * inputs.times,
    outputs: products * pixels * filters * (flow === 'os' ? 1 : rowFolds),
  }
  // Of the patches' words, those that lie in the plane: pairs of an output and a filter coordinate, along each axis.
  const inside =
    problem.groups * problem.N * problem.C * pairs(problem, 0, input.rows) * pairs(problem, 1, input.columns) * inputs.times
  // A streamed word passes every lane of its row (or column) that takes part; a held one sinks to its row.
  const across = (extent: number, lanes: number): number => extent - Math.ceil(extent / lanes)
  const sunk = products * shape.alongColumns * sinkings(shape.alongRows, array.rows)
  const hops =
    flow === 'os'
      ? {
          weights: products * stream * filters * across(pixels, array.rows),
          inputs: products * stream * pixels * across(filters, array.columns),
          outputs: 0,
        }
      : {
          weights: flow === 'ws' ? sunk : products * stream * window * across(pixels, array.columns),
          inputs: flow === 'is' ? sunk : products * stream * window * across(filters, array.columns),
          // Partial sums go all the way down, through rows without a word of their own as well.
          outputs: products * stream * shape.alongColumns * rowFolds * (array.rows - 1),
        }
  const none = { weights: { loads: 0, stores: 0 }, inputs: { loads: 0, stores: 0 }, outputs: { loads: 0, stores: 0 } }
  return {
    steps: products * rowFolds * columnFolds * shape.foldSteps,
    injections: { weights: words.weights, inputs: words.inputs },
    ejections: words.outputs,
    issued: {
      macs: macsOf(problem),
      storage: {
        weights: { loads: words.weights, stores: 0 },
        inputs: { loads: inside, stores: 0 },
        outputs: { loads: words.outputs - products * pixels * filters, stores: words.outputs },
      },
      workgroup: none,
      hops,
    },
  }
}

/** How often each word of an operand enters: once where it is held, else once for each fold of the other operand. */
function flowing({ flow, rowFolds, columnFolds }: SystolicShape): Record<'weights' | 'inputs', { readonly times: number }> {
  switch (flow) {
    case 'ws':
      return { weights: { times: 1 }, inputs: { times: columnFolds } }
    case 'is':
      return { weights: { times: columnFolds }, inputs: { times: 1 } }
    case 'os':
      return { weights: { times: rowFolds }, inputs: { times: columnFolds } }
  }
}

/** Hops of one column's held words: the word of row r sinks r rows; the last fold may be short. */
function sinkings(extent: number, rows: number): number {
  const whole = Math.floor(extent / rows)
  const rest = extent % rows
  return (whole * (rows * (rows - 1)) + rest * (rest - 1)) / 2
}

/** Pairs of an output and a filter coordinate along an axis whose input lies inside the plane. */
function pairs({ P, Q, R, S, stride, dilation, padding }: Problem, axis: 0 | 1, extent: number): number {
  const [outputs, taps] = axis === 0 ? [P, R] : [Q, S]
  let count = 0
  for (let output = 0; output < outputs; output++) {
    for (let tap = 0; tap < taps; tap++) {
      const at = output * stride[axis] + tap * dilation[axis] - padding[axis]
      if (at >= 0 && at < extent) count++
    }
  }
  return count
}

/** @param counts u32 pairs (low, high) */
export function readSystolicCounts(counts: Uint32Array): SystolicCounts {
  if (counts.length !== 2 * SYSTOLIC_COUNTERS) {
    throw new RangeError(`Expected ${2 * SYSTOLIC_COUNTERS} counter words, got ${counts.length}`)
  }
  const at = (index: number): number => (counts[2 * index] ?? 0) + 2 ** 32 * (counts[2 * index + 1] ?? 0)
  return {
    steps: at(10),
    injections: { weights: at(5), inputs: at(6) },
    ejections: at(4),
    issued: {
      macs: at(0),
      storage: {
        weights: { loads: at(1), stores: 0 },
        inputs: { loads: at(2), stores: 0 },
        outputs: { loads: at(3), stores: at(4) },
      },
      workgroup: { weights: { loads: 0, stores: 0 }, inputs: { loads: 0, stores: 0 }, outputs: { loads: 0, stores: 0 } },
      hops: { weights: at(7), inputs: at(8), outputs: at(9) },
    },
  }
}

/** Figures that differ, as `steps: predicted 12, counted 13`; empty when all are equal. */
export function systolicDifferences(predicted: SystolicCounts, counted: SystolicCounts): string[] {
  const rows = (counts: SystolicCounts): [string, number][] => [
    ['steps', counts.steps],
    ['macs', counts.issued.macs],
    ['injected weights', counts.injections.weights],
    ['injected inputs', counts.injections.inputs],
    ['ejected outputs', counts.ejections],
    ['storage weights loads', counts.issued.storage.weights.loads],
    ['storage inputs loads', counts.issued.storage.inputs.loads],
    ['storage outputs loads', counts.issued.storage.outputs.loads],
    ['storage outputs stores', counts.issued.storage.outputs.stores],
    ['hops weights', counts.issued.hops.weights],
    ['hops inputs', counts.issued.hops.inputs],
    ['hops outputs', counts.issued.hops.outputs],
  ]
  const found = rows(counted)
  return rows(predicted).flatMap(([name, value], index) => {
    const counts = found[index]?.[1]
    return counts === value ? [] : [`${name}: predicted ${value}, counted ${counts}`]
  })
}
