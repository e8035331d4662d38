/** Operands larger than one binding: split, not refused. VGG-16's first fully connected layer has 392 MiB of weights. */
import { describe, expect, it } from 'vitest'
import { graph } from '../../src/graph/builder.ts'
import { compile } from '../../src/graph/model.ts'
import { openGpu } from '../../src/gpu/node.ts'
import { linear } from '../../src/ops/linear/op.ts'
import { parseAttributes } from '../../src/ops/run.ts'
import { tensor } from '../../src/tensor/tensor.ts'

const BINDING = 2 ** 27
const [OUTPUTS, INPUTS] = [4096, 25088] as const

describe('a binding limit of 128 MiB', () => {
  it('holds the first fully connected layer of VGG-16, in four bindings', async () => {
    using gpu = await openGpu({ limits: { maxStorageBufferBindingSize: BINDING } })
    const weights = new Float32Array(OUTPUTS * INPUTS)
    // Whole numbers without a period that segments share.
    for (let i = 0; i < weights.length; i++) weights[i] = (i % 11) - 5
    const input = new Float32Array(INPUTS)
    for (let i = 0; i < input.length; i++) input[i] = (i % 7) - 3
    const w = tensor(weights, [OUTPUTS, INPUTS])
    const g = graph('fc6')
    g.output('y', g.linear(g.input('x', 'f32', [1, INPUTS]), w, { name: 'fc6' }))
    using model = await compile(gpu, g.finish())
    expect(gpu.memory.liveBytes).toBeGreaterThan(3 * BINDING)
    const x = tensor(input, [1, INPUTS])
    const { y } = await model.run({ x })
    const [expected] = linear.reference([x, w, null], parseAttributes(linear, {}))
    expect(await y?.data()).toEqual(expected?.tensor.values)
  })
})
