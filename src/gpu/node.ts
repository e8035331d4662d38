/**
 * WebGPU in Node: Dawn, from the `webgpu` package, loaded when a GPU is first opened. Importing this module makes `openGpu` use it,
 * and it exports that `openGpu`, so that scripts and tests need one import.
 */
import { pacePolling } from './pace.ts'
import { setProvider, type Provider, type ProviderOptions } from './provider.ts'
import { NoAdapterError, OptionError } from '../errors.ts'

export { openGpu } from './gpu.ts'

/** Dawn lives as long as the object from `create()` is referenced: one for each set of flags, kept for the life of the process. */
const instances = new Map<string, GPU>()

const REMEDIES: Partial<Record<NodeJS.Platform, string>> = {
  linux:
    'Install a Vulkan driver (Debian, Ubuntu: mesa-vulkan-drivers of version 25 or newer, or the vendor driver); without a GPU, ' +
    '`npm start` in a clone of Tilewright unpacks a software adapter that needs no root; `vulkaninfo --summary` shows what Vulkan sees',
  darwin: 'Metal needs macOS 12 or newer and a session that may use the GPU',
  win32: 'Update the graphics driver: Direct3D 12 is needed',
}

const nodeProvider: Provider = {
  softwareNames: ['llvmpipe', 'SwiftShader', 'Basic Render'],
  onSoftware: pacePolling,
  remedy: REMEDIES[process.platform] ?? 'Dawn has no build for this platform: use a browser with WebGPU',

  async open(options) {
    const { enabled, disabled } = togglesOf(options)
    const flags = [`enable-dawn-features=${enabled.join(',')}`, `disable-dawn-features=${disabled.join(',')}`]
    if (options.adapter !== undefined) {
      if (options.adapter === '')
        throw new OptionError('The adapter name is empty', { remedy: 'Give a part of its name, `gpu` or `software`' })
      flags.push(`adapter=${options.adapter}`)
    }
    const key = flags.join(' ')
    let gpu = instances.get(key)
    if (gpu === undefined) {
      gpu = (await loadDawn()).create(flags)
      instances.set(key, gpu)
    }
    return { gpu, toggles: [...enabled, ...disabled.map((name) => `-${name}`)] }
  },
}

/** Experimental features on, timestamps unrounded; the rest as asked. */
function togglesOf(options: ProviderOptions): { enabled: string[]; disabled: string[] } {
  const enabled = ['allow_unsafe_apis', 'vulkan_enable_f16_on_nvidia']
  if (options.disableRobustness === true) enabled.push('disable_robustness')
  if (options.skipValidation === true) enabled.push('skip_validation')
  return { enabled, disabled: ['timestamp_quantization'] }
}

async function loadDawn(): Promise<{ create(flags: string[]): GPU }> {
  try {
    return await import('webgpu')
  } catch (cause) {
    const platform = `${process.platform} ${process.arch}`
    throw new NoAdapterError(
      `The webgpu package does not load on ${platform}`,
      { remedy: 'Install it again: npm install webgpu' },
      { cause },
    )
  }
}

setProvider(nodeProvider)
