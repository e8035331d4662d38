/** One kernel for all modes: each element of the result finds its place in the input, axis by axis. */
import padBody from '../../../shaders/movement/pad.wgsl?raw'
import { DeviceLimitError } from '../../errors.ts'
import type { OpPlan, ParamType } from '../../gpu/program.ts'
import { sizeOf } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { fillValue } from '../movement/fill.ts'
import { aliasPlan, inputRef, linearDispatch, outputRef, planOf } from '../movement/linear.ts'
import { MAX_AXES } from '../movement/strides.ts'
import { PAD_MODES, type PadMode, type Pads } from './rule.ts'

interface Axis {
  readonly from: number
  readonly to: number
  readonly begin: number
}

export function padPlan(x: TensorType, y: TensorType, { begins, ends }: Pads, mode: PadMode, fill: number | bigint): OpPlan {
  if ([...begins, ...ends].every((pad) => pad === 0)) return aliasPlan('no padding: alias')
  const count = sizeOf(y.shape)
  const { body, params, values } = fillValue(x.dtype, fill)
  const dispatch = linearDispatch(count, {
    name: 'movement/pad',
    body: [body, padBody],
    operands: [
      { name: 'x', type: x, access: 'read', ref: inputRef(0) },
      { name: 'y', type: y, access: 'write', ref: outputRef() },
    ],
    params: { ...PAD_PARAMS, ...params },
    values: { ...padParams(mergeAxes(x, y, begins, ends), PAD_MODES.indexOf(mode), x), ...values },
  })
  return planOf(`pad, mode ${mode}`, [dispatch])
}

/** Neighbouring axes without padding are walked as one. */
function mergeAxes(x: TensorType, y: TensorType, begins: readonly number[], ends: readonly number[]): Axis[] {
  const merged: (Axis & { plain: boolean })[] = []
  x.shape.forEach((from, axis) => {
    const [begin, to] = [begins[axis] ?? 0, y.shape[axis] ?? 0]
    const plain = begin === 0 && (ends[axis] ?? 0) === 0
    const last = merged.at(-1)
    if (plain && last?.plain === true) merged[merged.length - 1] = { from: last.from * from, to: last.to * to, begin: 0, plain }
    else merged.push({ from, to, begin, plain })
  })
  return merged
}

const INNER = Array.from({ length: MAX_AXES - 1 }, (_, axis) => axis)

const PAD_PARAMS: Readonly<Record<string, ParamType>> = {
  rank: 'u32',
  mode: 'u32',
  ...Object.fromEntries(
    INNER.flatMap((axis): [string, ParamType][] => [
      [`out_${axis}`, 'u32'],
      [`in_${axis}`, 'i32'],
      [`begin_${axis}`, 'i32'],
    ]),
  ),
  in_outer: 'i32',
  begin_outer: 'i32',
}

function padParams(axes: readonly Axis[], mode: number, { shape }: TensorType): Record<string, number> {
  if (axes.length > MAX_AXES) {
    throw new DeviceLimitError(`${axes.length} axes cannot be walked together`, {
      op: 'pad',
      shape,
      limit: `${MAX_AXES} axes`,
      remedy: 'Pad in two steps',
    })
  }
  const params: Record<string, number> = { rank: axes.length, mode, in_outer: axes[0]?.from ?? 1, begin_outer: axes[0]?.begin ?? 0 }
  for (const inner of INNER) {
    const axis = inner < axes.length - 1 ? axes.at(-1 - inner) : undefined
    params[`out_${inner}`] = axis?.to ?? 1
    params[`in_${inner}`] = axis?.from ?? 1
    params[`begin_${inner}`] = axis?.begin ?? 0
  }
  return params
}
