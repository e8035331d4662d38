/**
 * The model that the survey's figures were drawn from, as far as it is public, to tell what of a difference is the mapper's and
 * what is the model's. Think of it as the other side's arithmetic, done over.
 *
 * ISCA 2016 (section VI-C) charges each operand its accesses to DRAM, buffer, array and register file; how many those are under a
 * dataflow is in the authors' analysis scripts (repository cnnflow, public copy ominux/eyeriss-dataflow, folder cnn_dataflows): one
 * closed form for each dataflow in a few tile sizes, the best of which they look for at random. Here the forms are written anew and
 * the tile sizes tried one after another. The buffers are those of `equal-area.ts`.
 *
 * What the forms fix and a mapper may choose: weight stationary keeps all partial sums of the filters at hand in the buffer and
 * reads its inputs from DRAM past it; the output stationary ones hold whole filters (C·R·S words each) in the buffer; row
 * stationary never keeps weights in it; each word that reaches a PE over the array costs a hop.
 */
import { MappingError } from '../../errors.ts'
import { OPERANDS, macsOf, type Operand, type Problem } from '../../schedule/problem.ts'
import type { Charged } from './cells.ts'
import { MOVING, nothing, type Breakdown, type Moving } from './energy.ts'
import { PES, ROOMS, WORD_BYTES, bufferBytes, type Compared } from './equal-area.ts'
import type { Job } from './layers.ts'

/** Words that an operand takes from DRAM, buffer, array and register file. */
type Traffic = readonly [dram: number, buffer: number, array: number, registers: number]
type PerOperand = Readonly<Record<Operand, Traffic>>

const COSTS: Readonly<Record<Moving, number>> = { DRAM: 200, buffer: 6, array: 2, RF: 1 }

/** A layer in the paper's letters; filters and planes are square. */
interface Shape {
  readonly N: number
  readonly M: number
  readonly C: number
  readonly E: number
  readonly R: number
  readonly U: number
  /** Side of the padded input. */
  readonly H: number
  /** E / H: outputs for each input along a side. */
  readonly alpha: number
  /** Words of weights, inputs (padded) and outputs. */
  readonly W: number
  readonly I: number
  readonly O: number
  /** Words of the buffer. */
  readonly room: number
}

function shapeOf({ N, M, C, P, R, stride, groups }: Problem, dataflow: Compared): Shape {
  const U = stride[0]
  const H = (P - 1) * U + R
  const rfBytes = dataflow === 'os-a' ? (1 + U + R * U) * WORD_BYTES : ROOMS[dataflow].rfBytes
  return {
    N,
    M,
    C,
    E: P,
    R,
    U,
    H,
    alpha: P / H,
    W: groups * M * C * R * R,
    I: groups * N * C * H * H,
    O: groups * N * M * P * P,
    room: bufferBytes(rfBytes) / WORD_BYTES,
  }
}

const MODELS: Readonly<Record<Compared, (shape: Shape) => Generator<PerOperand>>> = {
  *ws({ N, M, C, E, R, U, alpha, W, I, O, room }) {
    for (let t = 1; t <= Math.min(M, Math.floor(PES / (R * R))); t++) {
      const r = Math.min(Math.floor(PES / (R * R * t)), C)
      for (const e of parts(E)) {
        if (N * E * E * t + r * t * (U * e - U) * (R - 1) > room) continue
        const passes = R * Math.ceil(C / r)
        yield {
          weights: [W, 0, 0, W * N * E * E],
          inputs: [I * Math.ceil(M / t) * alpha * ((U * e + R - U) / e), 0, I * M * R * R * alpha * alpha, 0],
          outputs: [O, 2 * O * (passes - 1), O * (C * R * R - passes), 0],
        }
      }
    }
  },
  *'os-a'({ N, M, C, E, R, U, alpha, W, I, O, room }) {
    for (let e = 1; e <= Math.min(E, 16); e++) {
      const h = e * U + R - U
      for (const images of parts(N)) {
        const m = Math.min(M, Math.floor((room - images * C * h * h) / (C * R * R)))
        if (m < 1) continue
        const n = Math.min(images, Math.floor(PES / (e * e)))
        const halo = (alpha * h) / e
        yield {
          weights: [W, (W * N * Math.ceil(E / e) ** 2) / n, W * N * E * E, 0],
          inputs: [I * Math.ceil(M / m) * halo * halo, I * M * halo * halo, I * M * R * R * alpha * alpha, 0],
          outputs: [O, 0, 0, 2 * O * (C * R * R - 1)],
        }
      }
    }
  },
  *'os-b'({ N, M, C, E, R, U, alpha, W, I, O, room }) {
    for (let f = 1; f <= E; f++) {
      const w = f * U + R - U
      for (const n of parts(N)) {
        const m = Math.min(M, Math.floor((room - n * C * R * w) / (C * R * R)))
        const p = Math.min(m, Math.floor(PES / (n * f)))
        if (m < 1 || p < 1) continue
        yield {
          weights: [W, W * Math.ceil(N / n) * E * Math.ceil(E / f), W * N * E * E, 0],
          inputs: [
            I * Math.ceil(M / m) * ((alpha * w) / f) * R * alpha,
            I * Math.ceil(M / p) * R * R * alpha * alpha,
            I * M * R * R * alpha * alpha,
            0,
          ],
          outputs: [O, 0, 0, 2 * O * (C * R * R - 1)],
        }
      }
    }
  },
  *'os-c'({ N, M, C, E, R, alpha, W, I, O, room }) {
    const m = Math.min(M, Math.floor(room / (C * R * R)) - 1)
    if (m < 1) return
    const windows = I * R * R * alpha * alpha
    yield {
      weights: [W, W * N * E * E, 0, 0],
      inputs: [windows * Math.ceil(M / m), windows * Math.ceil(M / Math.min(m, PES)), windows * M, 0],
      outputs: [O, 0, 0, 2 * O * (C * R * R - 1)],
    }
  },
  *nlr({ N, M, C, E, R, U, alpha, W, I, O, room }) {
    for (const q of sizes(Math.min(C, PES))) {
      const passes = Math.ceil(C / q) * R * R
      for (const n of parts(N)) {
        for (const e of parts(E)) {
          for (const f of parts(E)) {
            const [h, w] = [e * U + R - U, f * U + R - U]
            const m = Math.min(M, Math.floor((room - n * q * h * w) / (q * R * R + n * e * f)))
            if (m < 1) continue
            const p = Math.min(m, Math.floor(PES / q))
            yield {
              weights: [W * Math.ceil(N / n) * Math.ceil(E / e) * Math.ceil(E / f), W * N * E * E, 0, 0],
              inputs: [
                I * Math.ceil(M / m) * ((alpha * h) / e) * ((alpha * w) / f),
                I * Math.ceil(M / p) * R * R * alpha * alpha,
                I * M * R * R * alpha * alpha,
                0,
              ],
              outputs: [O, 2 * O * (passes - 1), 2 * O * (C * R * R - passes), 0],
            }
          }
        }
      }
    }
  },
  *rs({ N, M, C, E, R, U, H, alpha, W, I, O, room }) {
    const registers = ROOMS.rs.rfBytes / WORD_BYTES
    for (const f of sizes(Math.min(E, Math.floor(PES / R)))) {
      const w = U * f + R - U
      for (const q of sizes(Math.min(C, Math.floor(registers / R)))) {
        for (const p of sizes(Math.min(M, Math.floor((registers - q * R) / (q * R + 1))))) {
          for (const r of sizes(Math.min(Math.floor(C / q), Math.floor(PES / (R * f))))) {
            for (const n of parts(N)) {
              const m = Math.min(M, Math.floor((room - n * q * r * H * w) / (n * E * f)))
              const t = Math.min(Math.floor(m / p), Math.floor(PES / (R * f * r)))
              if (t < 1) continue
              const halo = (alpha * w) / f
              const [sums, passes] = [Math.ceil(C / q) * R, Math.ceil(C / (q * r))]
              yield {
                weights: [W * Math.ceil(N / n) * Math.ceil(E / f), 0, W * Math.ceil(N / n) * E, W * N * E * E],
                inputs: [
                  I * Math.ceil(M / m) * halo,
                  I * Math.ceil(M / (p * t)) * halo,
                  I * Math.ceil(M / p) * R * alpha,
                  I * M * R * R * alpha * alpha,
                ],
                outputs: [O, 2 * O * (passes - 1), 2 * O * (sums - passes), 2 * O * (C * R * R - sums)],
              }
            }
          }
        }
      }
    }
  },
}

/** Sizes that divide `most` into equal parts, as far as that goes. */
function parts(most: number): number[] {
  return [...new Set(Array.from({ length: most }, (_, index) => Math.ceil(most / (index + 1))))]
}

/** The same, and all small sizes. */
function sizes(most: number): number[] {
  const small = Array.from({ length: Math.max(0, Math.min(most, 12)) }, (_, index) => index + 1)
  return most < 1 ? [] : [...new Set([...small, ...parts(most)])]
}

function costOf(traffic: PerOperand): number {
  let sum = 0
  for (const operand of OPERANDS) {
    const words = traffic[operand]
    sum += words[0] * COSTS.DRAM + words[1] * COSTS.buffer + words[2] * COSTS.array + words[3] * COSTS.RF
  }
  return sum
}

function breakdownOf(problem: Problem, traffic: PerOperand): Breakdown {
  const moved = nothing()
  for (const operand of OPERANDS) {
    for (const [level, part] of MOVING.entries()) moved[part][operand] = (traffic[operand][level] ?? 0) * COSTS[part]
  }
  return { alu: macsOf(problem), moved }
}

/**
 * A job's energy under the published model of its dataflow, at the tile sizes that cost least.
 * @throws MappingError where no tile fits the buffer
 */
export function publishedCell({ layer, dataflow }: Job): Charged {
  const { name, kind, problem } = layer
  let best: PerOperand | undefined
  let least = Infinity
  for (const traffic of MODELS[dataflow](shapeOf(problem, dataflow))) {
    const cost = costOf(traffic)
    if (cost >= least) continue
    least = cost
    best = traffic
  }
  if (best === undefined)
    throw new MappingError(`No tile of ${name} fits the buffer of ${dataflow} as its published model fills it`)
  return { layer: name, kind, dataflow, macs: macsOf(problem), energy: breakdownOf(problem, best) }
}
