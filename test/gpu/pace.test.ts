import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { pacePolling } from '../../src/gpu/pace.ts'

const original = globalThis.setImmediate

/** Callbacks that are not paced: so many take a fraction of as many milliseconds. */
const SPINS = 2000

it('paces native callbacks that poll on, and no others', async () => {
  pacePolling()
  expect(globalThis.setImmediate).not.toBe(original)
  pacePolling()
  let polls = 0
  let immediates = 0
  const start = performance.now()
  await new Promise<void>((resolve) => {
    // A bound function is native, as the binding's are.
    const poll = function (this: void): void {
      polls++
      if (performance.now() - start < 60 || immediates < SPINS) setImmediate(bound)
      else resolve()
    }
    const bound = poll.bind(undefined)
    const spin = (): void => {
      immediates++
      if (immediates < SPINS) setImmediate(spin)
    }
    setImmediate(bound)
    setImmediate(spin)
  })
  const spun = immediates
  expect(spun).toBe(SPINS)
  expect(polls).toBeGreaterThan(5)
  expect(polls).toBeLessThan(spun)
  expect(await promisify(setImmediate)('value')).toBe('value')
})
