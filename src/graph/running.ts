/**
 * The graph as it runs: the one place that says which passes a typed graph goes through before its nodes are planned. A model runs it,
 * the tuner tunes it. Pure: no GPU.
 */
import { TilewrightError } from '../errors.ts'
import { segmentBytes, segmentCount, type DeviceFacts } from '../gpu/program.ts'
import { fuseGraph } from './fuse.ts'
import type { Graph } from './graph.ts'
import { layoutGraph, type LayoutChoice } from './layout.ts'
import { typeGraph, type TypedGraph, type TypedNode, type TypeOptions } from './passes.ts'
import { placeGraph } from './place.ts'
import { planOne, type PlanNode } from './planning.ts'
import { halveGraph } from './precision.ts'
import { exploitPatterns, type SparsityChoice } from './sparsity.ts'

/** Types of inputs by name, and values that shape the plan, as `typeGraph` takes them. */
export interface Fed {
  readonly types: Parameters<typeof typeGraph>[1]
  readonly values?: Parameters<typeof typeGraph>[2]
}

export interface RunningOptions extends TypeOptions {
  readonly precision: 'f32' | 'f16'
  readonly device: DeviceFacts
  readonly planNode?: PlanNode | undefined
  /** Default auto; nchw where plans are the caller's own, which know nothing else. */
  readonly layout?: LayoutChoice | undefined
  /** Default none. `2:4` is for the graph before it is typed (sparsity.ts). */
  readonly sparsity?: SparsityChoice | undefined
}

export interface RunningGraph {
  /** As the graph gives it, before any pass. */
  readonly typed: TypedGraph
  /** In the precision, and, unless all nodes are kept, fused, laid out and placed. */
  readonly running: TypedGraph
}

/** @throws as `typeGraph` */
export function runningGraph(graph: Graph, { types, values }: Fed, given: RunningOptions): RunningGraph {
  const { precision, device, planNode, layout = planNode === undefined ? 'auto' : 'nchw', sparsity, ...options } = given
  const dense = typeGraph(graph, types, values, options)
  const typed = sparsity === 'auto' ? exploitPatterns(dense) : dense
  const stored = precision === 'f16' ? halveGraph(typed, options) : typed
  if (options.keep === 'all') return { typed, running: stored }
  const accepts = (node: TypedNode): boolean => runs(node, device, planNode)
  const fuses = (node: TypedNode): boolean => (planNode === undefined && isSmall(node, device)) || accepts(node)
  const laid = layoutGraph(fuseGraph(stored, fuses), { layout, device, accepts })
  const running = placeGraph(laid.graph, {
    layoutOf: (value) => laid.layouts.get(value) ?? 'nchw',
    accepts: (placed, before) => isAsGood(placed, before, given),
  })
  return { typed, running }
}

/** Whether a node runs where its result is placed, by the kernels that it has elsewhere: another is not worth a copy. */
function isAsGood(placed: TypedNode, before: TypedNode, { device, planNode }: RunningOptions): boolean {
  if (!runs(placed, device, planNode)) return false
  if (placed.node.op !== before.node.op) return true
  const kernels = (node: TypedNode): string =>
    planOne(node, device, planNode)
      .dispatches.map(({ program }) => program.name)
      .join(' ')
  return kernels(placed) === kernels(before)
}

/** Bindings that a kernel may have besides a node's operands: temps, and what is prepared. */
const SPARE_BINDINGS = 3

/** Whether all operands of a node fit beside one another into one dispatch: then what is folded into it is not what would refuse it. */
function isSmall({ context }: TypedNode, { limits }: DeviceFacts): boolean {
  const bytes = segmentBytes(limits)
  const segments = [...context.inputs, ...context.outputs].map((type) => (type === null ? 0 : segmentCount(type, bytes)))
  return segments.reduce((sum, count) => sum + count, SPARE_BINDINGS) <= limits.maxStorageBuffersPerShaderStage
}

function runs(node: TypedNode, device: DeviceFacts, planNode: PlanNode | undefined): boolean {
  try {
    planOne(node, device, planNode)
    return true
  } catch (error) {
    if (error instanceof TilewrightError) return false
    throw error
  }
}
