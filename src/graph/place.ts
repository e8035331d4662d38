/**
 * Concat in place: what makes the parts of a concat along channels writes them where the concat would copy them, so that the concat is
 * gone. Think of the joined map as one sheet of paper that several nodes write a column of, in the stead of sheets of their own that are
 * cut up and glued.
 *
 *     conv a ─▶ [64] ─┐                       conv a ─▶ channels 0 … 63  ┐
 *     conv b ─▶ [32] ─┼─▶ concat ─▶ [128]     conv b ─▶         64 … 95  ├ of one value [128]
 *     x      ─▶ [32] ─┘                       place x ─▶        96 … 127 ┘
 *
 * A part is written in place where its value is used by the concat alone and its op can (an attribute `place`); other parts are copied by
 * a `place` node, as the concat would have done. The joined value then has several makers. Pure: no GPU.
 */
import { z } from 'zod'
import { TilewrightError } from '../errors.ts'
import { dimensionsOf, type Layout } from '../ops/layout.ts'
import { place } from '../ops/place/op.ts'
import type { Place } from '../ops/place.ts'
import { REGISTRY } from '../ops/registry.ts'
import { parseAttributes } from '../ops/run.ts'
import { normalizeAxis } from '../tensor/shape.ts'
import type { GraphNode } from './graph.ts'
import type { TypedGraph, TypedNode } from './passes.ts'

export interface PlaceOptions {
  /** In which layout a value lies (nchw where nothing is said of it). */
  layoutOf(value: string): Layout
  /** Whether a node should run so, in the stead of as it was: the device can, and loses nothing by it. */
  accepts(placed: TypedNode, before: TypedNode): boolean
}

/** Ops with an attribute `place`. */
const PLACING: ReadonlySet<string> = new Set(['conv2d', 'convTranspose2d', 'maxPool', 'averagePool'])

const axisField = z.looseObject({ axis: z.number() })

/** The graph without the concats whose parts, or some of them, are made in place. */
export function placeGraph(typed: TypedGraph, options: PlaceOptions): TypedGraph {
  const uses = new Map<string, number>()
  const use = (name: string): void => void uses.set(name, (uses.get(name) ?? 0) + 1)
  for (const { node } of typed.nodes) for (const name of node.inputs) if (name !== null) use(name)
  for (const name of typed.outputs) use(name)
  const makers = new Map(typed.nodes.flatMap((item) => item.node.outputs.map((name) => [name, item] as const)))
  const replaced = new Map<TypedNode, readonly TypedNode[]>()
  for (const item of typed.nodes) {
    const parts = partsOf(item, options)
    if (parts === undefined) continue
    const changes = parts.map(({ name, own }) => {
      const maker = uses.get(name) === 1 ? makers.get(name) : undefined
      // What was placed into another map is no value of its own any more.
      const placed = maker === undefined || replaced.has(maker) ? undefined : placedNode(maker, item, name, own)
      return placed !== undefined && maker !== undefined && options.accepts(placed, maker) ? { maker, placed } : undefined
    })
    if (changes.every((change) => change === undefined)) continue
    const copies = parts.flatMap(({ name, own, layout }, index) =>
      changes[index] === undefined ? [copyNode(item, name, own, layout, typed)] : [],
    )
    if (!copies.every((copy) => options.accepts(copy, item))) continue
    for (const change of changes) if (change !== undefined) replaced.set(change.maker, [change.placed])
    replaced.set(item, copies)
  }
  return replaced.size === 0 ? typed : { ...typed, nodes: typed.nodes.flatMap((item) => replaced.get(item) ?? [item]) }
}

interface Part {
  readonly name: string
  readonly own: Place
  readonly layout: Layout
}

/** The parts of a concat along channels of feature maps; undefined where a node is none. */
function partsOf({ node, definition, context }: TypedNode, { layoutOf }: PlaceOptions): Part[] | undefined {
  const [output] = context.outputs
  const [joined = ''] = node.outputs
  const rank = output?.shape.length ?? 0
  if (node.op !== 'concat' || REGISTRY.get(node.op) !== definition || output === undefined || rank < 3) return undefined
  const layout = layoutOf(joined)
  const axis = normalizeAxis(axisField.parse(context.attributes).axis, rank)
  if (axis !== (layout === 'nhwc' ? rank - 1 : 1) || node.inputs.length < 2) return undefined
  const { channels } = dimensionsOf(output.shape, layout)
  let first = 0
  const parts: Part[] = []
  for (const [index, name] of node.inputs.entries()) {
    const type = context.inputs[index]
    if (name === null || type === null || type === undefined || layoutOf(name) !== layout) return undefined
    if (type.shape.includes(0) || (type.dtype !== 'f32' && type.dtype !== 'f16')) return undefined
    parts.push({ name, own: { channels, first }, layout })
    first += dimensionsOf(type.shape, layout).channels
  }
  return parts
}

/** The maker of a part, writing it in place; undefined where its op cannot. */
function placedNode(maker: TypedNode, concat: TypedNode, name: string, own: Place): TypedNode | undefined {
  const { node, definition } = maker
  if (!PLACING.has(node.op) || REGISTRY.get(node.op) !== definition || node.outputs[0] !== name || 'place' in node.attributes)
    return undefined
  return rebuilt(
    maker,
    { ...node, outputs: [concat.node.outputs[0] ?? ''], attributes: { ...node.attributes, place: own } },
    concat,
  )
}

function rebuilt(item: TypedNode, node: GraphNode, concat: TypedNode): TypedNode | undefined {
  const { definition, context } = item
  try {
    const attributes = parseAttributes(definition, node.attributes, node.name)
    const outputs = definition.infer({ ...context, attributes })
    const fused = [...(item.fused ?? []), concat.node.name]
    return { node, definition, context: { ...context, attributes, outputs }, fused }
  } catch (error) {
    if (error instanceof TilewrightError) return undefined
    throw error
  }
}

/** A copy of a part to its place. */
function copyNode(concat: TypedNode, name: string, own: Place, layout: Layout, typed: TypedGraph): TypedNode {
  const node: GraphNode = {
    ...{ name: `${concat.node.name}: ${name}`, op: place.name, inputs: [name], outputs: concat.node.outputs },
    attributes: { layout, ...own },
  }
  const context = {
    inputs: [typed.types.get(name) ?? null],
    values: [null],
    attributes: parseAttributes(place, node.attributes, node.name),
  }
  return { node, definition: place, context: { ...context, outputs: place.infer(context) } }
}
