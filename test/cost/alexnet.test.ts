/** Every AlexNet layer under every dataflow, on the GPU seen as hardware: the prediction exists, and no traffic is below the least. */
import { describe, expect, test } from 'vitest'
import { gpuHardware, hardwareNamed } from '../../models/hardware/index.ts'
import { evaluate } from '../../src/cost/evaluate.ts'
import { compulsoryBytes, mappedWork } from '../../src/cost/roofline.ts'
import type { DeviceFacts } from '../../src/gpu/program.ts'
import { DATAFLOWS, DATAFLOW_NAMES } from '../../src/schedule/dataflow.ts'
import { mapForGpu } from '../../src/schedule/gpu-mapping.ts'
import { convProblem, inputSpan, macsOf, type Problem } from '../../src/schedule/problem.ts'

const facts: DeviceFacts = {
  adapter: 'test',
  features: new Set(['subgroups']),
  language: new Set(),
  limits: {
    maxBufferSize: 2 ** 32 - 4,
    maxStorageBufferBindingSize: 2 ** 27,
    maxStorageBuffersPerShaderStage: 10,
    maxComputeWorkgroupStorageSize: 32768,
    maxComputeInvocationsPerWorkgroup: 1024,
    maxComputeWorkgroupsPerDimension: 65535,
  },
  subgroups: { min: 8, max: 8, linear: true },
  software: true,
}

const conv = (groups: number, M: number, C: number, side: number, R: number, stride: number, pad: number): Problem =>
  convProblem({ groups, M, C, P: side, Q: side, R, S: R, stride: [stride, stride], padding: [pad, pad, pad, pad] })

/** AlexNet at 227×227, grouped, as in Sze et al. 2017, Table II. */
const layers: readonly (readonly [name: string, problem: Problem])[] = [
  ['conv1', conv(1, 96, 3, 55, 11, 4, 0)],
  ['conv2', conv(2, 128, 48, 27, 5, 1, 2)],
  ['conv3', conv(1, 384, 256, 13, 3, 1, 1)],
  ['conv4', conv(2, 192, 192, 13, 3, 1, 1)],
  ['conv5', conv(2, 128, 192, 13, 3, 1, 1)],
  ['fc6', convProblem({ M: 4096, C: 256, R: 6, S: 6 })],
  ['fc7', convProblem({ M: 4096, C: 4096 })],
  ['fc8', convProblem({ M: 1000, C: 4096 })],
]

test('the layers are AlexNet', () => {
  expect(layers.reduce((sum, [, problem]) => sum + macsOf(problem), 0)).toBe(724_406_816)
})

describe.each([gpuHardware(facts), hardwareNamed('eyeriss')])('AlexNet on $name', (hardware) => {
  test.each(DATAFLOW_NAMES)('%s', { timeout: 120_000 }, (dataflow) => {
    for (const [name, problem] of layers) {
      const { rows, columns } = inputSpan(problem)
      const [top, left, bottom, right] = problem.padding
      const input = { rows: rows - top - bottom, columns: columns - left - right }
      const found = mapForGpu(problem, DATAFLOWS[dataflow], hardware, facts, input, { budget: 60 })
      const evaluation = evaluate(problem, found.hardware, found.mapping)
      const { bytes } = mappedWork(evaluation, { ...found.hardware, word_bits: 32 })
      expect(bytes, name).toBeGreaterThanOrEqual(compulsoryBytes(problem, 4))
      expect(evaluation.utilization, name).toBeGreaterThan(0)
      expect(evaluation.utilization, name).toBeLessThanOrEqual(1)
    }
  })
})
