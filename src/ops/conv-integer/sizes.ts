/**
 * What convolutions of bytes share (convInteger, qlinearConv): attributes, sizes, and how scales and zero points are walked.
 *
 *     X [N, C, …]           of X: one value
 *     W [M, C/groups, …]    of W: one value, or [M]
 */
import { z } from 'zod'
import { ShapeError } from '../../errors.ts'
import type { Problem } from '../../schedule/problem.ts'
import { formatShape, sizeOf } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { requireDType, requireSameDType } from '../checks.ts'
import { convProblemOf, convSizes, type ConvSizes } from '../conv2d/rule.ts'
import type { SideValue } from '../gemm/kernels/packed-sides.ts'
import { onnxNames, windowFields } from '../window.ts'

export const attributes = z.preprocess(
  onnxNames,
  z.strictObject({
    ...windowFields,
    /** Filter size, checked against w where it is given. */
    kernel: z.array(z.number().int().min(1)).optional(),
    /** Groups of channels that are convolved apart. */
    groups: z.number().int().min(1).default(1),
    /** Instead of the plan's choice: `direct`, or a kernel of the product of filters and patches by name. */
    algorithm: z.string().optional(),
  }),
)
export type IntegerConvAttributes = z.infer<typeof attributes>

/** Sizes of a convolution of bytes. @throws ShapeError, DtypeError, UnsupportedOpError */
export function integerConvSizes(op: string, x: TensorType, w: TensorType, given: IntegerConvAttributes): ConvSizes {
  requireDType(op, 'x', x, ['i8', 'u8'])
  requireDType(op, 'w', w, ['i8', 'u8'])
  return convSizes([x, w], given, op)
}

/** How a scale or zero point of X or Y, `input`, is walked: it is one value. @throws ShapeError */
export function sideOfAll(op: string, name: string, input: number, type: TensorType): SideValue {
  if (sizeOf(type.shape) === 1) return { input, type, line: 0, batch: [] }
  throw new ShapeError(`${name} ${formatShape(type.shape)} is not one value`, { op, shape: type.shape })
}

/** How a scale, zero point or bias of filters, `input`, is walked: one value, or one for each of the M filters. @throws ShapeError */
export function sideOfFilters(
  op: string,
  name: string,
  input: number,
  type: TensorType,
  { filters, groups }: ConvSizes,
): SideValue {
  const all = filters * groups
  if (sizeOf(type.shape) === 1) return { input, type, line: 0, batch: [] }
  if (type.shape.length === 1 && type.shape[0] === all) return { input, type, line: 1, batch: [] }
  throw new ShapeError(`${name} ${formatShape(type.shape)} is neither one value nor one for each of ${all} filters`, {
    op,
    shape: type.shape,
  })
}

/** A zero point beside what it belongs to. @throws DtypeError, ShapeError */
export function zeroPoint(op: string, name: string, side: SideValue | null, of: TensorType): SideValue | null {
  if (side !== null) requireSameDType(op, name, side.type, of)
  return side
}

/** The loop nest; undefined where an extent is 0. */
export function integerConvProblem(sizes: ConvSizes): Problem | undefined {
  return sizes.batch * sizes.channels * sizes.filters === 0 ? undefined : convProblemOf(sizes)
}
