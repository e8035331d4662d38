/**
 * What pruning does to a network's results: the dense network and the pruned ones, fed the same, on the GPU. The error of an output is
 * max |pruned − dense| and ‖pruned − dense‖ / ‖dense‖ over all inputs; agreement is the share of inputs whose highest score is of the same
 * class; accuracy the share whose highest score is of the class that the input is known to be of.
 */
import { OptionError } from '../errors.ts'
import type { Gpu } from '../gpu/gpu.ts'
import type { Graph } from '../graph/graph.ts'
import { compile } from '../graph/model.ts'
import { numbersOf } from '../ops/values.ts'
import { isFloat } from '../tensor/dtype.ts'
import { sizeOf, type Shape } from '../tensor/shape.ts'
import { HostTensor, type Tensor } from '../tensor/tensor.ts'

export interface LabelledInput {
  readonly tensors: Readonly<Record<string, Tensor>>
  /** The class it is of, where that is known. */
  readonly label?: number | undefined
}

export interface OutputError {
  readonly output: string
  readonly max_abs: number
  /** ‖pruned − dense‖ / ‖dense‖; 0 where they are the same, infinite where the dense output alone is all zeros. */
  readonly relative: number
}

/** Shares of inputs; `of` says of how many. */
export interface Share {
  readonly right: number
  readonly of: number
}

export interface Compared {
  readonly inputs: number
  readonly errors: readonly OutputError[]
  /** Null where no output is one score a class. */
  readonly agreement: Share | null
  /** Null where no class is known. */
  readonly accuracy: Share | null
}

export interface Comparison {
  readonly dense: { readonly accuracy: Share | null }
  /** By the name that the network was given under. */
  readonly pruned: ReadonlyMap<string, Compared>
}

export interface CompareOptions {
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: { readonly done: number; readonly total: number; readonly text: string }) => void
}

/**
 * Runs the dense network and the pruned ones on all inputs.
 * @throws OptionError without inputs; as `compile` and `run`
 */
export async function comparePruned(
  gpu: Gpu,
  dense: Graph,
  pruned: ReadonlyMap<string, Graph>,
  inputs: readonly LabelledInput[],
  { signal, onProgress }: CompareOptions = {},
): Promise<Comparison> {
  if (inputs.length === 0) throw new OptionError('There is no input to compare networks on')
  const total = (pruned.size + 1) * inputs.length
  const tell = (network: number, text: string) => (item: number) => {
    onProgress?.({ done: network * inputs.length + item, total, text: `${text}, input ${item + 1} of ${inputs.length}` })
  }
  const wanted: Outputs[] = []
  await runAll(gpu, dense, inputs, signal, tell(0, 'the dense network'), (outputs) => wanted.push(outputs))
  const scores = scoresOf(dense, wanted)
  const classes = scores === undefined ? [] : wanted.map((outputs) => topClass(outputs, scores))
  const labels = inputs.map(({ label }) => label)
  const results = new Map<string, Compared>()
  for (const [index, [name, graph]] of [...pruned].entries()) {
    const sums = new Map(graph.outputs.map((output) => [output, new ErrorSum()]))
    const own: number[] = []
    await runAll(gpu, graph, inputs, signal, tell(index + 1, name), (outputs, item) => {
      for (const [output, sum] of sums) sum.add(outputs.get(output), wanted[item]?.get(output))
      if (scores !== undefined) own.push(topClass(outputs, scores))
    })
    results.set(name, {
      inputs: inputs.length,
      errors: [...sums].map(([output, sum]) => ({ output, max_abs: sum.most, relative: sum.relative })),
      agreement: scores === undefined ? null : shareOf(own, classes),
      accuracy: scores === undefined ? null : shareOf(own, labels),
    })
  }
  return { dense: { accuracy: scores === undefined ? null : shareOf(classes, labels) }, pruned: results }
}

type Outputs = ReadonlyMap<string, HostTensor>

async function runAll(
  gpu: Gpu,
  graph: Graph,
  inputs: readonly LabelledInput[],
  signal: AbortSignal | undefined,
  before: (item: number) => void,
  use: (outputs: Outputs, item: number) => void,
): Promise<void> {
  const stop = signal === undefined ? {} : { signal }
  using model = await compile(gpu, graph, stop)
  for (const [item, { tensors }] of inputs.entries()) {
    signal?.throwIfAborted()
    before(item)
    const results = await model.run(tensors, stop)
    const outputs = new Map<string, HostTensor>()
    for (const [name, result] of Object.entries(results)) {
      outputs.set(name, new HostTensor(result.dtype, result.shape, await result.data()))
      result.dispose()
    }
    use(outputs, item)
  }
}

class ErrorSum {
  most = 0
  #error = 0
  #size = 0

  get relative(): number {
    if (this.#error === 0) return 0
    return Math.sqrt(this.#error / this.#size)
  }

  /** Integers of 64 bits, which no pruned weight is in, are left out. */
  add(actual: HostTensor | undefined, wanted: HostTensor | undefined): void {
    if (actual === undefined || wanted === undefined || wanted.dtype === 'i64') return
    const [found, expected] = [numbersOf(actual), numbersOf(wanted)]
    for (let i = 0; i < expected.length; i++) {
      const [a, b] = [found[i] ?? NaN, expected[i] ?? NaN]
      const error = Object.is(a, b) || a === b ? 0 : Math.abs(a - b)
      this.most = Math.max(this.most, error)
      this.#error += error ** 2
      this.#size += b ** 2
    }
  }
}

/** The first output that is one score a class: a float vector of two values and more for the one input of a batch. */
function scoresOf({ outputs }: Graph, [first]: readonly Outputs[]): string | undefined {
  return outputs.find((name) => {
    const tensor = first?.get(name)
    return tensor !== undefined && isFloat(tensor.dtype) && isScores(tensor.shape)
  })
}

function isScores(shape: Shape): boolean {
  return sizeOf(shape) >= 2 && shape.filter((extent) => extent !== 1).length === 1
}

/** The class of the highest score, the first of equals; NaN is never the highest, −1 where all are. */
function topClass(outputs: Outputs, name: string): number {
  const tensor = outputs.get(name)
  const scores = tensor === undefined ? [] : numbersOf(tensor)
  let [top, most] = [-1, -Infinity]
  for (let i = 0; i < scores.length; i++) {
    const score = scores[i] ?? NaN
    if (score > most || (top < 0 && score === most)) [top, most] = [i, score]
  }
  return top
}

/** How many of `found` are as `known` says, of those that it knows; null where it knows none. */
function shareOf(found: readonly number[], known: readonly (number | undefined)[]): Share | null {
  const pairs = found.map((own, i) => [own, known[i]] as const).filter(([, other]) => other !== undefined)
  if (pairs.length === 0) return null
  return { right: pairs.filter(([own, other]) => own === other).length, of: pairs.length }
}
