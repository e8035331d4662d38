/**
 * Non-zero MACs by counting against non-zero MACs one by one: of factors that are 1 where they are not zero, an op's own reference adds
 * up exactly the MACs whose factors both are.
 */
import { describe, expect, it, test } from 'vitest'
import { OptionError } from '../../src/errors.ts'
import { conv2d } from '../../src/ops/conv2d/op.ts'
import { opNamed, REGISTRY } from '../../src/ops/registry.ts'
import { parseAttributes } from '../../src/ops/run.ts'
import { numbersOf } from '../../src/ops/values.ts'
import { nonzeroWeights, paired, visitedInputs, weightsHoldTwoOfFour } from '../../src/profile/nonzero-counts.ts'
import { packTwoOfFour } from '../../src/sparsity/two-of-four.ts'
import { graph } from '../../src/graph/builder.ts'
import { COUNTED, factorsOf } from '../../src/profile/nonzero-factors.ts'
import { countNonzeros, type NonzeroReport } from '../../src/profile/nonzero.ts'
import { sizeOf } from '../../src/tensor/shape.ts'
import { tensor, type HostTensor } from '../../src/tensor/tensor.ts'
import { input, network, random } from './nonzero-network.ts'

function sparse(next: () => number, shape: readonly number[], density: number): HostTensor {
  const values = Float32Array.from({ length: sizeOf(shape) }, () => {
    if (next() >= density) return next() < 0.5 ? 0 : -0
    const value = next()
    return value < 0.02 ? NaN : value < 0.04 ? Infinity : value - 2
  })
  return tensor(values, shape)
}

const ones = (given: HostTensor): HostTensor =>
  tensor(
    Float32Array.from(numbersOf(given), (value) => Number(value !== 0)),
    given.shape,
  )

function counted(op: string, inputs: readonly (HostTensor | null)[], attributes: unknown): number {
  const factors = factorsOf(op, inputs, parseAttributes(opNamed(op), attributes, 'node'))
  if (factors === undefined) throw new Error(`${op} is not counted`)
  return paired(visitedInputs(factors), nonzeroWeights(factors))
}

/** Of float ops: their reference over ones and zeros. */
function bruteForce(op: string, x: HostTensor, w: HostTensor, attributes: unknown): number {
  const definition = opNamed(op)
  const inputs = [ones(x), ones(w), ...Array.from({ length: op === 'conv2d' || op === 'convTranspose2d' ? 2 : 1 }, () => null)]
  const [output] = definition.reference(inputs, parseAttributes(definition, attributes, 'node'))
  if (output === undefined) throw new Error('The reference gave no result')
  return Array.from(numbersOf(output.tensor)).reduce((sum, value) => sum + value, 0)
}

function expectHeld(op: string, x: HostTensor, w: HostTensor, attributes: unknown): void {
  const what = JSON.stringify([op, x.shape, w.shape, attributes])
  const expected = bruteForce(op, x, w, attributes)
  expect(counted(op, [x, w, null], attributes), what).toBe(expected)
}

describe('non-zero MACs equal those counted one by one', () => {
  it.each([1, 2, 3])('of convolutions over %i axes: groups, strides, dilation, padding, batch', (rank) => {
    const next = random(rank)
    const upTo = (most: number): number => 1 + Math.floor(next() * most)
    for (let round = 0; round < 60; round++) {
      const axes = (most: number): number[] => Array.from({ length: rank }, () => upTo(most))
      const [groups, channels, filters, batch] = [upTo(3), upTo(5), upTo(4), upTo(3)]
      const [kernel, stride, dilation] = [axes(4), axes(3), axes(2)]
      const padding = [...axes(4), ...axes(4)].map((each) => each - 1)
      const extents = kernel.map((k, axis) => (dilation[axis] ?? 1) * (k - 1) + upTo(6))
      const x = sparse(next, [batch, groups * channels, ...extents], next())
      const w = sparse(next, [groups * filters, channels, ...kernel], next())
      expectHeld('conv2d', x, w, { groups, stride, dilation, padding })
    }
  })

  it.each([1, 2, 3])('of transposed convolutions over %i axes', (rank) => {
    const next = random(10 + rank)
    const upTo = (most: number): number => 1 + Math.floor(next() * most)
    let cut = 0
    for (let round = 0; round < 60; round++) {
      const axes = (most: number): number[] => Array.from({ length: rank }, () => upTo(most))
      const [groups, channels, filters, batch] = [upTo(3), upTo(4), upTo(4), upTo(3)]
      const [kernel, stride, dilation, extents] = [axes(4), axes(3), axes(2), axes(5)]
      const span = kernel.map((k, axis) => (dilation[axis] ?? 1) * (k - 1))
      const padding = [...span, ...span].map((most) => Math.min(Math.floor(most / 2), upTo(3) - 1))
      if (padding.some((each) => each > 0)) cut++
      const x = sparse(next, [batch, groups * channels, ...extents], next())
      const w = sparse(next, [groups * channels, filters, ...kernel], next())
      expectHeld('convTranspose2d', x, w, { groups, stride, dilation, padding })
    }
    expect(cut).toBeGreaterThan(10)
  })

  it('of padding by rule, one element, no picture, and nothing but zeros or non-zeros', () => {
    const next = random(20)
    for (const density of [0, 0.5, 1]) {
      const x = sparse(next, [2, 4, 7, 6], density)
      expectHeld('conv2d', x, sparse(next, [6, 2, 3, 4], density), { groups: 2, autoPad: 'SAME_UPPER', stride: [2, 3] })
      expectHeld('conv2d', x, sparse(next, [4, 1, 3, 3], density), { groups: 4, autoPad: 'SAME_LOWER' })
    }
    expectHeld('conv2d', sparse(next, [1, 1, 1, 1], 1), sparse(next, [1, 1, 1, 1], 1), {})
    expectHeld('conv2d', sparse(next, [0, 2, 5, 5], 1), sparse(next, [3, 2, 3, 3], 1), {})
    // A window that padding alone fills.
    expectHeld('conv2d', sparse(next, [1, 2, 1, 1], 1), sparse(next, [3, 2, 1, 1], 1), { padding: 3, stride: 2 })
  })

  it('of maps in any layout', () => {
    const next = random(21)
    const x = sparse(next, [2, 8, 5, 6], 0.4)
    const w = sparse(next, [4, 4, 3, 3], 0.6)
    const at = (n: number, c: number, y: number, column: number): number => ((n * 8 + c) * 5 + y) * 6 + column
    const values = numbersOf(x)
    const lie = (shape: readonly number[], from: (index: readonly number[]) => number): HostTensor => {
      const index = (flat: number): number[] => {
        let rest = flat
        return shape
          .toReversed()
          .map((extent) => {
            const place = rest % extent
            rest = Math.floor(rest / extent)
            return place
          })
          .toReversed()
      }
      return tensor(
        Float32Array.from({ length: sizeOf(shape) }, (_, flat) => values[from(index(flat))] ?? NaN),
        shape,
      )
    }
    const expected = bruteForce('conv2d', x, w, { groups: 2, padding: 1 })
    const nhwc = lie([2, 5, 6, 8], ([n = 0, y = 0, column = 0, c = 0]) => at(n, c, y, column))
    const nchw4 = lie([2, 2, 5, 6, 4], ([n = 0, quad = 0, y = 0, column = 0, c = 0]) => at(n, 4 * quad + c, y, column))
    expect(expected).toBeGreaterThan(0)
    expect(counted('conv2d', [nhwc, w, null], { groups: 2, padding: 1, layout: 'nhwc' })).toBe(expected)
    expect(counted('conv2d', [nchw4, w, null], { groups: 2, padding: 1, layout: 'nchw4' })).toBe(expected)
  })

  it('of matrix products: transposed, in batches that broadcast, of vectors', () => {
    const next = random(30)
    const upTo = (most: number): number => 1 + Math.floor(next() * most)
    for (let round = 0; round < 40; round++) {
      const [i, j, k, n] = [upTo(6), upTo(6), upTo(7), upTo(3)]
      const of = (...shape: number[]): HostTensor => sparse(next, shape, next())
      expectHeld('linear', of(i, k), of(j, k), {})
      expectHeld('linear', of(n, k, 2, 3), of(j, 6 * k), {})
      for (const transA of [false, true])
        for (const transB of [false, true])
          expectHeld('gemm', transA ? of(k, i) : of(i, k), transB ? of(j, k) : of(k, j), { transA, transB })
      expectHeld('matmul', of(i, k), of(k, j), {})
      expectHeld('matmul', of(k), of(k), {})
      expectHeld('matmul', of(n, i, k), of(k, j), {})
      expectHeld('matmul', of(n, 1, i, k), of(3, k, j), {})
      expectHeld('matmul', of(1, i, k), of(n, k, j), {})
      expectHeld('matmul', of(2, n, i, k), of(n, k, j), {})
      expectHeld('matmul', of(n, i, k), of(1, 1, k, j), {})
    }
    expectHeld('matmul', sparse(next, [3, 0], 1), sparse(next, [0, 4], 1), {})
  })

  it('of bytes, less their zero points', () => {
    const next = random(40)
    const bytes = (shape: readonly number[], values: number): HostTensor =>
      tensor(
        Uint8Array.from({ length: sizeOf(shape) }, () => 100 + Math.floor(next() * values)),
        shape,
      )
    const off = (given: HostTensor, zero: (at: number) => number): HostTensor =>
      tensor(
        Float32Array.from(numbersOf(given), (value, at) => value - zero(at)),
        given.shape,
      )
    const one = (value: number): HostTensor => tensor(Uint8Array.of(value), [])
    const x = bytes([2, 4, 6, 5], 3)
    const w = bytes([6, 2, 3, 3], 4)
    const zeros = [100, 101, 102, 103, 100, 101]
    const attributes = { groups: 2, padding: 1, stride: 2 }
    const own = off(w, (at) => zeros[Math.floor(at / 18)] ?? NaN)
    const expected = bruteForce(
      'conv2d',
      off(x, () => 101),
      own,
      attributes,
    )
    const wZeros = tensor(Uint8Array.from(zeros), [6])
    expect(counted('convInteger', [x, w, one(101), wZeros], attributes)).toBe(expected)
    const scale = tensor([1], [])
    expect(counted('qlinearConv', [x, scale, one(101), w, scale, wZeros, scale, one(0)], attributes)).toBe(expected)
    expect(counted('convInteger', [x, w], attributes)).toBe(bruteForce('conv2d', x, w, attributes))

    const [a, b] = [bytes([2, 3, 5], 3), bytes([5, 4], 3)]
    const [rows, columns] = [tensor(Uint8Array.of(100, 101, 102), [3]), tensor(Uint8Array.of(102, 101, 100, 7), [4])]
    const products = bruteForce(
      'matmul',
      off(a, (at) => 100 + (Math.floor(at / 5) % 3)),
      off(b, (at) => [102, 101, 100, 7][at % 4] ?? NaN),
      {},
    )
    expect(counted('matmulInteger', [a, b, rows, columns], {})).toBe(products)
    expect(counted('qlinearMatmul', [a, scale, rows, b, scale, columns, scale, one(0)], {})).toBe(products)
    const turned = tensor(
      Uint8Array.from({ length: 20 }, (_, at) => numbersOf(b)[(at % 5) * 4 + Math.floor(at / 5)] ?? 0),
      [4, 5],
    )
    expect(counted('matmulInteger', [a, turned, rows, columns], { transB: true })).toBe(products)
  })

  it('of packed weights: 8 in the middle of 4 bits is zero, and a scale of 0 makes all zero', () => {
    const a = tensor([1, 0, 2, 3, ...Array.from({ length: 12 }, () => 0)], [1, 16])
    // Two columns of 16: the first 8, 9, 8, 9 …; the second all 9 under a scale of 0.
    const b = tensor(
      Uint8Array.from({ length: 16 }, (_, at) => (at < 8 ? 0x98 : 0x99)),
      [2, 1, 8],
    )
    const scales = tensor(Float32Array.of(0.5, 0), [2])
    expect(counted('matmulNBits', [a, b, scales], { bits: 4, blockSize: 16 })).toBe(1)
  })
})

describe('weights packed in 2:4', () => {
  // Rows [1 0 0 2 0 3] and [0 4 0 5 0 0]: five of twelve.
  const packed = packTwoOfFour(tensor(Float32Array.of(1, 0, 0, 2, 0, 3, 0, 4, 0, 5, 0, 0), [2, 6]))

  it('are counted as the matrix that they are of', () => {
    const x = tensor(Float32Array.of(1, 1, 1, 0, 1, 2), [1, 6])
    expect(counted('sparseMatmul', [x, packed.values, null, null, null, packed.positions], {})).toBe(3)
  })

  it('with bytes, less their zero point', () => {
    const bytes = packTwoOfFour(tensor(Int8Array.of(1, 0, 0, 2, 0, 3, 0, 4, 0, 5, 0, 0), [2, 6]))
    const x = tensor(Uint8Array.of(1, 7, 1, 0, 1, 7), [1, 6])
    const zero = tensor(Uint8Array.of(7), [])
    const inputs = [x, bytes.values, null, null, null, bytes.positions, null, zero]
    // x − 7 is zero at places 1 and 5, which takes the 3 and the 4.
    expect(counted('sparseMatmul', inputs, {})).toBe(3)
  })

  it('hold 2:4 in the report, and are as many as the matrix has', async () => {
    const g = graph('packed')
    const x = g.input('x', 'f32', [1, 6])
    const y = g.sparseMatmul(x, packed, { name: 'p' })
    g.output('y', y)
    const report = await countNonzeros(g.finish(), { runs: [{ x: tensor(new Float32Array(6).fill(1), [1, 6]) }] })
    expect(report.uncounted).toEqual([])
    expect(report.layers).toMatchObject([
      { name: 'p', kind: 'fc', weights: 12, nonzero_weights: 5, macs: 12, nonzero_macs: 5, two_of_four: true },
    ])
  })
})

test('every dense op that multiplies is counted; what is not is told by its absence', () => {
  const multiplying = [...REGISTRY.values()].filter(({ problem, ownLoops }) => problem !== undefined || ownLoops !== undefined)
  const counts = multiplying.map(({ name }) => name).filter((name) => COUNTED.has(name))
  expect(counts.toSorted()).toEqual([...COUNTED].toSorted())
  expect(factorsOf('relu', [], {})).toBeUndefined()
})

describe('2:4', () => {
  const holds = (w: readonly number[], shape: readonly number[], channels: number): boolean => {
    const weights = tensor(Float32Array.from(w), shape)
    const x = tensor(new Float32Array(channels * 9), [1, channels, 3, 3])
    const factors = factorsOf('conv2d', [x, weights, null], parseAttributes(conv2d, {}, 'node'))
    if (factors === undefined) throw new Error('No factors')
    return weightsHoldTwoOfFour(factors, w.filter((value) => value !== 0).length)
  }

  it('goes along the input channels at each tap', () => {
    // [1, 4, 1, 2]: by channel, then tap.
    expect(holds([1, 0, 1, 0, 0, 1, 0, 1], [1, 4, 1, 2], 4)).toBe(true)
    expect(holds([1, 0, 1, 0, 1, 0, 0, 1], [1, 4, 1, 2], 4)).toBe(false)
    expect(holds([1, 1, 1, 1], [1, 2, 1, 2], 2)).toBe(true)
    expect(holds([1, 1, 1], [1, 3, 1, 1], 3)).toBe(false)
    expect(holds([1, 0, 1, 0, 1], [1, 5, 1, 1], 5)).toBe(true)
  })
})

describe('a network', () => {
  const layerOf = (report: NonzeroReport, layer: string) => {
    const found = report.layers.find(({ name }) => name === layer)
    if (found === undefined) throw new Error(`No layer ${layer}`)
    return found
  }

  it('is counted layer by layer and in total, on the reference', async () => {
    const made = network()
    const report = await countNonzeros(made, { runs: [input(1)] })
    expect(report.schema).toBe('tilewright.nonzero/1')
    expect(report.activations).toEqual({ inputs: 'given', runs: 1, adapter: null })
    expect(report.layers.map(({ name, kind }) => [name, kind])).toEqual([
      ['first', 'conv'],
      ['second', 'conv'],
      ['one', 'fc'],
      ['two', 'fc'],
      ['left', 'fc'],
      ['both', 'product'],
    ])
    expect(report.uncounted).toEqual([])
    const { conv, fc, product, total } = report
    for (const key of ['layers', 'macs', 'nonzero_macs', 'nonzero_input_macs', 'weights', 'nonzero_weights'] as const) {
      expect(conv[key] + fc[key] + product[key]).toBe(total[key])
    }
    const first = made.nodes.find(({ name }) => name === 'first')
    const w = made.constants.get(first?.inputs[1] ?? '')
    if (w === undefined) throw new Error('No weights')
    const layer = layerOf(report, 'first')
    expect(layer.nonzero_macs).toBe(bruteForce('conv2d', input(1).x, w, {}))
    expect(layer.nonzero_input_macs).toBe(bruteForce('conv2d', input(1).x, tensor(new Float32Array(108).fill(1), w.shape), {}))
    expect(layer.nonzero_weights).toBe(Array.from(numbersOf(w)).filter((value) => value !== 0).length)
    expect(layer.inputs.zeros).toBe(Array.from(numbersOf(input(1).x)).filter((value) => value === 0).length)
    expect(layer.density.inputs).toBeCloseTo(1 - layer.inputs.zeros / 108, 12)
    for (const { name, nonzero_macs, nonzero_input_macs, macs } of report.layers) {
      expect(nonzero_macs, name).toBeGreaterThan(0)
      expect(nonzero_macs, name).toBeLessThan(nonzero_input_macs)
      expect(nonzero_input_macs, name).toBeLessThanOrEqual(macs)
    }
    // The shared matrix is the first layer's; its density is of both.
    expect(layerOf(report, 'one')).toMatchObject({ weights: 256, kind: 'fc' })
    expect(layerOf(report, 'two')).toMatchObject({ weights: 0, nonzero_weights: 0 })
    expect(layerOf(report, 'two').density.weights).toBe(layerOf(report, 'one').density.weights)
    // Where the constant stands first, it is the weights, and zeros are counted of the activation.
    expect(layerOf(report, 'left')).toMatchObject({ weights: 40, inputs: { elements: 128 }, two_of_four: null })
    expect(layerOf(report, 'left').density.weights).toBe(layerOf(report, 'left').nonzero_weights / 40)
    expect(layerOf(report, 'both').two_of_four).toBeNull()
    // Two channels to a group: there are no four neighbours to prune.
    expect(layerOf(report, 'second').two_of_four).toBeNull()
    expect(layerOf(report, 'one').two_of_four).toBe(false)
  })

  it('holds 2:4 where its weights were pruned to it', async () => {
    const g = graph('pruned')
    const weights = (kept: readonly number[]) =>
      tensor(
        Float32Array.from({ length: 32 }, (_, at) => kept[at % 4] ?? 0),
        [4, 8],
      )
    const x = g.input('x', 'f32', [1, 8])
    const holds = g.linear(x, weights([1, 0, 0, 2]), { name: 'holds' })
    g.output('y', holds)
    g.output('z', g.linear(x, weights([1, 3, 0, 2]), { name: 'dense' }))
    const report = await countNonzeros(g.finish(), { runs: [{ x: tensor(new Float32Array(8).fill(1), [1, 8]) }] })
    expect([layerOf(report, 'holds').two_of_four, layerOf(report, 'dense').two_of_four]).toEqual([true, false])
  })

  it('over several runs has the means', async () => {
    const made = network()
    const [a, b, both] = await Promise.all(
      [[input(1)], [input(2)], [input(1), input(2)]].map((runs) => countNonzeros(made, { runs })),
    )
    if (a === undefined || b === undefined || both === undefined) throw new Error('A report is missing')
    expect(both.activations.runs).toBe(2)
    expect(a.total.nonzero_macs).not.toBe(b.total.nonzero_macs)
    for (const { name, nonzero_macs, inputs, nonzero_weights, macs } of both.layers) {
      const [one, other] = [layerOf(a, name), layerOf(b, name)]
      expect(nonzero_macs).toBe((one.nonzero_macs + other.nonzero_macs) / 2)
      expect(inputs.zeros).toBe((one.inputs.zeros + other.inputs.zeros) / 2)
      expect(inputs.ratio).toBeCloseTo((one.inputs.ratio + other.inputs.ratio) / 2, 12)
      expect([nonzero_weights, macs]).toEqual([one.nonzero_weights, one.macs])
    }
  })

  it('without a run is refused', async () => {
    await expect(countNonzeros(network(), { runs: [] })).rejects.toThrow(OptionError)
  })
})
