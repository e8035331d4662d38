/** What is folded into a convolution: lines of its channels, what is like its result, activations, padding; and what is not. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { networkNamed } from '../../models/index.ts'
import { graph, type GraphBuilder, type Value } from '../../src/graph/builder.ts'
import { foldLines, linesOf } from '../../src/graph/fold.ts'
import { fuseGraph } from '../../src/graph/fuse.ts'
import type { Graph } from '../../src/graph/graph.ts'
import { typeGraph, type TypedGraph, type TypedNode } from '../../src/graph/passes.ts'
import { halveGraph } from '../../src/graph/precision.ts'
import type { DType } from '../../src/tensor/dtype.ts'
import { HostTensor, tensor } from '../../src/tensor/tensor.ts'

let state = 1
/** Uniform in [centre − 0.5, centre + 0.5). */
function random(centre: number, ...shape: number[]): HostTensor {
  const values = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => {
    state = (state * 48271) % 2147483647
    return centre + state / 2147483647 - 0.5
  })
  return tensor(values, shape)
}

const X = [2, 4, 6, 5]
/** Filters from 4 channels to 6, in two groups. */
const W = random(0, 6, 2, 3, 3)
const GROUPED = { groups: 2, padding: 1 }
/** Scale, bias, mean, variance. */
const NORM = [random(1, 6), random(0, 6), random(0, 6), random(1, 6)] as const

type Build = (g: GraphBuilder, x: Value) => Value

function made(build: Build, shape: readonly number[] = X): Graph {
  const g = graph()
  g.output('y', build(g, g.input('x', 'f32', shape)))
  return g.finish()
}

function typedOf(given: Graph): TypedGraph {
  const types = given.inputs.map(({ name, dtype, shape }) => [name, { dtype, shape: shape.map(Number) }] as const)
  return typeGraph(given, new Map(types))
}

function fusedGraph(build: Build, shape: readonly number[] = X): TypedGraph {
  return fuseGraph(typedOf(made(build, shape)), () => true)
}

const opsOf = ({ nodes }: TypedGraph): string[] => nodes.map(({ node }) => node.op)
const norm = (g: GraphBuilder, x: Value, attributes = {}): Value => g.batchNorm(x, ...NORM, attributes)
const conv = (g: GraphBuilder, x: Value, attributes = {}): Value => g.conv2d(x, W, { ...GROUPED, name: 'conv', ...attributes })

/** Values of `y` and the sum of |terms| that their tolerance is of, through the references. */
function evaluated({ nodes, known }: TypedGraph, x: HostTensor): number[] {
  const values = new Map<string, HostTensor>([...known, ['x', x]])
  for (const { node, definition, context } of nodes) {
    const inputs = node.inputs.map((name) => (name === null ? null : (values.get(name) ?? null)))
    definition.reference(inputs, context.attributes).forEach(({ tensor: value }, index) => {
      const name = node.outputs[index]
      if (name !== undefined) values.set(name, value)
    })
  }
  return Array.from(values.get('y')?.values ?? [], Number)
}

/** A fused graph gives what its nodes give one by one. */
function expectSame(build: Build, ops: readonly string[], shape: readonly number[] = X): TypedGraph {
  const typed = typedOf(made(build, shape))
  const fused = fuseGraph(typed, () => true)
  expect(opsOf(fused)).toEqual(ops)
  const x = random(0, ...shape)
  const [expected, actual] = [evaluated(typed, x), evaluated(fused, x)]
  expect(actual).toHaveLength(expected.length)
  expect(expected.length).toBeGreaterThan(0)
  for (const [index, want] of expected.entries()) expect(actual[index]).toBeCloseTo(want, 4)
  return fused
}

describe('a convolution takes up', () => {
  it('bias, batch norm, residual and activation, in one node', () => {
    const fused = expectSame(
      (g, x) => {
        const skip = g.conv2d(x, random(0, 6, 4, 1, 1), { name: 'skip' })
        const y = norm(g, g.add(conv(g, x), random(0, 6, 1, 1), { name: 'bias' }), { name: 'bn' })
        return g.relu(g.add(y, skip, { name: 'add' }), { name: 'relu' })
      },
      ['conv2d', 'conv2d'],
    )
    expect(fused.nodes[1]).toMatchObject({ node: { name: 'conv', outputs: ['y'] }, fused: ['bias', 'bn', 'add', 'relu'] })
    expect(fused.nodes[1]?.context.attributes).toMatchObject({ activation: 'relu', groups: 2 })
    expect(fused.nodes[1]?.context.inputs.map((type) => type?.shape)).toEqual([X, [6, 2, 3, 3], [6], [2, 6, 6, 5]])
  })

  it.each<[string, Build]>([
    ['a bias of its own before a batch norm', (g, x) => norm(g, conv(g, x, { bias: random(0, 6) }))],
    ['two batch norms', (g, x) => norm(g, norm(g, conv(g, x)), { epsilon: 0.125 })],
    [
      'a batch norm with a scale of 0',
      (g, x) => g.batchNorm(conv(g, x), tensor([0, 1, 2, 0, 1, 2]), ...(NORM.slice(1, 4) as [HostTensor, HostTensor, HostTensor])),
    ],
    ['a sum with [1, M, 1, 1]', (g, x) => g.add(random(0, 1, 6, 1, 1), conv(g, x))],
    ['a sum with a scalar', (g, x) => g.add(conv(g, x), random(0))],
    ['a sum with a batch of biases of one value', (g, x) => g.add(conv(g, x), random(0, 1, 1, 1))],
    ['a difference', (g, x) => g.sub(conv(g, x, { bias: random(0, 6) }), random(0, 6, 1, 1))],
    ['a product with [M, 1, 1]', (g, x) => g.mul(conv(g, x, { bias: random(0, 6) }), random(0, 6, 1, 1))],
    ['a quotient', (g, x) => g.div(conv(g, x, { bias: random(0, 6) }), random(3, 6, 1, 1))],
    ['a constant of its result’s shape', (g, x) => g.add(conv(g, x), random(0, 2, 6, 6, 5))],
    ['a sum after a residual', (g, x) => g.add(g.add(conv(g, x), random(0, 2, 6, 6, 5)), random(0, 6, 1, 1))],
    ['a sum node of two', (g, x) => g.node('sum', [conv(g, x), random(0, 6, 1, 1)])],
    ['silu', (g, x) => gated(g, norm(g, conv(g, x)))],
    ['relu6', (g, x) => g.clip(norm(g, conv(g, x)), { min: 0, max: 6 })],
    ['clip with one bound', (g, x) => g.clip(conv(g, x), { max: 0.25 })],
    ['clip of attributes', (g, x) => g.node('clip', [conv(g, x)], { min: -Infinity, max: 0.25 })],
    ['leaky relu', (g, x) => g.leakyRelu(conv(g, x), { alpha: 0.25 })],
    ['hard sigmoid', (g, x) => g.hardSigmoid(conv(g, x), { alpha: 0.5, beta: 0.25 })],
    ['hard swish', (g, x) => g.hardSwish(conv(g, x))],
    ['x · hardSigmoid(x)', (g, x) => hardGated(g, conv(g, x), Math.fround(1 / 6))],
  ])('%s', (_, build) => {
    expectSame(build, ['conv2d'])
  })

  it('one channel of one pixel: a constant like the result is a bias', () => {
    const fused = expectSame((g, x) => g.add(g.conv2d(x, random(0, 3, 4, 6, 5)), random(0, 1, 3, 1, 1)), ['conv2d'], [1, 4, 6, 5])
    expect(fused.nodes[0]?.node.inputs).toHaveLength(3)
  })

  it.each([1, 2])('a transposed convolution of %d groups: bias, batch norm, residual and activation', (groups) => {
    const w = random(0, 4, 6 / groups, 3, 2)
    const build: Build = (g, x) => {
      const y = g.node('convTranspose2d', [x, w, random(0, 6)], { groups, stride: 2, padding: 1, name: 'up' })
      return g.relu(g.add(norm(g, y), random(0, 2, 6, 11, 8)))
    }
    expectSame(build, ['convTranspose2d'])
  })

  it('what is 1-D', () => {
    expectSame((g, x) => g.relu(g.batchNorm(g.conv2d(x, random(0, 6, 4, 3)), ...NORM)), ['conv2d'], [2, 4, 9])
  })

  it('the statistics of halves', () => {
    const halves = NORM.map((value) => tensor(Float32Array.from(value.values, Number), value.shape, 'f16'))
    const [scale, bias, mean, variance] = halves
    if (scale === undefined || bias === undefined || mean === undefined || variance === undefined) throw new Error('four')
    expectSame((g, x) => g.batchNorm(conv(g, x), scale, bias, mean, variance), ['conv2d'])
  })
})

function gated(g: GraphBuilder, value: Value): Value {
  return g.mul(value, g.sigmoid(value))
}

function hardGated(g: GraphBuilder, value: Value, alpha: number): Value {
  return g.mul(g.hardSigmoid(value, { alpha }), value)
}

function both(g: GraphBuilder, value: Value, other: Value): Value {
  return g.concat([value, other], { axis: 1 })
}

describe('stays as it is', () => {
  const nan = (index: number): readonly [HostTensor, HostTensor, HostTensor, HostTensor] => {
    const [scale, bias, mean, variance] = NORM.map((value, at) => (at === index ? tensor([1, 1, NaN, 1, 1, 1]) : value))
    if (scale === undefined || bias === undefined || mean === undefined || variance === undefined) throw new Error('four')
    return [scale, bias, mean, variance]
  }
  it.each<[string, Build, string[]]>([
    ['a result that is read twice', (g, x) => ((y) => both(g, norm(g, y), y))(conv(g, x)), ['conv2d', 'batchNorm', 'concat']],
    ['a variance that is NaN', (g, x) => g.batchNorm(conv(g, x), ...nan(3)), ['conv2d', 'batchNorm']],
    ['a bias that is NaN', (g, x) => g.batchNorm(conv(g, x), ...nan(1)), ['conv2d', 'batchNorm']],
    ['a variance below −ε', (g, x) => g.batchNorm(conv(g, x), NORM[0], NORM[1], NORM[2], random(-2, 6)), ['conv2d', 'batchNorm']],
    ['a division by 0', (g, x) => g.div(conv(g, x), tensor([0])), ['conv2d', 'div']],
    ['an infinite sum', (g, x) => g.add(conv(g, x), tensor([Infinity])), ['conv2d', 'add']],
    ['a huge scale', (g, x) => g.mul(conv(g, x), tensor([2 ** 61])), ['conv2d', 'mul']],
    ['a tiny scale', (g, x) => g.mul(conv(g, x), tensor([2 ** -61])), ['conv2d', 'mul']],
    ['a constant minus it', (g, x) => g.sub(tensor([1]), conv(g, x)), ['conv2d', 'sub']],
    ['a constant over it', (g, x) => g.div(tensor([1]), conv(g, x)), ['conv2d', 'div']],
    [
      'filters that are computed',
      (g, x) => {
        const filters = g.relu(g.slice(x, { starts: [0], ends: [1], axes: [0] }))
        return g.batchNorm(g.conv2d(x, filters), random(1, 1), random(0, 1), random(0, 1), random(1, 1))
      },
      ['slice', 'relu', 'conv2d', 'batchNorm'],
    ],
    ['a batch norm after the activation', (g, x) => norm(g, g.relu(conv(g, x))), ['conv2d', 'batchNorm']],
    ['a batch norm after the residual', (g, x) => norm(g, g.add(conv(g, x), random(0, 2, 6, 6, 5))), ['conv2d', 'batchNorm']],
    ['a second activation', (g, x) => g.tanh(g.relu(conv(g, x))), ['conv2d', 'tanh']],
    ['a second residual', (g, x) => g.add(g.add(conv(g, x), random(0, 2, 6, 6, 5)), random(0, 2, 6, 6, 5)), ['conv2d', 'add']],
    ['x + x', (g, x) => ((y) => g.add(y, y))(conv(g, x)), ['conv2d', 'add']],
    [
      'a product with what is computed',
      (g, x) => g.mul(conv(g, x), g.globalAveragePool(g.conv2d(x, random(0, 6, 4, 1, 1)))),
      ['conv2d', 'conv2d', 'globalAveragePool', 'mul'],
    ],
    ['a sum along the columns', (g, x) => g.add(conv(g, x), random(0, 5)), ['conv2d', 'add']],
    ['a sum that enlarges', (g, x) => g.add(conv(g, x), random(0, 2, 2, 6, 1, 1)), ['conv2d', 'add']],
    ['a product along the batch', (g, x) => g.mul(conv(g, x), random(0, 2, 1, 1, 1)), ['conv2d', 'mul']],
    ['a bound that is NaN', (g, x) => g.clip(conv(g, x), { min: NaN }), ['conv2d', 'clip']],
    ['a bound that nothing reaches', (g, x) => g.node('clip', [conv(g, x)], { max: -Infinity }), ['conv2d', 'clip']],
    ['x · hardSigmoid(x) of another slope', (g, x) => hardGated(g, conv(g, x), 0.2), ['conv2d', 'hardSigmoid', 'mul']],
    [
      'a batch norm of an output channel-last',
      (g, x) =>
        g.batchNorm(
          g.conv2d(g.transpose(x, { perm: [0, 2, 3, 1] }), random(0, 6, 4, 1, 1), { layout: 'nhwc' }),
          random(1, 6),
          random(1, 6),
          random(1, 6),
          random(1, 6),
        ),
      ['transpose', 'conv2d', 'batchNorm'],
    ],
  ])('%s', (_, build, ops) => {
    expect(opsOf(fusedGraph(build))).toEqual(ops)
  })

  it('an output', () => {
    const g = graph()
    const y = conv(g, g.input('x', 'f32', X))
    g.output('conv', y)
    g.output('y', norm(g, y))
    expect(opsOf(fuseGraph(typedOf(g.finish()), () => true))).toEqual(['conv2d', 'batchNorm'])
  })

  it('what the device does not run', () => {
    const typed = typedOf(made((g, x) => g.relu(norm(g, conv(g, x)))))
    const apart = fuseGraph(typed, ({ context }) => context.inputs.length < 3)
    expect(opsOf(apart)).toEqual(['conv2d', 'batchNorm', 'relu'])
  })
})

describe('a matrix product takes up a batch norm', () => {
  const rows = [5, 4]
  it.each<[string, Build]>([
    ['of linear', (g, x) => norm(g, g.linear(x, random(0, 6, 4), { bias: random(0, 6) }))],
    ['of gemm', (g, x) => g.relu(norm(g, g.gemm(x, random(0, 4, 6), { alpha: 0.5, c: random(0, 1, 6) })))],
    ['of gemm, transposed, a beta for the C that it lacked', (g, x) => norm(g, g.gemm(x, random(0, 6, 4), { transB: 1, beta: 3 }))],
    ['of matmul', (g, x) => g.add(norm(g, g.matmul(x, random(0, 4, 6))), random(0, 5, 6))],
  ])('%s', (what, build) => {
    expectSame(build, [what.split(/[ ,]/)[1] ?? ''], rows)
  })

  it.each<[string, Build, readonly string[], readonly number[]]>([
    ['with a beta', (g, x) => norm(g, g.gemm(x, random(0, 4, 6), { beta: 3, c: random(0, 6) })), ['gemm', 'batchNorm'], rows],
    ['with a C of one value', (g, x) => norm(g, g.gemm(x, random(0, 4, 6), { c: random(0) })), ['gemm', 'batchNorm'], rows],
    ['with a C of columns', (g, x) => norm(g, g.gemm(x, random(0, 4, 6), { c: random(0, 5, 1) })), ['gemm', 'batchNorm'], rows],
    [
      'with a residual',
      (g, x) => norm(g, g.linear(x, random(0, 6, 4), { residual: random(0, 5, 6) })),
      ['linear', 'batchNorm'],
      rows,
    ],
    ['with a scale', (g, x) => norm(g, g.linear(x, random(0, 6, 4), { scale: random(0, 6) })), ['linear', 'batchNorm'], rows],
    ['of three dimensions', (g, x) => norm(g, g.matmul(x, random(0, 4, 3))), ['matmul', 'batchNorm'], [2, 6, 4]],
  ])('but not %s', (_, build, ops, shape) => {
    expectSame(build, ops, shape)
  })
})

describe('an activation after a max pooling', () => {
  const pooled = (g: GraphBuilder, x: Value): Value =>
    g.maxPool(norm(g, conv(g, x)), { kernel: [2, 2], stride: 2, padding: [0, 1, 1, 0] })

  it.each<[string, Build]>([
    ['relu', (g, x) => g.relu(pooled(g, x))],
    ['clip', (g, x) => g.clip(pooled(g, x), { min: -0.25, max: 0.5 })],
  ])('is the convolution’s where it keeps the order of values: %s', (_, build) => {
    const fused = expectSame((g, x) => g.add(build(g, x), tensor([1])), ['conv2d', 'maxPool', 'add'])
    expect(fused.nodes[0]?.fused).toHaveLength(2)
  })

  it.each<[string, Build, readonly string[]]>([
    ['that may not', (g, x) => g.leakyRelu(pooled(g, x), { alpha: -1 }), ['conv2d', 'maxPool', 'leakyRelu']],
    ['of a mean', (g, x) => g.relu(g.averagePool(conv(g, x), { kernel: [2, 2] })), ['conv2d', 'averagePool', 'relu']],
    [
      'where the pooling is read twice',
      (g, x) => ((y) => both(g, g.relu(y), y))(pooled(g, x)),
      ['conv2d', 'maxPool', 'relu', 'concat'],
    ],
    [
      'where the convolution is read twice',
      (g, x) => ((y) => both(g, g.relu(g.maxPool(y, { kernel: [1, 1] })), y))(conv(g, x)),
      ['conv2d', 'maxPool', 'relu', 'concat'],
    ],
    ['after another', (g, x) => g.relu(g.maxPool(g.tanh(conv(g, x)), { kernel: [2, 2] })), ['conv2d', 'maxPool', 'relu']],
    ['of no convolution', (g, x) => g.relu(g.maxPool(x, { kernel: [2, 2] })), ['maxPool', 'relu']],
  ])('stays where it is: %s', (_, build, ops) => {
    expectSame(build, ops)
  })

  it('stays where the places of the maxima are read', () => {
    const g = graph()
    const [values, places] = g.nodes('maxPool', [conv(g, g.input('x', 'f32', X))], { kernel: [2, 2], indices: true }, 2)
    if (values === undefined || places === undefined) throw new Error('two outputs')
    g.output('y', g.relu(values))
    g.output('places', places)
    expect(opsOf(fuseGraph(typedOf(g.finish()), () => true))).toEqual(['conv2d', 'maxPool', 'relu'])
  })
})

describe('padding', () => {
  const pad = (g: GraphBuilder, x: Value, pads: readonly number[], more = {}): Value => g.pad(x, { pads, name: 'pad', ...more })
  const paddingOf = ({ nodes }: TypedGraph): unknown => nodes[0]?.context.attributes

  it('of zeros is the convolution’s own, on top of what it had', () => {
    const build: Build = (g, x) => g.relu(conv(g, pad(g, x, [0, 0, 1, 2, 0, 0, 0, 1]), { padding: [1, 0, 2, 1] }))
    const fused = expectSame(build, ['conv2d'])
    expect(paddingOf(fused)).toMatchObject({ padding: [2, 2, 2, 2], autoPad: 'NOTSET' })
    expect(fused.nodes[0]?.fused?.slice(0, 1)).toEqual(['pad'])
    expect(fused.nodes[0]?.node.inputs[0]).toBe('x')
  })

  it('of zeros under ONNX’s names and padding by rule, twice', () => {
    const build: Build = (g, x) => {
      const wide = pad(g, pad(g, x, [0, 0, 1, 0, 0, 0, 0, 1]), [0, 0, 0, 3, 0, 0, 0, 0], { name: 'second' })
      return g.conv2d(wide, random(0, 3, 4, 3, 2), { auto_pad: 'SAME_LOWER', strides: [2, 1], dilations: [1, 2] })
    }
    // Rows: 7 padded → 4 windows of stride 2 need 2·3 + 3 = 9, one zero on each side. Columns: 9 need 9 + 2.
    expect(paddingOf(expectSame(build, ['conv2d']))).toMatchObject({ padding: [2, 4, 1, 2], autoPad: 'NOTSET', stride: [2, 1] })
  })

  it('of zeros stays for its other readers', () => {
    const build: Build = (g, x) => {
      const padded = pad(g, x, [0, 0, 1, 1, 0, 0, 1, 1])
      const y = g.conv2d(padded, random(0, 4, 4, 1, 1))
      return g.add(y, padded)
    }
    const fused = expectSame(build, ['pad', 'conv2d'])
    expect(fused.nodes[1]?.node.inputs[0]).toBe('x')
  })

  it('of zeros that every reader takes up goes', () => {
    const build: Build = (g, x) => {
      const padded = pad(g, x, [0, 0, 1, 1, 0, 0, 1, 1])
      return both(g, g.conv2d(padded, random(0, 3, 4, 2, 2)), g.conv2d(padded, random(0, 3, 4, 2, 2)))
    }
    expectSame(build, ['conv2d', 'conv2d', 'concat'])
  })

  it.each<[string, Build]>([
    ['another value', (g, x) => conv(g, pad(g, x, [0, 0, 1, 1, 0, 0, 1, 1], { value: tensor([1], []) }))],
    ['another mode', (g, x) => conv(g, pad(g, x, [0, 0, 1, 1, 0, 0, 1, 1], { mode: 'edge' }))],
    ['a crop', (g, x) => conv(g, pad(g, x, [0, 0, 1, 1, 0, 0, 1, -1]))],
    ['channels', (g, x) => conv(g, pad(g, x, [0, 1, 0, 0, 0, 1, 0, 0]), { groups: 3 })],
    ['a batch', (g, x) => conv(g, pad(g, x, [1, 0, 0, 0, 0, 0, 0, 0]))],
  ])('of %s stays', (_, build) => {
    expect(opsOf(fusedGraph(build))).toEqual(['pad', 'conv2d'])
  })

  it('in front of a transposed convolution stays: zeros there are none of its own', () => {
    const w = random(0, 4, 6, 3, 2)
    const build: Build = (g, x) => g.node('convTranspose2d', [pad(g, x, [0, 0, 1, 1, 0, 0, 1, 1]), w])
    expect(opsOf(fusedGraph(build))).toEqual(['pad', 'convTranspose2d'])
  })

  it('that is an output stays, and is not read', () => {
    const g = graph()
    const padded = pad(g, g.input('x', 'f32', X), [0, 0, 1, 1, 0, 0, 1, 1])
    g.output('padded', padded)
    g.output('y', conv(g, padded))
    const fused = fuseGraph(typedOf(g.finish()), () => true)
    expect(opsOf(fused)).toEqual(['pad', 'conv2d'])
    expect(fused.nodes[1]?.node.inputs[0]).toBe('x')
  })
})

describe('folded filters', () => {
  const lines = (scale: readonly number[], dtype: DType = 'f32') => {
    const shape = [1, scale.length, 1, 1]
    const found = linesOf({ op: 'mul', constants: [tensor(scale, [scale.length, 1, 1], dtype)], attributes: {} }, shape)
    if (found === undefined) throw new Error('no lines')
    return found
  }

  it('are the same tensors for the same constants, so that plans and tied nodes share them', () => {
    const given = made((g, x) => norm(g, conv(g, x)))
    const weights = (fused: TypedGraph): (HostTensor | undefined)[] =>
      (fused.nodes[0]?.node.inputs ?? []).map((name) => fused.known.get(name ?? ''))
    const [first, second] = [typedOf(given), typedOf(given)].map((typed) => weights(fuseGraph(typed, () => true)))
    expect(first?.slice(1)).toHaveLength(2)
    expect(first?.[1]).toBeInstanceOf(HostTensor)
    expect(first?.[1]).toBe(second?.[1])
    expect(first?.[2]).toBe(second?.[2])
  })

  it('of tied nodes with statistics of their own are their own', () => {
    const fused = expectSame(
      (g, x) =>
        both(
          g,
          norm(g, conv(g, x)),
          g.batchNorm(conv(g, x, { name: 'other' }), random(1, 6), random(0, 6), random(0, 6), random(1, 6)),
        ),
      ['conv2d', 'conv2d', 'concat'],
    )
    expect(fused.nodes[0]?.node.inputs[1]).not.toBe(fused.nodes[1]?.node.inputs[1])
  })

  it('are not made before they are read', () => {
    let reads = 0
    const lazy = new HostTensor('f32', [6, 2, 3, 3], () => {
      reads++
      return new Float32Array(108).fill(2)
    })
    const fused = fusedGraph((g, x) => norm(g, g.conv2d(x, lazy, GROUPED)))
    expect(opsOf(fused)).toEqual(['conv2d'])
    expect(reads).toBe(0)
    const values = fused.known.get(fused.nodes[0]?.node.inputs[1] ?? '')?.values
    expect(reads).toBe(1)
    const [scale, , , variance] = NORM
    expect(values?.[0]).toBe(Math.fround((2 * Number(scale.values[0])) / Math.sqrt(Number(variance.values[0]) + Math.fround(1e-5))))
  })

  it('of one sum keep the filters themselves', () => {
    const fused = fusedGraph((g, x) => g.add(conv(g, x), random(0, 6, 1, 1)))
    expect(fused.known.get(fused.nodes[0]?.node.inputs[1] ?? '')).toBe(W)
  })

  it('lie filter by filter', () => {
    const folded = foldLines(tensor([1, 2, 3, 4], [2, 2, 1]), tensor([1, 1]), lines([10, -1]), { outermost: 'filters' })
    expect(Array.from(folded?.weights.values ?? [], Number)).toEqual([10, 20, -3, -4])
    expect(Array.from(folded?.bias.values ?? [], Number)).toEqual([10, -1])
  })

  it('lie channel by channel in a transposed convolution, the filters of a group beside each other', () => {
    const weights = tensor([1, 2, 3, 4, 5, 6, 7, 8], [4, 2, 1])
    const folded = foldLines(weights, null, lines([1, 10, 100, 1000]), { outermost: 'channels', groups: 2 })
    expect(Array.from(folded?.weights.values ?? [], Number)).toEqual([1, 20, 3, 40, 500, 6000, 700, 8000])
    const whole = foldLines(weights, null, lines([1, 10]), { outermost: 'channels', groups: 1 })
    expect(Array.from(whole?.weights.values ?? [], Number)).toEqual([1, 20, 3, 40, 5, 60, 7, 80])
  })

  it.each<[string, number[], number[], boolean]>([
    ['as they are', [1, 1], [1, 0.5], true],
    ['to the largest half', [1, 32752], [1, 2], true],
    ['beyond the largest half', [1, 32768], [1, 2], false],
    ['to 2⁻¹⁰', [1, 2 ** -9], [1, 0.5], true],
    ['below 2⁻¹⁰', [1, 2 ** -9], [1, 0.498], false],
    ['that were below, enlarged', [1, 2 ** -12], [1, 2], true],
    ['that were below, made smaller', [1, 2 ** -12], [1, 0.5], false],
    ['to 0', [1, 1], [1, 0], true],
    ['that are 0', [1, 0], [1, 0.001], true],
    ['that are infinite', [1, Infinity], [1, 1], false],
    ['that are NaN', [1, NaN], [1, 1], false],
  ])('in halves, %s', (_, weights, scale, isFolded) => {
    const folded = foldLines(tensor(weights, [2, 1, 1], 'f16'), null, lines(scale, 'f32'), { outermost: 'filters' })
    expect(folded !== undefined).toBe(isFolded)
    if (folded !== undefined) expect(folded.weights.dtype).toBe('f16')
  })

  it('in halves, a bias beyond the largest half keeps the nodes apart', () => {
    const weights = tensor([1, 1], [2, 1, 1], 'f16')
    expect(foldLines(weights, tensor([60000, 1], [2], 'f16'), lines([1, 1]), { outermost: 'filters' })).toBeDefined()
    expect(foldLines(weights, tensor([60000, 1], [2], 'f16'), lines([1.25, 1]), { outermost: 'filters' })).toBeUndefined()
  })

  it('in a model of halves', () => {
    const typed = halveGraph(typedOf(made((g, x) => g.relu(norm(g, conv(g, x))))), {})
    const fused = fuseGraph(typed, () => true)
    expect(opsOf(fused)).toEqual(['conv2d'])
    expect(fused.nodes[0]?.context.inputs.map((type) => type?.dtype)).toEqual(['f16', 'f16', 'f16'])
  })
})

it('what is fused computes what it stands for: random chains through the references', () => {
  const step = fc.constantFrom('norm', 'bias', 'scale', 'skip', 'relu6', 'leaky', 'silu', 'pad', 'divide', 'minus', 'row')
  let fewer = 0
  const property = fc.property(fc.array(step, { minLength: 1, maxLength: 6 }), fc.integer({ min: 1, max: 2 }), (steps, groups) => {
    const build: Build = (g, x) => {
      let value: Value = x
      if (steps.includes('pad')) value = g.pad(value, { pads: [0, 0, 1, 0, 0, 0, 0, 1] })
      value = g.conv2d(value, random(0, 6, 4 / groups, 2, 2), { groups })
      const [rows, columns] = steps.includes('pad') ? [6, 5] : [5, 4]
      for (const name of steps) {
        if (name === 'norm') value = norm(g, value)
        else if (name === 'bias') value = g.add(value, random(0, 6, 1, 1))
        else if (name === 'scale') value = g.mul(random(1, 1, 6, 1, 1), value)
        else if (name === 'skip') value = g.add(random(0, 2, 6, rows, columns), value)
        else if (name === 'relu6') value = g.clip(value, { min: 0, max: 6 })
        else if (name === 'leaky') value = g.leakyRelu(value)
        else if (name === 'silu') value = gated(g, value)
        else if (name === 'divide') value = g.div(value, random(2, 6, 1, 1))
        else if (name === 'minus') value = g.sub(value, random(0, 1, 1, 1))
        else if (name === 'row') value = g.add(value, random(0, rows, 1))
      }
      return steps.every((name) => name === 'pad') ? g.relu(value) : value
    }
    const typed = typedOf(made(build))
    const fused = fuseGraph(typed, () => true)
    fewer += typed.nodes.length - fused.nodes.length
    const x = random(0, ...X)
    const [expected, actual] = [evaluated(typed, x), evaluated(fused, x)]
    expect(actual).toHaveLength(expected.length)
    for (const [index, want] of expected.entries())
      expect(Math.abs((actual[index] ?? NaN) - want)).toBeLessThan(1e-4 * Math.max(1, Math.abs(want)))
  })
  fc.assert(property, { numRuns: 150, seed: 20170327 })
  expect(fewer).toBeGreaterThan(100)
})

describe('networks', () => {
  const counted = (name: string): Record<string, number> => {
    const counts: Record<string, number> = {}
    const typed = fuseGraph(typedOf(networkNamed(name).build()), () => true)
    for (const { node } of typed.nodes) counts[node.op] = (counts[node.op] ?? 0) + 1
    return counts
  }

  it.each<[string, Record<string, number>]>([
    ['resnet50', { conv2d: 53, maxPool: 1, globalAveragePool: 1, linear: 1, softmax: 1 }],
    ['squeezenet1.1', { conv2d: 26, maxPool: 3, concat: 8, globalAveragePool: 1, flatten: 1, softmax: 1 }],
    ['mobilenetv1', { conv2d: 27, globalAveragePool: 1, linear: 1, softmax: 1 }],
    ['mobilenetv2', { conv2d: 52, globalAveragePool: 1, linear: 1, softmax: 1 }],
    // A mean and a product for each of the 16 gates.
    ['efficientnetb0', { conv2d: 81, globalAveragePool: 17, mul: 16, linear: 1, softmax: 1 }],
    ['unet', { conv2d: 19, convTranspose2d: 4, maxPool: 4, slice: 4, concat: 4, softmax: 1 }],
    ['vgg16', { conv2d: 13, maxPool: 5, linear: 3, softmax: 1 }],
    ['googlenet', { conv2d: 57, maxPool: 13, lrn: 2, concat: 9, globalAveragePool: 1, linear: 1, softmax: 1 }],
    ['alexnet', { conv2d: 5, lrn: 2, maxPool: 3, linear: 3, softmax: 1 }],
  ])('%s has no node left but %o', (name, counts) => {
    expect(counted(name)).toEqual(counts)
  })

  it('every block of ResNet-50 ends in a convolution with its residual and relu', () => {
    const { nodes } = fuseGraph(typedOf(networkNamed('resnet50').build()), () => true)
    const ends = nodes.filter(({ node }: TypedNode) => node.name.endsWith('/1x1b'))
    expect(ends).toHaveLength(16)
    for (const { node, context } of ends) {
      expect(node.inputs).toHaveLength(4)
      expect(context.attributes).toMatchObject({ activation: 'relu' })
    }
  })
})
