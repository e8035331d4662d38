/**
 * The networks that `tilewright bench model` times end to end, built here with seeded weights (models/) and handed to every engine as
 * one ONNX file.
 */
import { networkNamed } from '../../models/index.ts'
import { inspectGraph, type InspectReport } from '../../src/profile/inspect.ts'
import type { Bench, BenchCase } from './table.ts'

const FAMILIES = ['mobile', 'classic', 'segmentation'] as const

export interface ModelCase extends BenchCase {
  readonly family: (typeof FAMILIES)[number]
  readonly dtype: 'f32'
  /** As `networkNamed` takes it. */
  readonly network: string
  readonly batch: number
}

function model(network: string, family: ModelCase['family']): ModelCase {
  return { name: network, family, dtype: 'f32', network, batch: 1 }
}

export const MODEL_CASES: readonly ModelCase[] = [
  model('squeezenet1.1', 'mobile'),
  model('mobilenetv1', 'mobile'),
  model('mobilenetv2', 'mobile'),
  model('efficientnetb0', 'mobile'),
  model('googlenet', 'classic'),
  model('resnet50', 'classic'),
  model('alexnet', 'classic'),
  model('vgg16', 'classic'),
  model('unet16', 'segmentation'),
]

const inspected = new Map<string, InspectReport>()

/** Layers and sizes of a case's network, without its weights' values. */
function inspect({ name, network, batch }: ModelCase): InspectReport {
  const known = inspected.get(name) ?? inspectGraph(networkNamed(network).build({ batch }))
  inspected.set(name, known)
  return known
}

const BYTES = 4

function leastBytes(item: ModelCase): number {
  const { weights, biases, parameters, inputs, outputs } = inspect(item)
  const ends = [...inputs, ...outputs].map(({ shape }) => (shape ?? []).reduce((size: number, extent) => size * Number(extent), 1))
  return BYTES * (weights + biases + parameters + ends.reduce((sum, size) => sum + size, 0))
}

export const MODEL: Bench<ModelCase> = {
  name: 'model',
  cases: MODEL_CASES,
  families: FAMILIES,
  quick: ['squeezenet1.1'],
  others: ['ort-webgpu', 'ort-cpu'],
  example: 'mobilenet*',
  macs: (item) => inspect(item).macs,
  leastBytes,
  leftOut: () => undefined,
  mostError: () => 1e-3,
  firstFromOpening: true,
  byFamily: true,
  heldAgainstCpu: true,
}
