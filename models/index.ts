/** The networks that Tilewright can build by name. */
import { OptionError } from '../src/errors.ts'
import { alexnet } from './alexnet.ts'
import { efficientnetb0 } from './efficientnetb0.ts'
import { googlenet } from './googlenet.ts'
import { lenet5 } from './lenet5.ts'
import { mobilenetv1 } from './mobilenetv1.ts'
import { mobilenetv2 } from './mobilenetv2.ts'
import type { NetworkBuilder } from './network.ts'
import { overfeat } from './overfeat.ts'
import { resnet50 } from './resnet50.ts'
import { squeezenet } from './squeezenet.ts'
import { unet, unet16 } from './unet.ts'
import { vgg16 } from './vgg16.ts'

export type { NetworkBuilder, NetworkOptions } from './network.ts'

export interface NetworkEntry {
  readonly name: string
  /** For people. */
  readonly title: string
  readonly build: NetworkBuilder
}

export const NETWORKS: readonly NetworkEntry[] = [
  { name: 'lenet5', title: 'LeNet-5', build: lenet5 },
  { name: 'alexnet', title: 'AlexNet', build: alexnet },
  { name: 'overfeat', title: 'OverFeat (fast)', build: overfeat },
  { name: 'vgg16', title: 'VGG-16', build: vgg16 },
  { name: 'googlenet', title: 'GoogLeNet', build: googlenet },
  { name: 'resnet50', title: 'ResNet-50', build: resnet50 },
  { name: 'squeezenet1.1', title: 'SqueezeNet 1.1', build: squeezenet },
  { name: 'mobilenetv1', title: 'MobileNet v1', build: mobilenetv1 },
  { name: 'mobilenetv2', title: 'MobileNet v2', build: mobilenetv2 },
  { name: 'efficientnetb0', title: 'EfficientNet-B0', build: efficientnetb0 },
  { name: 'unet', title: 'U-Net', build: unet },
  { name: 'unet16', title: 'U-Net of 16 filters', build: unet16 },
]

/** Whether `name` is a network that `networkNamed` knows; case and punctuation do not matter (`VGG-16`, `vgg16`). */
export function isNetworkName(name: string): boolean {
  return find(name) !== undefined
}

/** @throws OptionError that lists the known names. */
export function networkNamed(name: string): NetworkEntry {
  const entry = find(name)
  if (entry !== undefined) return entry
  throw new OptionError(`There is no network called ${name}`, {
    remedy: `Give one of ${NETWORKS.map((network) => network.name).join(', ')}, or a model file`,
  })
}

function find(name: string): NetworkEntry | undefined {
  const plain = name.toLowerCase().replaceAll(/[-_ ]/g, '')
  return NETWORKS.find((network) => network.name === plain)
}
