/** Which nodes are an activation of an epilogue (src/ops/gemm/activation.ts), with their bounds and slopes as its parameters. */
import { z } from 'zod'
import { anyNumber } from '../ops/elementwise/dtypes.ts'
import { activationField, type Activation } from '../ops/gemm/activation.ts'
import { REGISTRY } from '../ops/registry.ts'
import { isFloat } from '../tensor/dtype.ts'
import type { TypedNode } from './passes.ts'

const PLAIN: ReadonlyMap<string, Activation> = new Map([
  ['relu', 'relu'],
  ['sigmoid', 'sigmoid'],
  ['tanh', 'tanh'],
  ['hardSwish', 'hardSwish'],
])

/** The activation that a node is of its first input; undefined where it is none. */
export function activationOf({ node, definition, context }: TypedNode): Activation | undefined {
  if (REGISTRY.get(node.op) !== definition) return undefined
  const plain = PLAIN.get(node.op)
  if (plain !== undefined) return plain
  if (node.op === 'clip') return clipOf(context)
  if (node.op !== 'leakyRelu' && node.op !== 'hardSigmoid') return undefined
  const parsed = activationField.safeParse({ ...z.looseObject({}).parse(context.attributes), name: node.op })
  return parsed.success ? parsed.data : undefined
}

const clipAttributes = z.looseObject({ min: anyNumber.optional(), max: anyNumber.optional() })

/** A bound that is infinite on its own side binds nothing; any other that is not finite keeps its node. */
function clipOf({ inputs, values, attributes }: TypedNode['context']): Activation | undefined {
  if (!isFloat(inputs[0]?.dtype ?? 'i64')) return undefined
  const given = clipAttributes.parse(attributes)
  const bounds = [Number(values[1]?.values[0] ?? given.min ?? -Infinity), Number(values[2]?.values[0] ?? given.max ?? Infinity)]
  const [min = NaN, max = NaN] = bounds
  if (Number.isNaN(min) || Number.isNaN(max) || min === Infinity || max === -Infinity) return undefined
  if (min === -Infinity && max === Infinity) return undefined
  return { name: 'clip', ...(min === -Infinity ? {} : { min }), ...(max === Infinity ? {} : { max }) }
}

/** The activation that value · gate(value) is: silu of a sigmoid, hardSwish of the hardSigmoid whose slope is 1/6. */
export function gatedBy(gate: Activation): Activation | undefined {
  if (gate === 'sigmoid') return 'silu'
  if (typeof gate === 'string' || gate.name !== 'hardSigmoid') return undefined
  return Math.fround(gate.alpha) === Math.fround(1 / 6) && gate.beta === 0.5 ? 'hardSwish' : undefined
}
