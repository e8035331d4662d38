/**
 * What runs and where it lies, before a run: a plan for every node, then memory for every value and temp, then dispatches bound to
 * it.
 */
import { OptionError, type ErrorDetails } from '../errors.ts'
import type { BoundDispatch, TensorView } from '../gpu/commands.ts'
import { checkTensor, tensorBytes } from '../gpu/device-tensor.ts'
import type { Gpu } from '../gpu/gpu.ts'
import { checkPlan } from '../gpu/launch.ts'
import { segmentsOf, type Allocation } from '../gpu/pool.ts'
import { inlined, segmentBytes, type DeviceFacts, type OpPlan, type Preparation, type TensorRef } from '../gpu/program.ts'
import { withZeros } from '../ops/run.ts'
import type { TensorType } from '../tensor/tensor.ts'
import { planMemory, rootOf, type MemoryPlan } from './memory.ts'
import type { TypedGraph, TypedNode } from './passes.ts'

/** A node and the plan that was chosen for it, the clearing of its temps included. */
export interface PlannedNode extends TypedNode {
  readonly plan: OpPlan
}

/** May replace the default plan of a node: undefined leaves it. */
export type PlanNode = (node: TypedNode, device: DeviceFacts) => OpPlan | undefined

/**
 * Chooses a plan for every node and checks that the device can hold and bind all of it, before anything is allocated.
 * @throws DeviceLimitError, DtypeError naming node, op, dtype, shape, limit and remedy
 */
export function planNodes(typed: TypedGraph, device: DeviceFacts, planNode?: PlanNode): PlannedNode[] {
  for (const { name, dtype, shape } of typed.inputs) checkTensor({ dtype, shape }, device, { node: name, op: 'input' })
  return typed.nodes.map((item) => {
    const plan = planOne(item, device, planNode)
    // Made once where the input is known; else before every run.
    const isKnown = ({ from }: Preparation): boolean => typed.known.has(item.node.inputs[from] ?? '')
    return { ...item, plan: (plan.prepared ?? []).every(isKnown) ? plan : inlined(plan) }
  })
}

/** The plan of one node, checked. @throws as planNodes */
export function planOne(item: TypedNode, device: DeviceFacts, planNode?: PlanNode): OpPlan {
  const { node, context, fused = [] } = item
  const where: ErrorDetails = { node: node.name, op: node.op }
  for (const type of context.outputs) checkTensor(type, device, where)
  const chosen = planNode?.(item, device) ?? ownPlan(item, device)
  const reason = fused.length === 0 ? chosen.reason : `${chosen.reason}; with ${fused.join(', ')}`
  const plan = { ...withZeros(chosen), reason }
  if (plan.alias === undefined)
    checkPlan(plan, { inputs: boundInputs(plan, context.inputs), outputs: context.outputs }, device, where)
  return plan
}

/** Plans by node: passes ask for a node's again and again. */
const plans = new WeakMap<TypedNode['context'], { readonly device: DeviceFacts; readonly plan: OpPlan }>()

function ownPlan({ definition, context }: TypedNode, device: DeviceFacts): OpPlan {
  const known = plans.get(context)
  if (known?.device === device) return known.plan
  const plan = definition.plan({ ...context, device })
  plans.set(context, { device, plan })
  return plan
}

/** Inputs that a dispatch binds; the others are known on the host and need no memory. */
function boundInputs(plan: OpPlan, inputs: readonly (TensorType | null)[]): (TensorType | null)[] {
  const dispatches = [...(plan.prepared ?? []).flatMap((preparation) => preparation.dispatches), ...plan.dispatches]
  const bound = new Set(dispatches.flatMap(({ bind }) => bind.filter(({ kind }) => kind === 'input').map(({ index }) => index)))
  return inputs.map((type, index) => (bound.has(index) ? type : null))
}

/** The name of output `index` of a node, also of one that the graph leaves out. */
function outputName({ node }: PlannedNode, index: number): string {
  const name = node.outputs[index]
  return name === undefined || name === '' ? `${node.name}#${index}` : name
}

export function aliasesOf(nodes: readonly PlannedNode[]): Map<string, string> {
  const aliases = new Map<string, string>()
  for (const item of nodes) {
    if (item.plan.alias === undefined) continue
    const source = item.node.inputs[item.plan.alias]
    if (source === undefined || source === null)
      throw new OptionError('An alias of no input', { node: item.node.name, op: item.node.op })
    aliases.set(outputName(item, 0), source)
  }
  return aliases
}

/** Names of the values that a node's dispatches bind as inputs. */
function readsOf({ node, plan }: PlannedNode): string[] {
  const names = new Set<string>()
  for (const { bind } of plan.dispatches) {
    for (const { kind, index } of bind) {
      const name = kind === 'input' ? node.inputs[index] : undefined
      if (name !== undefined && name !== null) names.add(name)
    }
  }
  return [...names]
}

export function memoryFor(
  typed: TypedGraph,
  nodes: readonly PlannedNode[],
  aliases: ReadonlyMap<string, string>,
  keep: 'outputs' | 'all',
): MemoryPlan {
  const kept = new Set(typed.outputs)
  if (keep === 'all') for (const item of nodes) item.context.outputs.forEach((_, index) => kept.add(outputName(item, index)))
  const needed = new Set([...kept, ...nodes.flatMap(readsOf)].map((name) => rootOf(name, aliases)))
  return planMemory({
    inputs: typed.inputs
      .filter(({ name }) => needed.has(name) && !typed.known.has(name))
      .map(({ name, ...type }) => ({ name, bytes: tensorBytes(type) })),
    steps: nodes.map((item) => ({
      reads: readsOf(item),
      writes:
        item.plan.alias === undefined
          ? item.context.outputs.map((type, index) => ({ name: outputName(item, index), bytes: tensorBytes(type) }))
          : [],
      temps: item.plan.temps.map(tensorBytes),
    })),
    aliases,
    kept,
  })
}

export function viewsOf(gpu: Gpu, typed: TypedGraph, memory: MemoryPlan, slots: readonly Allocation[]): Map<string, TensorView> {
  const views = new Map<string, TensorView>()
  for (const [name, slot] of memory.slotOf) {
    const type = typed.types.get(name)
    const allocation = slots[slot]
    if (type !== undefined && allocation !== undefined) views.set(name, viewOf(gpu, type, allocation))
  }
  return views
}

function viewOf(gpu: Gpu, { dtype, shape }: TensorType, allocation: Allocation): TensorView {
  return { dtype, shape, segments: segmentsOf(allocation, tensorBytes({ dtype, shape }), segmentBytes(gpu.facts.limits)) }
}

/** Names of the known values that dispatches bind. */
export function constantsOf(typed: TypedGraph, nodes: readonly PlannedNode[], aliases: ReadonlyMap<string, string>): string[] {
  const names = new Set(nodes.flatMap(readsOf).map((name) => rootOf(name, aliases)))
  return [...names].filter((name) => typed.known.has(name))
}

/** Gives an alias of a constant its view (aliases of other values have theirs from the memory plan). */
export function viewAlias(
  alias: string,
  aliases: ReadonlyMap<string, string>,
  typed: TypedGraph,
  views: Map<string, TensorView>,
): void {
  const type = typed.types.get(alias)
  const root = views.get(rootOf(alias, aliases))
  if (type === undefined || root === undefined || views.has(alias)) return
  views.set(alias, { dtype: type.dtype, shape: type.shape, segments: root.segments })
}

export function boundOf(
  gpu: Gpu,
  item: PlannedNode,
  step: number,
  views: ReadonlyMap<string, TensorView>,
  memory: MemoryPlan,
  slots: readonly Allocation[],
  prepared: readonly TensorView[],
): BoundDispatch[] {
  const { node, plan, context } = item
  const where: ErrorDetails = { node: node.name, op: node.op }
  const temps = plan.temps.map((type, index) => {
    const allocation = slots[memory.temps[step]?.[index] ?? -1]
    if (allocation === undefined) throw new OptionError(`Temp ${index} has no memory`, where)
    return viewOf(gpu, type, allocation)
  })
  const outputs = context.outputs.map((type, index) => {
    const slot = memory.slotOf.get(outputName(item, index))
    const allocation = slot === undefined ? undefined : slots[slot]
    return allocation === undefined ? undefined : viewOf(gpu, type, allocation)
  })
  const resolve = ({ kind, index }: TensorRef): TensorView => {
    const name = kind === 'input' ? node.inputs[index] : undefined
    const view = { temp: temps[index], output: outputs[index], prepared: prepared[index], input: views.get(name ?? '') }[kind]
    if (view === undefined) throw new OptionError(`${kind} ${index} has no memory`, where)
    return view
  }
  return plan.dispatches.map((dispatch) => ({ dispatch, tensors: dispatch.bind.map(resolve), label: node.name }))
}
