/**
 * What goes wrong on a device, as named errors: error scopes around what is known to fail, errors that no scope caught, and the
 * loss of the device, which reaches everyone who waits.
 */
import { DeviceLimitError, DeviceValidationError, type ErrorDetails, type TilewrightError } from '../errors.ts'

/** Joins waiters with the device's fate: whatever waits through `guard` is rejected when the device is lost or disposed. */
export class Faults {
  #end: TilewrightError | undefined
  #uncaptured: TilewrightError | undefined
  readonly #waiting = new Set<(error: TilewrightError) => void>()

  /** The error that ended the device, when it has ended. */
  get end(): TilewrightError | undefined {
    return this.#end
  }

  /** Ends everything: present and later waiters get `error`. Only the first end counts. */
  finish(error: TilewrightError): void {
    if (this.#end !== undefined) return
    this.#end = error
    for (const reject of this.#waiting) reject(error)
    this.#waiting.clear()
  }

  /** Keeps an error that no scope caught, for whoever looks next. */
  report(error: TilewrightError): void {
    this.#uncaptured ??= error
  }

  /** @throws the error that ended the device, or one that was reported since the last check. */
  check(): void {
    if (this.#end !== undefined) throw this.#end
    const error = this.#uncaptured
    this.#uncaptured = undefined
    if (error !== undefined) throw error
  }

  /** `promise`, but rejected at once when the device ends. Errors that follow from the end are replaced by it. */
  guard<T>(promise: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#end !== undefined) {
        promise.catch(() => {})
        reject(this.#end)
        return
      }
      this.#waiting.add(reject)
      promise.then(
        (value) => {
          this.#waiting.delete(reject)
          resolve(value)
        },
        (error: unknown) => {
          this.#waiting.delete(reject)
          reject(this.#end ?? (error as Error))
        },
      )
    })
  }
}

/** The named error for one of WebGPU's. */
export function namedError(error: GPUError, details: ErrorDetails = {}): TilewrightError {
  if (error.constructor.name === 'GPUOutOfMemoryError') {
    return new DeviceLimitError('The device is out of memory', {
      ...details,
      limit: 'device memory',
      remedy: 'Use a smaller batch or model, precision f16, or dispose of models and tensors that are no longer needed',
    })
  }
  return new DeviceValidationError(error.message.trim(), details)
}

/** Runs `work` inside error scopes. Resolves when the device has judged it: to its result, or rejects with the named error. */
export async function scoped<T>(device: GPUDevice, details: ErrorDetails, work: () => T): Promise<T> {
  device.pushErrorScope('internal')
  device.pushErrorScope('out-of-memory')
  device.pushErrorScope('validation')
  let result: T
  let scopes: Promise<GPUError | null>[]
  try {
    result = work()
  } finally {
    scopes = [device.popErrorScope(), device.popErrorScope(), device.popErrorScope()]
  }
  const error = (await Promise.all(scopes)).find((found) => found !== null)
  if (error !== undefined) throw namedError(error, details)
  return result
}
