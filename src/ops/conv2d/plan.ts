/**
 * Kernel choice of conv2d: the implicit matrix product of filters and image patches, or a direct kernel for groups of few
 * filters.
 */
import activation from '../../../shaders/conv/activation.wgsl?raw'
import bias from '../../../shaders/conv/bias.wgsl?raw'
import direct from '../../../shaders/conv/direct.wgsl?raw'
import noBias from '../../../shaders/conv/no-bias.wgsl?raw'
import patches from '../../../shaders/conv/patches.wgsl?raw'
import type { OpPlan, OperandSpec, ParamType, TensorRef } from '../../gpu/program.ts'
import { deviceByteSize } from '../../gpu/program.ts'
import { sizeOf } from '../../tensor/shape.ts'
import { requireInput } from '../checks.ts'
import { chooseCore } from './cores.ts'
import type { PlanContext } from '../op.ts'
import { convMacs, convSizes, type ConvAttributes, type ConvSizes } from './rule.ts'

/** Up to as many filters per group, a tile of 16 would be mostly empty. */
const FEW_FILTERS = 4
const DIRECT_LANES = 64

export function plan({ inputs, outputs, attributes }: PlanContext<ConvAttributes>): OpPlan {
  const x = requireInput('conv2d', inputs, 0, 'X')
  const w = requireInput('conv2d', inputs, 1, 'W')
  const b = inputs[2] ?? null
  const output = requireInput('conv2d', outputs, 0, 'Y')
  const sizes = convSizes(inputs, attributes)
  const { filters, channels, groups, batch, y: vertical, x: horizontal } = sizes
  const count = sizeOf(output.shape)
  if (count === 0) return { reason: 'empty output: nothing to do', dispatches: [], temps: [] }

  const columns = batch * vertical.output * horizontal.output
  const depth = channels * vertical.kernel * horizontal.kernel
  const core = filters > FEW_FILTERS ? chooseCore({ rows: filters, columns, slices: groups, leftAlongDepth: true }) : undefined
  const kernel = core === undefined ? [direct] : [patches, core.body]
  const sizeParams = core === undefined ? { outputs: count } : { columns, ...core.tiles }
  const values = { rows: filters, depth, ...sizeParams, ...windowParams(sizes), relu: attributes.activation === 'relu' ? 1 : 0 }
  const operands: OperandSpec[] = [
    { name: 'x', dtype: x.dtype, access: 'read' },
    { name: 'w', dtype: w.dtype, access: 'read' },
    ...(b === null ? [] : [{ name: 'bias', dtype: b.dtype, access: 'read' } as const]),
    { name: 'y', dtype: output.dtype, access: 'write' },
  ]
  const bind: TensorRef[] = [
    ...(b === null ? [0, 1] : [0, 1, 2]).map((index): TensorRef => ({ kind: 'input', index })),
    { kind: 'output', index: 0 },
  ]
  const bytes = [x, w, b, output].reduce(
    (sum, type) => sum + (type === null ? 0 : sizeOf(type.shape) * deviceByteSize(type.dtype)),
    0,
  )
  const name = core === undefined ? 'direct' : core.name === 'tiled' ? 'implicit_gemm' : 'implicit_gemv'
  return {
    reason:
      core === undefined
        ? `default kernel: direct, ${filters === 1 ? 'one filter' : `${filters} filters`} per group`
        : `default kernel: implicit GEMM, ${core.reason}`,
    dispatches: [
      {
        program: {
          name: `conv2d/${name}`,
          body: [b === null ? noBias : bias, activation, ...kernel].join('\n'),
          operands,
          params: Object.fromEntries(Object.keys(values).map((key): [string, ParamType] => [key, 'u32'])),
          constants: core?.constants ?? {},
          workgroupSize: core?.workgroupSize ?? [DIRECT_LANES, 1, 1],
        },
        bind,
        params: values,
        groups: core?.groups ?? Math.ceil(count / DIRECT_LANES),
        cost: { flops: 2 * convMacs(sizes), bytes },
      },
    ],
    temps: [],
  }
}

function windowParams({ groups, channels, y, x }: ConvSizes): Record<string, number> {
  return {
    conv_groups: groups,
    channels,
    height: y.input,
    width: x.input,
    out_height: y.output,
    out_width: x.output,
    kernel_height: y.kernel,
    kernel_width: x.kernel,
    stride_y: y.stride,
    stride_x: x.stride,
    dilation_y: y.dilation,
    dilation_x: x.dilation,
    pad_top: y.before,
    pad_left: x.before,
  }
}
