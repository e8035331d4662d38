/** Zeros that a pad node puts around a convolution's input, as padding of the convolution itself, so that they are never stored. */
import { z } from 'zod'
import { LAYOUTS } from '../ops/conv2d/convolution.ts'
import { padsOf } from '../ops/pad/rule.ts'
import { REGISTRY } from '../ops/registry.ts'
import { windowAxes, windowFields } from '../ops/window.ts'
import type { TypedNode } from './passes.ts'

const padAttributes = z.looseObject({ mode: z.string() })
const window = z.looseObject({ ...windowFields, layout: z.enum(LAYOUTS).default('nchw') })

/** Every name that a convolution's node may have for its padding. */
const PADDING_NAMES: ReadonlySet<string> = new Set(['padding', 'pads', 'autoPad', 'auto_pad'])

/**
 * Attributes of `conv` with the zeros of the `pad` in front of it in its padding. Undefined where the pad is more than zeros beside the
 * spatial axes: another value or mode, batch or channels, a crop, or where the convolution has another layout than [N, C, …].
 */
export function foldedPadding(conv: TypedNode, pad: TypedNode): Readonly<Record<string, unknown>> | undefined {
  if (pad.node.op !== 'pad' || REGISTRY.get('pad') !== pad.definition) return undefined
  const { mode } = padAttributes.parse(pad.context.attributes)
  const [x] = pad.context.inputs
  const fill = pad.context.values[2]?.values[0] ?? 0
  if (mode !== 'constant' || Number(fill) !== 0 || x === null || x === undefined) return undefined
  const { begins, ends } = padsOf({ inputs: pad.context.inputs, values: pad.context.values }, x.shape)
  const pads = [...begins, ...ends]
  if (pads.some((count) => count < 0)) return undefined
  if ([...begins.slice(0, 2), ...ends.slice(0, 2)].some((count) => count !== 0)) return undefined
  const [padded, w] = conv.context.inputs
  if (padded === null || padded === undefined || w === null || w === undefined) return undefined
  const attributes = window.parse(conv.context.attributes)
  if (attributes.layout !== 'nchw') return undefined
  const axes = windowAxes(conv.node.op, padded.shape.slice(2), w.shape.slice(2), attributes)
  const others = Object.entries(conv.node.attributes).filter(([name]) => !PADDING_NAMES.has(name))
  return {
    ...Object.fromEntries(others),
    padding: [
      ...axes.map(({ before }, axis) => before + (begins[axis + 2] ?? 0)),
      ...axes.map(({ after }, axis) => after + (ends[axis + 2] ?? 0)),
    ],
  }
}
