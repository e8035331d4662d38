/**
 * How the layout pass lays a network out (src/graph/layout.ts): the layout of each node and why, what each transpose that remains costs,
 * and which parts of concats are written in place. Needs no GPU: of a device only its kind counts.
 */
import { fuseGraph } from '../graph/fuse.ts'
import { layoutGraph, type Border, type LayoutChoice, type LayoutDecision } from '../graph/layout.ts'
import type { TypedGraph, TypedNode } from '../graph/passes.ts'
import { placeGraph } from '../graph/place.ts'
import { byteSize } from '../tensor/dtype.ts'
import { sizeOf } from '../tensor/shape.ts'

export const LAYOUT_DEVICES = ['gpu', 'software'] as const

export interface LayoutRequest {
  readonly layout: LayoutChoice
  readonly device: (typeof LAYOUT_DEVICES)[number]
}

export interface InspectedNodeLayout extends LayoutDecision {
  /** The concat whose result it writes its channels of. */
  readonly in_place_of?: string
}

export interface InspectedTranspose {
  readonly node: string
  readonly value: string
  readonly from: Border['from']
  readonly to: Border['to']
  /** Read and written. */
  readonly bytes: number
  /** Of the bytes that all nodes read and write. */
  readonly share: number
  /** By the rates of src/graph/layout-cost.ts. */
  readonly estimate_us: number
}

export interface InspectedLayout extends LayoutRequest {
  readonly nodes: readonly InspectedNodeLayout[]
  readonly transposes: readonly InspectedTranspose[]
  /** Changes of layout that move no element: one position, or one channel. */
  readonly aliases: number
  /** Concats that are gone, and parts that are still copied for them. */
  readonly concats_in_place: number
  readonly parts_copied: number
}

/** @param typed of the network, as it runs but for its device: where one cannot run a node in its layout, it takes another */
export function inspectLayout(typed: TypedGraph, { layout, device }: LayoutRequest): InspectedLayout {
  const accepts = (): boolean => true
  const fused = fuseGraph(typed, accepts)
  const laid = layoutGraph(fused, { layout, device: { software: device === 'software' }, accepts })
  const placed = placeGraph(laid.graph, { layoutOf: (value) => laid.layouts.get(value) ?? 'nchw', accepts })
  const concats = new Set(fused.nodes.flatMap(({ node }) => (node.op === 'concat' ? [node.name] : [])))
  const inPlace = new Map(
    placed.nodes.flatMap(({ node, fused: names = [] }) => {
      const into = names.find((name) => concats.has(name))
      return node.attributes.place === undefined || into === undefined ? [] : [[node.name, into] as const]
    }),
  )
  const total = placed.nodes.reduce((sum, item) => sum + bytesOf(item), 0)
  return {
    layout,
    device,
    nodes: laid.decisions.map((decision) => {
      const into = inPlace.get(decision.node)
      return into === undefined ? decision : { ...decision, in_place_of: into }
    }),
    transposes: laid.borders.flatMap(({ node, value, from, to, bytes, seconds }) =>
      bytes === 0 ? [] : [{ node, value, from, to, bytes, share: total === 0 ? 0 : bytes / total, estimate_us: seconds * 1e6 }],
    ),
    aliases: laid.borders.filter(({ bytes }) => bytes === 0).length,
    concats_in_place: concats.size - placed.nodes.filter(({ node }) => node.op === 'concat').length,
    parts_copied: placed.nodes.filter(({ node }) => node.op === 'place').length,
  }
}

function bytesOf({ context }: TypedNode): number {
  return [...context.inputs, ...context.outputs].reduce(
    (sum, type) => sum + (type === null ? 0 : sizeOf(type.shape) * byteSize(type.dtype)),
    0,
  )
}
