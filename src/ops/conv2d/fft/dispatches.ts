/** The dispatches of a convolution by transforms: what each kernel of shaders/conv/fft is bound to and told. */
import backColumnsBody from '../../../../shaders/conv/fft/back_columns.wgsl?raw'
import backRowsBody from '../../../../shaders/conv/fft/back_rows.wgsl?raw'
import columnsBody from '../../../../shaders/conv/fft/columns.wgsl?raw'
import filtersBody from '../../../../shaders/conv/fft/filters.wgsl?raw'
import readEach from '../../../../shaders/conv/fft/read_each.wgsl?raw'
import readWide from '../../../../shaders/conv/fft/read_wide.wgsl?raw'
import rowsBody from '../../../../shaders/conv/fft/rows.wgsl?raw'
import throughBody from '../../../../shaders/conv/fft/through.wgsl?raw'
import transform from '../../../../shaders/conv/fft/transform.wgsl?raw'
import divided from '../../../../shaders/gemm/read/divided.wgsl?raw'
import type { DispatchPlan, OperandSpec, ParamType, Preparation, TensorRef } from '../../../gpu/program.ts'
import type { TensorType } from '../../../tensor/tensor.ts'
import { INPUT, layoutStrides, outputPlace, type Convolution } from '../convolution.ts'
import { epilogueParts } from '../epilogue.ts'
import { bytesOf } from '../filters.ts'
import { FACTORS, lineWork, spectraQuads, type Tiles } from './tiles.ts'

/** A kernel that works on tiles, so many items of each. */
interface TileKernel {
  readonly name: string
  readonly body: string
  readonly operands: readonly (OperandSpec & { readonly ref: TensorRef; readonly type: TensorType })[]
  readonly constants?: Readonly<Record<string, number | string>>
  readonly types?: Readonly<Record<string, ParamType>>
  readonly values: Readonly<Record<string, number>>
  readonly tiles: number
  readonly items: number
  /** Invocations of a workgroup; default 64. */
  readonly lanes?: number
  /** Of workgroup memory; default none. */
  readonly workgroupBytes?: number
  /** Lines that an item transforms. */
  readonly lines: number
}

/** In f32 a transform kernel reaches at least this many times the rate of a poor kernel. */
const SPEED = 4

function dispatchOf({ op }: Convolution, { size, bins }: Tiles, kernel: TileKernel): DispatchPlan {
  const { lanes = 64, workgroupBytes = 0, tiles, items, values, types = {}, operands } = kernel
  const blocks = Math.ceil(items / lanes)
  const [p, q] = FACTORS[size]
  const { multiplications, additions } = lineWork(size)
  const all = { ...values, blocks, pairs_inverse: 1 / (values.pairs ?? 1) }
  return {
    program: {
      name: `${op}/fft_${kernel.name}`,
      body: [divided, transform, kernel.body].join('\n'),
      operands: operands.map(({ ref, type, ...spec }) => {
        void ref
        void type
        return spec
      }),
      params: {
        ...Object.fromEntries(Object.keys(all).map((key): [string, ParamType] => [key, key.endsWith('_inverse') ? 'f32' : 'u32'])),
        ...types,
      },
      constants: { N: size, P: p, Q: q, BINS: bins, TWIDDLES: twiddlesOf(size), ...kernel.constants },
      workgroupSize: [lanes, 1, 1],
      workgroupBytes,
    },
    bind: operands.map(({ ref }) => ref),
    params: all,
    groups: tiles * blocks,
    cost: {
      flops: tiles * items * kernel.lines * (multiplications + additions),
      bytes: bytesOf(operands.map(({ type }) => type)),
      speed: SPEED,
    },
  }
}

/** W_N^j = e^(−2πij/N), rounded to f32 from f64: WGSL's own sine and cosine may be off by 2⁻¹¹. */
function twiddlesOf(size: number): string {
  const rows = Array.from({ length: size }, (_, j) => {
    const angle = (-2 * Math.PI * j) / size
    return `vec2<f32>(${Math.fround(Math.cos(angle))}, ${Math.fround(Math.sin(angle))})`
  })
  return `array<vec2<f32>, ${size}>(${rows.join(', ')})`
}

/** Half spectra of so many rows of every tile. */
export function rowsType({ count, bins }: Tiles, rows: number, pairs: number): TensorType {
  return { dtype: 'f32', shape: [count, rows, bins, pairs, 4] }
}

export function spectraType({ count, frequencies }: Tiles, pairs: number): TensorType {
  return { dtype: 'f32', shape: [frequencies, count, pairs, 4] }
}

const quads = (name: string, access: OperandSpec['access'], type: TensorType, ref: TensorRef): TileKernel['operands'][number] => ({
  name,
  dtype: 'f32',
  access,
  width: 4,
  type,
  ref,
})

/** Where the channels of a quad can be loaded at once. */
export function readsWide({ layout, groups, channels }: Convolution): boolean {
  if (layout === 'nchw4') return true
  return layout === 'nhwc' && (groups * channels) % 4 === 0
}

/** X to half spectra of rows. */
export function rows(conv: Convolution, tiles: Tiles, to: TensorRef): DispatchPlan {
  const { groups, channels, layout, axes, x } = conv
  const [z, vertical, horizontal] = axes
  const { size, bins, across, valid, count, channelPairs } = tiles
  const strides = layoutStrides(layout, groups * channels, [z.input, vertical.input, horizontal.input])
  const wide = readsWide(conv)
  return dispatchOf(conv, tiles, {
    name: wide ? 'rows_wide' : 'rows',
    body: [wide ? readWide : readEach, rowsBody].join('\n'),
    operands: [
      { name: 'x', dtype: x.dtype, access: 'read', ...(wide ? { width: 4 } : {}), type: x, ref: { kind: 'input', index: INPUT.x } },
      quads('rows', 'write', rowsType(tiles, size, channelPairs), to),
    ],
    constants: { SPREAD_Y: 1, SPREAD_X: 1 },
    values: {
      ...{ pairs: channelPairs, couples: size / 2, channels: groups * channels },
      ...{ height: vertical.input, width: horizontal.input, pad_y: vertical.before, pad_x: horizontal.before },
      ...{ tiles: across[0] * across[1], tiles_x: across[1], valid_y: valid[0], valid_x: valid[1] },
      ...{
        x_picture: strides.picture,
        x_down: 0,
        x_y: strides.y,
        x_x: strides.x,
        x_channel: strides.channel,
        x_quad: strides.quad,
      },
      ...{ to_tile: size * bins * channelPairs, to_row: bins * channelPairs, to_bin: channelPairs },
    },
    tiles: count,
    items: (size / 2) * channelPairs,
    lines: 2,
  })
}

/** Half spectra of X to its spectra. */
export function columns(conv: Convolution, tiles: Tiles, from: TensorRef, to: TensorRef): DispatchPlan {
  const { size, bins, count, channelPairs } = tiles
  return dispatchOf(conv, tiles, {
    name: 'columns',
    body: columnsBody,
    operands: [
      quads('rows', 'read', rowsType(tiles, size, channelPairs), from),
      quads('spectra', 'write', spectraType(tiles, channelPairs), to),
    ],
    values: { pairs: channelPairs, tiles: count },
    tiles: count,
    items: bins * channelPairs,
    lines: 2,
  })
}

/** Half spectra of X times the filters' spectra, to half spectra of results, for filters that see one channel each. */
export function through(conv: Convolution, tiles: Tiles, from: TensorRef, filters: TensorRef, to: TensorRef): DispatchPlan {
  const { size, bins, count, channelPairs, filterPairs, valid } = tiles
  return dispatchOf(conv, tiles, {
    name: 'through',
    body: throughBody,
    operands: [
      quads('rows', 'read', rowsType(tiles, size, channelPairs), from),
      quads('spectra', 'read', filterSpectra(conv, tiles), filters),
      quads('kept', 'write', rowsType(tiles, valid[0], filterPairs), to),
    ],
    constants: { MULTIPLIED: `${conv.filters > 1}` },
    values: {
      ...{ pairs: filterPairs, channel_pairs: channelPairs, channels: conv.groups, multiplier: conv.filters, valid_y: valid[0] },
    },
    tiles: count,
    items: bins * filterPairs,
    lines: 4,
  })
}

/** Spectra of results to their half spectra. */
export function backColumns(conv: Convolution, tiles: Tiles, from: TensorRef, to: TensorRef): DispatchPlan {
  const { bins, count, filterPairs, valid } = tiles
  return dispatchOf(conv, tiles, {
    name: 'back_columns',
    body: backColumnsBody,
    operands: [
      quads('products', 'read', spectraType(tiles, filterPairs), from),
      quads('rows', 'write', rowsType(tiles, valid[0], filterPairs), to),
    ],
    values: { pairs: filterPairs, tiles: count, valid_y: valid[0] },
    tiles: count,
    items: bins * filterPairs,
    lines: 2,
  })
}

/** Half spectra of results to Y, with the epilogue. */
export function backRows(conv: Convolution, tiles: Tiles, from: TensorRef): DispatchPlan {
  const { groups, filters, axes, output } = conv
  const [, vertical, horizontal] = axes
  const { size, count, filterPairs, groupPairs, valid, across, single } = tiles
  const { strides, offset } = outputPlace(conv)
  const epilogue = epilogueParts(conv)
  return dispatchOf(conv, tiles, {
    name: 'back_rows',
    body: [epilogue.body, backRowsBody].join('\n'),
    operands: [
      quads('rows', 'read', rowsType(tiles, valid[0], filterPairs), from),
      ...epilogue.operands.flatMap((spec, index) => {
        const type = spec.name === 'bias' ? conv.bias : conv.residual
        const ref = epilogue.bind[index]
        return type === undefined || ref === undefined ? [] : [{ ...spec, type, ref }]
      }),
      { name: 'y', dtype: output.dtype, access: 'write', type: output, ref: { kind: 'output', index: 0 } },
    ],
    types: epilogue.types,
    values: {
      ...epilogue.values,
      ...{ pairs: filterPairs, group_pairs: groupPairs, filters: single ? groups * filters : filters },
      ...{ tiles: across[0] * across[1], tiles_x: across[1], valid_y: valid[0], valid_x: valid[1] },
      ...{ out_y: vertical.output, out_x: horizontal.output, y_picture: strides.picture, y_y: strides.y, y_x: strides.x },
      ...{ y_channel: strides.channel, y_quad: strides.quad, y_offset: offset },
    },
    tiles: count,
    items: Math.ceil(valid[0] / 2) * filterPairs,
    // Lines pass through 16 KiB of workgroup memory.
    lanes: 1024 / size,
    workgroupBytes: 16384,
    lines: 2,
  })
}

export function filterSpectra(conv: Convolution, tiles: Tiles): TensorType {
  return { dtype: 'f32', shape: [spectraQuads(conv, tiles), 4] }
}

/**
 * Prepares the filters' spectra as the plan's `index`-th prepared tensor: a tile is what all filters of a group have for a channel.
 */
export function prepareSpectra(conv: Convolution, tiles: Tiles, index: number): Preparation {
  const { groups, channels, filters, axes, w } = conv
  const [, vertical, horizontal] = axes
  const { bins, span, groupPairs, single } = tiles
  const taps = vertical.kernel * horizontal.kernel
  const type = filterSpectra(conv, tiles)
  const to: TensorRef = { kind: 'prepared', index }
  const count = single ? 1 : groups * channels
  const rowsPresent = 2 * Math.ceil(span[0] / 2)
  const step = single ? groupPairs : 2 * groupPairs
  const places = { to_tile: step, to_row: bins * count * step, to_bin: count * step }
  const first = dispatchOf(conv, tiles, {
    name: 'filter_rows',
    body: [readEach, rowsBody].join('\n'),
    operands: [
      { name: 'x', dtype: w.dtype, access: 'read', type: w, ref: { kind: 'input', index: INPUT.w } },
      quads('rows', 'write', type, to),
    ],
    constants: { SPREAD_Y: vertical.dilation, SPREAD_X: horizontal.dilation },
    values: {
      ...{ pairs: groupPairs, couples: rowsPresent / 2, channels: single ? groups * filters : filters },
      ...{ height: vertical.kernel, width: horizontal.kernel, pad_y: 0, pad_x: 0 },
      // Groups are pictures, channels lie one below the other; where each filter has one channel there is one tile.
      ...{ tiles: single ? 1 : channels, tiles_x: 1, valid_y: 0, valid_x: 0 },
      ...{ x_picture: filters * channels * taps, x_down: taps, x_y: horizontal.kernel, x_x: 1 },
      ...{ x_channel: channels * taps, x_quad: 4 * channels * taps, ...places },
    },
    tiles: count,
    items: (rowsPresent / 2) * groupPairs,
    lines: 2,
  })
  const second = dispatchOf(conv, tiles, {
    name: 'filter_columns',
    body: filtersBody,
    operands: [quads('spectra', 'read_write', type, to)],
    constants: { DOUBLED: `${!single}` },
    values: { pairs: groupPairs, rows: rowsPresent, ...places },
    tiles: count,
    items: bins * groupPairs,
    lines: 2,
  })
  return { type, from: INPUT.w, dispatches: [first, second] }
}
