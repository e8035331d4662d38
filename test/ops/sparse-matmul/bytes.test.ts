/** sparseMatmul of bytes without a GPU: shape rule, reference, choice of kernels. */
import { describe, expect, it } from 'vitest'
import { DtypeError, OptionError, ShapeError } from '../../../src/errors.ts'
import type { DeviceFacts, OpPlan } from '../../../src/gpu/program.ts'
import { parseAttributes } from '../../../src/ops/run.ts'
import { sparseMatmul } from '../../../src/ops/sparse-matmul/op.ts'
import { packTwoOfFour } from '../../../src/sparsity/two-of-four.ts'
import type { DType } from '../../../src/tensor/dtype.ts'
import { HostTensor, tensor, type TensorType } from '../../../src/tensor/tensor.ts'
import { FACTS } from '../facts.ts'

const PACKED: DeviceFacts = { ...FACTS, language: new Set(['packed_4x8_integer_dot_product']) }

interface Given {
  readonly x?: TensorType
  readonly values?: DType
  readonly scales?: readonly number[]
  readonly terms?: Readonly<Record<number, TensorType>>
}

/** X [3, 70] and weights [6, 70], unless said otherwise. */
function inputsOf({ x = { dtype: 'u8', shape: [3, 70] }, values = 'i8', scales, terms = {} }: Given): (TensorType | null)[] {
  const words = Math.ceil((x.shape.at(-1) ?? 0) / 32)
  const deep = values === 'u8' ? 8 : 16
  const given: Record<number, TensorType> = {
    0: x,
    1: { dtype: values, shape: [6, deep * words] },
    5: { dtype: 'u32', shape: [6, words] },
    ...(scales === undefined ? {} : { 6: { dtype: 'f32', shape: scales } }),
    ...terms,
  }
  return Array.from({ length: 9 }, (_, index) => given[index] ?? null)
}

function inferred(given: Given, attributes: object = {}): TensorType | undefined {
  return sparseMatmul.infer({ inputs: inputsOf(given), values: [], attributes: parseAttributes(sparseMatmul, attributes) })[0]
}

function planned(given: Given, attributes: object = {}, device = PACKED): OpPlan {
  const inputs = inputsOf(given)
  const context = { inputs, values: [], attributes: parseAttributes(sparseMatmul, attributes) }
  return sparseMatmul.plan({ ...context, outputs: sparseMatmul.infer(context), device })
}

const kernelOf = (plan: OpPlan): string | undefined => plan.dispatches.at(-1)?.program.name
const rows = (count: number): Given => ({ x: { dtype: 'i8', shape: [count, 70] } })

describe('the shape rule', () => {
  const bias: TensorType = { dtype: 'f32', shape: [6] }

  it('gives i32, and a float where there is a scale', () => {
    expect(inferred({})).toEqual({ dtype: 'i32', shape: [3, 6] })
    expect(inferred({ x: { dtype: 'i8', shape: [70] } })).toEqual({ dtype: 'i32', shape: [6] })
    expect(inferred({ x: { dtype: 'i8', shape: [2, 0, 4] } })).toEqual({ dtype: 'i32', shape: [2, 0, 6] })
    expect(inferred({ scales: [6, 1] })).toEqual({ dtype: 'f32', shape: [3, 6] })
    expect(inferred({ terms: { 8: { dtype: 'f16', shape: [] } } })).toEqual({ dtype: 'f16', shape: [3, 6] })
    expect(inferred({ scales: [6, 1], terms: { 2: bias } }, { output: 'f16', activation: 'relu' })?.dtype).toBe('f16')
  })

  it.each<[string, Given, object, new (...args: never[]) => Error, RegExp]>([
    ['floats for weights', { values: 'f32' }, {}, DtypeError, /f32/],
    ['four bits', { values: 'u8' }, {}, DtypeError, /values.*u8/],
    ['a block', { scales: [6, 3] }, { block: 32 }, ShapeError, /Scales \[6, 3\] are several for a line/],
    ['a bias of sums', { terms: { 2: bias } }, {}, OptionError, /xScale, or weights with scales/],
    ['an activation of sums', {}, { activation: 'relu' }, OptionError, /belong to a scaled product/],
    ['a bias that is too long', { scales: [6, 1], terms: { 2: { dtype: 'f32', shape: [7] } } }, {}, ShapeError, /bias/],
    ['a scale of Y', { terms: { 4: { dtype: 'f32', shape: [] } } }, {}, OptionError, /Give xScale/],
    ['sums in f16', {}, { accumulate: 'f16' }, OptionError, /Sums of bytes are kept in i32/],
    ['a zero point of another kind', { terms: { 7: { dtype: 'i8', shape: [] } } }, {}, DtypeError, /x_zero_point/],
    ['zero points that are no rows', { terms: { 7: { dtype: 'u8', shape: [4] } } }, {}, ShapeError, /x_zero_point \[4\]/],
    ['another depth', {}, { depth: 71 }, ShapeError, /71/],
  ])('refuses %s', (_, given, attributes, kind, message) => {
    expect(() => inferred(given, attributes)).toThrow(kind)
    expect(() => inferred(given, attributes)).toThrow(message)
  })

  it('refuses zero point and scale of floats', () => {
    const x: TensorType = { dtype: 'f32', shape: [3, 70] }
    for (const index of [7, 8]) {
      expect(() => inferred({ x, values: 'i8', terms: { [index]: { dtype: 'f32', shape: [] } } })).toThrow(
        /belongs to bytes, and X is f32/,
      )
    }
  })
})

describe('the choice', () => {
  it('gathers where multiplications cost, expands where they are an instruction', () => {
    expect(kernelOf(planned(rows(1)))).toBe('sparseMatmul/vector-packed')
    expect(kernelOf(planned(rows(16)))).toBe('sparseMatmul/vector-packed')
    expect(kernelOf(planned(rows(17)))).toBe('sparseMatmul/tiled-packed')
    expect(kernelOf(planned(rows(16), {}, FACTS))).toBe('sparseMatmul/gather-unpacked')
    expect(kernelOf(planned(rows(17), {}, FACTS))).toBe('sparseMatmul/tiled-unpacked')
    for (const count of [1, 16, 17, 500]) {
      const plan = planned(rows(count), {}, { ...PACKED, software: true })
      expect(kernelOf(plan)).toBe('sparseMatmul/gather-unpacked')
      expect(plan.reason).toContain(`${count} rows of bytes, only kept weights multiplied, as in software multiplications cost`)
    }
  })

  it('packs the weights once, and turns no scales', () => {
    const { prepared = [] } = planned({ scales: [6, 1] })
    expect(prepared.map(({ type }) => type.shape)).toEqual([
      [1, 12, 32, 4],
      [1, 3, 32],
    ])
    expect(planned({ x: { dtype: 'i8', shape: [0, 70] } }).dispatches).toEqual([])
  })

  it('runs kernels by name, and names those there are', () => {
    for (const kernel of ['gather-packed', 'vector-unpacked', { kernel: 'tiled-packed' }]) {
      expect(kernelOf(planned(rows(3), { kernel }))).toBe(`sparseMatmul/${typeof kernel === 'string' ? kernel : kernel.kernel}`)
    }
    expect(() => planned(rows(3), { kernel: 'gather' })).toThrow(/There is no kernel gather.*gather-unpacked/s)
    expect(() => planned(rows(3), { kernel: 'gather-packed' }, FACTS)).toThrow(/needs a WGSL feature/)
    expect(() => planned(rows(3), { kernel: 'matrix' })).toThrow(/Kernel matrix cannot run this product/)
    expect(() => planned(rows(3), { kernel: { kernel: 'tiled-packed', rows: 4 } })).toThrow(/Kernels of bytes have no rows/)
  })
})

describe('the reference', () => {
  const weights = packTwoOfFour(new HostTensor('i8', [2, 5], Int8Array.of(3, 0, 0, -4, 5, 0, 127, -128, 0, 0)))
  const x = tensor([255, 1, 2, 250, 7], [1, 5], 'u8')
  const run = (more: Record<number, HostTensor> = {}) => {
    const all: Record<number, HostTensor> = { 0: x, 1: weights.values, 5: weights.positions, ...more }
    const inputs = Array.from({ length: 9 }, (_, index) => all[index] ?? null)
    return sparseMatmul.reference(inputs, parseAttributes(sparseMatmul, {}))[0]
  }

  it('is exact, less the zero point', () => {
    expect(run()?.tensor.values).toEqual(Int32Array.of(3 * 255 - 4 * 250 + 5 * 7, 127 - 128 * 2))
    const zero = tensor([250], [], 'u8')
    expect(run({ 7: zero })?.tensor.values).toEqual(Int32Array.of(3 * 5 + 5 * -243, 127 * -249 - 128 * -248))
  })

  it('is scaled by x and by line', () => {
    const scaled = run({ 6: tensor([0.5, 2], [2, 1]), 8: tensor([0.25], []) })
    expect(scaled?.tensor.values).toEqual(Float32Array.of(-200 / 8, -129 / 2))
  })
})
