/**
 * Where WebGPU comes from. A browser has `navigator.gpu`; Node needs a package, which must not enter the browser bundle. So this
 * module holds the current provider, the browser's by default, and the Node entry imports `node.ts`, which sets its own.
 */
import { NoAdapterError } from '../errors.ts'

export interface ProviderOptions {
  /** Part of an adapter's name; `software` and `gpu` are handled by `openGpu`. */
  readonly adapter?: string
  /** Leaves out bounds checks in shaders (Node only; figures are then unlike a page's). */
  readonly disableRobustness?: boolean
  /** Leaves out Dawn's validation of commands (Node only). */
  readonly skipValidation?: boolean
}

export interface ProvidedGpu {
  /** As `navigator.gpu`; not every one says what its WGSL can do. */
  readonly gpu: Pick<GPU, 'requestAdapter'> & Partial<Pick<GPU, 'wgslLanguageFeatures'>>
  /** Toggles that were set, a leading `-` marks one turned off. */
  readonly toggles: readonly string[]
}

export interface Provider {
  /** @throws NoAdapterError when there is no WebGPU, OptionError when an option does not exist here. */
  open(options: ProviderOptions): Promise<ProvidedGpu>
  /** Names of software adapters to ask for in turn; absent where `forceFallbackAdapter` finds one (Dawn in Node does not know it). */
  readonly softwareNames?: readonly string[]
  /** Called when a software adapter is opened: waiting for it must leave the CPU to it. */
  readonly onSoftware?: () => void
  /** What to do when there is no adapter. */
  readonly remedy: string
}

const browserProvider: Provider = {
  remedy:
    'Use a browser with WebGPU (Chrome or Edge 113+, Safari 26+, Firefox 141+), over https or localhost; chrome://gpu says whether it is ' +
    'turned off; on Linux start Chrome with --enable-unsafe-webgpu --enable-features=Vulkan',
  open(options) {
    const gpu = (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu
    if (gpu === undefined) {
      return Promise.reject(
        new NoAdapterError('There is no WebGPU here (navigator.gpu is missing)', { remedy: browserProvider.remedy }),
      )
    }
    const nodeOnly = Object.entries(options).filter(([, value]) => value !== undefined && value !== false)
    if (nodeOnly.length > 0) {
      const names = nodeOnly.map(([key]) => key).join(', ')
      return Promise.reject(new NoAdapterError(`A page cannot choose ${names}`, { remedy: 'Leave it out: the browser decides' }))
    }
    return Promise.resolve({ gpu, toggles: [] })
  },
}

let current: Provider = browserProvider

export function setProvider(provider: Provider): void {
  current = provider
}

export function currentProvider(): Provider {
  return current
}
