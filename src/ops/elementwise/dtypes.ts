/** Which dtypes elementwise ops take, and which of them a device computes. */
import { z } from 'zod'
import { DtypeError } from '../../errors.ts'
import type { DType } from '../../tensor/dtype.ts'
import type { TensorType } from '../../tensor/tensor.ts'

export const FLOATS: readonly DType[] = ['f32', 'f16']
export const SIGNED: readonly DType[] = [...FLOATS, 'i8', 'i32', 'i64']
export const NUMERIC: readonly DType[] = [...SIGNED, 'u8', 'u32']

/** i64 lies as two words, which kernels move but do not compute with. @throws DtypeError. */
export function refuseOnDevice(op: string, type: TensorType): void {
  if (type.dtype !== 'i64' && type.dtype !== 'bool') return
  throw new DtypeError(`No kernel computes ${op} of ${type.dtype}`, {
    op,
    dtype: type.dtype,
    shape: type.shape,
    remedy: type.dtype === 'i64' ? 'Cast to i32, or make the inputs constants, which are computed on the host' : 'Cast first',
  })
}

/** An attribute that may be infinite or NaN, which `z.number()` refuses. */
export const anyNumber = z.custom<number>((value) => typeof value === 'number', 'expected a number')
