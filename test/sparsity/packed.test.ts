/** Weights that are not packed, or lack a part, as scripts without types may hand them over: a named error says what packs them. */
import { describe, expect, test } from 'vitest'
import { OptionError } from '../../src/errors.ts'
import { graph } from '../../src/graph/builder.ts'
import { sparseMatmul } from '../../src/ops/products.ts'
import { cscMatmul, csrMatmul, eieMatmul } from '../../src/ops/sparse-formats.ts'
import { packCsr } from '../../src/sparsity/csr.ts'
import { requirePacked } from '../../src/sparsity/packed.ts'
import { fromSemiStructured } from '../../src/sparsity/semi-structured.ts'
import { tensor } from '../../src/tensor/tensor.ts'

const dense = tensor(new Float32Array(32), [4, 8])

/** What calling a method by name throws, whatever its types say. */
function thrown(call: () => unknown): unknown {
  try {
    call()
  } catch (error) {
    return error
  }
  return undefined
}

describe('a matrix in place of packed weights', () => {
  test.each([
    ['sparseMatmul', 'packTwoOfFour'],
    ['csrMatmul', 'packCsr'],
    ['cscMatmul', 'packCsc'],
    ['eieMatmul', 'packEie'],
  ] as const)('in a graph: %s names %s', (op, pack) => {
    const g = graph()
    const x = g.input('x', 'f32', [1, 8])
    const error = thrown(() => Reflect.apply(g[op], g, [x, dense]))
    expect(error).toBeInstanceOf(OptionError)
    expect(String(error)).toMatch(new RegExp(`${op} takes weights as ${pack} makes them, not a dense f32 .*4.*8`))
    expect(String(error)).toContain(`Give ${pack}(matrix)`)
  })

  test.each([
    [sparseMatmul, 'packTwoOfFour'],
    [csrMatmul, 'packCsr'],
    [cscMatmul, 'packCsc'],
    [eieMatmul, 'packEie'],
  ] as const)('called alone, before a GPU is asked: %o', async (op, pack) => {
    const result: unknown = Reflect.apply(op, undefined, [undefined, tensor(new Float32Array(8), [1, 8]), dense])
    await expect(result).rejects.toThrow(`${op.name} takes weights as ${pack} makes them, not a dense f32`)
  })

  test('packed weights pass; what lacks a part says which', () => {
    const packed = packCsr(dense)
    expect(() => requirePacked('csrMatmul', packed, ['columns', 'pointers'], 'packCsr')).not.toThrow()
    const { pointers: _, ...less } = packed
    expect(() => requirePacked('csrMatmul', less, ['columns', 'pointers'], 'packCsr')).toThrow('not weights without pointers')
  })
})

test.each([
  [{ values: dense }, /lacks dtype \(one of f32, .*\), meta \(/],
  [{ dtype: 'f16', values: dense }, /lacks meta \(/],
  [{ dtype: 'f16', meta: { bits: 16, shape: [4, 1], words: [0] } }, /lacks values/],
  [{ dtype: 'f64', values: dense, meta: { bits: 16, shape: [4, 1], words: [0] } }, /lacks dtype/],
])('a semi-structured tensor without its parts is named: %#', (given, message) => {
  const error = thrown(() => Reflect.apply(fromSemiStructured, undefined, [given]))
  expect(error).toBeInstanceOf(OptionError)
  expect(String(error)).toMatch(message)
})
