/** A trained network quantised to bytes (QuantizeLinear and DequantizeLinear around every layer) against its published outputs. */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import '../../src/formats/node-files.ts'
import { decodeTensorProto } from '../../src/formats/tensor-proto.ts'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { openGpu } from '../../src/gpu/node.ts'
import { loadModel } from '../../src/graph/load.ts'
import { compare } from '../../src/ops/tolerance.ts'
import { HostTensor } from '../../src/tensor/tensor.ts'
import { conformance, hasConformance } from './data.ts'

const NOTE = hasConformance ? '' : ' (no conformance data here: set TILEWRIGHT_CONFORMANCE)'

describe.skipIf(!hasConformance)(`a quantised network${NOTE}`, () => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu()
  })
  afterAll(() => gpu?.dispose())

  it('cifar-resnet20-int8-qdq gives its published logits', async () => {
    const folder = conformance('models/cifar-resnet20-int8-qdq')
    const valueOf = (name: string): HostTensor => decodeTensorProto(readFileSync(`${folder}/test_data_set_0/${name}.pb`)).tensor
    using model = await loadModel(gpu, `${folder}/model.onnx`)
    const [input] = model.inputs
    const [output] = model.outputs
    const results = await model.run({ [input?.name ?? '']: valueOf('input_0') })
    const logits = results[output?.name ?? '']
    if (logits === undefined) throw new Error('The model has no output')
    const expected = valueOf('output_0')
    // The logits are multiples of one step, about 0.187: nothing may be a step off.
    const tolerance = { kind: 'relative', relative: 0, absolute: 1e-3 } as const
    const result = new HostTensor(logits.dtype, logits.shape, await logits.data())
    expect(compare(result, { tensor: expected, tolerance })).toMatchObject({ ok: true })
    expect(expected.values.length).toBeGreaterThan(0)
  })
})
