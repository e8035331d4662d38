/** What Tilewright asks of an adapter and what it then knows of the device: features, limits, subgroups, software or not. */
import type { AdapterDescription } from '../profile/report.ts'
import { OptionError } from '../errors.ts'
import type { DeviceFacts, DeviceLimits, MatrixUnit } from './program.ts'
import { halvesRound, lanesAreLinear } from './probes.ts'

/** Features that compute can use; each is requested where the adapter has it. */
const USEFUL_FEATURES = [
  'shader-f16',
  'subgroups',
  'subgroup-size-control',
  'timestamp-query',
  'chromium-experimental-subgroup-matrix',
  'chromium-experimental-timestamp-query-inside-passes',
] as const

const REQUESTED_LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxUniformBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxComputeWorkgroupSizeZ',
  'maxComputeWorkgroupsPerDimension',
  'minUniformBufferOffsetAlignment',
  'minStorageBufferOffsetAlignment',
] as const

const SOFTWARE = /llvmpipe|lavapipe|swiftshader|basic render|\bwarp\b/i

/** Features that bring another along, whether that was asked for or not. */
const IMPLIED: Partial<Record<(typeof USEFUL_FEATURES)[number], string>> = {
  'subgroup-size-control': 'subgroups',
  'chromium-experimental-subgroup-matrix': 'subgroups',
}

/**
 * The device descriptor that asks for all that is useful and the adapter has, at the adapter's own limits.
 * @param without features to leave out, with all that would bring them along
 * @throws OptionError for a feature that Tilewright never asks for
 */
export function descriptorFor(adapter: GPUAdapter, without: readonly string[] = []): GPUDeviceDescriptor {
  const unknown = without.find((name) => !(USEFUL_FEATURES as readonly string[]).includes(name))
  if (unknown !== undefined) {
    throw new OptionError(`There is no feature ${unknown} to leave out`, { remedy: `Features: ${USEFUL_FEATURES.join(', ')}` })
  }
  const features = USEFUL_FEATURES.filter((name) => {
    return adapter.features.has(name) && !without.includes(name) && !without.includes(IMPLIED[name] ?? '')
  })
  return {
    requiredFeatures: features as GPUFeatureName[],
    requiredLimits: Object.fromEntries(REQUESTED_LIMITS.map((name) => [name, adapter.limits[name]])),
  }
}

export function isSoftware(info: GPUAdapterInfo): boolean {
  return info.isFallbackAdapter || SOFTWARE.test(`${info.vendor} ${info.architecture} ${info.device} ${info.description}`)
}

export function describeAdapter(adapter: GPUAdapter, features: readonly string[], toggles: readonly string[]): AdapterDescription {
  const { vendor, architecture, device, description } = adapter.info
  return { vendor, architecture, device, description, software: isSoftware(adapter.info), features, toggles }
}

/**
 * The device's limits, lowered to `lower` where that is given (tests force segments so).
 * @throws OptionError when a limit is raised, or set below what any tensor needs.
 */
export function limitsOf(device: GPUDevice, lower: Partial<DeviceLimits> = {}): DeviceLimits {
  const own: DeviceLimits = {
    maxBufferSize: device.limits.maxBufferSize,
    maxStorageBufferBindingSize: device.limits.maxStorageBufferBindingSize,
    maxStorageBuffersPerShaderStage: device.limits.maxStorageBuffersPerShaderStage,
    maxComputeWorkgroupStorageSize: device.limits.maxComputeWorkgroupStorageSize,
    maxComputeInvocationsPerWorkgroup: device.limits.maxComputeInvocationsPerWorkgroup,
    maxComputeWorkgroupsPerDimension: device.limits.maxComputeWorkgroupsPerDimension,
  }
  for (const [name, value] of Object.entries(lower)) {
    const limit = own[name as keyof DeviceLimits]
    if (limit === undefined)
      throw new OptionError(`There is no limit ${name}`, { remedy: `Limits: ${Object.keys(own).join(', ')}` })
    const least = name === 'maxBufferSize' || name === 'maxStorageBufferBindingSize' ? 256 : 1
    if (!Number.isInteger(value) || value < least || value > limit) {
      throw new OptionError(`Limit ${name} cannot be ${value}`, {
        limit: `${least} to ${limit}`,
        remedy: 'Limits can only be lowered',
      })
    }
  }
  return { ...own, ...lower }
}

/** What an adapter calls itself, as one word: `nvidia-ampere-geforce-rtx-3090`. Parts that it leaves empty are left out. */
export function adapterKey({ vendor, architecture, device, description }: GPUAdapterInfo): string {
  const words = [vendor, architecture, device, description].join(' ').toLowerCase()
  return words.match(/[a-z0-9]+/g)?.join('-') ?? 'unnamed'
}

/**
 * Facts of an open device. Probes the order of subgroup lanes and the rounding of half floats with small kernels.
 * @param language features of WGSL where the device comes from (`gpu.wgslLanguageFeatures`)
 */
export async function factsOf(
  device: GPUDevice,
  info: GPUAdapterInfo,
  limits: DeviceLimits,
  language: ReadonlySet<string>,
): Promise<DeviceFacts> {
  const features = new Set<string>(device.features)
  const matrices = features.has('chromium-experimental-subgroup-matrix') ? { matrices: matrixUnits(info) } : {}
  const halves = features.has('shader-f16') ? { halvesRound: await halvesRound(device) } : {}
  const facts = { adapter: adapterKey(info), features, language, limits, software: isSoftware(info), ...matrices, ...halves }
  const { subgroupMinSize: min, subgroupMaxSize: max } = info
  if (!features.has('subgroups') || min === undefined || max === undefined) return facts
  return { ...facts, subgroups: { min, max, linear: await lanesAreLinear(device) } }
}

/** What Dawn's adapters say of their matrix units; only an adapter's info has it, not a device's. */
function matrixUnits(info: GPUAdapterInfo): MatrixUnit[] {
  interface Config {
    readonly M: number
    readonly N: number
    readonly K: number
    readonly componentType: string
    readonly resultComponentType: string
  }
  const { subgroupMatrixConfigs = [] } = info as GPUAdapterInfo & { readonly subgroupMatrixConfigs?: Iterable<Config> }
  return Array.from(subgroupMatrixConfigs, ({ M, N, K, componentType, resultComponentType }) => {
    return { M, N, K, component: componentType, result: resultComponentType }
  })
}
