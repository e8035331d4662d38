/** The epilogue of products: its formula on numbers worked out by hand, its shape rule, its errors. */
import { describe, expect, it } from 'vitest'
import { DtypeError, OptionError, ShapeError } from '../../../src/errors.ts'
import type { Activation } from '../../../src/ops/gemm/activation.ts'
import { gemm } from '../../../src/ops/gemm/op.ts'
import { linear } from '../../../src/ops/linear/op.ts'
import { matmul } from '../../../src/ops/matmul/op.ts'
import type { OpDefinition } from '../../../src/ops/op.ts'
import { parseAttributes } from '../../../src/ops/run.ts'
import { tensor, type HostTensor, type TensorType } from '../../../src/tensor/tensor.ts'

const A = tensor([1, 2, 3, 4], [2, 2])
const B = tensor([1, 0, 0, -1], [2, 2])
/** A·B. */
const PRODUCT = [1, -2, 3, -4]

function computed(definition: OpDefinition, inputs: readonly (HostTensor | null)[], attributes: object): number[] {
  const [y] = definition.reference(inputs, parseAttributes(definition, attributes))
  return Array.from(y?.tensor.values ?? [], Number)
}

describe('activation(alpha · scale · A·B + beta · C + residual)', () => {
  const c = tensor([10, 20], [2])
  const scale = tensor([2, 3], [2, 1])
  const residual = tensor([0.5, 0.25, -40, 1], [2, 2])

  it('scales before it adds, column by column or row by row', () => {
    // 0.5 · [2; 3] · PRODUCT + 2 · [10, 20] + residual
    const sums = [1 + 20 + 0.5, -2 + 40 + 0.25, 4.5 + 20 - 40, -6 + 40 + 1]
    const attributes = { alpha: 0.5, beta: 2 }
    expect(computed(gemm, [A, B, c, residual, scale], attributes)).toEqual(sums)
    const relu = sums.map((sum) => Math.max(0, sum))
    expect(computed(gemm, [A, B, c, residual, scale], { ...attributes, activation: 'relu' })).toEqual(relu)
  })

  it.each<[Activation, (x: number) => number]>([
    ['none', (x) => x],
    ['relu', (x) => Math.max(0, x)],
    ['sigmoid', (x) => 1 / (1 + Math.exp(-x))],
    ['tanh', Math.tanh],
    ['silu', (x) => x / (1 + Math.exp(-x))],
    ['gelu', (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))],
    ['hardSwish', (x) => x * Math.min(Math.max(x / 6 + 0.5, 0), 1)],
    [{ name: 'clip', min: -1, max: 2 }, (x) => Math.min(Math.max(x, -1), 2)],
    [{ name: 'clip', min: 0.5 }, (x) => Math.max(x, 0.5)],
    [{ name: 'clip', max: 0.5 }, (x) => Math.min(x, 0.5)],
    [{ name: 'clip', min: 2, max: -1 }, () => -1],
    [{ name: 'clip' }, (x) => x],
    [{ name: 'leakyRelu', alpha: -2 }, (x) => (x < 0 ? -2 * x : x)],
    [{ name: 'hardSigmoid', alpha: 0.25, beta: 0.75 }, (x) => Math.min(Math.max(x / 4 + 0.75, 0), 1)],
  ])('%j', (activation, value) => {
    const y = computed(matmul, [A, B], { activation })
    expect(y).toHaveLength(4)
    for (const [at, x] of PRODUCT.entries()) expect(y[at]).toBeCloseTo(value(x), 6)
  })

  it('the same term for every entry of a batch, the residual its own', () => {
    const batch = tensor([1, 2, 3, 4, 1, 2, 3, 4], [2, 2, 2])
    const own = tensor([0, 0, 0, 0, 100, 100, 100, 100], [2, 2, 2])
    expect(computed(matmul, [batch, B, c, own], {})).toEqual([11, 18, 13, 16, 111, 118, 113, 116])
  })
})

describe('the shape rule', () => {
  const type = (dtype: TensorType['dtype'], ...shape: number[]): TensorType => ({ dtype, shape })
  const infer = (
    definition: OpDefinition,
    inputs: readonly (TensorType | null)[],
    attributes: object = {},
  ): TensorType | undefined => definition.infer({ inputs, values: [], attributes: parseAttributes(definition, attributes) })[0]
  const a = type('f32', 2, 5, 3)
  const b = type('f32', 3, 4)
  const half = type('f16', 3, 4)

  it.each([[[]], [[1]], [[4]], [[5, 1]], [[1, 4]], [[5, 4]]])('bias and scale of %j', (shape) => {
    const term = type('f32', ...shape)
    expect(infer(matmul, [a, b, term, null, term])).toEqual(type('f32', 2, 5, 4))
  })

  it('gives f16 operands’ product as f32 where asked, with a residual of f32', () => {
    const inputs = [type('f16', 5, 3), half, type('f16', 4), type('f32', 5, 4)]
    expect(infer(gemm, inputs, { output: 'f32' })).toEqual(type('f32', 5, 4))
    expect(() => infer(gemm, inputs)).toThrow(DtypeError)
  })

  it.each<[string, OpDefinition, readonly (TensorType | null)[], object, new (...given: never) => Error, RegExp]>([
    ['a bias of another length', matmul, [a, b, type('f32', 5)], {}, ShapeError, /C \[5\] does not broadcast to \[5, 4\]/],
    ['a bias with a batch', matmul, [a, b, type('f32', 2, 5, 4)], {}, ShapeError, /does not broadcast to \[5, 4\]/],
    ['a scale of another dtype', matmul, [a, b, null, null, type('f16', 4)], {}, DtypeError, /scale/],
    ['a residual that would broadcast', matmul, [a, b, null, type('f32', 5, 4)], {}, ShapeError, /not like the result \[2, 5, 4\]/],
    [
      'a bias of linear that is no vector',
      linear,
      [type('f32', 5, 3), type('f32', 4, 3), type('f32', 1, 4)],
      {},
      ShapeError,
      /bias/,
    ],
    ['sums of f32 in f16', gemm, [type('f32', 5, 3), b], { accumulate: 'f16' }, OptionError, /cannot be kept in f16/],
    ['an activation that there is not', gemm, [type('f32', 5, 3), b], { activation: 'swish' }, OptionError, /activation/],
    [
      'a parameter that it has not',
      gemm,
      [type('f32', 5, 3), b],
      { activation: { name: 'clip', low: 1 } },
      OptionError,
      /activation/,
    ],
    ['an output that is no float', gemm, [type('f32', 5, 3), b], { output: 'i8' }, OptionError, /output/],
    ['a kernel without its name', gemm, [type('f32', 5, 3), b], { kernel: { rows: 4 } }, OptionError, /kernel/],
  ])('refuses %s', (_, definition, inputs, attributes, error, message) => {
    expect(() => infer(definition, inputs, attributes)).toThrow(error)
    expect(() => infer(definition, inputs, attributes)).toThrow(message)
  })
})
