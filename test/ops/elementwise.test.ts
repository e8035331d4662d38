/** Shape rules, references and plans of elementwise ops, without a GPU. */
import { describe, expect, it } from 'vitest'
import { DtypeError, OptionError, ShapeError } from '../../src/errors.ts'
import type { InputValues, OpDefinition } from '../../src/ops/op.ts'
import { add } from '../../src/ops/add/op.ts'
import { cast } from '../../src/ops/cast/op.ts'
import { clip } from '../../src/ops/clip/op.ts'
import { div } from '../../src/ops/div/op.ts'
import { elu } from '../../src/ops/elu/op.ts'
import { maxout } from '../../src/ops/maxout/op.ts'
import { mul } from '../../src/ops/mul/op.ts'
import { prelu } from '../../src/ops/prelu/op.ts'
import { relu } from '../../src/ops/relu/op.ts'
import { sigmoid } from '../../src/ops/sigmoid/op.ts'
import { sub } from '../../src/ops/sub/op.ts'
import { sum } from '../../src/ops/sum/op.ts'
import { tanh } from '../../src/ops/tanh/op.ts'
import { parseAttributes } from '../../src/ops/run.ts'
import type { DType } from '../../src/tensor/dtype.ts'
import { tensor } from '../../src/tensor/tensor.ts'

function valuesOf(definition: OpDefinition, inputs: InputValues, given: unknown = {}): (number | bigint)[] {
  const result = definition.reference(inputs, parseAttributes(definition, given))[0]
  return Array.from<number | bigint>(result?.tensor.values ?? [])
}

function infer(definition: OpDefinition, inputs: InputValues, given: unknown = {}): unknown {
  return definition.infer({ inputs, values: inputs, attributes: parseAttributes(definition, given) })
}

describe('references', () => {
  it.each<[OpDefinition, DType, number[], number[], number[]]>([
    [add, 'i8', [127, -128], [1, -1], [-128, 127]],
    [add, 'u8', [255, 3], [1, 4], [0, 7]],
    [add, 'u32', [2 ** 32 - 1], [2], [1]],
    [sub, 'u8', [3], [4], [255]],
    [sub, 'u32', [0], [1], [2 ** 32 - 1]],
    [mul, 'i32', [65537, -(2 ** 31)], [65537, -1], [131073, -(2 ** 31)]],
    [mul, 'u32', [2 ** 32 - 1], [2 ** 32 - 1], [1]],
    [mul, 'i8', [100], [2], [-56]],
    [div, 'i32', [7, -7, 7, -(2 ** 31), 5], [2, 2, -2, -1, 0], [3, -3, -3, -(2 ** 31), 0]],
    [div, 'u32', [2 ** 32 - 1], [2], [2 ** 31 - 1]],
    [div, 'i8', [-128], [-1], [-128]],
    [div, 'f32', [1, -1, 0, 6], [0, 0, 0, 4], [Infinity, -Infinity, NaN, 1.5]],
    [add, 'f16', [65504, 1], [65504, 2 ** -12], [Infinity, 1]],
  ])('%o of %s', (definition, dtype, a, b, expected) => {
    expect(valuesOf(definition, [tensor(a, [a.length], dtype), tensor(b, [b.length], dtype)])).toEqual(expected)
  })

  it('compute i64 on the host', () => {
    const [a, b] = [tensor([2 ** 40, -7, 5], [3], 'i64'), tensor([3, 2, 0], [3], 'i64')]
    expect(valuesOf(mul, [a, b])).toEqual([3n * 2n ** 40n, -14n, 0n])
    expect(valuesOf(div, [a, b])).toEqual([BigInt(Math.floor(2 ** 40 / 3)), -3n, 0n])
    expect(valuesOf(sum, [a, b, b])).toEqual([2n ** 40n + 6n, -3n, 5n])
    expect(valuesOf(relu, [a])).toEqual([2n ** 40n, 0n, 5n])
    expect(valuesOf(clip, [a, tensor([0], [], 'i64'), tensor([4], [], 'i64')])).toEqual([4n, 0n, 4n])
    expect(valuesOf(prelu, [a, b])).toEqual([2n ** 40n, -14n, 5n])
    expect(valuesOf(maxout, [tensor([1, 2 ** 41, 2 ** 40], [1, 3], 'i64')], { pool: 3 })).toEqual([2n ** 41n])
    const most = tensor(BigInt64Array.of(2n ** 63n - 1n))
    expect(valuesOf(add, [most, most])).toEqual([-2n])
  })

  it('keep NaN and infinities', () => {
    const x = tensor([NaN, Infinity, -Infinity])
    expect(valuesOf(relu, [x])).toEqual([NaN, Infinity, 0])
    expect(valuesOf(sigmoid, [x])).toEqual([NaN, 1, 0])
    expect(valuesOf(tanh, [x])).toEqual([NaN, 1, -1])
    expect(valuesOf(elu, [x])).toEqual([NaN, Infinity, -1])
    expect(valuesOf(clip, [x], { min: -1, max: 1 })).toEqual([NaN, 1, -1])
    expect(valuesOf(maxout, [tensor([1, NaN, 3, NaN, 2, 9], [1, 6])], { pool: 3 })).toEqual([NaN, NaN])
  })

  it('clip to max where min is above it', () => {
    expect(valuesOf(clip, [tensor([-9, 0, 9]), tensor([5], []), tensor([-5], [])])).toEqual([-5, -5, -5])
  })

  it('add in f64 and round once', () => {
    const x = tensor([1e8, 1, -1e8].map((value) => [value]).flat(), [3, 1])
    const outputs = sum.reference([tensor([2 ** 24], [1]), tensor([1], [1]), tensor([1], [1])], {})
    expect(outputs[0]?.exact).toEqual(Float64Array.of(2 ** 24 + 2))
    expect(valuesOf(sum, [x, tensor([0.5])])).toEqual([1e8, 1.5, -1e8])
  })
})

describe('casts', () => {
  it.each<[DType, DType, (number | bigint)[], (number | bigint)[]]>([
    ['f32', 'i32', [1.9, -1.9, 3e9, -3e9, NaN, Infinity], [1, -1, 2 ** 31 - 1, -(2 ** 31), 0, 2 ** 31 - 1]],
    ['f32', 'u8', [-1, 0.9, 255.9, 256], [0, 0, 255, 255]],
    ['f32', 'i8', [-1.5, 300, -300], [-1, 127, -128]],
    ['f32', 'i64', [2 ** 40, -1.5, 1e30, NaN], [2n ** 40n, -1n, 2n ** 63n - 1n, 0n]],
    ['f32', 'bool', [0, -0, 0.1, NaN], [0, 0, 1, 1]],
    ['f32', 'f16', [65504, 1e6, 1 / 3], [65504, Infinity, 0.333251953125]],
    ['i32', 'i8', [200, -129, 256], [-56, 127, 0]],
    ['i32', 'u32', [-1], [2 ** 32 - 1]],
    ['i64', 'i32', [2n ** 32n + 5n, -1n], [5, -1]],
    ['i64', 'bool', [2n ** 40n, 0n], [1, 0]],
    ['i64', 'f32', [2n ** 24n + 1n], [2 ** 24]],
    ['u32', 'i64', [2 ** 32 - 1], [2n ** 32n - 1n]],
    ['bool', 'f32', [1, 0], [1, 0]],
  ])('%s to %s', (from, to, values, expected) => {
    const data = values.map((value) => (from === 'i64' ? BigInt(value) : Number(value)))
    const x = from === 'i64' ? tensor(BigInt64Array.from(data as bigint[])) : tensor(data as number[], [data.length], from)
    expect(valuesOf(cast, [x], { to })).toEqual(expected)
  })
})

describe('shape rules', () => {
  const x = tensor([1, 2, 3, 4, 5, 6], [2, 3])

  it('broadcast', () => {
    expect(infer(add, [x, tensor([1, 2], [2, 1])])).toEqual([{ dtype: 'f32', shape: [2, 3] }])
    expect(infer(sum, [tensor([1, 2], [2, 1]), tensor([1, 2, 3]), tensor([1], [1, 1, 1])])).toEqual([
      { dtype: 'f32', shape: [1, 2, 3] },
    ])
    expect(() => infer(add, [x, tensor([1, 2])])).toThrow(ShapeError)
    expect(() => infer(prelu, [tensor([1], [1]), x])).toThrow(/does not broadcast to the input/)
  })

  it('refuse dtypes and attributes', () => {
    expect(() => infer(add, [x, tensor([1], [1], 'f16')])).toThrow(DtypeError)
    expect(() => infer(add, [tensor([1], [1], 'bool'), tensor([1], [1], 'bool')])).toThrow(/is bool, but add takes/)
    expect(() => infer(sigmoid, [tensor([1], [1], 'i32')])).toThrow(DtypeError)
    expect(() => infer(relu, [tensor([1], [1], 'u8')])).toThrow(DtypeError)
    expect(() => infer(maxout, [x], { pool: 2 })).toThrow(/3 channels do not divide into pools of 2/)
    expect(() => infer(maxout, [x], { pool: 0 })).toThrow(OptionError)
    expect(() => infer(clip, [x, tensor([1], [1], 'i32')])).toThrow(DtypeError)
    expect(() => infer(clip, [x, tensor([1, 2])])).toThrow(ShapeError)
    expect(() => infer(clip, [x, tensor([1], [])], { min: 2 })).toThrow(OptionError)
    expect(() => infer(relu, [x], { alpha: 1 })).toThrow(OptionError)
    expect(() => infer(add, [x, null])).toThrow(/Input 1 \(B\) is missing/)
  })
})
