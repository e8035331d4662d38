/** All ops, by name: the one place where an op is registered. */
import { UnsupportedOpError } from '../errors.ts'
import type { OpDefinition } from './op.ts'

const DEFINITIONS: readonly OpDefinition[] = []

export const REGISTRY: ReadonlyMap<string, OpDefinition> = new Map(DEFINITIONS.map((definition) => [definition.name, definition]))

/** The op called `name`. @throws UnsupportedOpError. */
export function opNamed(name: string): OpDefinition {
  const definition = REGISTRY.get(name)
  if (definition !== undefined) return definition
  throw new UnsupportedOpError(`There is no op ${name}`, { op: name })
}
