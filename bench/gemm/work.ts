/** A product as the engines take it. */
import { macs, SOFTWARE_REPEATED, type GemmCase } from '../cases/gemm.ts'
import { ruleFor } from '../engines/sample.ts'
import type { Operand, TfWork, Work } from '../work.ts'
import { DTYPE, gemmGraph, shapesOf } from './graph.ts'
import { errorOf, operandA, operandB } from './operands.ts'

export function gemmWork(item: GemmCase, software: boolean): Work {
  const sparing = software && macs(item) > SOFTWARE_REPEATED
  const dtype = DTYPE[item.dtype]
  const shapes = shapesOf(item)
  const a: Operand = { dtype, shape: shapes.a, values: operandA(item) }
  return {
    name: item.name,
    graph: gemmGraph(item),
    feeds: item.weights ? { a } : { a, b: { dtype, shape: shapes.b, values: operandB(item) } },
    output: 'c',
    ours: 'op',
    firstFromOpening: false,
    resident: true,
    tfjs: tfWork(item, a),
    rule: (first_ms) => Promise.resolve(ruleFor(sparing, first_ms)),
    error: (values) => errorOf(item, values),
  }
}

function tfWork(item: GemmCase, { values, shape }: Operand): TfWork | string {
  if (!(values instanceof Float32Array) || item.dtype !== 'f32') return 'it computes in f32 only'
  return {
    input: { values, shape },
    weights(tf) {
      const b = operandB(item)
      if (!(b instanceof Float32Array)) throw new Error('f32 operands are f32')
      return [tf.tensor(b, shapesOf(item).b)]
    },
    run(tf, a, [b]) {
      if (b === undefined) throw new Error('B is missing')
      return tf.matMul(a, b, false, item.transposed)
    },
    result: (c) => c,
  }
}
