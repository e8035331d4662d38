/** All ops, by name: the one place where an op is registered. */
import { UnsupportedOpError } from '../errors.ts'
import { conv2d } from './conv2d/op.ts'
import { gemm } from './gemm/op.ts'
import { linear } from './linear/op.ts'
import { matmul } from './matmul/op.ts'
import type { OpDefinition } from './op.ts'

const DEFINITIONS: readonly OpDefinition[] = [
  conv2d,
  gemm,
  matmul,
  linear,
]

export const REGISTRY: ReadonlyMap<string, OpDefinition> = new Map(DEFINITIONS.map((definition) => [definition.name, definition]))

/** The op called `name`. @throws UnsupportedOpError. */
export function opNamed(name: string): OpDefinition {
  const definition = REGISTRY.get(name)
  if (definition !== undefined) return definition
  throw new UnsupportedOpError(`There is no op ${name}`, { op: name })
}
