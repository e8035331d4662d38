/** Products with sparse weights at the edges: many workgroups, several segments, windows, NaN and infinities, within a graph. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { OptionError, ShapeError } from '../../src/errors.ts'
import { graph } from '../../src/graph/builder.ts'
import { compile } from '../../src/graph/model.ts'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { openGpu } from '../../src/gpu/node.ts'
import { cscMatmul } from '../../src/ops/csc-matmul/op.ts'
import { csrMatmul } from '../../src/ops/csr-matmul/op.ts'
import { eieMatmul } from '../../src/ops/eie-matmul/op.ts'
import * as ops from '../../src/ops/index.ts'
import type { InputValues, OpDefinition } from '../../src/ops/op.ts'
import { parseAttributes } from '../../src/ops/run.ts'
import { numbersOf } from '../../src/ops/values.ts'
import { packCsc } from '../../src/sparsity/csc.ts'
import { packCsr } from '../../src/sparsity/csr.ts'
import { packEie } from '../../src/sparsity/eie.ts'
import { tensor, type HostTensor } from '../../src/tensor/tensor.ts'
import { cscInputs, csrInputs, eieInputs, randomTensor, type SparseCase } from '../cases/sparse-weights.ts'
import { check } from './run-table.ts'

/** All three, of one matrix. */
function everyFormat(x: HostTensor, w: HostTensor): (readonly [OpDefinition, InputValues, object])[] {
  const lines = w.shape[0] ?? 0
  const [csr, csc, eie] = [packCsr(w), packCsc(w, { elements: 2 }), packEie(w, { elements: 8 })]
  return [
    [csrMatmul, [x, csr.values, csr.columns, csr.pointers], { indexBits: csr.indexBits }],
    [cscMatmul, [x, csc.values, csc.rows, csc.pointers], { indexBits: csc.indexBits, lines }],
    [eieMatmul, [x, eie.values, eie.zeros, eie.pointers, null], { lines }],
  ]
}

describe('products with sparse weights', () => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu()
  })
  afterAll(() => gpu.dispose())

  it('have more workgroups than one dimension of the grid', async () => {
    const entry: SparseCase = { name: '', rows: [1], columns: 70_001, depth: 1, pattern: 0.3, integers: true }
    await check(gpu, csrMatmul, csrInputs(entry, 1, 32), { kernel: 'vector' }, true)
    await check(gpu, csrMatmul, csrInputs(entry, 1, 32), { kernel: 'dense' }, true)
    // An element for each row, then a workgroup for each row of X.
    await check(gpu, cscMatmul, cscInputs(entry, 1, 32, 70_001), { lines: 70_001 }, true)
    const turned = { ...entry, rows: [70_001], columns: 1 }
    await check(gpu, eieMatmul, eieInputs(turned, 1, { elements: 1 }), { lines: 1 }, true)
  })

  it('have more rows than a workgroup keeps sums of', async () => {
    const entry: SparseCase = { name: '', rows: [1], columns: 9001, depth: 40, pattern: 0.05, integers: true, bias: true }
    await check(gpu, cscMatmul, cscInputs(entry, 1, 16, 1), { indexBits: 16, lines: 9001 }, true)
    await check(gpu, eieMatmul, eieInputs(entry, 1, { elements: 8 }), { lines: 9001 }, true)
  })

  it('lie in several segments', async () => {
    using narrow = await openGpu({ limits: { maxStorageBufferBindingSize: 1024 } })
    const entry: SparseCase = { name: '', rows: [3], columns: 70, depth: 90, pattern: 0.1, integers: true, activations: 0.5 }
    await check(narrow, csrMatmul, csrInputs(entry, 1, 16), { indexBits: 16 }, true)
    await check(narrow, cscMatmul, cscInputs(entry, 1, 16, 2), { indexBits: 16, lines: 70 }, true)
    await check(narrow, eieMatmul, eieInputs(entry, 1, { elements: 2 }), { lines: 70 }, true)
    expect(narrow.memory.liveBytes).toBe(0)
  })

  it('meet NaN and infinities where there is an entry, and nowhere else', async () => {
    const w = tensor([1, 0, 0, Infinity, NaN, 0, 0, 0, ...Array.from({ length: 32 }, () => 0), 2, 0, 0, 0], [11, 4], 'f32')
    for (const values of [
      [1, 1, 1, 1],
      [Infinity, NaN, Infinity, -Infinity],
      [0, Infinity, 1, -1],
      [-0, 0, NaN, 0],
      [NaN, 0, 0, 1],
      [0, 0, 0, NaN],
    ]) {
      for (const [definition, inputs, given] of everyFormat(tensor(values, [1, 4], 'f32'), w)) {
        await check(gpu, definition, inputs, given)
      }
    }
  })

  it('round f16 beyond 65504 to infinity', async () => {
    const w = tensor([60000, 0, 60000, 1], [2, 2], 'f16')
    for (const [definition, inputs, given] of everyFormat(tensor([2, 1], [1, 2], 'f16'), w)) {
      const [expected] = definition.reference(inputs, parseAttributes(definition, given))
      expect(expected === undefined ? [] : Array.from(numbersOf(expected.tensor))).toEqual([Infinity, Infinity])
      await check(gpu, definition, inputs, given)
    }
  })

  it('are nodes of a graph, in f32 and in f16', async () => {
    const [w, x] = [
      randomTensor('f32', [20, 30], { density: 0.2, integers: true, seed: 3 }),
      randomTensor('f32', [2, 30], { integers: true, seed: 4 }),
    ]
    const g = graph('sparse')
    const input = g.input('x', 'f32', [2, 30])
    g.output('csr', g.csrMatmul(input, packCsr(w), { activation: 'relu' }))
    g.output('csc', g.cscMatmul(input, packCsc(w), { activation: 'relu' }))
    g.output('eie', g.eieMatmul(input, packEie(w, { values: 'shared' }), { activation: 'relu' }))
    g.output('dense', g.linear(input, w, { activation: 'relu' }))
    const finished = g.finish()
    for (const precision of ['f32', 'f16'] as const) {
      using model = await compile(gpu, finished, { precision })
      const { dense, ...others } = await model.run({ x })
      const wanted = await dense?.data()
      for (const name of ['csr', 'csc', 'eie']) expect(await others[name]?.data(), `${name} ${precision}`).toEqual(wanted)
    }
  })

  it('refuse what does not fit', async () => {
    const w = packCsr(tensor([1, 0, 0, 1], [2, 2], 'f32'))
    const csc = packCsc(tensor([1, 0, 0, 1], [2, 2], 'f32'))
    const x = tensor([1, 2], [1, 2], 'f32')
    await expect(ops.csrMatmul(gpu, x, { ...w, columns: csc.pointers })).rejects.toThrow(ShapeError)
    await expect(ops.cscMatmul(gpu, tensor([1, 2, 3], [1, 3]), csc)).rejects.toThrow(/not \[P, 4\]/)
    await expect(ops.csrMatmul(gpu, x, w, { kernel: 'columns' })).rejects.toThrow(OptionError)
    await expect(ops.csrMatmul(gpu, x, w, { bias: tensor([1], [1]) })).rejects.toThrow(/bias/)
    await expect(ops.csrMatmul(gpu, x, w, { residual: tensor([1], [1]) })).rejects.toThrow(/residual/)
  })
})

describe('damaged weights are named before anything runs', () => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu()
  })
  afterAll(() => gpu.dispose())

  const w = tensor([1, 0, 2, 0, 3, 0], [2, 3])
  const x = tensor([1, 1, 1], [1, 3])
  const words = (...values: number[]) => tensor(values, [values.length], 'u32')

  it.each([
    ['CSR: pointers', () => ops.csrMatmul(gpu, x, { ...packCsr(w), pointers: words(0, 3_000_000, 3) }), 'CSR'],
    [
      'CSR: columns',
      () => ops.csrMatmul(gpu, x, { ...packCsr(w, { indexBits: 32 }), columns: words(0, 9, 1) }),
      'row 0 has column 9 of 3',
    ],
    [
      'CSR: another depth',
      () => ops.csrMatmul(gpu, tensor([1, 1], [1, 2]), packCsr(w)),
      'X ends in 2, and the weights have a depth of 3',
    ],
    ['CSC: rows', () => ops.cscMatmul(gpu, x, { ...packCsc(w, { indexBits: 32 }), rows: words(5, 0, 0) }), 'CSC'],
    ['EIE: zeros', () => ops.eieMatmul(gpu, x, { ...packEie(w, { elements: 2 }), zeros: words(0xffffffff) }), 'EIE'],
  ])('%s', async (_, run, message) => {
    await expect(async () => run()).rejects.toThrow(message)
  })

  it('in tensors beside one that was sound with others', async () => {
    const packed = packCsr(w, { indexBits: 32 })
    using y = await ops.csrMatmul(gpu, x, packed)
    expect(y.shape).toEqual([1, 2])
    await expect(async () => ops.csrMatmul(gpu, x, { ...packed, columns: words(0, 9, 1) })).rejects.toThrow('column 9 of 3')
  })

  it('where nothing says how deep they are', () => {
    const { values, columns } = packCsr(w, { indexBits: 32 })
    const given = csrMatmul.attributes.parse({ indexBits: 32 })
    expect(() => csrMatmul.checkValues?.([x, values, columns, words(0, 3_000_000, 3)], given)).toThrow('CSR: row 0 ends at 3000000')
  })
})
