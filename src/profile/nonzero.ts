/**
 * The metrics of the survey's Table IV for a network on inputs (Sze et al. 2017, section VIII-A): weights that are not zero, and
 * MACs whose weight and input are both not zero, layer by layer, convolutions and fully connected layers apart. The network runs with all
 * its activations kept, on the GPU or on the CPU reference; from these the counts follow exactly (nonzero-counts.ts).
 */
import { SURVEY_NONZEROS, SURVEY_NONZEROS_SOURCE, type SurveyNonzeros } from '../../models/survey.ts'
import { runLengthBits, VALUE_BITS } from '../cost/compression.ts'
import { OptionError } from '../errors.ts'
import type { Gpu } from '../gpu/gpu.ts'
import type { Graph, GraphNode, UnsupportedNode } from '../graph/graph.ts'
import { compile } from '../graph/model.ts'
import { resolveInputs, typeGraph } from '../graph/passes.ts'
import { opNamed } from '../ops/registry.ts'
import { parseAttributes } from '../ops/run.ts'
import { KEPT } from '../sparsity/two-of-four.ts'
import type { HostTensor } from '../tensor/tensor.ts'
import { inspectGraph, type InspectedLayer, type Totals } from './inspect.ts'
import { nonzeroWeights, paired, sumOf, tapsOf, visitedInputs, weightsHoldTwoOfFour, type Counts } from './nonzero-counts.ts'
import type { NetworkEnergy } from './nonzero-energy.ts'
import { factorsOf } from './nonzero-factors.ts'
import type { AdapterDescription } from './report.ts'
import { zerosIn } from './zeros.ts'

export const NONZERO_SCHEMA = 'tilewright.nonzero/1'

/** Figures of a run; where there were several, those that hang on the inputs are means over them. */
export interface NonzeroFigures extends Pick<Totals, 'macs' | 'weights'> {
  /** MACs whose weight and input are both not zero; `macs` are all, zero padding included. */
  readonly nonzero_macs: number
  /** MACs whose input is not zero, whatever the weight: what is left where zero inputs are gated or skipped. */
  readonly nonzero_input_macs: number
  /** As `weights`, weights that several layers share are counted in the first. */
  readonly nonzero_weights: number
}

export interface NonzeroLayer extends NonzeroFigures {
  readonly name: string
  readonly op: string
  readonly kind: NonNullable<InspectedLayer['kind']>
  readonly inputs: {
    readonly elements: number
    readonly zeros: number
    /** Run-length compressed over plain size, as `MeasuredZeros`. */
    readonly ratio: number
  }
  /** Parts that are not zero, of the layer's own W and X. */
  readonly density: { readonly weights: number; readonly inputs: number }
  /**
   * Whether W holds 2:4 along its input channels; null where there is nothing to hold it: the second factor is no constant, or has two
   * channels or fewer (of a group).
   */
  readonly two_of_four: boolean | null
}

export interface NonzeroTotals extends NonzeroFigures {
  readonly layers: number
}

export interface NonzeroReport {
  readonly schema: typeof NONZERO_SCHEMA
  readonly activations: {
    /** `seeded`: uniform noise under the rule of models/seeded.ts, no pictures. */
    readonly inputs: 'given' | 'seeded'
    readonly seed?: number
    readonly runs: number
    /** null: the CPU reference. */
    readonly adapter: AdapterDescription | null
  }
  readonly conv: NonzeroTotals
  readonly fc: NonzeroTotals
  readonly product: NonzeroTotals
  readonly total: NonzeroTotals
  readonly layers: readonly NonzeroLayer[]
  /** What multiplies and is in none of the figures. */
  readonly uncounted: readonly UnsupportedNode[]
  /** What the zeros are worth on an accelerator, where one was named (nonzero-energy.ts). */
  readonly energy?: NetworkEnergy
  readonly survey?: { readonly source: string; readonly dense: SurveyNonzeros; readonly sparse: SurveyNonzeros }
}

export interface NonzeroOptions {
  /** Inputs of each run, by name. */
  readonly runs: readonly Readonly<Record<string, HostTensor>>[]
  /** Where the runs are seeded ones. */
  readonly seed?: number
  /** Absent: the CPU reference, which is slow. */
  readonly gpu?: Gpu
  readonly signal?: AbortSignal
  readonly onProgress?: (run: number, node: string) => void
}

/**
 * @param graph without symbolic dimensions
 * @throws OptionError where there is no run; ShapeError, DtypeError for inputs that do not fit; what running may throw
 */
export async function countNonzeros(graph: Graph, options: NonzeroOptions): Promise<NonzeroReport> {
  const { runs, gpu, signal, onProgress, seed } = options
  if (runs.length === 0)
    throw new OptionError('Non-zero MACs hang on inputs, and there are none', { remedy: 'Give at least one run' })
  const counter = new NonzeroCounter(graph)
  const stop = signal === undefined ? {} : { signal }
  using model = gpu === undefined ? undefined : await compile(gpu, graph, stop)
  for (const [run, input] of runs.entries()) {
    signal?.throwIfAborted()
    onProgress?.(run, graph.name)
    const made =
      model === undefined
        ? await onReference(graph, input, (node) => onProgress?.(run, node), signal)
        : await model.runAll(input, stop)
    counter.add({ ...input, ...made })
  }
  return counter.report({
    inputs: seed === undefined ? 'given' : 'seeded',
    ...(seed === undefined ? {} : { seed }),
    runs: runs.length,
    adapter: gpu?.adapter ?? null,
  })
}

/** Every value that the nodes compute, on the CPU. */
async function onReference(
  graph: Graph,
  input: Readonly<Record<string, HostTensor>>,
  progress: (node: string) => void,
  signal: AbortSignal | undefined,
): Promise<Record<string, HostTensor>> {
  const values = new Map(Object.entries(input))
  for (const node of graph.nodes) {
    progress(node.name)
    // The reference is one long computation: let timers and signals in between nodes.
    await new Promise((resolve) => setTimeout(resolve))
    signal?.throwIfAborted()
    const definition = opNamed(node.op)
    const inputs = node.inputs.map((name) => (name === null ? null : (values.get(name) ?? graph.constants.get(name) ?? null)))
    const outputs = definition.reference(inputs, parseAttributes(definition, node.attributes, node.name))
    node.outputs.forEach((name, index) => {
      const output = outputs[index]
      if (name !== '' && output !== undefined) values.set(name, output.tensor)
    })
  }
  return Object.fromEntries(values)
}

/** What is known of a layer's W. */
interface Weights {
  readonly counts: Counts
  readonly nonzero: number
  readonly elements: number
  readonly twoOfFour: boolean | null
}

/** Sums over runs. */
interface Sums {
  runs: number
  macs: number
  inputMacs: number
  elements: number
  zeros: number
  bits: number
  /** Non-zeros and elements of what stands for W. */
  nonzero: number
  of: number
}

/** Takes the values of one run after another, and keeps nothing of them but sums. */
class NonzeroCounter {
  readonly #graph: Graph
  readonly #nodes: ReadonlyMap<string, GraphNode>
  readonly #layers: readonly (InspectedLayer & Pick<NonzeroLayer, 'kind'>)[]
  /** Values that are the same in every run. */
  readonly #known: ReadonlyMap<string, HostTensor>
  readonly #weights = new Map<string, Weights>()
  readonly #sums = new Map<string, Sums>()
  readonly #uncounted: readonly UnsupportedNode[]

  constructor(graph: Graph) {
    this.#graph = graph
    this.#nodes = new Map(graph.nodes.map((node) => [node.name, node]))
    const shapes = new Map(graph.inputs.map(({ name, shape }) => [name, shape.map(Number)]))
    this.#known = typeGraph(graph, resolveInputs(graph.inputs, shapes), new Map(), { keep: 'all' }).known
    const { layers, unsupported } = inspectGraph(graph)
    this.#layers = layers.flatMap((layer) => (layer.kind === undefined ? [] : [{ ...layer, kind: layer.kind }]))
    this.#uncounted = unsupported
  }

  add(values: Readonly<Record<string, HostTensor>>): void {
    for (const { name, kind } of this.#layers) {
      const node = this.#nodes.get(name)
      if (node !== undefined) this.#addNode(node, kind, values)
    }
  }

  #addNode(node: GraphNode, kind: NonzeroLayer['kind'], values: Readonly<Record<string, HostTensor>>): void {
    const definition = opNamed(node.op)
    const inputs = node.inputs.map((name) => (name === null ? null : (this.#known.get(name) ?? values[name] ?? null)))
    const factors = factorsOf(node.op, inputs, parseAttributes(definition, node.attributes, node.name))
    if (factors === undefined) return
    const [first, second] = (definition.ownLoops?.factors ?? [0, 1]).map((index) => this.#known.has(node.inputs[index] ?? ''))
    // In W × X the constant stands first: it is the weights all the same.
    const swapped = first === true && second !== true
    const known = this.#weights.get(node.name)
    const nonzeroOf = (list: ArrayLike<number>): number => list.length - zerosIn(list)
    const weights = known ?? {
      counts: nonzeroWeights(factors),
      nonzero: nonzeroOf(factors.weights.values),
      elements: factors.weights.values.length,
      twoOfFour: null,
    }
    if (known === undefined && second === true) {
      const isThin = factors.channels <= KEPT
      this.#weights.set(node.name, {
        ...weights,
        twoOfFour: isThin ? null : weightsHoldTwoOfFour(factors, weights.nonzero),
      })
    }
    const visited = visitedInputs(factors)
    const [x, w] = swapped ? [factors.weights.values, factors.inputs.values] : [factors.inputs.values, factors.weights.values]
    const before = this.#sums.get(node.name)
    const rows = factors.inputs.batch * tapsOf(factors)
    this.#sums.set(node.name, {
      runs: (before?.runs ?? 0) + 1,
      macs: (before?.macs ?? 0) + paired(visited, weights.counts),
      inputMacs: (before?.inputMacs ?? 0) + (swapped ? rows * sumOf(weights.counts) : factors.weights.filters * sumOf(visited)),
      elements: x.length,
      zeros: (before?.zeros ?? 0) + zerosIn(x),
      bits: (before?.bits ?? 0) + runLengthBits(x),
      nonzero: (before?.nonzero ?? 0) + (swapped || kind === 'product' ? nonzeroOf(w) : weights.nonzero),
      of: (before?.of ?? 0) + w.length,
    })
  }

  report(activations: NonzeroReport['activations']): NonzeroReport {
    const layers = this.#layers.flatMap((layer) => {
      const sums = this.#sums.get(layer.name)
      return sums === undefined ? [] : [this.#layer(layer, sums)]
    })
    const missing = this.#layers.filter(({ name }) => !this.#sums.has(name))
    const survey = SURVEY_NONZEROS[this.#graph.name]
    const totals = (kind?: NonzeroLayer['kind']): NonzeroTotals => {
      const own = layers.filter((layer) => kind === undefined || layer.kind === kind)
      const sum = (pick: (layer: NonzeroLayer) => number): number => own.reduce((total, layer) => total + pick(layer), 0)
      return {
        layers: own.length,
        macs: sum(({ macs }) => macs),
        nonzero_macs: sum((layer) => layer.nonzero_macs),
        nonzero_input_macs: sum((layer) => layer.nonzero_input_macs),
        weights: sum(({ weights }) => weights),
        nonzero_weights: sum((layer) => layer.nonzero_weights),
      }
    }
    return {
      schema: NONZERO_SCHEMA,
      activations,
      conv: totals('conv'),
      fc: totals('fc'),
      product: totals('product'),
      total: totals(),
      layers,
      uncounted: [
        ...this.#uncounted,
        ...missing.map(({ name, op }) => ({ node: name, op, reason: 'Its factors are not counted' })),
      ],
      ...(survey === undefined ? {} : { survey: { source: SURVEY_NONZEROS_SOURCE, ...survey } }),
    }
  }

  #layer({ name, op, kind, macs, weights }: InspectedLayer & Pick<NonzeroLayer, 'kind'>, sums: Sums): NonzeroLayer {
    const { runs, elements } = sums
    const part = (count: number, of: number): number => (of === 0 ? 0 : count / of)
    const density = { weights: part(sums.nonzero, sums.of), inputs: 1 - part(sums.zeros, runs * elements) }
    return {
      name,
      op,
      kind,
      macs,
      nonzero_macs: sums.macs / runs,
      nonzero_input_macs: sums.inputMacs / runs,
      weights,
      nonzero_weights: weights === 0 ? 0 : sums.nonzero / runs,
      inputs: {
        elements,
        zeros: sums.zeros / runs,
        ratio: elements === 0 ? 1 : sums.bits / (runs * VALUE_BITS * elements),
      },
      density,
      two_of_four: this.#weights.get(name)?.twoOfFour ?? null,
    }
  }
}
