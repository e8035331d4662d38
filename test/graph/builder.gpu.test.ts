/** Every method of the builder, with the real ops: on the device, and folded through the reference. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { openGpu } from '../../src/gpu/node.ts'
import { graph, type GraphBuilder, type Operand, type Value } from '../../src/graph/builder.ts'
import { compile } from '../../src/graph/model.ts'
import { sizeOf, type Shape } from '../../src/tensor/shape.ts'
import { tensor, type HostTensor } from '../../src/tensor/tensor.ts'

function ramp(shape: Shape, scale = 1): HostTensor {
  return tensor(
    Float32Array.from({ length: sizeOf(shape) }, (_, i) => (((i * 7) % 13) - 6) * 0.25 * scale),
    shape,
  )
}

const IMAGE = [2, 4, 5, 6]
const pool = { kernel_shape: [2, 3], strides: [2, 1], pads: [0, 1, 1, 1] }

type Case = (g: GraphBuilder, x: Operand) => Value
const CASES: Readonly<Record<string, readonly [Shape, Case]>> = {
  conv2d: [IMAGE, (g, x) => g.conv2d(x, ramp([6, 2, 3, 2]), { bias: ramp([6]), strides: [1, 2], pads: [1, 0, 0, 1], group: 2 })],
  gemm: [[3, 5], (g, x) => g.gemm(x, ramp([7, 5]), { c: ramp([7]), alpha: 0.5, transB: true })],
  matmul: [[2, 3, 5], (g, x) => g.matmul(x, ramp([5, 4]))],
  linear: [[3, 5], (g, x) => g.linear(x, ramp([7, 5]), { bias: ramp([7]) })],
  maxPool: [IMAGE, (g, x) => g.maxPool(x, pool)],
  averagePool: [IMAGE, (g, x) => g.averagePool(x, pool)],
  globalAveragePool: [IMAGE, (g, x) => g.globalAveragePool(x)],
  lrn: [IMAGE, (g, x) => g.lrn(x, { size: 3 })],
  batchNorm: [IMAGE, (g, x) => g.batchNorm(x, ramp([4]), ramp([4]), ramp([4]), tensor([1, 2, 3, 4]))],
  relu: [IMAGE, (g, x) => g.relu(x)],
  leakyRelu: [IMAGE, (g, x) => g.leakyRelu(x, { alpha: 0.1 })],
  hardSigmoid: [IMAGE, (g, x) => g.hardSigmoid(x, { alpha: 0.1 })],
  hardSwish: [IMAGE, (g, x) => g.hardSwish(x)],
  prelu: [IMAGE, (g, x) => g.prelu(x, ramp([4, 1, 1]))],
  elu: [IMAGE, (g, x) => g.elu(x, { alpha: 0.5 })],
  sigmoid: [IMAGE, (g, x) => g.sigmoid(x)],
  tanh: [IMAGE, (g, x) => g.tanh(x)],
  maxout: [IMAGE, (g, x) => g.maxout(x, { pool: 2 })],
  clip: [IMAGE, (g, x) => g.clip(x, { min: -0.5, max: 1 })],
  add: [IMAGE, (g, x) => g.add(x, ramp([5, 1]))],
  sub: [IMAGE, (g, x) => g.sub(x, ramp([6]))],
  mul: [IMAGE, (g, x) => g.mul(x, ramp([4, 1, 6]))],
  div: [IMAGE, (g, x) => g.div(ramp([]), g.add(x, tensor([10])))],
  concat: [IMAGE, (g, x) => g.concat([x, ramp([2, 1, 5, 6]), x], { axis: 1 })],
  slice: [IMAGE, (g, x) => g.slice(x, { starts: [-1, 4], ends: [-5, 1], axes: [1, 2], steps: [-2, -1] })],
  pad: [IMAGE, (g, x) => g.pad(x, { pads: [0, 0, 1, 2, 0, 1, 0, 1], value: tensor([0.5], []) })],
  flatten: [IMAGE, (g, x) => g.flatten(x, { axis: 2 })],
  reshape: [IMAGE, (g, x) => g.relu(g.reshape(x, [0, -1, 3]))],
  transpose: [IMAGE, (g, x) => g.transpose(x, { perm: [0, 2, 3, 1] })],
  depthToSpace: [IMAGE, (g, x) => g.depthToSpace(x, { blocksize: 2 })],
  softmax: [[3, 5], (g, x) => g.softmax(x)],
  dropout: [IMAGE, (g, x) => g.relu(g.dropout(x))],
  identity: [IMAGE, (g, x) => g.relu(g.identity(x))],
}

describe('the builder', () => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu()
  })
  afterAll(() => gpu.dispose())

  it.each(Object.entries(CASES))('%s runs as its reference says', async (_name, [shape, make]) => {
    const x = ramp(shape)
    const g = graph()
    g.output('device', make(g, g.input('x', 'f32', shape)))
    g.output('host', make(g, x))
    using model = await compile(gpu, g.finish())
    const { device, host } = await model.run({ x })
    expect(model.outputs[0]?.shape).toEqual(host?.shape)
    expect(device?.shape).toEqual(host?.shape)
    const expected = (await host!.data()) as Float32Array
    const actual = (await device!.data()) as Float32Array
    expect(expected.some((value) => value !== 0)).toBe(true)
    expected.forEach((value, i) => expect(actual[i]).toBeCloseTo(value, 4))
  })

  it('runs a network of several layers in f32 and, nearly equal, in f16', async () => {
    const g = graph('small')
    const x = g.input('x', 'f32', ['N', 3, 8, 8])
    const conv = g.relu(g.conv2d(x, ramp([4, 3, 3, 3], 0.3), { bias: ramp([4]), pads: [1, 1, 1, 1] }))
    const branch = g.add(conv, g.sigmoid(conv))
    g.output('y', g.softmax(g.linear(g.flatten(branch), ramp([5, 256], 0.02))))
    const net = g.finish()
    const input = ramp([3, 3, 8, 8])
    using full = await compile(gpu, net)
    using half = await compile(gpu, net, { precision: 'f16' })
    const a = (await (await full.run({ x: input })).y!.data()) as Float32Array
    const b = (await (await half.run({ x: input })).y!.data()) as Float32Array
    expect(a.length).toBe(15)
    let different = 0
    a.forEach((value, i) => {
      expect(Math.abs(b[i]! - value)).toBeLessThan(0.02)
      if (b[i] !== value) different++
    })
    expect(different).toBeGreaterThan(0)
    for (const row of [0, 1, 2]) expect(a.slice(5 * row, 5 * row + 5).reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5)
  })
})
