/** Random small problems and random legal mappings of them on a workgroup, for property tests. Deterministic for a seed. */
import type { Loop, Mapping } from '../../src/schedule/mapping.ts'
import {
  convProblem,
  DIMENSIONS,
  extentOf,
  inputSpan,
  macsOf,
  OPERANDS,
  REDUCTION,
  type Problem,
} from '../../src/schedule/problem.ts'
import { HostTensor } from '../../src/tensor/tensor.ts'

/** Mulberry32: numbers in [0, 1). */
export function generator(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

export interface RandomProblem {
  readonly problem: Problem
  readonly input: { readonly rows: number; readonly columns: number }
}

/** As `randomProblem`, up to some hundred thousand multiply-accumulates. */
export function widerProblem(random: () => number): RandomProblem {
  for (;;) {
    const given = randomProblem(random, {
      N: 3,
      M: 41,
      C: 23,
      P: 29,
      Q: 31,
      R: 7,
      S: 5,
      groups: 5,
      stride: 4,
      dilation: 3,
      padding: 3,
    })
    const macs = macsOf(given.problem)
    if (macs >= 20_000 && macs <= 400_000) return given
  }
}

const SMALL = { N: 2, M: 7, C: 6, P: 7, Q: 7, R: 4, S: 4, groups: 2, stride: 3, dilation: 2, padding: 2 }

export function randomProblem(random: () => number, most: typeof SMALL = SMALL): RandomProblem {
  const upTo = (most: number): number => 1 + Math.floor(random() * most)
  const padding = [0, 0, 0, 0].map(() => (random() < 0.4 ? upTo(most.padding) : 0)) as [number, number, number, number]
  const problem = convProblem({
    groups: random() < 0.3 ? most.groups : 1,
    N: upTo(most.N),
    M: upTo(most.M),
    C: upTo(most.C),
    P: upTo(most.P),
    Q: upTo(most.Q),
    R: upTo(most.R),
    S: upTo(most.S),
    stride: [upTo(most.stride), upTo(most.stride)],
    dilation: [upTo(most.dilation), upTo(most.dilation)],
    padding,
  })
  const span = inputSpan(problem)
  // A window may leave rows over at the bottom and right.
  const left = (whole: number, before: number, after: number): number =>
    Math.max(1, whole - before - after + Math.floor(random() * 2))
  return { problem, input: { rows: left(span.rows, padding[0], padding[2]), columns: left(span.columns, padding[1], padding[3]) } }
}

/** A mapping with random loop orders, bounds (ragged ones too), splits and keeps, that a workgroup may or may not be able to run. */
export function randomMapping(problem: Problem, random: () => number): Mapping {
  const shuffle = (loops: Loop[]): Loop[] => {
    for (let k = loops.length - 1; k > 0; k--) {
      const other = Math.floor(random() * (k + 1))
      const held = loops[k] as Loop
      loops[k] = loops[other] as Loop
      loops[other] = held
    }
    return loops
  }
  const parts = {
    dram: [] as Loop[],
    grid: [] as Loop[],
    buffer: [] as Loop[],
    x: [] as Loop[],
    y: [] as Loop[],
    registers: [] as Loop[],
  }
  let lanes = 1
  for (const dimension of DIMENSIONS) {
    let left = extentOf(problem, dimension)
    const take = (most = left): number => {
      const bound = Math.min(most, 1 + Math.floor(random() * left))
      left = Math.ceil(left / bound)
      return bound
    }
    if (dimension !== 'G') {
      if (random() < 0.25) parts.registers.push([dimension, take(4)])
      if (random() < 0.4 && lanes <= 32) {
        const bound = take(8)
        lanes *= bound
        ;(random() < 0.5 ? parts.x : parts.y).push([dimension, bound])
      }
      if (random() < 0.6) parts.buffer.push([dimension, take()])
    }
    const rest: Loop = [dimension, left]
    if (left > 1 || random() < 0.2) (REDUCTION.includes(dimension) || random() < 0.5 ? parts.dram : parts.grid).push(rest)
  }
  const keep = () => OPERANDS.filter(() => random() < 0.6)
  return {
    levels: [
      { name: 'DRAM', temporal: shuffle(parts.dram), spatial: { x: parts.grid } },
      { name: 'GLB', temporal: shuffle(parts.buffer), spatial: { x: parts.x, y: parts.y }, keep: keep() },
      { name: 'RF', temporal: shuffle(parts.registers), keep: keep() },
    ],
  }
}

/** The mapping with some loops in two parts, side by side or not, ragged or not. */
export function withSplitLoops(mapping: Mapping, random: () => number): Mapping {
  const split = (loops: readonly Loop[]): Loop[] => {
    const result: Loop[] = []
    for (const [dimension, bound] of loops) {
      if (bound < 3 || random() < 0.5) {
        result.push([dimension, bound])
        continue
      }
      const inner = 2 + Math.floor(random() * (bound - 2))
      result.splice(Math.floor(random() * (result.length + 1)), 0, [dimension, Math.ceil(bound / inner)])
      result.push([dimension, inner])
    }
    return result
  }
  return {
    levels: mapping.levels.map(({ temporal, spatial, ...rest }) => ({
      ...rest,
      temporal: split(temporal),
      ...(spatial === undefined ? {} : { spatial: { x: split(spatial.x ?? []), y: split(spatial.y ?? []) } }),
    })),
  }
}

/** Small integers, so that every sum is exact in f32 and any order gives the same bits. */
export function integers(shape: readonly number[], random: () => number): HostTensor<'f32'> {
  const size = shape.reduce((product, extent) => product * extent, 1)
  return new HostTensor(
    'f32',
    shape,
    Float32Array.from({ length: size }, () => Math.floor(random() * 13) - 6),
  )
}

/** The convolution of a problem written as its loop nest: what every kernel must equal on integers. */
export function loopNest({ problem, input }: RandomProblem, x: Float32Array, w: Float32Array): Float32Array {
  const { N, M, C, P, Q, R, S, groups, stride, dilation, padding } = problem
  const y = new Float32Array(N * groups * M * P * Q)
  const each = (extent: number, body: (index: number) => void): void => {
    for (let index = 0; index < extent; index++) body(index)
  }
  let out = 0
  each(N, (n) =>
    each(groups, (g) =>
      each(M, (m) =>
        each(P, (p) =>
          each(Q, (q) => {
            let sum = 0
            each(C, (c) =>
              each(R, (r) =>
                each(S, (s) => {
                  const h = p * stride[0] + r * dilation[0] - padding[0]
                  const v = q * stride[1] + s * dilation[1] - padding[1]
                  if (h < 0 || h >= input.rows || v < 0 || v >= input.columns) return
                  const weight = w[(((g * M + m) * C + c) * R + r) * S + s] ?? NaN
                  sum += weight * (x[((n * groups * C + g * C + c) * input.rows + h) * input.columns + v] ?? NaN)
                }),
              ),
            )
            y[out++] = sum
          }),
        ),
      ),
    ),
  )
  return y
}
