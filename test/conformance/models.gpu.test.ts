/** Trained models against their published inputs and outputs, through the command line as users run it. */
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import '../../src/formats/node-files.ts'
import { openGpu } from '../../src/gpu/node.ts'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { decodeTensorProto } from '../../src/formats/tensor-proto.ts'
import { loadModel } from '../../src/graph/load.ts'
import { compare } from '../../src/ops/tolerance.ts'
import { HostTensor } from '../../src/tensor/tensor.ts'
import { tilewright } from '../cli/harness.ts'
import { conformance, hasConformance } from './data.ts'

const MODELS = ['squeezenet1.1', 'mnist-cntk', 'cifar-resnet20', 'superres-espcn']
const TOLERANCE = { kind: 'relative', relative: 1e-3, absolute: 1e-5 } as const

function tensorsIn(folder: string, kind: 'input' | 'output'): HostTensor[] {
  const files = readdirSync(folder).filter((name) => name.startsWith(`${kind}_`))
  return files.map((_, index) => decodeTensorProto(readFileSync(join(folder, `${kind}_${index}.pb`))).tensor)
}

const NOTE = hasConformance ? '' : ' (no conformance data here: set TILEWRIGHT_CONFORMANCE)'

describe.skipIf(!hasConformance)(`trained models${NOTE}`, () => {
  let gpu: Gpu
  let out: string
  beforeAll(async () => {
    gpu = await openGpu()
    out = mkdtempSync(join(tmpdir(), 'tilewright-'))
  })
  afterAll(() => {
    gpu?.dispose()
    if (out !== undefined) rmSync(out, { recursive: true, force: true })
  })

  test('SqueezeNet sees a bald eagle first', async () => {
    const args = [
      'run',
      conformance('models/squeezenet1.1/model.onnx'),
      '--input',
      `data=${conformance('images/misc/bald_eagle.jpeg')}`,
    ]
    const labels = conformance('images/imagenet-labels-synset.txt')
    const {
      code,
      out: printed,
      err,
    } = await tilewright([...args, '--preprocess', 'caffe', '--labels', labels, '--top', '5', '--json'])
    expect(code, err).toBe(0)
    const { top } = JSON.parse(printed) as { top: { index: number; label: string; score: number }[] }
    expect(top).toHaveLength(5)
    expect(top[0]).toMatchObject({ index: 22, label: expect.stringContaining('bald eagle') as string })
    expect(top[0]?.score).toBeGreaterThan(0.5)
  })

  describe.each(MODELS)('%s', (name) => {
    const folder = conformance(`models/${name}`)
    const sets = hasConformance ? readdirSync(folder).filter((entry) => entry.startsWith('test_data_set_')) : []

    test('gives the published outputs for every test set', async () => {
      using model = await loadModel(gpu, join(folder, 'model.onnx'))
      expect(sets.length).toBeGreaterThan(0)
      for (const set of sets) {
        const inputs = tensorsIn(join(folder, set), 'input')
        const fed = Object.fromEntries(model.inputs.map((input, index) => [input.name, inputs[index] as HostTensor]))
        const results = await model.run(fed)
        for (const [index, expected] of tensorsIn(join(folder, set), 'output').entries()) {
          const result = results[model.graph.outputs[index] ?? '']
          if (result === undefined) throw new Error(`${set} has no output ${index}`)
          const actual = new HostTensor(result.dtype, result.shape, await result.data())
          const { ok, maxAbs } = compare(actual, { tensor: expected, tolerance: TOLERANCE })
          expect(ok, `${set}, output ${index}: off by ${maxAbs}`).toBe(true)
        }
      }
    })

    test('every node agrees with the CPU reference', async () => {
      const input = `${folder}/test_data_set_0/input_0.pb`
      const { code, out: printed, err } = await tilewright(['verify', join(folder, 'model.onnx'), '--input', input, '--json'])
      expect(code, err).toBe(0)
      const { nodes, outputs } = JSON.parse(printed) as { nodes: { ok: boolean }[]; outputs: { ok: boolean }[] }
      expect(nodes.length).toBeGreaterThan(5)
      expect(outputs).toHaveLength(1)
      expect([...nodes, ...outputs].every(({ ok }) => ok)).toBe(true)
    })
  })
})
