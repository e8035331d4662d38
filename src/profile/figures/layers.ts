/**
 * AlexNet as the survey counts it (Table II: 227×227 pictures, layers 2, 4 and 5 in two groups): the convolutions of Fig. 33 and
 * the fully connected layers of Fig. 34, which are convolutions whose filter is as large as their input.
 */
import { convProblem, inputSpan, macsOf, type Problem } from '../../schedule/problem.ts'
import type { Compared } from './equal-area.ts'

export type Kind = 'conv' | 'fc'

export interface FigureLayer {
  readonly name: string
  readonly kind: Kind
  readonly problem: Problem
}

/** A layer under a dataflow. */
export interface Job {
  readonly layer: FigureLayer
  readonly dataflow: Compared
}

export function alexnetLayers(batch: number): FigureLayer[] {
  const conv = (name: string, groups: number, M: number, C: number, side: number, R: number, stride: number, pad: number) => ({
    name,
    kind: 'conv' as const,
    problem: convProblem({
      N: batch,
      groups,
      M,
      C,
      P: side,
      Q: side,
      R,
      S: R,
      stride: [stride, stride],
      padding: [pad, pad, pad, pad],
    }),
  })
  const fc = (name: string, M: number, C: number, R: number) => ({
    name,
    kind: 'fc' as const,
    problem: convProblem({ N: batch, M, C, R, S: R }),
  })
  return [
    conv('conv1', 1, 96, 3, 55, 11, 4, 0),
    conv('conv2', 2, 128, 48, 27, 5, 1, 2),
    conv('conv3', 1, 384, 256, 13, 3, 1, 1),
    conv('conv4', 2, 192, 192, 13, 3, 1, 1),
    conv('conv5', 2, 128, 192, 13, 3, 1, 1),
    fc('fc6', 4096, 256, 6),
    fc('fc7', 4096, 4096, 1),
    fc('fc8', 1000, 4096, 1),
  ]
}

export function weightsOf({ groups, M, C, R, S }: Problem): number {
  return groups * M * C * R * S
}

/** What the survey says of DRAM accesses before any dataflow is chosen (section V-B), for one picture. */
export interface Bounds {
  readonly macs: number
  /** Four accesses for each MAC: three reads and a write. */
  readonly worst: number
  /** Each weight read once: what is left where activations and partial sums stay on the chip. */
  readonly best: number
  /** Reads of weights and inputs in the CONV layers: one each for a MAC, over each word once. */
  readonly convReads: { readonly worst: number; readonly best: number }
}

export function dramBounds(): Bounds {
  const layers = alexnetLayers(1)
  const total = (list: readonly FigureLayer[], count: (problem: Problem) => number): number =>
    list.reduce((sum, { problem }) => sum + count(problem), 0)
  const conv = layers.filter(({ kind }) => kind === 'conv')
  const macs = total(layers, macsOf)
  return {
    macs,
    worst: 4 * macs,
    best: total(layers, weightsOf),
    convReads: { worst: 2 * total(conv, macsOf), best: total(conv, weightsOf) + total(conv, pixelsOf) },
  }
}

/** Words of input, padding left out. */
function pixelsOf(problem: Problem): number {
  const { rows, columns } = inputSpan(problem)
  const [top, left, bottom, right] = problem.padding
  return problem.groups * problem.N * problem.C * (rows - top - bottom) * (columns - left - right)
}
