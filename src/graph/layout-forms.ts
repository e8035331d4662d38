/**
 * The forms in which a node can compute: in which layout it reads its feature maps and writes its result, and what about it changes then
 * (a `layout` attribute, an axis, the shape of a constant). A feature map is a value of rank 3 to 5 that is not known on the host.
 * Pure: no GPU. Every node has at least the form that it came in, all in nchw.
 */
import { z } from 'zod'
import { INPUT } from '../ops/conv2d/convolution.ts'
import { LAYOUTS, type Layout } from '../ops/layout.ts'
import { padsOf } from '../ops/pad/rule.ts'
import { REGISTRY } from '../ops/registry.ts'
import { tensor, type HostTensor, type TensorType } from '../tensor/tensor.ts'
import { inLayout } from './constants.ts'
import type { TypedNode } from './passes.ts'

export interface Form {
  /** In which layout it reads its feature maps, by input. Inputs that are not here are read as they are (maps in nchw). */
  readonly inputs: ReadonlyMap<number, Layout>
  /** Of output 0, if that is a feature map. */
  readonly output: Layout
  readonly attributes: Readonly<Record<string, unknown>>
  /** Constants in another shape, by input; null: left out. */
  readonly constants: ReadonlyMap<number, HostTensor | null>
}

/** What a form is made from. */
export interface FormContext {
  readonly item: TypedNode
  /** The value of a constant input. */
  known(index: number): HostTensor | undefined
}

/** Says how a node computes with its maps in layout x and its result in y; undefined: it does not. */
type Rule = (context: FormContext, x: Layout, y: Layout) => Partial<Form> | undefined

export function isMap(type: TensorType | null | undefined): type is TensorType {
  return type !== null && type !== undefined && type.shape.length >= 3 && type.shape.length <= 5
}

/** All forms of a node, the one that it came in first. */
export function formsOf(context: FormContext): Form[] {
  const { item } = context
  const asIs: Form = { inputs: new Map(), output: 'nchw', attributes: item.node.attributes, constants: new Map() }
  const rule = REGISTRY.get(item.node.op) === item.definition ? RULES.get(item.node.op) : undefined
  if (rule === undefined || !isMap(item.context.inputs[0])) return [asIs]
  const pairs = LAYOUTS.flatMap((x) => LAYOUTS.map((y) => [x, y] as const)).filter(([x, y]) => x !== 'nchw' || y !== 'nchw')
  const others = pairs.flatMap(([x, y]): Form[] => {
    const form = rule(context, x, y)
    return form === undefined ? [] : [{ ...asIs, inputs: new Map([[0, x]]), output: y, ...form }]
  })
  return [asIs, ...others]
}

/** Whether a node computes differently in different layouts: all the others only pass on what they get. */
export function isSensitive({ node, definition }: TypedNode): boolean {
  return REGISTRY.get(node.op) === definition && (MIXED.has(node.op) || WINDOWED.has(node.op))
}

/** Ops with attributes `layout` and `outputLayout`, and a residual that lies as the result. */
const MIXED: ReadonlySet<string> = new Set(['conv2d', 'convTranspose2d'])
/** Ops with an attribute `layout`. */
const WINDOWED: ReadonlySet<string> = new Set([
  ...['maxPool', 'averagePool', 'globalMaxPool', 'globalAveragePool', 'batchNorm', 'lrn'],
])
/** Ops that do the same to every element of input 0. */
const UNARY: readonly string[] = [
  ...['relu', 'leakyRelu', 'elu', 'sigmoid', 'hardSigmoid', 'hardSwish', 'tanh', 'clip', 'identity', 'dropout', 'cast'],
]
/** Ops of operands that broadcast. */
const BROADCAST: readonly string[] = ['add', 'sub', 'mul', 'div', 'prelu', 'sum']

const same = (rule: (context: FormContext, layout: Layout) => Partial<Form> | undefined): Rule => {
  return (context, x, y) => (x === y ? rule(context, x) : undefined)
}

const axisField = z.looseObject({ axis: z.number().default(-1), legacy: z.boolean().default(false) })
const permField = z.looseObject({ perm: z.array(z.number()).optional() })
const indicesField = z.looseObject({ indices: z.boolean().default(false) })

const RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ...Array.from(MIXED, (name): [string, Rule] => [name, mixed]),
  ...Array.from(WINDOWED, (name): [string, Rule] => [name, same(windowed)]),
  ...UNARY.map((name): [string, Rule] => [name, same(unary)]),
  ...BROADCAST.map((name): [string, Rule] => [name, same(broadcast)]),
  ['concat', same(concat)],
  ['softmax', same(softmax)],
  ['pad', same(pad)],
  ['slice', same(slice)],
  ['transpose', transpose],
])

function mixed({ item }: FormContext, x: Layout, y: Layout): Partial<Form> | undefined {
  const { node, context } = item
  if ('layout' in node.attributes || 'outputLayout' in node.attributes) return undefined
  const inputs = new Map<number, Layout>([[0, x]])
  if ((context.inputs[INPUT.residual] ?? null) !== null) inputs.set(INPUT.residual, y)
  return { inputs, attributes: { ...node.attributes, layout: x, ...(x === y ? {} : { outputLayout: y }) } }
}

function windowed({ item }: FormContext, layout: Layout): Partial<Form> | undefined {
  const { node, context } = item
  const channels = context.inputs[0]?.shape[1] ?? 0
  // What lies at channels past the last would be part of its neighbours' sums.
  if (node.op === 'lrn' && layout === 'nchw4' && channels % 4 !== 0) return undefined
  if ('layout' in node.attributes || indicesField.parse(context.attributes).indices) return undefined
  return { attributes: { ...node.attributes, layout } }
}

function unary({ item }: FormContext): Partial<Form> | undefined {
  return item.context.outputs.length === 1 ? {} : undefined
}

function broadcast({ item, known }: FormContext, layout: Layout): Partial<Form> | undefined {
  const [output] = item.context.outputs
  const rank = output?.shape.length ?? 0
  const inputs = new Map<number, Layout>()
  const constants = new Map<number, HostTensor | null>()
  for (const [index, type] of item.context.inputs.entries()) {
    if (type === null || type.shape.every((extent) => extent === 1 && type.shape.length <= 1)) continue
    const value = known(index)
    if (value !== undefined) {
      const moved = inLayout(value, layout, rank)
      if (moved === undefined) return undefined
      constants.set(index, moved)
      continue
    }
    // Places past the last channel hold no copies of a channel that is the same for all.
    const alike = layout !== 'nchw4' || type.shape[1] === output?.shape[1]
    if (type.shape.length !== rank || !alike) return undefined
    inputs.set(index, layout)
  }
  return { inputs, constants }
}

/** Where an axis of nchw lies in another layout. */
function axisIn(layout: Layout, axis: number, rank: number): number {
  const own = axis < 0 ? axis + rank : axis
  if (layout !== 'nhwc' || own === 0) return own
  return own === 1 ? rank - 1 : own - 1
}

function concat({ item, known }: FormContext, layout: Layout): Partial<Form> | undefined {
  const { node, context } = item
  const rank = context.outputs[0]?.shape.length ?? 0
  const axis = axisIn('nchw', axisField.parse(context.attributes).axis, rank)
  const inputs = new Map<number, Layout>()
  const constants = new Map<number, HostTensor | null>()
  for (const [index, type] of context.inputs.entries()) {
    const last = index === context.inputs.length - 1
    // The next part of channels begins where a quad does.
    if (layout === 'nchw4' && axis === 1 && !last && (type?.shape[1] ?? 0) % 4 !== 0) return undefined
    const value = known(index)
    const moved = value === undefined ? undefined : inLayout(value, layout, rank)
    if (value === undefined) inputs.set(index, layout)
    else if (moved === undefined) return undefined
    else constants.set(index, moved)
  }
  return { inputs, constants, attributes: { ...node.attributes, axis: axisIn(layout, axis, rank) } }
}

function softmax({ item }: FormContext, layout: Layout): Partial<Form> | undefined {
  const { node, context } = item
  const rank = context.outputs[0]?.shape.length ?? 0
  const { axis, legacy } = axisField.parse(context.attributes)
  const own = axisIn('nchw', axis, rank)
  if (legacy || (layout === 'nchw4' && own === 1)) return undefined
  return { attributes: { ...node.attributes, axis: axisIn(layout, own, rank) } }
}

/** A list of integers by axis, in another layout. */
function axesIn(layout: Layout, list: readonly number[], rest: number): number[] {
  const result = list.map(() => rest)
  for (const [axis, value] of list.entries()) result[axisIn(layout, axis, list.length)] = value
  return layout === 'nchw4' ? [...result, rest] : result
}

function integers(values: readonly number[]): HostTensor {
  return tensor(BigInt64Array.from(values, BigInt), [values.length], 'i64')
}

function pad({ item }: FormContext, layout: Layout): Partial<Form> | undefined {
  const { context } = item
  const { begins, ends } = padsOf({ inputs: context.inputs, values: context.values }, context.inputs[0]?.shape ?? [])
  if (layout === 'nchw4' && (begins[1] !== 0 || ends[1] !== 0)) return undefined
  const pads = [...axesIn(layout, begins, 0), ...axesIn(layout, ends, 0)]
  return {
    constants: new Map<number, HostTensor | null>([
      [1, integers(pads)],
      [3, null],
    ]),
  }
}

function slice({ item }: FormContext, layout: Layout): Partial<Form> | undefined {
  const { context } = item
  const rank = context.inputs[0]?.shape.length ?? 0
  const starts = context.values[1]
  const axes = context.values[3]
  if (starts === null || starts === undefined) return undefined
  const given =
    axes === null || axes === undefined
      ? Array.from({ length: starts.values.length }, (_, axis) => axis)
      : Array.from<number | bigint, number>(axes.values, Number)
  const own = given.map((axis) => axisIn('nchw', axis, rank))
  if (layout === 'nchw4' && own.includes(1)) return undefined
  return { constants: new Map([[3, integers(own.map((axis) => axisIn(layout, axis, rank)))]]) }
}

/** A transpose of the graph's own reads another layout by another permutation; what it writes lies as it says. */
function transpose({ item }: FormContext, x: Layout, y: Layout): Partial<Form> | undefined {
  const { node, context } = item
  const rank = context.inputs[0]?.shape.length ?? 0
  if (x !== 'nhwc' || y !== 'nchw') return undefined
  const { perm = Array.from({ length: rank }, (_, axis) => rank - 1 - axis) } = permField.parse(context.attributes)
  return { attributes: { ...node.attributes, perm: perm.map((axis) => axisIn('nhwc', axis, rank)) } }
}
