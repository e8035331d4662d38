/** Shape rule of linear, and the loop nest that it is. */
import { z } from 'zod'
import { ShapeError } from '../../errors.ts'
import { convProblem, type Problem } from '../../schedule/problem.ts'
import { formatShape, sizeOf } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { requireDType, requireIndexable, requireInput, requireRank, requireSameDType, requireVector } from '../checks.ts'
import { fusedFields, fusedOutput } from '../gemm/fused.ts'
import type { InferContext, InputTypes } from '../op.ts'

export const attributes = z.strictObject(fusedFields)
export type LinearAttributes = z.infer<typeof attributes>

/** Batch, outputs and inputs of the layer. @throws ShapeError when x and w do not fit */
export function linearSizes(inputs: InputTypes): { n: number; m: number; k: number } {
  const x = requireInput('linear', inputs, 0, 'x')
  const w = requireInput('linear', inputs, 1, 'w')
  requireRank('linear', 'x', x, 2, Infinity)
  requireRank('linear', 'w', w, 2, 2)
  const [n = 0, ...rest] = x.shape
  const [m = 0, k = 0] = w.shape
  if (sizeOf(rest) !== k) {
    throw new ShapeError(`x ${formatShape(x.shape)} has ${sizeOf(rest)} values per row, but w ${formatShape(w.shape)} takes ${k}`, {
      op: 'linear',
    })
  }
  return { n, m, k }
}

/** [N, M], in the dtype of x unless `output` says otherwise. @throws ShapeError, DtypeError, OptionError */
export function infer({ inputs, attributes: given }: InferContext<LinearAttributes>): TensorType[] {
  const x = requireInput('linear', inputs, 0, 'x')
  const w = requireInput('linear', inputs, 1, 'w')
  const bias = inputs[2] ?? null
  requireDType('linear', 'x', x, ['f32', 'f16'])
  requireSameDType('linear', 'w', w, x)
  const { n, m } = linearSizes(inputs)
  if (bias !== null) {
    requireSameDType('linear', 'bias', bias, x)
    requireVector('linear', 'bias', bias, m)
  }
  const output = fusedOutput('linear', inputs, [n, m], [n, m], given)
  requireIndexable('linear', x, w, output)
  return [output]
}

/** After C×H×W, a fully connected layer is the convolution whose filters are as large as its input: R = H, S = W, P = Q = 1. */
export function problem({ inputs }: InferContext<LinearAttributes>): Problem {
  const { n, m, k } = linearSizes(inputs)
  const [, ...rest] = requireInput('linear', inputs, 0, 'x').shape
  const [c = k, r = 1, s = 1] = rest.length === 3 ? rest : rest.length === 2 ? [rest[0], 1, rest[1]] : []
  return convProblem({ N: n, M: m, C: c, R: r, S: s })
}
