/** All kernel families of the matrix product: the one place where a family is registered. */
import { OptionError } from '../../errors.ts'
import type { DeviceFacts } from '../../gpu/program.ts'
import { sizeOf } from '../../tensor/shape.ts'
import { erased, type Accesses, type AnyFamily, type Config } from './family.ts'
import { broadcast } from './kernels/broadcast.ts'
import { matrix } from './kernels/matrix.ts'
import { registers } from './kernels/registers.ts'
import { strassen } from './kernels/strassen.ts'
import { tiled } from './kernels/tiled.ts'
import { twoOfFourTiles } from './kernels/two-of-four-tiles.ts'
import { twoOfFour } from './kernels/two-of-four.ts'
import { vector } from './kernels/vector.ts'
import type { Product } from './product.ts'

export type { AnyFamily } from './family.ts'

export const FAMILIES: ReadonlyMap<string, AnyFamily> = new Map(
  [
    erased(broadcast),
    erased(matrix),
    erased(registers),
    erased(strassen),
    erased(tiled),
    erased(twoOfFour),
    erased(twoOfFourTiles),
    erased(vector),
  ].map((family) => [family.name, family]),
)

/** @throws OptionError for a kernel that there is not */
export function familyNamed(name: string, op: string): AnyFamily {
  const family = FAMILIES.get(name)
  if (family !== undefined) return family
  throw new OptionError(`There is no kernel ${name}`, { op, remedy: `Kernels: ${[...FAMILIES.keys()].join(', ')}` })
}

/**
 * The configuration that a caller forces: a kernel's name (its best by rule is taken), or its configuration.
 * @throws OptionError when it is none, or cannot run this product on this device; it never switches to another
 */
export function forced(product: Product, given: string | Config, device: DeviceFacts): Config {
  const family = familyNamed(typeof given === 'string' ? given : given.kernel, product.op)
  const best = typeof given === 'string' ? family.candidates(product, device)[0] : undefined
  const parsed = family.schema.safeParse(best ?? (typeof given === 'string' ? { kernel: given } : given))
  if (!parsed.success) {
    const faults = parsed.error.issues.map(({ path, message }) => (path.length > 0 ? `${path.join('.')}: ${message}` : message))
    throw new OptionError(`This is no configuration of kernel ${family.name}: ${faults.join('; ')}`, { op: product.op })
  }
  const refusal = family.refusal(product, parsed.data, device)
  if (refusal === undefined) return parsed.data
  throw new OptionError(`Kernel ${family.name} cannot run this product: ${refusal}`, {
    op: product.op,
    dtype: product.a.type.dtype,
    remedy: 'Choose another kernel, or none',
  })
}

/** Why a kernel that a caller names cannot run a product, by its name or configuration. Undefined: it can. @throws OptionError for none that there is */
export function kernelRefusal(product: Product, given: string | Config, device: DeviceFacts): string | undefined {
  const family = familyNamed(typeof given === 'string' ? given : given.kernel, product.op)
  if (typeof given === 'string') {
    return family.candidates(product, device).length > 0 ? undefined : `kernel ${given} has no fitting configuration`
  }
  const parsed = family.schema.safeParse(given)
  return parsed.success ? family.refusal(product, parsed.data, device) : `this is no configuration of kernel ${family.name}`
}

/** Every legal configuration worth measuring, of every family. */
export function allCandidates(product: Product, device: DeviceFacts): Config[] {
  return [...FAMILIES.values()].flatMap((family) => family.candidates(product, device))
}

/** What the family says, and what its epilogue reads besides: each term once for each value stored. */
export function accessesOf(product: Product, config: Config, device: DeviceFacts): Accesses {
  const { scale, bias, residual } = product.epilogue
  const loads = sizeOf(product.output.shape)
  const terms = Object.entries({ scale, bias, residual }).filter(([, term]) => term !== undefined)
  return {
    ...familyNamed(config.kernel, product.op).accesses(product, config, device),
    ...Object.fromEntries(terms.map(([name]) => [name, { loads, stores: 0 }])),
  }
}
