/** Configurations of kernels, parsed once: plans, refusals and predictions of one configuration ask for it again and again. */
import type { z } from 'zod'

/** `schema.parse`, remembered by object. */
export function parsedOnce<C extends object>(schema: z.ZodType<C>): (given: object) => C {
  const known = new WeakMap<object, C>()
  return (given) => {
    const before = known.get(given)
    if (before !== undefined) return before
    const parsed = schema.parse(given)
    known.set(given, parsed)
    known.set(parsed, parsed)
    return parsed
  }
}
