/**
 * The epilogue of a convolution in kernels of its own, from the files that products use (shaders/gemm/epilogue): call
 * `finished(0u, index, 0u, filter, sum)` with the index in Y and the filter among all groups'.
 */
import bias from '../../../shaders/gemm/epilogue/bias.wgsl?raw'
import finished from '../../../shaders/gemm/epilogue/finished.wgsl?raw'
import noBias from '../../../shaders/gemm/epilogue/no-bias.wgsl?raw'
import noResidual from '../../../shaders/gemm/epilogue/no-residual.wgsl?raw'
import noScale from '../../../shaders/gemm/epilogue/no-scale.wgsl?raw'
import residual from '../../../shaders/gemm/epilogue/residual.wgsl?raw'
import type { OperandSpec, ParamType, TensorRef } from '../../gpu/program.ts'
import { activationParams, activationWgsl } from '../gemm/activation.ts'
import { INPUT, type Convolution } from './convolution.ts'

/** What a kernel adds to its own to end with an epilogue. */
export interface EpilogueParts {
  readonly body: string
  readonly operands: readonly OperandSpec[]
  readonly bind: readonly TensorRef[]
  readonly types: Readonly<Record<string, ParamType>>
  readonly values: Readonly<Record<string, number>>
}

export function epilogueParts(conv: Pick<Convolution, 'bias' | 'residual' | 'activation'>): EpilogueParts {
  const operands: OperandSpec[] = []
  const bind: TensorRef[] = []
  if (conv.bias !== undefined) {
    operands.push({ name: 'bias', dtype: conv.bias.dtype, access: 'read' })
    bind.push({ kind: 'input', index: INPUT.bias })
  }
  if (conv.residual !== undefined) {
    operands.push({ name: 'residual', dtype: conv.residual.dtype, access: 'read' })
    bind.push({ kind: 'input', index: INPUT.residual })
  }
  const activation = activationParams(conv.activation)
  const hasBias = conv.bias !== undefined
  return {
    body: [
      noScale,
      hasBias ? bias : noBias,
      conv.residual === undefined ? noResidual : residual,
      activationWgsl(conv.activation),
      finished,
    ].join('\n'),
    operands,
    bind,
    types: { alpha: 'f32', ...(hasBias ? { beta: 'f32', bias_row: 'u32', bias_column: 'u32' } : {}), ...activation.types },
    values: { alpha: 1, ...(hasBias ? { beta: 1, bias_row: 0, bias_column: 1 } : {}), ...activation.values },
  }
}
