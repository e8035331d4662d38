/** The dispatches around Winograd's product: values to points, filters to points (once), products to outputs. */
import filterBody from '../../../../shaders/conv/winograd/filter.wgsl?raw'
import f2 from '../../../../shaders/conv/winograd/f2.wgsl?raw'
import f4 from '../../../../shaders/conv/winograd/f4.wgsl?raw'
import inputBody from '../../../../shaders/conv/winograd/input.wgsl?raw'
import loadEach from '../../../../shaders/conv/winograd/load_each.wgsl?raw'
import loadWide from '../../../../shaders/conv/winograd/load_wide.wgsl?raw'
import outputBody from '../../../../shaders/conv/winograd/output.wgsl?raw'
import storeOne from '../../../../shaders/gemm/epilogue/store.wgsl?raw'
import storeWide from '../../../../shaders/gemm/epilogue/store_wide.wgsl?raw'
import type { DispatchPlan, OperandSpec, ParamType, TensorRef } from '../../../gpu/program.ts'
import { sizeOf } from '../../../tensor/shape.ts'
import type { TensorType } from '../../../tensor/tensor.ts'
import { INPUT, layoutStrides, outputPlace, pixelsOf, type Convolution } from '../convolution.ts'
import { epilogueParts } from '../epilogue.ts'
import { bytesOf } from '../filters.ts'
import type { Geometry, Tile } from './geometry.ts'
import { additionsOf } from './points.ts'

const LANES = 64
const FUNCTIONS: Readonly<Record<Tile, string>> = { 2: f2, 4: f4 }
/** By which values at the points are smaller in f16, so that none is infinite where X is not; filters are larger by as much. */
const HALF_SCALE: Readonly<Record<Tile, string>> = { 2: '0.25f', 4: '0.015625f' }

/** A tensor between dispatches. */
export interface Between {
  readonly type: TensorType
  readonly ref: TensorRef
}

/** V from X. */
export function inputTransform(conv: Convolution, geometry: Geometry, v: Between): DispatchPlan {
  const { groups, channels, axes, layout, x } = conv
  const [depth, height, width] = axes
  const { tiles, tilesX, tilesY, quads, tile, isTall } = geometry
  const strides = layoutStrides(layout, groups * channels, [depth.input, height.input, width.input])
  // Quads of channels lie side by side, also those of every group.
  const isWide = layout === 'nchw4' ? groups === 1 || channels % 4 === 0 : layout === 'nhwc' && channels % 4 === 0
  const units = tiles * groups * quads
  const values = {
    ...{ tiles, tiles_x: tilesX, tiles_y: tilesY, conv_groups: groups, channels, quads },
    ...{ depth: depth.input, height: height.input, width: width.input, out_z: depth.output, stride_z: depth.stride },
    ...{ pad_z: depth.before, pad_y: height.before, pad_x: width.before },
    ...{ x_picture: strides.picture, x_channel: strides.channel, x_quad: strides.quad },
    ...{ x_z: strides.z, x_y: strides.y, x_x: strides.x },
  }
  return {
    program: {
      name: `${conv.op}/winograd-input`,
      body: [FUNCTIONS[tile], isWide ? loadWide : loadEach, inputBody].join('\n'),
      operands: [
        { name: 'x', dtype: x.dtype, access: 'read', ...(isWide ? { width: 4 } : {}) },
        { name: 'v', dtype: v.type.dtype, access: 'write', width: 4 },
      ],
      params: typesOf(values),
      constants: constantsOf(geometry, v.type),
      workgroupSize: [LANES, 1, 1],
    },
    bind: [{ kind: 'input', index: INPUT.x }, v.ref],
    params: values,
    groups: Math.ceil(units / LANES),
    cost: { flops: 4 * units * additionsOf(tile, isTall).input, bytes: bytesOf([x, v.type]) },
  }
}

/** U from W. */
export function filterTransform(conv: Convolution, geometry: Geometry, u: Between): DispatchPlan {
  const { groups, channels, filters, w } = conv
  const { quads, filterQuads, tile } = geometry
  const units = groups * 4 * quads * filterQuads
  const values = { conv_groups: groups, channels, filters, quads, filter_quads: filterQuads }
  return {
    program: {
      name: `${conv.op}/winograd-filter`,
      body: [FUNCTIONS[tile], filterBody].join('\n'),
      operands: [
        { name: 'w', dtype: w.dtype, access: 'read' },
        { name: 'u', dtype: u.type.dtype, access: 'write', width: 4 },
      ],
      params: typesOf(values),
      constants: constantsOf(geometry, u.type),
      workgroupSize: [LANES, 1, 1],
    },
    bind: [{ kind: 'input', index: INPUT.w }, u.ref],
    params: values,
    groups: Math.ceil(units / LANES),
    cost: { flops: 2 * sizeOf(u.type.shape), bytes: bytesOf([w, u.type]) },
  }
}

/** Y from M, through the epilogue. */
export function outputTransform(conv: Convolution, geometry: Geometry, m: Between): DispatchPlan {
  const { groups, filters, axes, outputLayout, output, bias, residual } = conv
  const [depth, height, width] = axes
  const { tiles, tilesX, tilesY, filterQuads, tile, isTall } = geometry
  const { strides, offset } = outputPlace(conv)
  const isWide = outputLayout !== 'nchw' && filters % 4 === 0 && strides.x % 4 === 0 && offset % 4 === 0
  const epilogue = epilogueParts(conv)
  const units = tiles * groups * filterQuads
  const values = {
    ...{ tiles, tiles_x: tilesX, tiles_y: tilesY, conv_groups: groups, filter_quads: filterQuads, columns: filters },
    ...{ out_z: depth.output, out_y: height.output, out_x: width.output },
    ...{ y_offset: offset, y_picture: strides.picture, y_column: strides.channel, y_quad: strides.quad },
    ...{ y_z: strides.z, y_y: strides.y, y_x: strides.x },
    y_group: Math.floor(filters / 4) * strides.quad + (filters % 4) * strides.channel,
    stored: isTall ? tile * tile : tile,
  }
  const operands: OperandSpec[] = [
    { name: 'm', dtype: m.type.dtype, access: 'read', width: 4 },
    ...epilogue.operands,
    { name: 'y', dtype: output.dtype, access: 'write', ...(isWide ? { width: 4 } : {}) },
  ]
  return {
    program: {
      name: `${conv.op}/winograd-output`,
      body: [FUNCTIONS[tile], epilogue.body, isWide ? storeWide : storeOne, outputBody].join('\n'),
      operands,
      params: { ...typesOf(values), ...epilogue.types },
      constants: constantsOf(geometry, m.type),
      workgroupSize: [LANES, 1, 1],
      workgroupBytes: 16 * values.stored * LANES,
    },
    bind: [m.ref, ...epilogue.bind, { kind: 'output', index: 0 }],
    params: { ...values, ...epilogue.values },
    groups: Math.ceil(units / LANES),
    cost: { flops: 4 * units * additionsOf(tile, isTall).output, bytes: bytesOf([m.type, bias, residual, output]) },
  }
}

/** What the transforms of values and of products load and store, by operand. */
export function transformAccesses(conv: Convolution, { tiles, points, groups, quads, filterQuads }: Geometry) {
  const values = 4 * tiles * groups * quads * points
  const products = 4 * tiles * groups * filterQuads * points
  const outputs = conv.batch * groups * conv.filters * pixelsOf(conv)
  return {
    // What lies in the padding is loaded from elsewhere, and not used.
    x: { loads: values, stores: 0 },
    v: { loads: 0, stores: values },
    m: { loads: products, stores: 0 },
    y: { loads: 0, stores: outputs },
    ...(conv.bias === undefined ? {} : { bias: { loads: outputs, stores: 0 } }),
    ...(conv.residual === undefined ? {} : { residual: { loads: outputs, stores: 0 } }),
  }
}

function typesOf(values: Readonly<Record<string, number>>): Record<string, ParamType> {
  return Object.fromEntries(Object.keys(values).map((name): [string, ParamType] => [name, name.startsWith('pad_') ? 'i32' : 'u32']))
}

function constantsOf({ isTall, tile }: Geometry, { dtype }: TensorType): Record<string, string> {
  return { TALL: `${isTall}`, VALUE_SCALE: dtype === 'f16' ? HALF_SCALE[tile] : '1.0f' }
}
