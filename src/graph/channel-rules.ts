/**
 * What each op does with channels, one rule each: which of its operands' channels go with which. An op without a rule mixes them, or may:
 * its operands stay in place (LRN, softmax, maxout, depthToSpace, a reshape that splits channels).
 */
import { z } from 'zod'
import { onnxNames } from '../ops/window.ts'
import { padsOf } from '../ops/pad/rule.ts'
import { rangesOf } from '../ops/slice/op.ts'
import { normalizeAxis, sizeOf } from '../tensor/shape.ts'
import { viewedAxis, type ChannelTrace, type Laid } from './channel-trace.ts'
import type { TypedNode } from './passes.ts'

type Rule = (node: Site, trace: ChannelTrace) => void

/** A node, its operands and attributes at hand. */
interface Site {
  readonly typed: TypedNode
  readonly inputs: readonly (string | null)[]
  readonly output: string
  /** Of the op, parsed. */
  readonly attributes: unknown
}

const convFields = z.preprocess(
  onnxNames,
  z.looseObject({ groups: z.number().default(1), layout: z.string().default('nchw'), place: z.unknown().optional() }),
)
const gemmFields = z.looseObject({ transA: z.unknown().optional(), transB: z.unknown().optional() })
const axisField = z.looseObject({ axis: z.number() })
const modeField = z.looseObject({ mode: z.string() })
const permField = z.looseObject({ perm: z.array(z.number()).optional() })

/** Says what `typed` does with the channels of its operands. */
export function traceNode(typed: TypedNode, trace: ChannelTrace): void {
  const { node, context } = typed
  const site: Site = { typed, inputs: node.inputs, output: node.outputs[0] ?? '', attributes: context.attributes }
  const several = node.outputs.filter((name) => name !== '').length > 1 && node.op !== 'dropout'
  const rule = several ? keepAll : (RULES.get(node.op) ?? keepAll)
  trace.visit(node.inputs, () => rule(site, trace))
}

function keepAll({ inputs }: Site, trace: ChannelTrace): void {
  for (const name of inputs) trace.fix(trace.laid(name))
}

const RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ...['relu', 'leakyRelu', 'elu', 'sigmoid', 'hardSigmoid', 'hardSwish', 'tanh', 'clip', 'identity', 'dropout', 'cast'].map(
    (op): [string, Rule] => [op, along],
  ),
  ...['maxPool', 'averagePool', 'globalAveragePool', 'globalMaxPool'].map((op): [string, Rule] => [op, pool]),
  ...['add', 'sub', 'mul', 'div', 'sum', 'prelu'].map((op): [string, Rule] => [op, broadcast]),
  ...['reshape', 'flatten', 'squeeze', 'unsqueeze'].map((op): [string, Rule] => [op, view]),
  ['conv2d', conv],
  ['convTranspose2d', convTranspose],
  ['linear', linear],
  ['gemm', gemm],
  ['matmul', matmul],
  ['batchNorm', batchNorm],
  ['concat', concat],
  ['slice', slice],
  ['pad', pad],
  ['transpose', transpose],
])

/** One element in, one out. */
function along({ inputs: [x], output }: Site, trace: ChannelTrace): void {
  const laid = trace.laid(x)
  if (laid !== undefined) trace.layAs(output, laid)
}

/** Windows over the axes after the channels. */
function pool(site: Site, trace: ChannelTrace): void {
  const laid = trace.laid(site.inputs[0])
  if (laid?.axis === 1 && laid.block === 1) trace.layAs(site.output, laid)
  else keepAll(site, trace)
}

function broadcast({ inputs, output }: Site, trace: ChannelTrace): void {
  trace.broadcast(
    output,
    inputs.filter((name) => name !== null),
  )
}

/** The same elements under another shape: [N, C, H, W] → [N, C·H·W] makes of every channel a block of H·W. */
function view(site: Site, trace: ChannelTrace): void {
  const { inputs, output } = site
  const laid = trace.laid(inputs[0])
  const seen = laid === undefined ? undefined : viewedAxis(laid, trace.shape(inputs[0] ?? ''), trace.shape(output))
  if (laid !== undefined && seen !== undefined) trace.layAs(output, laid, seen.axis, seen.block)
  else keepAll(site, trace)
}

/** W [M, C/g, …]: filters are the result's channels, the second axis reads x's; depthwise filters are both. */
function conv(site: Site, trace: ChannelTrace): void {
  const { inputs, output, attributes } = site
  const [x, w, bias, residual] = inputs
  const { groups, layout, place } = convFields.parse(attributes)
  if (w === null || w === undefined || layout !== 'nchw' || place !== undefined) return keepAll(site, trace)
  const [filters = 0, channels = 0] = trace.shape(w)
  const out = trace.lay(output, 1, filters)
  trace.join(out, trace.role({ operand: w, axis: 0, block: 1 }))
  if (bias !== null && bias !== undefined) trace.join(out, trace.role({ operand: bias, axis: 0, block: 1 }))
  if (residual !== null && residual !== undefined) trace.join(out, trace.laid(residual))
  const read = trace.laid(x)
  const from = read?.axis === 1 && read.block === 1 ? read : undefined
  if (from !== read) trace.fix(read)
  if (groups === 1) return trace.join(from, trace.role({ operand: w, axis: 1, block: 1 }))
  if (channels === 1 && filters === groups) return trace.join(from, out)
  eachGroup(out, filters / groups, groups, (first, group) => {
    trace.spaces.joinAll(trace.spaces.axis(filters / groups, `${output} group ${group}`), first, filters / groups)
    const rows = [group * (filters / groups), (group + 1) * (filters / groups)] as const
    const role = trace.role({ operand: w, axis: 1, block: 1, rows })
    const own = from === undefined ? undefined : { ...from, first: from.first + group * channels, count: channels }
    trace.join(own, role)
  })
}

function eachGroup(out: Laid, size: number, groups: number, visit: (first: number, group: number) => void): void {
  for (let group = 0; group < groups; group++) visit(out.first + group * size, group)
}

/** W [C, M/g, …]. */
function convTranspose(site: Site, trace: ChannelTrace): void {
  const { inputs, output, attributes } = site
  const [x, w, bias, residual] = inputs
  const { groups, layout, place } = convFields.parse(attributes)
  if (w === null || w === undefined || groups > 1 || layout !== 'nchw' || place !== undefined) return keepAll(site, trace)
  const out = trace.lay(output, 1, trace.shape(w)[1] ?? 0)
  trace.join(out, trace.role({ operand: w, axis: 1, block: 1 }))
  if (bias !== null && bias !== undefined) trace.join(out, trace.role({ operand: bias, axis: 0, block: 1 }))
  if (residual !== null && residual !== undefined) trace.join(out, trace.laid(residual))
  const read = trace.laid(x)
  if (read?.axis !== 1) trace.fix(read)
  trace.join(read?.axis === 1 ? read : undefined, trace.role({ operand: w, axis: 0, block: 1 }))
}

/** A product's second operand: which of its axes reads the depth, the other makes the result's columns. */
interface Weights {
  readonly name: string
  readonly depth: 0 | 1
}

/** x · W, and bias, residual and scale that broadcast to the result. `from`: x's channels along the depth. */
function product({ inputs, output }: Site, trace: ChannelTrace, from: Laid | undefined, { name, depth }: Weights): void {
  const sums = trace.lay(output, trace.shape(output).length - 1, trace.shape(name)[1 - depth] ?? 0)
  trace.join(sums, trace.role({ operand: name, axis: 1 - depth, block: 1 }))
  trace.join(from, trace.role({ operand: name, axis: depth, block: from?.block ?? 1 }))
  for (const operand of inputs.slice(2)) {
    if (operand !== null) trace.align(sums, operand, trace.shape(operand).length - 1)
  }
}

/** x [N, C, …] is read as [N, K]: what lies after a channel is part of its block. */
function linear(site: Site, trace: ChannelTrace): void {
  const [x, w] = site.inputs
  if (x === null || x === undefined || w === null || w === undefined) return keepAll(site, trace)
  const laid = trace.laid(x)
  if (laid !== undefined && laid.axis !== 1) trace.fix(laid)
  const from = laid?.axis === 1 ? { ...laid, block: laid.block * sizeOf(trace.shape(x).slice(2)) } : undefined
  product(site, trace, from, { name: w, depth: 1 })
}

function gemm(site: Site, trace: ChannelTrace): void {
  const [a, b] = site.inputs
  const { transA, transB } = gemmFields.parse(site.attributes)
  if (b === null || b === undefined || isSet(transA) || !trace.isKnown(b)) return keepAll(site, trace)
  const laid = trace.laid(a)
  if (laid?.axis !== 1) trace.fix(laid)
  product(site, trace, laid?.axis === 1 ? laid : undefined, { name: b, depth: isSet(transB) ? 1 : 0 })
}

function isSet(flag: unknown): boolean {
  return flag === true || flag === 1
}

function matmul(site: Site, trace: ChannelTrace): void {
  const [a, b] = site.inputs
  const rank = trace.shape(a ?? '').length
  if (b === null || b === undefined || !trace.isKnown(b) || trace.shape(b).length !== 2 || rank < 2) return keepAll(site, trace)
  const laid = trace.laid(a)
  if (laid?.axis !== rank - 1) trace.fix(laid)
  product(site, trace, laid?.axis === rank - 1 ? laid : undefined, { name: b, depth: 0 })
}

function batchNorm(site: Site, trace: ChannelTrace): void {
  const [x, ...parameters] = site.inputs
  const laid = trace.laid(x)
  if (laid?.axis !== 1) return keepAll(site, trace)
  const out = trace.layAs(site.output, laid)
  for (const operand of parameters) {
    if (operand !== null) trace.join(out, trace.role({ operand, axis: 0, block: laid.block }))
  }
}

/** Along the channels: parts side by side. Along another axis: channels of all parts are the result's. */
function concat(site: Site, trace: ChannelTrace): void {
  const { inputs, output, attributes } = site
  const shape = trace.shape(output)
  const joined = normalizeAxis(axisField.parse(attributes).axis, shape.length)
  const parts = inputs.map((name) => ({ laid: trace.laid(name), extent: trace.shape(name ?? '')[joined] ?? 0 }))
  const first = parts.find(({ laid }) => laid !== undefined)?.laid
  const alike =
    first !== undefined && parts.every(({ laid }) => laid === undefined || (laid.axis === first.axis && laid.block === first.block))
  if (first === undefined || !alike || (joined === first.axis && parts.some(({ extent }) => extent % first.block !== 0)))
    return keepAll(site, trace)
  if (joined !== first.axis) {
    const out = trace.layAs(output, first)
    for (const { laid } of parts) trace.join(out, laid)
    return
  }
  const out = trace.lay(output, first.axis, (shape[joined] ?? 0) / first.block, first.block)
  let from = out.first
  for (const { laid, extent } of parts) {
    const count = extent / first.block
    trace.join({ ...out, first: from, count }, laid)
    from += count
  }
}

/** Along the channels: those that are taken. */
function slice(site: Site, trace: ChannelTrace): void {
  const { typed, inputs, output } = site
  const laid = trace.laid(inputs[0])
  const range = laid === undefined ? undefined : rangesOf(typed.context)[laid.axis]
  if (laid === undefined || range === undefined) return keepAll(site, trace)
  if (range.start === 0 && range.step === 1 && range.count === laid.count * laid.block) return void trace.layAs(output, laid)
  if (laid.block !== 1) return keepAll(site, trace)
  const out = trace.lay(output, laid.axis, range.count)
  for (let i = 0; i < range.count; i++) trace.spaces.join(out.first + i, laid.first + range.start + i * range.step)
}

/** Along the channels: new ones of one value before and after; repeated channels of other modes stay in place. */
function pad(site: Site, trace: ChannelTrace): void {
  const { typed, inputs, output } = site
  const laid = trace.laid(inputs[0])
  if (laid === undefined) return keepAll(site, trace)
  const { begins, ends } = padsOf(typed.context, trace.shape(inputs[0] ?? ''))
  const [before, after] = [begins[laid.axis] ?? 0, ends[laid.axis] ?? 0]
  if (before === 0 && after === 0) return void trace.layAs(output, laid)
  const { mode } = modeField.parse(typed.context.attributes)
  if (laid.block !== 1 || mode !== 'constant') return keepAll(site, trace)
  const out = trace.lay(output, laid.axis, laid.count + before + after)
  for (let i = Math.max(0, -before); i < Math.min(laid.count, laid.count + after); i++) {
    trace.spaces.join(out.first + before + i, laid.first + i)
  }
}

function transpose(site: Site, trace: ChannelTrace): void {
  const { inputs, output, attributes } = site
  const laid = trace.laid(inputs[0])
  if (laid === undefined) return keepAll(site, trace)
  const rank = trace.shape(inputs[0] ?? '').length
  const perm = permField.parse(attributes).perm ?? Array.from({ length: rank }, (_, axis) => rank - 1 - axis)
  trace.layAs(output, laid, perm.indexOf(laid.axis))
}
