/**
 * Every node of a network on the GPU against the CPU reference. The compiled model runs once with all its activations kept; then
 * the reference computes each node from the activations that the GPU gave it, so that an error is charged to the node that makes
 * it and not to those after it. Last, the model runs as users run it, with memory reused, and its outputs are held against the
 * first run's: the memory plan must change nothing.
 */
import { ShapeError } from '../errors.ts'
import type { Gpu } from '../gpu/gpu.ts'
import type { DeviceFacts } from '../gpu/program.ts'
import type { Graph, GraphNode } from '../graph/graph.ts'
import { compile, type Model, type PlanNode } from '../graph/model.ts'
import type { ReferenceOutput, Tolerance } from '../ops/op.ts'
import { opNamed } from '../ops/registry.ts'
import { parseAttributes } from '../ops/run.ts'
import { referenceOn } from '../ops/settled.ts'
import { compare } from '../ops/tolerance.ts'
import { isFloat, type HostArray } from '../tensor/dtype.ts'
import { HostTensor } from '../tensor/tensor.ts'
import type { AdapterDescription } from './report.ts'

export const VERIFY_SCHEMA = 'tilewright.verify/1'

export interface VerifyOptions {
  /**
   * |error| ≤ atol + rtol · |reference|, for float results. Where both are absent each op's own bound holds: γ_K · Σ|w||x| for sums
   * of products, see src/ops/tolerance.ts.
   */
  readonly rtol?: number
  readonly atol?: number
  /** Plans to verify in place of the default ones. */
  readonly planNode?: PlanNode
  readonly onProgress?: (event: {
    readonly node: string
    readonly op: string
    readonly index: number
    readonly total: number
  }) => void
  /** Stops between nodes; the report then holds the nodes done, and `complete` is false. */
  readonly signal?: AbortSignal
}

export interface VerifiedNode {
  readonly node: string
  readonly op: string
  readonly output: string
  /** Largest |error|. */
  readonly max_abs: number
  /** Largest |error| / |reference|, over elements whose reference is finite and not 0. */
  readonly rel: number
  /** Largest |error| / allowed error: `ok` where it is at most 1. */
  readonly ratio: number
  readonly ok: boolean
}

export interface VerifyReport {
  readonly schema: typeof VERIFY_SCHEMA
  readonly model: string
  readonly adapter: AdapterDescription
  readonly complete: boolean
  /** Worst first, by `ratio`. */
  readonly nodes: readonly VerifiedNode[]
  /** Outputs of a plain run beside those of the run that kept all values; `node` is the output's name, `op` is `model`. */
  readonly outputs: readonly VerifiedNode[]
}

/**
 * @param input values of every graph input, by name
 * @throws ShapeError, DtypeError for inputs that do not fit; what opening and running may throw
 */
export async function verifyModel(
  gpu: Gpu,
  graph: Graph,
  input: Readonly<Record<string, HostTensor>>,
  options: VerifyOptions = {},
): Promise<VerifyReport> {
  const nodes: VerifiedNode[] = []
  const outputs: VerifiedNode[] = []
  const { signal, onProgress, planNode } = options
  const total = graph.nodes.length + 2
  const progress = async (node: string, op: string, index: number): Promise<void> => {
    onProgress?.({ node, op, index, total })
    // The reference is one long computation: let timers and signals in between nodes.
    await new Promise((resolve) => setTimeout(resolve))
    signal?.throwIfAborted()
  }
  let complete = false
  try {
    await progress(graph.name, 'run', 0)
    using model = await compile(gpu, graph, {
      ...(signal === undefined ? {} : { signal }),
      ...(planNode === undefined ? {} : { planNode }),
    })
    const values = new Map<string, HostTensor>(Object.entries(input))
    for (const [name, value] of Object.entries(await model.runAll(input, signal === undefined ? {} : { signal })))
      values.set(name, value)
    for (const [index, node] of graph.nodes.entries()) {
      await progress(node.name, node.op, index + 1)
      nodes.push(...verifyNode(graph, node, values, gpu.facts, options))
    }
    await progress(graph.name, 'model', total - 1)
    outputs.push(...(await verifyOutputs(model, input, values)))
    complete = true
  } catch (error) {
    if (signal?.aborted !== true) throw error
  }
  nodes.sort((a, b) => order(b) - order(a))
  return { schema: VERIFY_SCHEMA, model: graph.name, adapter: gpu.adapter, complete, nodes, outputs }
}

function verifyNode(
  graph: Graph,
  node: GraphNode,
  values: ReadonlyMap<string, HostTensor>,
  device: DeviceFacts,
  options: VerifyOptions,
): VerifiedNode[] {
  const definition = opNamed(node.op)
  const inputs = node.inputs.map((name) => (name === null ? null : valueOf(name, values, graph)))
  const reference = referenceOn(definition, inputs, parseAttributes(definition, node.attributes, node.name), device)
  return node.outputs.flatMap((output, index) => {
    if (output === '') return []
    const expected = reference[index]
    if (expected === undefined) throw new ShapeError(`${node.op} has no output ${index}`, { node: node.name, op: node.op })
    return [judge({ node: node.name, op: node.op, output }, valueOf(output, values, graph), expected, options)]
  })
}

/** The outputs of a plain run beside those of the run that kept all values: summed in another order at most. */
async function verifyOutputs(
  model: Model,
  input: Readonly<Record<string, HostTensor>>,
  values: ReadonlyMap<string, HostTensor>,
): Promise<VerifiedNode[]> {
  const results = await model.run(input)
  const rows: VerifiedNode[] = []
  for (const name of model.graph.outputs) {
    const result = results[name]
    if (result === undefined) throw new ShapeError(`The model gave no output ${name}`)
    const actual = new HostTensor(result.dtype, result.shape, await result.data())
    const expected = valueOf(name, values, model.graph)
    const tolerance: Tolerance = isFloat(expected.dtype)
      ? { kind: 'relative', relative: PLAIN.relative, absolute: PLAIN.absolute * largest(expected.values) }
      : { kind: 'exact' }
    rows.push(judge({ node: name, op: 'model', output: name }, actual, { tensor: expected, tolerance }, {}))
  }
  return rows
}

/** Of a plain run against the one that keeps all: relative, and of the output's largest magnitude. */
const PLAIN = { relative: 1e-4, absolute: 1e-6 }

function judge(
  names: Pick<VerifiedNode, 'node' | 'op' | 'output'>,
  actual: HostTensor,
  expected: ReferenceOutput,
  { rtol, atol }: VerifyOptions,
): VerifiedNode {
  const own = expected.tolerance.kind === 'exact' || (rtol === undefined && atol === undefined)
  const tolerance: Tolerance = own ? expected.tolerance : { kind: 'relative', relative: rtol ?? 0, absolute: atol ?? 0 }
  const { maxAbs, maxRelative, maxRatio, ok } = compare(actual, { ...expected, tolerance })
  return { ...names, max_abs: maxAbs, rel: maxRelative, ratio: maxRatio, ok }
}

function valueOf(name: string, values: ReadonlyMap<string, HostTensor>, graph: Graph): HostTensor {
  const value = values.get(name) ?? graph.constants.get(name)
  if (value === undefined) throw new ShapeError(`Value ${name} was not given`, { remedy: 'Give every input of the network' })
  return value
}

/** For sorting: NaN is worse than infinity. */
function order({ ratio, ok }: VerifiedNode): number {
  return Number.isNaN(ratio) ? Number.MAX_VALUE : Math.min(ratio, Number.MAX_VALUE / 2) + (ok ? 0 : 1)
}

function largest(values: HostArray): number {
  let most = 0
  for (const value of values) if (Number.isFinite(Number(value))) most = Math.max(most, Math.abs(Number(value)))
  return most
}
