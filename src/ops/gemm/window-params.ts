/** Constants and params of what a product reads through a window, and of where its rows lie in a box. */
import type { ParamType } from '../../gpu/program.ts'
import type { Box, Product, Window } from './product.ts'

/** Lines or depths from which `divided` is no longer exact. */
export const LARGE = 2 ** 21

/** Of shaders/gemm/read/window.wgsl: what is known before it runs. */
export function windowConstants({ a, rows, columns, depth }: Product, { axes, channels, held, order }: Window): string {
  const [{ input, kernel, output, before }] = axes
  const deep = input > 1 || kernel > 1 || output > 1 || before !== 0
  const lines = a.window === undefined ? columns : rows
  return [
    `const WINDOW_DEEP = ${deep};`,
    `const WINDOW_TAPS_FIRST = ${order === 'taps'};`,
    `const WINDOW_QUADS = ${order === 'taps' && channels % 4 === 0 && held === undefined};`,
    `const WINDOW_HELD = ${held ?? 0}u;`,
    `const WINDOW_LARGE = ${Math.max(lines, depth) >= LARGE};`,
  ].join('\n')
}

/** Types and values of params. */
export interface Params {
  readonly types: Record<string, ParamType>
  readonly values: Record<string, number>
}

/** Of shaders/gemm/epilogue/rows_box.wgsl. */
export function boxParams(box: Box | undefined): Params {
  const types: Record<string, ParamType> = {}
  const values: Record<string, number> = {}
  if (box === undefined) return { types, values }
  for (const [index, name] of (['x', 'y', 'z', 'picture'] as const).entries()) {
    types[`box_step_${name}`] = 'u32'
    values[`box_step_${name}`] = box.strides[index] ?? 0
    const size = box.sizes[index]
    if (size === undefined) continue
    types[`box_${name}`] = 'u32'
    values[`box_${name}`] = size
    types[`box_${name}_inverse`] = 'f32'
    values[`box_${name}_inverse`] = 1 / size
  }
  return { types, values }
}

/** Of shaders/gemm/read/window.wgsl. */
export function windowParams({ axes, channels, strides }: Window): Params {
  const types: Record<string, ParamType> = {}
  const values: Record<string, number> = {}
  const put = (name: string, value: number): void => {
    types[`window_${name}`] = 'u32'
    values[`window_${name}`] = value
  }
  const divisor = (name: string, value: number): void => {
    put(name, value)
    types[`window_${name}_inverse`] = 'f32'
    values[`window_${name}_inverse`] = 1 / value
  }
  for (const [index, name] of (['z', 'y', 'x'] as const).entries()) {
    const axis = axes[index]
    if (axis === undefined) continue
    divisor(`out_${name}`, axis.output)
    divisor(`kernel_${name}`, axis.kernel)
    put(`stride_${name}`, axis.stride)
    put(`dilation_${name}`, axis.dilation)
    types[`window_pad_${name}`] = 'i32'
    values[`window_pad_${name}`] = axis.before
    put(name, strides[name])
  }
  const [depth, height, width] = axes
  put('depth', depth.input)
  put('height', height.input)
  put('width', width.input)
  divisor('channels', channels)
  divisor(
    'taps',
    axes.reduce((taps, { kernel }) => taps * kernel, 1),
  )
  put('picture', strides.picture)
  put('channel', strides.channel)
  put('quad', strides.quad)
  return { types, values }
}
