/** Channels that are permuted together: which they are, and that a network computes the same under any order of them. */
import { describe, expect, test } from 'vitest'
import { networkNamed } from '../../models/index.ts'
import { seededInputs } from '../../models/inputs.ts'
import { graph, type GraphBuilder, type Value } from '../../src/graph/builder.ts'
import { channelGroups, permuteGroup, type ChannelGroup } from '../../src/graph/channel-groups.ts'
import { bindDimensions } from '../../src/graph/dimensions.ts'
import type { Graph } from '../../src/graph/graph.ts'
import { importOnnx } from '../../src/formats/onnx.ts'
import { readFileSync } from 'node:fs'
import { conformance, hasConformance } from '../conformance/data.ts'
import { runOnHost, weights } from './prune-graphs.ts'

/** Uniform numbers in [0, 1) (Park and Miller's generator). */
function random(seed: number): () => number {
  let state = seed
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
}

function shuffled(size: number, next: () => number): Uint32Array {
  const order = Uint32Array.from({ length: size }, (_, i) => i)
  for (let i = size - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1))
    ;[order[i], order[j]] = [order[j] ?? 0, order[i] ?? 0]
  }
  return order
}

/** The graph with all its groups in random orders, and how many there are. */
function shuffledGraph(given: Graph, seed: number): { permuted: Graph; groups: readonly ChannelGroup[] } {
  const { groups, sources } = channelGroups(given)
  const constants = new Map(given.constants)
  const next = random(seed)
  for (const group of groups) permuteGroup(constants, sources, group, shuffled(group.size, next))
  return { permuted: { ...given, constants }, groups }
}

/** Outputs before and after all groups were permuted: their largest difference, as a part of their largest value. */
function difference(given: Graph, seed = 1): number {
  const bound = bindDimensions(given)
  const { permuted, groups } = shuffledGraph(given, seed)
  expect(groups.length).toBeGreaterThan(0)
  const inputs = seededInputs(bound)
  const [before, after] = [runOnHost(bound, inputs), runOnHost({ ...bound, constants: permuted.constants }, inputs)]
  let [most, worst] = [0, 0]
  for (const [index, { values }] of before.entries()) {
    const other = after[index]?.values ?? []
    expect(other.length).toBe(values.length)
    for (let i = 0; i < values.length; i++) {
      most = Math.max(most, Math.abs(Number(values[i])))
      worst = Math.max(worst, Math.abs(Number(values[i]) - Number(other[i])))
    }
  }
  expect(most).toBeGreaterThan(0)
  return worst / most
}

function sizes(given: Graph): number[] {
  return channelGroups(given)
    .groups.map(({ size }) => size)
    .toSorted((a, b) => a - b)
}

function conv(g: GraphBuilder, x: Value, name: string, shape: readonly number[], attributes: object = {}): Value {
  return g.conv2d(x, g.constant(weights(`${name}.w`, shape), `${name}.w`), {
    bias: g.constant(weights(`${name}.b`, [shape[0] ?? 0]), `${name}.b`),
    name,
    ...attributes,
  })
}

function norm(g: GraphBuilder, x: Value, name: string, channels: number): Value {
  const vector = (part: string, centre = 0): Value =>
    g.constant(weights(`${name}.${part}`, [channels], 0.9, centre), `${name}.${part}`)
  return g.batchNorm(x, vector('scale', 1), vector('bias'), vector('mean'), vector('variance', 1), { name })
}

describe('which channels go together', () => {
  test('a chain: filters, norm and the next filters', () => {
    const g = graph()
    const x = g.input('x', 'f32', [1, 3, 6, 6])
    const hidden = g.relu(conv(g, x, 'a', [8, 3, 3, 3], { padding: 1 }))
    g.output('y', conv(g, g.maxPool(hidden, { kernel: [2, 2], stride: 2 }), 'b', [5, 8, 1, 1]))
    const { groups } = channelGroups(g.finish())
    expect(groups).toHaveLength(1)
    expect(groups[0]?.axes.map(({ role }) => [role.operand, role.axis])).toEqual([
      ['a.w', 0],
      ['a.b', 0],
      ['b.w', 1],
    ])
    expect(difference(g.finish())).toBeLessThan(1e-5)
  })

  test('parts of a concat permute within themselves, also where they do not begin at a multiple of four', () => {
    const g = graph()
    const x = g.input('x', 'f32', [1, 3, 5, 5])
    const parts = [6, 7, 9].map((filters, i) => conv(g, x, `p${i}`, [filters, 3, 1, 1]))
    g.output('y', conv(g, g.concat(parts, { axis: 1 }), 'b', [4, 22, 1, 1]))
    expect(sizes(g.finish())).toEqual([6, 7, 9])
    expect(difference(g.finish())).toBeLessThan(1e-5)
  })

  test('what is added goes together; parts that are added to a whole part it', () => {
    const g = graph()
    const x = g.input('x', 'f32', [1, 4, 4, 4])
    const joined = g.concat([conv(g, x, 'p', [5, 4, 1, 1]), conv(g, x, 'q', [3, 4, 1, 1])], { axis: 1 })
    g.output('y', conv(g, g.add(joined, conv(g, x, 'r', [8, 4, 1, 1])), 'b', [4, 8, 1, 1]))
    expect(sizes(g.finish())).toEqual([3, 5])
    expect(difference(g.finish())).toBeLessThan(1e-5)
  })

  test('padded channels stay apart from those they pad; slices take what they take', () => {
    const g = graph()
    const x = g.input('x', 'f32', [1, 4, 4, 4])
    const wide = g.pad(conv(g, x, 'p', [6, 4, 1, 1]), { pads: [0, 2, 0, 0, 0, 3, 0, 0] })
    const sum = g.add(wide, conv(g, x, 'r', [11, 4, 1, 1]))
    const taken = g.slice(sum, { starts: [3], ends: [10], axes: [1] })
    g.output('y', conv(g, taken, 'b', [4, 7, 1, 1]))
    // Of the padding, 2 before and 1 after are not taken, 2 are; of the six in the middle the first is not.
    expect(sizes(g.finish())).toEqual([2, 3, 5])
    expect(difference(g.finish())).toBeLessThan(1e-5)
  })

  test('after a flatten a channel is a block; a product reads it so', () => {
    const g = graph()
    const x = g.input('x', 'f32', [2, 3, 5, 5])
    const flat = g.flatten(conv(g, x, 'a', [6, 3, 2, 2]))
    const hidden = g.gemm(flat, g.constant(weights('w1', [96, 10]), 'w1'), { c: g.constant(weights('c1', [10]), 'c1') })
    const more = g.matmul(g.relu(hidden), g.constant(weights('w2', [10, 7]), 'w2'))
    g.output('y', g.linear(more, g.constant(weights('w3', [3, 7]), 'w3')))
    expect(sizes(g.finish())).toEqual([6, 7, 10])
    expect(difference(g.finish())).toBeLessThan(1e-5)
  })

  test('depthwise passes through, groups permute within themselves', () => {
    const g = graph()
    const x = g.input('x', 'f32', [1, 4, 6, 6])
    const deep = conv(g, conv(g, x, 'a', [12, 4, 1, 1]), 'd', [12, 1, 3, 3], { groups: 12, padding: 1 })
    const grouped = conv(g, g.relu(deep), 'g', [10, 6, 3, 3], { groups: 2, padding: 1 })
    g.output('y', conv(g, grouped, 'b', [4, 10, 1, 1]))
    expect(sizes(g.finish())).toEqual([5, 5, 6, 6])
    expect(difference(g.finish())).toBeLessThan(1e-5)
  })

  test('gates, slopes and constants that broadcast go along', () => {
    const g = graph()
    const x = g.input('x', 'f32', [1, 3, 4, 4])
    const a = conv(g, x, 'a', [8, 3, 1, 1])
    const squeezed = g.sigmoid(conv(g, conv(g, g.globalAveragePool(a), 's', [4, 8, 1, 1]), 'e', [8, 4, 1, 1]))
    const gated = g.mul(a, squeezed)
    const sloped = g.prelu(gated, g.constant(weights('slope', [8, 1, 1]), 'slope'))
    const scaled = g.add(g.mul(sloped, g.constant(weights('k', [1]), 'k')), g.constant(weights('t', [1, 8, 1, 1]), 't'))
    g.output('y', conv(g, scaled, 'b', [4, 8, 1, 1]))
    expect(sizes(g.finish())).toEqual([4, 8])
    expect(difference(g.finish())).toBeLessThan(1e-5)
  })

  test('weights behind a reshape or a transpose; weights of two layers', () => {
    const g = graph()
    const x = g.input('x', 'f32', [2, 12])
    const first = g.matmul(x, g.reshape(g.constant(weights('w', [3, 4, 8]), 'w'), [12, 8]))
    const turned = g.transpose(g.constant(weights('v', [8, 8]), 'v'), { perm: [1, 0] })
    const twice = g.matmul(g.matmul(g.relu(first), turned), turned)
    g.output('y', g.matmul(twice, g.constant(weights('u', [8, 3]), 'u')))
    // Both axes of v read and make the same channels: they are one group, with those before and after.
    expect(sizes(g.finish())).toEqual([8])
    expect(difference(g.finish())).toBeLessThan(1e-5)
  })

  test('a transposed convolution, a spatial concat, a transpose to channels last', () => {
    const g = graph()
    const x = g.input('x', 'f32', [1, 3, 4, 4])
    const a = conv(g, x, 'a', [6, 3, 1, 1])
    const up = g.convTranspose2d(
      g.concat([a, conv(g, x, 'c', [6, 3, 1, 1])], { axis: 3 }),
      g.constant(weights('up', [6, 5, 2, 2]), 'up'),
      {
        stride: 2,
      },
    )
    const last = g.matmul(g.transpose(up, { perm: [0, 2, 3, 1] }), g.constant(weights('m', [5, 4]), 'm'))
    g.output('y', last)
    expect(sizes(g.finish())).toEqual([5, 6])
    expect(difference(g.finish())).toBeLessThan(1e-5)
  })

  test.each<[string, (g: GraphBuilder, x: Value) => Value]>([
    ['lrn', (g, x) => g.lrn(x, { size: 3 })],
    ['softmax', (g, x) => g.softmax(x, { axis: 1 })],
    ['maxout', (g, x) => g.maxout(x, { pool: 2 })],
    ['a reshape that splits channels', (g, x) => g.reshape(x, [1, 2, 4, 16])],
    ['an output', (g, x) => (g.output('seen', g.relu(x)), x)],
    ['channels added to themselves in another order', (g, x) => g.add(x, g.concat([half(g, x, 4), half(g, x, 0)], { axis: 1 }))],
    ['an add with the input', (g, x) => g.add(x, g.input('more', 'f32', [1, 8, 4, 4]))],
  ])('%s keeps them in place', (_, mix) => {
    const g = graph()
    const a = conv(g, g.input('x', 'f32', [1, 3, 4, 4]), 'a', [8, 3, 1, 1])
    g.output('y', mix(g, a))
    expect(channelGroups(g.finish()).groups).toEqual([])
  })

  test('weights from which another constant is computed stay', () => {
    const g = graph()
    const w = g.constant(weights('w', [6, 6, 1, 1]), 'w')
    const x = conv(g, g.input('x', 'f32', [1, 3, 4, 4]), 'a', [6, 3, 1, 1])
    g.output('y', g.conv2d(g.conv2d(x, w), g.add(w, g.constant(weights('one', [1]), 'one'))))
    expect(channelGroups(g.finish()).groups).toEqual([])
  })
})

function half(g: GraphBuilder, x: Value, from: number): Value {
  return g.slice(x, { starts: [from], ends: [from + 4], axes: [1] })
}

/** A network of random convolutions over a pool of values, joined by add, concat, norms and pooling. */
function randomGraph(seed: number): Graph {
  const next = random(seed)
  const below = (limit: number): number => Math.floor(next() * limit)
  const g = graph(`random ${seed}`)
  const values: { value: Value; channels: number }[] = [{ value: g.input('x', 'f32', [1, 3, 3, 3]), channels: 3 }]
  const pick = (): { value: Value; channels: number } => values[below(values.length)] ?? { value: { name: 'x' }, channels: 3 }
  for (let step = 0; step < 12; step++) {
    const { value, channels } = pick()
    const alike = values.filter((other) => other.channels === channels && other.value !== value)
    const kind = below(5)
    const other = alike[below(alike.length)]
    if (kind === 0 && other !== undefined) values.push({ value: g.add(value, other.value), channels })
    else if (kind === 1) {
      const more = pick()
      values.push({ value: g.concat([value, more.value], { axis: 1 }), channels: channels + more.channels })
    } else if (kind === 2) values.push({ value: g.relu(norm(g, value, `n${step}`, channels)), channels })
    else {
      const filters = [4, 6, 8, channels][below(4)] ?? 4
      values.push({ value: conv(g, value, `c${step}`, [filters, channels, 3, 3], { padding: 1 }), channels: filters })
    }
  }
  const last = values.at(-1) ?? pick()
  g.output('y', conv(g, last.value, 'last', [3, last.channels, 1, 1]))
  return g.finish()
}

describe('the network computes the same under any order', () => {
  test('of random networks', () => {
    let groups = 0
    for (let seed = 1; seed <= 12; seed++) {
      const given = randomGraph(seed)
      const found = channelGroups(given).groups.length
      groups += found
      if (found > 0) expect(difference(given, seed), `seed ${seed}`).toBeLessThan(1e-5)
    }
    expect(groups).toBeGreaterThan(12)
  })

  const NOTE = hasConformance ? '' : ' (no conformance data here: set TILEWRIGHT_CONFORMANCE)'
  test.skipIf(!hasConformance).each(['mnist-cntk', 'cifar-resnet20'])(`of %s${NOTE}`, async (name) => {
    const { graph: given } = await importOnnx(new Uint8Array(readFileSync(conformance(`models/${name}/model.onnx`))))
    expect(difference(given)).toBeLessThan(1e-5)
  })

  test.each([
    ['resnet50', 37],
    ['googlenet', 55],
    ['mobilenetv2', 25],
    ['alexnet', 8],
  ])('%s has its groups', (name, count) => {
    expect(channelGroups(networkNamed(name).build()).groups).toHaveLength(count)
  })
})
