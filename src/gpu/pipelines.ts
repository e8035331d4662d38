/**
 * Compute pipelines, keyed by a hash of their final WGSL: two layers whose kernels read the same share one. Problem sizes are
 * uniforms, so they usually do.
 */
import { DeviceValidationError, type TilewrightError } from '../errors.ts'
import { COMPUTE_STAGE } from './flags.ts'
import { namedError } from './faults.ts'
import type { Assembled } from './assemble.ts'

export interface Pipeline {
  readonly pipeline: GPUComputePipeline
  readonly layout: GPUBindGroupLayout
}

interface Entry {
  readonly code: string
  readonly ready: Promise<Pipeline>
}

export class PipelineCache {
  readonly #device: GPUDevice
  readonly #entries = new Map<string, Entry>()

  constructor(device: GPUDevice) {
    this.#device = device
  }

  /** Pipelines compiled so far. */
  get size(): number {
    return this.#entries.size
  }

  /**
   * The pipeline of an assembled program, compiled on first use.
   * @param name what labels and errors show
   * @throws DeviceValidationError with the line of WGSL that the device refused
   */
  get(name: string, assembled: Assembled): Promise<Pipeline> {
    let key = fnv1a(assembled.code)
    // Two programs under one hash: step on to the next key.
    while (this.#entries.get(key)?.code !== undefined && this.#entries.get(key)?.code !== assembled.code) key += "'"
    const known = this.#entries.get(key)
    if (known !== undefined) return known.ready
    const ready = this.#compile(`${name}#${key}`, assembled)
    this.#entries.set(key, { code: assembled.code, ready })
    ready.catch(() => this.#entries.delete(key))
    return ready
  }

  async #compile(label: string, assembled: Assembled): Promise<Pipeline> {
    const device = this.#device
    const { code, bindings } = assembled
    device.pushErrorScope('validation')
    const module = device.createShaderModule({ code, label })
    const layout = device.createBindGroupLayout({
      label,
      entries: [
        { binding: 0, visibility: COMPUTE_STAGE, buffer: { type: 'uniform', hasDynamicOffset: true } },
        ...bindings.map(({ readOnly }, index): GPUBindGroupLayoutEntry => {
          return { binding: index + 1, visibility: COMPUTE_STAGE, buffer: { type: readOnly ? 'read-only-storage' : 'storage' } }
        }),
      ],
    })
    const pipelineLayout = device.createPipelineLayout({ bindGroupLayouts: [layout], label })
    const invalid = device.popErrorScope()
    const compiled = device.createComputePipelineAsync({ layout: pipelineLayout, compute: { module, entryPoint: 'main' }, label })
    const [error, outcome] = await Promise.all([invalid, settle(compiled)])
    if (error === null && outcome.value !== undefined) return { pipeline: outcome.value, layout }
    throw await this.#explain(label, code, module, error ?? outcome.error)
  }

  async #explain(label: string, code: string, module: GPUShaderModule, cause: unknown): Promise<TilewrightError> {
    const { messages } = await module.getCompilationInfo()
    const first = messages.find((message) => message.type === 'error')
    if (first !== undefined) {
      return new DeviceValidationError(
        `The device refused a shader: ${first.message}\n${excerpt(code, first.lineNum, first.linePos)}`,
        {
          op: label,
          line: first.lineNum,
        },
      )
    }
    const message =
      cause instanceof Error || (typeof cause === 'object' && cause !== null && 'message' in cause) ? cause : undefined
    if (message !== undefined && message.constructor.name === 'GPUOutOfMemoryError')
      return namedError(message as GPUError, { op: label })
    return new DeviceValidationError(
      `The device refused a pipeline: ${message === undefined ? String(cause) : String(message.message)}`,
      {
        op: label,
      },
    )
  }
}

async function settle<T>(promise: Promise<T>): Promise<{ value?: T; error?: unknown }> {
  try {
    return { value: await promise }
  } catch (error) {
    return { error }
  }
}

/** Two lines around `line` (from 1), numbered, with a caret under `column`. */
export function excerpt(code: string, line: number, column: number): string {
  const lines = code.split('\n')
  const shown: string[] = []
  for (let number = Math.max(1, line - 2); number <= Math.min(lines.length, line + 2); number++) {
    shown.push(`${String(number).padStart(5)} | ${lines[number - 1]}`)
    if (number === line) shown.push(`      | ${' '.repeat(Math.max(0, column - 1))}^`)
  }
  return shown.join('\n')
}

/** 64-bit FNV-1a of a text's UTF-16 units, as 16 hex digits (two interleaved 32-bit halves: no BigInt in the way). */
export function fnv1a(text: string): string {
  let low = 0x811c9dc5
  let high = 0xcbf29ce4
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    low = Math.imul(low ^ unit, 0x01000193)
    high = Math.imul(high ^ unit ^ (low >>> 16), 0x01000193)
  }
  return (high >>> 0).toString(16).padStart(8, '0') + (low >>> 0).toString(16).padStart(8, '0')
}
