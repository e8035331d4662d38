/**
 * A network as the engines take it: the file that the runner wrote, a seeded input. Results are held against those of ONNX Runtime's CPU
 * provider, which runs first and leaves them in a file.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { networkNamed } from '../../models/index.ts'
import { seededInputs } from '../../models/inputs.ts'
import type { Graph } from '../../src/graph/graph.ts'
import type { ModelCase } from '../cases/model.ts'
import { ruleAfter } from '../engines/sample.ts'
import type { Job, ResultError } from '../protocol.ts'
import type { Operand, Work } from '../work.ts'

/** A run that takes longer is sampled three times. */
const LONG_MS = 2000

/** The network of a case, its weights not yet made. */
export function modelGraph({ network, batch }: ModelCase): Graph {
  return networkNamed(network).build({ batch })
}

/** @throws Error where the job names no file */
export function modelWork(item: ModelCase, job: Job): Work {
  const { model, expected } = job
  if (model === undefined) throw new Error(`There is no ONNX file of ${item.name}`)
  const net = modelGraph(item)
  const [output] = net.outputs
  if (output === undefined) throw new Error(`${item.name} has no output`)
  const feeds = Object.entries(seededInputs(net)).map(([name, { dtype, shape, values }]): [string, Operand] => {
    if (dtype !== 'f32' || !(values instanceof Float32Array)) throw new Error(`Input ${name} of ${item.name} is no f32`)
    return [name, { dtype, shape, values: new Float32Array(values) }]
  })
  return {
    name: item.name,
    graph: model,
    feeds: Object.fromEntries(feeds),
    output,
    ours: 'model',
    firstFromOpening: true,
    resident: false,
    tfjs: 'it reads no ONNX files',
    rule: async (_, again) => ruleAfter(await again(), LONG_MS),
    error(values) {
      if (expected === undefined) return undefined
      // What all others are held against.
      if (job.peer === 'ort-cpu') writeFileSync(expected, Float32Array.from(values))
      if (!existsSync(expected)) return undefined
      return difference(item, new Float32Array(new Uint8Array(readFileSync(expected)).buffer), values)
    },
  }
}

/** @throws Error for another number of values, or nothing but zeros */
export function difference(item: ModelCase, expected: ArrayLike<number>, values: ArrayLike<number>): ResultError {
  if (values.length !== expected.length) throw new Error(`${values.length} values of ${item.name}, not ${expected.length}`)
  let [worst, largest] = [0, 0]
  let [top, topExpected] = [0, 0]
  for (let index = 0; index < expected.length; index++) {
    const [value, exact] = [values[index] ?? NaN, expected[index] ?? NaN]
    const gap = Math.abs(value - exact)
    worst = Number.isFinite(gap) ? Math.max(worst, gap) : Infinity
    largest = Math.max(largest, Math.abs(exact))
    if (value > (values[top] ?? NaN)) top = index
    if (exact > (expected[topExpected] ?? NaN)) topExpected = index
  }
  if (largest === 0) throw new Error(`What ${item.name} should give is zero: nothing was compared`)
  const error = { relative: worst / largest, rows: expected.length, of: expected.length }
  // Where each position has classes of its own, the largest of all says nothing.
  return item.family === 'segmentation' ? error : { ...error, top1: top === topExpected }
}
