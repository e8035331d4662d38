/** What there is to tune, what shares of time it gets, and the check that lets no wrong kernel through. */
import { describe, expect, test, vi } from 'vitest'
import { DeviceLimitError, OptionError } from '../../src/errors.ts'
import { graph } from '../../src/graph/builder.ts'
import type { TunedKernel } from '../../src/gpu/tuning.ts'
import { ALGORITHMS } from '../../src/ops/conv2d/algorithms.ts'
import { choose, productKey } from '../../src/ops/gemm/choose.ts'
import { KERNELS_VERSION, shippedKernels, versionOf } from '../../src/ops/kept.ts'
import { FAMILIES } from '../../src/ops/gemm/families.ts'
import { normalised, slicesOf, type Product } from '../../src/ops/gemm/product.ts'
import shipped from '../../src/ops/shipped.json' with { type: 'json' }
import { floatsOf } from '../../src/ops/values.ts'
import { distinctTasks, shareOf } from '../../src/profile/autotune.ts'
import { bareProduct, bareTask, modelTasks } from '../../src/profile/autotune-model.ts'
import { checkSizes, ExactResult } from '../../src/profile/exam.ts'
import { exactOperands, productSums, tunableProduct } from '../../src/profile/tunable-product.ts'
import { tensor, type HostTensor } from '../../src/tensor/tensor.ts'
import { seededTensor } from '../../models/seeded.ts'
import { FACTS } from '../ops/facts.ts'

function productOf(text: string, changes: Partial<Product> = {}): Product {
  return { ...bareProduct(text), ...changes }
}

/** Y by the definition. */
function computed(product: Product, a: HostTensor, b: HostTensor): Float32Array {
  const [left, right] = [floatsOf(a), floatsOf(b)]
  const { rows, columns, depth } = product
  let starts = [{ a: 0, b: 0 }]
  for (const step of product.batch)
    starts = starts.flatMap((outer) =>
      Array.from({ length: step.size }, (_, at) => ({ a: outer.a + at * step.a, b: outer.b + at * step.b })),
    )
  const y = new Float32Array(slicesOf(product) * rows * columns)
  starts.forEach((start, slice) => {
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++) {
        let sum = 0
        for (let k = 0; k < depth; k++)
          sum +=
            left[start.a + i * product.a.line + k * product.a.depth]! * right[start.b + j * product.b.line + k * product.b.depth]!
        y[(slice * rows + i) * columns + j] = sum
      }
  })
  return y
}

/** Where memory is short, as V8 says it. */
class NoMemory {
  constructor(length: number) {
    throw new RangeError(`Array buffer allocation failed: ${length}`)
  }
}

const f32 = (shape: readonly number[]) => ({ dtype: 'f32', shape }) as const

const PRODUCTS: readonly (readonly [string, Product])[] = [
  ['small', productOf('gemm:5x7x3')],
  ['K = 1', productOf('gemm:9x1x9')],
  ['large, so sampled', productOf('gemm:300x300x301')],
  ['half', productOf('gemm:33x4097x17:f16')],
  ['a column, turned to a row', normalised(productOf('gemm:40x30x1'))],
  [
    'transposed',
    productOf('gemm:20x30x10', {
      a: { input: 0, type: f32([30, 20]), line: 1, depth: 20 },
      b: { input: 1, type: f32([10, 30]), line: 30, depth: 1 },
    }),
  ],
  [
    'a batch that A broadcasts over',
    productOf('gemm:4x6x5', {
      batch: [
        { size: 3, a: 0, b: 30 },
        { size: 2, a: 24, b: 90 },
      ],
      a: { input: 0, type: f32([2, 4, 6]), line: 6, depth: 1 },
      b: { input: 1, type: f32([2, 3, 6, 5]), line: 1, depth: 5 },
      output: f32([3, 2, 4, 5]),
    }),
  ],
]

describe('the exact check', () => {
  test.each(PRODUCTS)('%s: the right result passes, any wrong element does not', (_, product) => {
    const operands = exactOperands(product)
    const expected = new ExactResult(productSums(product, operands))
    const { dtype, shape } = product.output
    const right = computed(product, operands.a, operands.b)
    expect(Math.max(...right.map(Math.abs))).toBeLessThanOrEqual(2048)
    const counts = expected.check(tensor(right, shape, dtype))
    expect(counts.fault).toBeUndefined()
    expect(counts.elements).toBeGreaterThan(0)
    expect(counts.rows).toBe(slicesOf(product) * product.rows)
    for (const at of [0, right.length - 1, Math.floor(right.length / 2), Math.floor(right.length * 0.7)]) {
      for (const wrong of [right[at]! + 1, NaN, Infinity]) {
        const other = Float32Array.from(right)
        other[at] = wrong
        expect(expected.check(tensor(other, shape, dtype)).fault).toMatch(/^row \d+/)
      }
    }
    const result = expected.check(tensor(right.slice(1), [right.length - 1], dtype))
    expect(result.fault).toMatch(/values in place of/)
  })

  test('operands are whole, of both signs, and not all alike', () => {
    for (const depth of [1, 100, 5000, 10 ** 6]) {
      const { a } = exactOperands(productOf(`gemm:3x${depth}x2`))
      const values = [...new Set(floatsOf(a))]
      expect(values.every(Number.isInteger)).toBe(true)
      if (depth > 1) expect([values.some((value) => value > 0), values.some((value) => value < 0)]).toEqual([true, true])
    }
    const deep = floatsOf(exactOperands(productOf('gemm:1x1000000x1')).a)
    const squares = deep.reduce((sum, value) => sum + value * value, 0)
    // Of products of two such the deviation is 128 over the whole depth.
    expect((squares / deep.length) * 1000).toBeCloseTo(128, -1)
  })
})

describe('what is too large to tune', () => {
  const large = { ...FACTS, limits: { ...FACTS.limits, maxStorageBufferBindingSize: 2 ** 52, maxBufferSize: 2 ** 52 } }

  test('is named with its sizes, the limit and the remedy', () => {
    expect(() => checkSizes(tunableProduct(productOf('gemm:128x4096x4096')), FACTS)).not.toThrow()
    expect(() => checkSizes(tunableProduct(productOf('gemm:99999999x99999999x9')), FACTS)).toThrow(DeviceLimitError)
    expect(() => checkSizes(tunableProduct(productOf('gemm:99999999x99999999x9')), FACTS)).toThrow(
      /\[99999999, 99999999\].*op matmul.*limit 2\^32 elements/,
    )
    expect(() => checkSizes(tunableProduct(productOf('gemm:65536x9x65535')), FACTS)).toThrow(
      /limit maxStorageBuffersPerShaderStage 8/,
    )
    // A device that binds it whole: what this process can hold decides.
    vi.stubGlobal('Float32Array', NoMemory)
    try {
      expect(() => checkSizes(tunableProduct(productOf('gemm:65536x9x65535')), large)).toThrow(OptionError)
      expect(() => checkSizes(tunableProduct(productOf('gemm:65536x9x65535')), large)).toThrow(
        /\d{11} bytes of host memory.*smaller problem/,
      )
    } finally {
      vi.unstubAllGlobals()
    }
  })
})

const HALF = { ...FACTS, features: new Set(['shader-f16']) }

describe('what there is to tune', () => {
  const weights = (shape: readonly number[]) => seededTensor(1, shape.join(), shape, { centre: 0, spread: 1 })

  test('layers of one problem are one task, others stay with their reason', () => {
    const g = graph('net')
    const x = g.input('x', 'f32', [2, 3, 8, 8])
    const conv = g.conv2d(x, weights([4, 3, 3, 3]), { pads: [1, 1, 1, 1], name: 'conv' })
    const first = g.linear(g.flatten(conv), weights([256, 256]), { name: 'fc1' })
    const second = g.linear(first, weights([256, 256]), { name: 'fc2', activation: 'relu' })
    g.output('y', g.linear(second, weights([10, 256]), { name: 'fc3' }))
    const net = g.finish()
    const { tasks, untouched } = modelTasks(net, FACTS)
    expect(tasks.map(({ layers }) => layers)).toEqual([['conv'], ['fc1'], ['fc2'], ['fc3']])
    expect(distinctTasks(tasks).map(({ layers }) => layers)).toEqual([['conv'], ['fc1', 'fc2'], ['fc3']])
    expect(untouched).toEqual([])
    expect(modelTasks(net, HALF, { precision: 'f16' }).tasks[1]?.problem.inputs[0]?.dtype).toBe('f16')
    expect(modelTasks(net, FACTS, { layers: ['fc3'] }).tasks).toHaveLength(1)
    expect(() => modelTasks(net, FACTS, { layers: ['fc9'] })).toThrow(/no layer fc9.*conv, fc1, fc2, fc3/)
  })

  test('convolutions as they run: with what is fused into them, but for one whose algorithm the model gives', () => {
    const g = graph('block')
    const x = g.input('x', 'f32', [2, 4, 8, 8])
    const first = g.relu(g.conv2d(x, weights([4, 4, 3, 3]), { pads: [1, 1, 1, 1], name: 'first' }))
    const second = g.conv2d(first, weights([4, 4, 3, 3]), { pads: [1, 1, 1, 1], name: 'second' })
    const sum = g.relu(g.add(second, x))
    g.output('y', g.conv2d(sum, weights([4, 4, 3, 3]), { pads: [1, 1, 1, 1], name: 'third', algorithm: 'direct' }))
    const { tasks, untouched } = modelTasks(g.finish(), FACTS)
    // The second adds the residual, so that it is another problem than the first.
    expect(tasks.map(({ layers }) => layers)).toEqual([['first'], ['second']])
    expect(distinctTasks(tasks)).toHaveLength(2)
    expect(tasks[1]?.problem.key).toBe(`${tasks[0]?.problem.key} residual`)
    expect(untouched).toEqual([{ layer: 'third', op: 'conv2d', reason: 'its algorithm is given by the model' }])
  })

  test('bare products', () => {
    expect(bareTask('vgg16')).toBeUndefined()
    expect(bareProduct('gemm:2x3x4')).toMatchObject({
      rows: 2,
      depth: 3,
      columns: 4,
      output: { dtype: 'f32', shape: [2, 4] },
    })
    expect(bareProduct('gemm:2x3x4:f16').b.type).toEqual({ dtype: 'f16', shape: [3, 4] })
    for (const text of ['gemm:', 'gemm:2x3', 'gemm:0x3x4', 'gemm:2x3x99999999999', 'gemm:2x3x4:'])
      expect(() => bareTask(text)).toThrow(/names no product/)
    expect(() => bareProduct('gemm:2x3x4:i8')).toThrow(/dtype i8/)
  })

  test('shares of the time', () => {
    expect(shareOf([3])).toBe(1)
    expect(shareOf([3, 1])).toBeCloseTo((0.75 + 0.5) / 2)
    expect(shareOf([0, 0])).toBe(1)
  })
})

describe('measured kernels before the rule', () => {
  const product = productOf('gemm:64x64x64')
  const key = productKey(product)
  const device = {
    ...FACTS,
    features: new Set(['subgroups']),
    subgroups: { min: 32, max: 32, linear: true },
  }
  const tuned = (config: { kernel: string }) => ({ ...device, tuned: new Map([[key, config]]) })

  test('a tuned one is taken', () => {
    const choice = choose(product, tuned({ kernel: 'broadcast', ...{ rows: 8 } }))
    expect(choice).toMatchObject({ config: { kernel: 'broadcast', rows: 8 }, reason: 'tuned' })
    expect(choose({ ...product, rows: 65 }, tuned({ kernel: 'broadcast' })).reason).not.toContain('tuned')
  })

  test('one that cannot run is said, and the rule decides', () => {
    const rule = choose(product, device)
    expect(choose(product, tuned({ kernel: 'gone' }))).toEqual({
      config: rule.config,
      reason: `tuned gone is no kernel of this version; ${rule.reason}`,
    })
    const without = { ...tuned({ kernel: 'broadcast' }), features: new Set<string>(), subgroups: undefined }
    const { subgroups: _, ...facts } = without
    expect(choose(product, facts).reason).toMatch(/^tuned broadcast cannot run: .*subgroups.*; by rule/)
  })

  test('the version is of all shaders', () => {
    expect(KERNELS_VERSION).toMatch(/^[0-9a-f]{16}$/)
    expect(versionOf({ a: 'x', b: 'y' })).toBe(versionOf({ b: 'y', a: 'x' }))
    expect(versionOf({ a: 'x', b: 'y' })).not.toBe(versionOf({ a: 'y', b: 'x' }))
  })

  test('what ships is of kernels that there are, under keys that products have', () => {
    for (const { adapter, kernels } of shipped.adapters as { adapter: string; kernels: Record<string, TunedKernel> }[]) {
      expect(Object.keys(kernels).length).toBeGreaterThan(0)
      expect(shippedKernels(`x-${adapter}-y`).size).toBe(Object.keys(kernels).length)
      for (const [name, config] of Object.entries(kernels)) {
        const isProduct = 'kernel' in config && !('algorithm' in config)
        expect(name).toMatch(
          isProduct ? /^\d+x\d+x\d+(\*[\dx]+)? (f32|f16)-(f32|f16)-(f32|f16)-(f32|f16) [dls]{2}$/ : /^conv \d+\*\d+\*\d+>\d+ /,
        )
        const found = 'algorithm' in config ? ALGORITHMS.get(config.algorithm) : FAMILIES.get(config.kernel)
        expect(found?.schema.safeParse(config).success).toBe(true)
      }
    }
    expect(shippedKernels('no-such-thing').size).toBe(0)
  })
})
