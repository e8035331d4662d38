/** What profiling is asked for: types alone, so that the graph layer below may name them. */
import type { Dataflow } from '../schedule/dataflow.ts'
import type { Hardware } from '../schedule/hardware.ts'
import type { HostTensor } from '../tensor/tensor.ts'

export interface ProfileOptions {
  /**
   * Names, or constraints of one's own; `all` is the seven, `fastest` the default kernels, `systolic` the three systolic arrays
   * (`systolic-ws`, `systolic-os`, `systolic-is`). Default: all.
   */
  readonly dataflows?: string | readonly (string | Dataflow)[]
  /** `gpu` (default), the name of a published accelerator, or a hardware. */
  readonly hardware?: string | Hardware
  /** For a network by name (default 1). */
  readonly batch?: number
  readonly precision?: 'f32' | 'f16' | 'int8'
  /** Timed samples of a row (default 3; rows over 0.3 s on a software adapter take fewer). */
  readonly samples?: number
  /** Input tensors by name; seeded ones where absent (integers: zeros). */
  readonly input?: Readonly<Record<string, HostTensor>>
  readonly seed?: number
  readonly onProgress?: (event: ProfileProgress) => void
  /** Stops between rows; the report then holds the rows done, and `complete` is false. */
  readonly signal?: AbortSignal
}

export interface ProfileProgress {
  readonly layer: string
  readonly dataflow: string
  /** Rows done and in all. */
  readonly index: number
  readonly total: number
  readonly phase: 'peaks' | 'reference' | 'map' | 'verify' | 'time' | 'count'
}

/** Options of `model.profile`. */
export interface ModelProfileOptions extends Pick<ProfileOptions, 'hardware' | 'samples' | 'onProgress' | 'signal'> {
  /** One or several dataflows, `all` (default), or `fastest`. */
  readonly dataflow?: string | Dataflow | readonly (string | Dataflow)[]
  /** What results are held against: the CPU reference. */
  readonly baseline?: 'cpu'
}
