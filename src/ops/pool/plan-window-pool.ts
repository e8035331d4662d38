/** From what folding is to the plan of a pool: one output per invocation, a quad of channels where those lie side by side. */
import quotient from '../../../shaders/runtime/quotient.wgsl?raw'
import window from '../../../shaders/pool/window.wgsl?raw'
import type { OpPlan, OperandSpec, ParamType, TensorRef } from '../../gpu/program.ts'
import { deviceByteSize } from '../../gpu/program.ts'
import { sizeOf } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { placeOf } from '../place.ts'
import { axisParams, windowVolume, type PoolSizes } from './window-pool.ts'

const LANES = 64

export interface PoolKernel {
  readonly name: string
  /** WGSL that says how two values combine, and what becomes of the result. */
  readonly fold: string
  /** What folding begins with, and its type. */
  readonly start: number
  readonly type: ParamType
  readonly includePad: boolean
  /** A kernel of its own in the stead of window.wgsl, with names of the outputs and more params. Only nchw. */
  readonly own?: {
    readonly body: string
    readonly outputNames: readonly string[]
    readonly params: Readonly<Record<string, number>>
  }
}

/** Whether channels are read four at a time: in nchw4, and in nhwc where they are whole quads. */
export function inQuads({ layout, channels }: Pick<PoolSizes, 'layout' | 'channels'>, x: TensorType): boolean {
  return (x.dtype === 'f32' || x.dtype === 'f16') && (layout === 'nchw4' || (layout === 'nhwc' && channels % 4 === 0))
}

/** Types of the values of one access, which bodies call `bits_t` and `flag_t`. */
export function laneTypes(quads: boolean): string {
  return quads ? 'alias bits_t = vec4<u32>;\nalias flag_t = vec4<bool>;' : 'alias bits_t = u32;\nalias flag_t = bool;'
}

/** Neighbours of one position, in accesses of `width` elements. */
export function innerOf({ layout, channels }: Pick<PoolSizes, 'layout' | 'channels'>, width: number): number {
  if (layout === 'nhwc') return channels / width
  return layout === 'nchw4' ? 4 / width : 1
}

function extentsOf({ axes: [z, y, x] }: PoolSizes): [number, number, number] {
  return [z.output, y.output, x.output]
}

export function planWindowPool(kernel: PoolKernel, x: TensorType, outputs: readonly TensorType[], sizes: PoolSizes): OpPlan {
  const size = sizeOf(sizes.shape)
  if (size === 0) return { reason: 'empty output: nothing to do', dispatches: [], temps: [] }
  const { strides, offset } = placeOf(sizes.layout, sizes.channels, extentsOf(sizes), sizes.place)
  const step = strides.x
  const quads = kernel.own === undefined && inQuads(sizes, x) && offset % 4 === 0 && (sizes.layout !== 'nhwc' || step % 4 === 0)
  const width = quads ? 4 : 1
  const count = size / width
  const inner = innerOf(sizes, width)
  const values: Record<string, number> = {
    outputs: count,
    ...axisParams(sizes.axes),
    ...{
      start: kernel.start,
      include_pad: kernel.includePad ? 1 : 0,
      inner,
      y_offset: offset / width,
      y_step: sizes.layout === 'nhwc' ? step / width : inner,
    },
    ...kernel.own?.params,
  }
  const inverses: Record<string, number> = { inner_inverse: 1 / inner }
  for (const [axis, { output }] of sizes.axes.entries()) inverses[`out${axis}_inverse`] = 1 / output
  const names = kernel.own?.outputNames ?? ['y']
  const operands: OperandSpec[] = [
    { name: 'x', dtype: x.dtype, access: 'read', ...(quads ? { width } : {}) },
    ...outputs.map(({ dtype }, index): OperandSpec => ({
      name: names[index] ?? `output${index}`,
      dtype,
      access: 'write',
      ...(quads ? { width } : {}),
    })),
  ]
  const bind: TensorRef[] = [{ kind: 'input', index: 0 }, ...outputs.map((_, index): TensorRef => ({ kind: 'output', index }))]
  const bytes = [x, ...outputs].reduce((sum, type) => sum + sizeOf(type.shape) * deviceByteSize(type.dtype), 0)
  const types = Object.keys(values).map((name): [string, ParamType] => [name, name === 'start' ? kernel.type : 'u32'])
  const program = {
    name: kernel.name,
    body: [laneTypes(quads), kernel.fold, quotient, kernel.own?.body ?? window].join('\n'),
    operands,
    params: { ...Object.fromEntries(types), ...Object.fromEntries(Object.keys(inverses).map((name) => [name, 'f32' as const])) },
    workgroupSize: [LANES, 1, 1] as const,
  }
  const dispatch = {
    ...{ program, bind, params: { ...values, ...inverses } },
    ...{ groups: Math.ceil(count / LANES), cost: { flops: windowVolume(sizes), bytes } },
  }
  const what = quads ? 'four channels' : 'one output'
  return { reason: `window pool in ${sizes.layout}: ${what} an invocation`, dispatches: [dispatch], temps: [] }
}
