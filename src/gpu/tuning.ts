/**
 * Where kernels come from that were measured on this machine's adapter. This folder does not measure and knows no file: like a
 * provider of WebGPU (`provider.ts`), a source of such results is set by the entry that has one, and asked when a GPU is opened.
 */

/** A kernel of a product, or an algorithm of a convolution, and its constants, as the tuner keeps them. */
export type TunedKernel = { readonly kernel: string } | { readonly algorithm: string }

export function nameOfKernel(config: TunedKernel): string {
  return 'algorithm' in config ? config.algorithm : config.kernel
}

export interface TuningSource {
  /** For people: a file's path, or where else results are kept. */
  readonly name: string
  /**
   * The kernels measured on an adapter, by problem (`productKey` of src/ops/gemm/choose.ts, `convolutionKey` of
   * src/ops/conv2d/choose.ts); those of other kernels' versions left out.
   * @param adapter `DeviceFacts.adapter`
   * @throws FileFormatError for results that are damaged; OptionError where they cannot be read
   */
  load(adapter: string): Promise<ReadonlyMap<string, TunedKernel>>
}

let current: TuningSource | undefined

/** What `openGpu` asks where its option `tuning` is absent. */
export function setTuningSource(source: TuningSource | undefined): void {
  current = source
}

export function currentTuningSource(): TuningSource | undefined {
  return current
}
