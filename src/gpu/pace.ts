/**
 * Waiting in Node without eating a core. While a promise of Dawn's is open, its binding polls the device from `setImmediate`, over and
 * over; where the device is the CPU itself (a software adapter), that takes a core from the kernels that are waited for: half of two.
 * Think of this as a breath between polls: after half a millisecond of polling, one a millisecond.
 */

/** Polls follow one another at once for so long, milliseconds: short runs are heard of without delay. */
const SPIN_MS = 0.5
/** A poll that comes later than this after the last begins a new wait. */
const NEW_WAIT_MS = 5

type Immediate = (callback: (...values: unknown[]) => void, ...values: unknown[]) => unknown

let paced = false

/**
 * Paces what native code polls by `setImmediate` in this process; functions written in JavaScript run at once as before. Does nothing
 * where there is no `setImmediate` (browsers), or the second time.
 */
export function pacePolling(): void {
  const scope = globalThis as { setImmediate?: Immediate }
  const immediate = scope.setImmediate
  if (paced || immediate === undefined) return
  paced = true
  let began = 0
  let last = -Infinity
  const pacedImmediate: Immediate = (callback, ...values) => {
    if (!isNative(callback)) return immediate(callback, ...values)
    const now = performance.now()
    if (now - last > NEW_WAIT_MS) began = now
    last = now
    return now - began < SPIN_MS ? immediate(callback, ...values) : setTimeout(callback, 1, ...values)
  }
  // What hangs on the original (util.promisify.custom) hangs on this one too.
  for (const key of Object.getOwnPropertySymbols(immediate)) {
    Object.defineProperty(pacedImmediate, key, Object.getOwnPropertyDescriptor(immediate, key) ?? {})
  }
  scope.setImmediate = pacedImmediate
}

function isNative(callback: unknown): boolean {
  return typeof callback === 'function' && Function.prototype.toString.call(callback).endsWith('{ [native code] }')
}
