/** ConstantOfShape: a tensor of the shape that input 0 lists, `value` (of `dtype`) everywhere. */
import { z } from 'zod'
import { ShapeError } from '../../errors.ts'
import { allocate, DTYPES, type HostArray } from '../../tensor/dtype.ts'
import { formatShape, sizeOf } from '../../tensor/shape.ts'
import { HostTensor, type TensorType } from '../../tensor/tensor.ts'
import { anyNumber } from '../elementwise/dtypes.ts'
import { fillDispatch } from '../movement/fill.ts'
import { requireIntegers } from '../movement/integers.ts'
import { outputRef, planOf } from '../movement/linear.ts'
import { exactly } from '../movement/reference.ts'
import type { InferContext, OpDefinition } from '../op.ts'

const attributes = z.strictObject({
  value: z.union([anyNumber, z.bigint()]).default(0),
  dtype: z.enum(DTYPES).default('f32'),
})
export type ConstantOfShapeAttributes = z.infer<typeof attributes>

function typeOf({ inputs, values, attributes: { dtype } }: InferContext<ConstantOfShapeAttributes>): TensorType {
  const shape = requireIntegers('constantOfShape', 'input', inputs, values, 0)
  if (shape.some((extent) => extent < 0))
    throw new ShapeError(`Shape ${formatShape(shape)} has a negative extent`, { op: 'constantOfShape' })
  return { dtype, shape }
}

/** The value as `dtype` holds it: rounded or wrapped. */
function held({ value, dtype }: ConstantOfShapeAttributes): number | bigint {
  return filled(dtype, [1], value).values[0] ?? 0
}

function filled(dtype: TensorType['dtype'], shape: readonly number[], value: number | bigint): HostTensor {
  const values: HostArray = allocate(dtype, sizeOf(shape))
  if (values instanceof BigInt64Array) values.fill(BigInt(value))
  else values.fill(dtype === 'bool' ? Number(Number(value) !== 0) : Number(value))
  return new HostTensor(dtype, shape, values)
}

export const constantOfShape: OpDefinition<ConstantOfShapeAttributes> = {
  name: 'constantOfShape',
  attributes,
  hostInputs: [0],
  infer: (context) => [typeOf(context)],
  reference(inputs, given) {
    const { dtype, shape } = typeOf({ inputs, values: inputs, attributes: given })
    return [exactly(filled(dtype, shape, given.value))]
  },
  plan(context) {
    return planOf('constantOfShape: fill', [fillDispatch(typeOf(context), outputRef(), held(context.attributes))])
  },
  flops: () => 0,
}
