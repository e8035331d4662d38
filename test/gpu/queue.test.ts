import { describe, expect, it } from 'vitest'
import { DeviceLimitError, DeviceLostError, DeviceValidationError } from '../../src/errors.ts'
import { Faults, namedError } from '../../src/gpu/faults.ts'
import { excerpt, fnv1a } from '../../src/gpu/pipelines.ts'
import { Line } from '../../src/gpu/queue.ts'

const soon = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

describe('Line', () => {
  it('runs tasks one at a time in their order, past failures', async () => {
    const line = new Line()
    const log: string[] = []
    const task =
      (name: string, ms: number, fail = false) =>
      async () => {
        log.push(`${name} in`)
        await soon(ms)
        log.push(`${name} out`)
        if (fail) throw new Error(name)
        return name
      }
    const results = await Promise.allSettled([line.enter(task('a', 5)), line.enter(task('b', 1, true)), line.enter(task('c', 0))])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(log).toEqual(['a in', 'a out', 'b in', 'b out', 'c in', 'c out'])
  })

  it('lets go of a task that is aborted while it waits', async () => {
    const line = new Line()
    const control = new AbortController()
    const first = line.enter(() => soon(10))
    let ran = false
    const second = line.enter(() => {
      ran = true
      return Promise.resolve()
    }, control.signal)
    const reason = new Error('enough')
    control.abort(reason)
    await expect(second).rejects.toBe(reason)
    await first
    await line.enter(() => Promise.resolve())
    expect(ran).toBe(false)
  })
})

describe('Faults', () => {
  it('rejects every waiter, then and later, with what ended the device', async () => {
    const faults = new Faults()
    const never = new Promise<void>(() => {})
    const waiters = [faults.guard(never), faults.guard(soon(1).then(() => Promise.reject(new Error('follows'))))]
    const lost = new DeviceLostError('gone')
    faults.finish(lost)
    faults.finish(new DeviceLostError('again'))
    waiters.push(faults.guard(Promise.resolve()))
    for (const waiter of waiters) await expect(waiter).rejects.toBe(lost)
    expect(() => faults.check()).toThrow(lost)
  })

  it('hands on an error that no scope caught once', () => {
    const faults = new Faults()
    faults.report(new DeviceValidationError('first'))
    faults.report(new DeviceValidationError('second'))
    expect(() => faults.check()).toThrow('first')
    expect(() => faults.check()).not.toThrow()
  })
})

describe('namedError', () => {
  it('is by the kind of error', () => {
    class GPUOutOfMemoryError extends Error {}
    class GPUValidationError extends Error {}
    const full = namedError(new GPUOutOfMemoryError('x'), { node: 'conv1' })
    expect(full).toBeInstanceOf(DeviceLimitError)
    expect(full.message).toMatch(/out of memory \(node conv1; limit device memory\)\. Use a smaller batch/)
    expect(namedError(new GPUValidationError('bad'))).toBeInstanceOf(DeviceValidationError)
  })
})

describe('pipeline keys', () => {
  it('tell texts apart', () => {
    const texts = Array.from({ length: 5000 }, (_, i) => `fn main() { let x = ${i}u; }`)
    expect(new Set(texts.map(fnv1a)).size).toBe(texts.length)
    expect(fnv1a('a')).toMatch(/^[0-9a-f]{16}$/)
  })

  it('show the line that is wrong', () => {
    expect(excerpt('one\ntwo\nthree\nfour\nfive', 3, 2)).toBe(
      '    1 | one\n    2 | two\n    3 | three\n      |  ^\n    4 | four\n    5 | five',
    )
  })
})
