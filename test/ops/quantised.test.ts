/** Quantised ops without a GPU: shape rules, errors, and every boundary of their plans. */
import { describe, expect, it } from 'vitest'
import { DtypeError, OptionError, ShapeError } from '../../src/errors.ts'
import { checkPlan } from '../../src/gpu/launch.ts'
import type { DeviceFacts, OpPlan } from '../../src/gpu/program.ts'
import { dequantizeLinear } from '../../src/ops/dequantize-linear/op.ts'
import { dynamicQuantizeLinear } from '../../src/ops/dynamic-quantize-linear/op.ts'
import { matmulInteger } from '../../src/ops/matmul-integer/op.ts'
import { matmulNBits } from '../../src/ops/matmul-nbits/op.ts'
import type { OpDefinition } from '../../src/ops/op.ts'
import { qlinearMatmul } from '../../src/ops/qlinear-matmul/op.ts'
import { quantizeLinear } from '../../src/ops/quantize-linear/op.ts'
import { parseAttributes } from '../../src/ops/run.ts'
import type { TensorType } from '../../src/tensor/tensor.ts'
import { DYNAMIC_TYPES, QLINEAR_MATMUL, typesOf, type QuantisedCase } from '../cases/quantised.ts'
import { FACTS } from './facts.ts'

type Types = readonly (TensorType | null)[]

const t = (dtype: TensorType['dtype'], ...shape: number[]): TensorType => ({ dtype, shape })

function infer(definition: OpDefinition, inputs: Types, attributes: unknown = {}): readonly TensorType[] {
  return definition.infer({ inputs, values: [], attributes: parseAttributes(definition, attributes) })
}

function plan(definition: OpDefinition, inputs: Types, attributes: unknown = {}, device: DeviceFacts = FACTS): OpPlan {
  const context = { inputs, values: [], attributes: parseAttributes(definition, attributes) }
  const outputs = definition.infer(context)
  const made = definition.plan({ ...context, outputs, device })
  checkPlan(made, { inputs, outputs }, device)
  return made
}

const PACKED: DeviceFacts = { ...FACTS, language: new Set(['packed_4x8_integer_dot_product']) }
const SOFTWARE: DeviceFacts = {
  ...PACKED,
  features: new Set([...FACTS.features, 'subgroups']),
  subgroups: { min: 8, max: 8, linear: true },
  software: true,
}

const kernelOf = ({ dispatches }: OpPlan): string => dispatches.at(-1)?.program.name ?? 'none'

describe('matmulInteger', () => {
  it.each<[string, Types, unknown, TensorType]>([
    ['i32 by default', [t('u8', 2, 3, 4), t('i8', 4, 5)], {}, t('i32', 2, 3, 5)],
    ['vectors', [t('i8', 4), t('i8', 4)], {}, t('i32')],
    ['transposed B', [t('i8', 3, 4), t('i8', 5, 4)], { transB: true }, t('i32', 3, 5)],
    ['the dtype of the scales', [t('i8', 3, 4), t('i8', 4, 5), null, null, null, t('f16', 5)], {}, t('f16', 3, 5)],
    ['the dtype asked for', [t('i8', 3, 4), t('i8', 4, 5), null, null, t('f16')], { dtype: 'f32' }, t('f32', 3, 5)],
    ['zero points by batch', [t('i8', 2, 3, 4), t('i8', 4, 5), t('i8', 2, 3, 1), t('i8', 5)], {}, t('i32', 2, 3, 5)],
  ])('gives %s', (_, inputs, attributes, expected) => {
    expect(infer(matmulInteger, inputs, attributes)).toEqual([expected])
  })

  it.each<[string, Types, unknown, new (...given: never[]) => Error, RegExp]>([
    ['floats', [t('f32', 3, 4), t('i8', 4, 5)], {}, DtypeError, /A is f32/],
    ['depths that differ', [t('i8', 3, 4), t('i8', 3, 5)], {}, ShapeError, /inner extent: 4 and 3/],
    ['a scalar', [t('i8'), t('i8', 3, 5)], {}, ShapeError, /scalar/],
    ['a zero point of another dtype', [t('i8', 3, 4), t('i8', 4, 5), t('u8')], {}, DtypeError, /a_zero_point is u8/],
    ['zero points of A by columns', [t('i8', 3, 4), t('i8', 4, 5), t('i8', 5)], {}, ShapeError, /one per row of A.* 3/],
    ['zero points of B by rows', [t('i8', 3, 4), t('i8', 4, 5), null, t('i8', 3)], {}, ShapeError, /one per column of B.* 5/],
    ['an activation of integers', [t('i8', 3, 4), t('i8', 4, 5)], { activation: 'relu' }, OptionError, /scaled product/],
    ['a kernel that there is not', [t('i8', 3, 4), t('i8', 4, 5)], { kernel: 'best' }, OptionError, /no kernel best/],
    [
      'a kernel that the device cannot run',
      [t('i8', 3, 4), t('i8', 4, 5)],
      { kernel: 'tiled-packed' },
      OptionError,
      /WGSL feature/,
    ],
  ])('refuses %s', (_, inputs, attributes, kind, message) => {
    expect(() => plan(matmulInteger, inputs, attributes)).toThrow(kind)
    expect(() => plan(matmulInteger, inputs, attributes)).toThrow(message)
  })

  it.each<[number, DeviceFacts, string]>([
    [1, PACKED, 'matmulInteger/vector-packed'],
    [16, PACKED, 'matmulInteger/vector-packed'],
    [17, PACKED, 'matmulInteger/tiled-packed'],
    [16, FACTS, 'matmulInteger/vector-unpacked'],
    [17, FACTS, 'matmulInteger/tiled-unpacked'],
  ])('%d rows: the kernel follows the rows and the language', (rows, device, kernel) => {
    const made = plan(matmulInteger, [t('i8', rows, 64), t('i8', 64, 96)], {}, device)
    expect(kernelOf(made)).toBe(kernel)
    expect(made.reason).toContain(kernel.endsWith('unpacked') ? 'WGSL lacks packed_4x8_integer_dot_product' : 'dot4I8Packed')
    const required = made.dispatches[0]?.program.requires ?? []
    expect(required).toEqual(kernel.endsWith('unpacked') ? [] : ['packed_4x8_integer_dot_product'])
  })

  it('folds a batch over one B into rows, unless something goes by rows or by batch', () => {
    const rowsOf = (inputs: Types): number | undefined => plan(matmulInteger, inputs, {}, PACKED).dispatches[0]?.params.rows
    expect(rowsOf([t('i8', 4, 5, 8), t('i8', 8, 6)])).toBe(20)
    expect(rowsOf([t('i8', 4, 5, 8), t('i8', 8, 6), t('i8'), t('i8', 6)])).toBe(20)
    expect(rowsOf([t('i8', 4, 5, 8), t('i8', 8, 6), t('i8', 5)])).toBe(5)
    expect(rowsOf([t('i8', 4, 5, 8), t('i8', 4, 8, 6)])).toBe(5)
    expect(rowsOf([t('i8', 5, 8), t('i8', 4, 8, 6)])).toBe(5)
  })

  it('takes four batch dimensions in a dispatch and more one by one', () => {
    const made = plan(matmulInteger, [t('i8', 2, 3, 1, 2, 1, 2, 4, 8), t('i8', 2, 1, 3, 2, 5, 1, 8, 4)], {}, PACKED)
    expect(made.dispatches).toHaveLength(6)
    expect(made.dispatches[1]?.params.y_offset).toBe(3 * 2 * 5 * 2 * 4 * 4)
    expect(new Set(made.dispatches.map(({ program }) => program)).size).toBe(1)
  })

  it('has nothing to do where the result is empty, and one pass where the depth is', () => {
    expect(plan(matmulInteger, [t('i8', 0, 4), t('i8', 4, 5)]).dispatches).toEqual([])
    expect(plan(matmulInteger, [t('i8', 3, 0), t('i8', 0, 5)]).dispatches).toHaveLength(1)
  })
})

describe('qlinearMatmul', () => {
  const inputs = typesOf(QLINEAR_MATMUL[0] as QuantisedCase)

  it('gives the dtype of its zero point', () => {
    expect(infer(qlinearMatmul, inputs)).toEqual([t('u8', 5, 24)])
  })

  it('stores words where rows are whole words, bytes elsewhere', () => {
    const wide = (columns: number): number | undefined => {
      const given = inputs.map((type, index) => (index === 3 ? t('i8', 33, columns) : type))
      return plan(qlinearMatmul, given, {}, { ...PACKED, limits: { ...FACTS.limits, maxStorageBuffersPerShaderStage: 10 } })
        .dispatches.at(-1)
        ?.program.operands.find(({ name }) => name === 'y')?.width
    }
    expect([wide(24), wide(25)]).toEqual([4, undefined])
  })

  it('gathers scales and zero points where a device has fewer than nine bindings', () => {
    const withBindings = (maxStorageBuffersPerShaderStage: number): OpPlan =>
      plan(qlinearMatmul, inputs, {}, { ...PACKED, limits: { ...FACTS.limits, maxStorageBuffersPerShaderStage } })
    expect(withBindings(9).dispatches.map(({ program }) => program.name)).toEqual(['qlinearMatmul/vector-packed'])
    expect(withBindings(8).dispatches.map(({ program }) => program.name)).toEqual([
      'qlinearMatmul/gather',
      'qlinearMatmul/vector-packed',
    ])
    expect(withBindings(8).temps).toEqual([t('u32', 6)])
    expect(withBindings(8).reason).toContain('gathered')
  })

  it('names an operand that does not fit', () => {
    const given = inputs.map((type, index) => (index === 4 ? t('f32', 7) : type))
    expect(() => infer(qlinearMatmul, given)).toThrow(/b_scale \[7\] is neither/)
  })
})

describe('matmulNBits', () => {
  const inputs = (rows: number, n = 64, k = 96, bits = 4, block = 32): Types => {
    const blocks = Math.ceil(k / block)
    return [t('f32', rows, k), t('u8', n, blocks, (block * bits) / 8), t('f32', n * blocks)]
  }

  it.each<[number, DeviceFacts, string]>([
    [1, FACTS, 'matmulNBits/vector'],
    [16, FACTS, 'matmulNBits/vector'],
    [17, FACTS, 'matmulNBits/tiled'],
    [1, SOFTWARE, 'matmulNBits/broadcast'],
    [17, SOFTWARE, 'matmulNBits/broadcast'],
    [17, { ...SOFTWARE, software: false }, 'matmulNBits/tiled'],
    [17, { ...SOFTWARE, subgroups: { min: 4, max: 8, linear: true } }, 'matmulNBits/tiled'],
    [16, { ...SOFTWARE, subgroups: { min: 8, max: 8, linear: false } }, 'matmulNBits/vector'],
  ])('%d rows: the kernel follows the rows and the adapter', (rows, device, kernel) => {
    const made = plan(matmulNBits, inputs(rows), {}, device)
    expect(kernelOf(made)).toBe(kernel)
    expect(made.reason.length).toBeGreaterThan(20)
  })

  it('reads four words of weights at a time for one row, where blocks are whole fours of words', () => {
    const width = (rows: number, bits: number, block: number, device = FACTS): number | undefined =>
      plan(matmulNBits, inputs(rows, 64, 96, bits, block), { bits, blockSize: block }, device).dispatches[0]?.program.operands[1]
        ?.width
    expect([width(1, 4, 32), width(1, 4, 16), width(1, 8, 16), width(2, 4, 32)]).toEqual([16, 4, 16, 4])
    expect([width(1, 4, 32, SOFTWARE), width(1, 4, 16, SOFTWARE), width(17, 4, 32, SOFTWARE)]).toEqual([16, 4, 4])
  })

  it.each<[number, unknown, DeviceFacts, string[]]>([
    [17, { accuracyLevel: 4 }, PACKED, ['matmulNBits/round', 'matmulNBits/dot']],
    [16, { accuracyLevel: 4 }, PACKED, ['matmulNBits/vector']],
    [17, { accuracyLevel: 4 }, FACTS, ['matmulNBits/tiled']],
    [17, { accuracyLevel: 4 }, SOFTWARE, ['matmulNBits/broadcast']],
    [17, { accuracyLevel: 1 }, PACKED, ['matmulNBits/tiled']],
  ])('%d rows, %o: activations in bytes only where that is asked for and pays', (rows, attributes, device, kernels) => {
    expect(plan(matmulNBits, inputs(rows), attributes, device).dispatches.map(({ program }) => program.name)).toEqual(kernels)
  })

  it('reads and stores four at a time where rows are whole quads', () => {
    const widths = (n: number, k: number): (number | undefined)[] => {
      const operands = plan(matmulNBits, inputs(3, n, k)).dispatches[0]?.program.operands ?? []
      return ['a', 'y'].map((name) => operands.find((operand) => operand.name === name)?.width)
    }
    expect([widths(64, 96), widths(63, 96), widths(64, 95)]).toEqual([
      [4, 4],
      [4, undefined],
      [1, 4],
    ])
  })

  it.each<[string, Types, unknown, new (...given: never[]) => Error, RegExp]>([
    ['3 bits', inputs(2), { bits: 3 }, OptionError, /3 bits/],
    ['blocks of 8', inputs(2), { blockSize: 8 }, OptionError, /block of 8/],
    ['another K', inputs(2), { K: 95 }, ShapeError, /does not end in K, 95/],
    ['weights of another shape', inputs(2), { blockSize: 64 }, ShapeError, /is not \[N, blocks, bytes\]/],
    ['too few scales', [...inputs(2).slice(0, 2), t('f32', 3)], {}, ShapeError, /scales \[3\] has not 192/],
    ['scales of another dtype', [...inputs(2).slice(0, 2), t('f16', 192)], {}, DtypeError, /scales is f16/],
    ['too few zero points', [...inputs(2), t('u8', 64)], {}, ShapeError, /zero_points \[64\] has not 128/],
    ['a bias of another length', [...inputs(2), null, t('f32', 63)], {}, ShapeError, /bias/],
    ['a kernel without subgroups', inputs(2), { kernel: 'broadcast' }, OptionError, /subgroups/],
    ['a kernel that there is not', inputs(2), { kernel: 'best' }, OptionError, /no kernel best/],
    ['bytes that were not asked for', inputs(2), { kernel: 'dot' }, OptionError, /needs accuracyLevel 4/],
    ['bytes without the WGSL for it', inputs(2), { kernel: 'dot', accuracyLevel: 4 }, OptionError, /packed_4x8/],
  ])('refuses %s', (_, given, attributes, kind, message) => {
    expect(() => plan(matmulNBits, given, attributes)).toThrow(kind)
    expect(() => plan(matmulNBits, given, attributes)).toThrow(message)
  })
})

describe('workgroups', () => {
  const limited = (lanes: number, memory = 16384): DeviceFacts => ({
    ...PACKED,
    limits: { ...FACTS.limits, maxComputeInvocationsPerWorkgroup: lanes, maxComputeWorkgroupStorageSize: memory },
  })
  const integer: Types = [t('i8', 40, 40), t('i8', 40, 40)]
  const packed: Types = [t('f32', 40, 64), t('u8', 40, 2, 16), t('f32', 80)]
  it.each<[string, OpDefinition, Types, unknown, [number, number, number, number]]>([
    ['tiles of bytes', matmulInteger, integer, {}, [256, 128, 64, 32]],
    ['few rows of bytes', matmulInteger, [t('i8', 3, 40), t('i8', 40, 40)], {}, [128, 128, 64, 64]],
    ['tiles of packed weights', matmulNBits, packed, {}, [256, 128, 64, 8]],
    ['activations in bytes', matmulNBits, packed, { accuracyLevel: 4 }, [256, 128, 64, 128]],
    ['few rows of packed weights', matmulNBits, [t('f32', 3, 64), ...packed.slice(1)], {}, [64, 64, 64, 64]],
  ])('fit the invocations and the memory of a device: %s', (_, definition, inputs, attributes, expected) => {
    const lanes = (device: DeviceFacts): number =>
      plan(definition, inputs, attributes, device)
        .dispatches.at(-1)
        ?.program.workgroupSize.reduce((all, side) => all * side, 1) ?? 0
    expect([limited(256), limited(255), limited(127), limited(256, 1792)].map(lanes)).toEqual(expected)
  })

  it('takes subgroups only where one fits', () => {
    const few = (lanes: number): DeviceFacts => ({
      ...SOFTWARE,
      limits: { ...FACTS.limits, maxComputeInvocationsPerWorkgroup: lanes },
      subgroups: { min: 128, max: 128, linear: true },
    })
    expect(kernelOf(plan(matmulNBits, packed, {}, few(128)))).toBe('matmulNBits/broadcast')
    expect(kernelOf(plan(matmulNBits, packed, {}, few(127)))).toBe('matmulNBits/tiled')
  })
})

describe('quantizeLinear and dequantizeLinear', () => {
  it.each<[Types, unknown, TensorType]>([
    [[t('f32', 2, 3), t('f32')], {}, t('u8', 2, 3)],
    [[t('f32', 2, 3), t('f32')], { dtype: 'i8' }, t('i8', 2, 3)],
    [[t('f16', 2, 3), t('f32', 3), t('i8', 3)], {}, t('i8', 2, 3)],
    [[t('f32', 2, 3), t('f32', 2)], { axis: -2 }, t('u8', 2, 3)],
    [[t('f32', 2, 5), t('f32', 2, 3)], { blockSize: 2 }, t('u8', 2, 5)],
  ])('%#', (inputs, attributes, expected) => {
    expect(infer(quantizeLinear, inputs, attributes)).toEqual([expected])
  })

  it.each<[OpDefinition, Types, unknown, RegExp]>([
    [quantizeLinear, [t('f32', 2, 3), t('f32', 2)], {}, /neither one value nor one for each of axis 1, 3/],
    [quantizeLinear, [t('f32', 2, 5), t('f32', 2, 3)], { blockSize: 3 }, /do not make 3/],
    [quantizeLinear, [t('f32', 2, 5), t('f32', 1, 3)], { blockSize: 2 }, /is not \[2, 3\]/],
    [quantizeLinear, [t('f32', 2, 3), t('f32', 3), t('i8')], {}, /zero point \[\]/],
    [quantizeLinear, [t('f32', 2, 3), t('f32'), t('i8')], { dtype: 'u8' }, /zero point is i8/],
    [quantizeLinear, [t('i8', 2, 3), t('f32')], {}, /x is i8/],
    [dequantizeLinear, [t('f32', 2, 3), t('f32')], {}, /x is f32/],
    [dequantizeLinear, [t('i8', 2, 3), t('f32'), t('u8')], {}, /zero_point is u8/],
    [dynamicQuantizeLinear, [t('f16', 2)], {}, /x is f16/],
  ])('%# is refused', (definition, inputs, attributes, message) => {
    expect(() => infer(definition, inputs, attributes)).toThrow(message)
  })

  it('dynamicQuantizeLinear searches the range in shares, one to sixty-four', () => {
    const shares = (count: number): number | undefined => plan(dynamicQuantizeLinear, [t('f32', count)]).dispatches[0]?.groups
    expect([shares(1), shares(1024), shares(1025), shares(10 ** 6)]).toEqual([1, 1, 2, 64])
    expect(infer(dynamicQuantizeLinear, [t('f32', 4)])).toEqual(DYNAMIC_TYPES)
  })
})
