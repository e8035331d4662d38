/** Workgroups that fit a device. Think of it as the smallest of three: what a kernel wants, the device's invocations, its memory. */
import type { DeviceLimits } from '../../../gpu/program.ts'

/**
 * The sides of a workgroup, the longer one halved until the device can run it. Where not even one invocation fits, that one is given.
 * @param wanted powers of two
 * @param bytes workgroup memory that sides take
 */
export function fittingWorkgroup(
  wanted: readonly [x: number, y: number],
  bytes: (x: number, y: number) => number,
  limits: DeviceLimits,
): readonly [x: number, y: number] {
  let [x, y] = wanted
  while (x * y > 1 && (x * y > limits.maxComputeInvocationsPerWorkgroup || bytes(x, y) > limits.maxComputeWorkgroupStorageSize)) {
    if (x >= y) x /= 2
    else y /= 2
  }
  return [x, y]
}

/** The smallest power of two that is at least `count`, and at least 1. */
export function powerOfTwo(count: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, count)))
}
