import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DtypeError } from '../../src/errors.ts'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { openGpu } from '../../src/gpu/node.ts'
import { add } from '../../src/ops/add/op.ts'
import { concat } from '../../src/ops/concat/op.ts'
import { gather } from '../../src/ops/gather/op.ts'
import { transpose } from '../../src/ops/transpose/op.ts'
import { runOp } from '../../src/ops/run.ts'
import { tensor } from '../../src/tensor/tensor.ts'
import { ALIASES, BLOCKS, CONCAT, GATHER, MADE, PAD, SLICE, TRANSPOSE } from '../cases/movement.ts'
import { runTables } from './run-table.ts'

runTables(TRANSPOSE, SLICE, PAD, CONCAT, ...BLOCKS, GATHER, ...ALIASES, ...MADE)

describe('on the device', () => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu()
  })
  afterAll(() => gpu.dispose())

  it('broadcasts over more than 65 535 workgroups', async () => {
    const [rows, columns] = [4097, 4097]
    const a = Int32Array.from({ length: rows * columns }, (_, i) => i)
    const b = Int32Array.from({ length: columns }, (_, i) => i * 3)
    const [y] = await runOp(gpu, add, [tensor(a, [rows, columns]), tensor(b)])
    const values = await y!.data()
    y!.dispose()
    let wrong = 0
    for (let i = 0; i < a.length; i++) if (values[i] !== a[i]! + b[i % columns]!) wrong++
    expect(wrong).toBe(0)
  })

  it('gathers device indices; one out of range gives NaN or 0', async () => {
    using indices = gpu.upload(tensor([1, 7, -8, 2 ** 40, -7], [5], 'i64'))
    const [y] = await runOp(gpu, gather, [tensor([1, 2, 3, 4, 5, 6, 7]), indices])
    expect([...(await y!.data())]).toEqual([2, NaN, NaN, NaN, 1])
    y!.dispose()
    const [z] = await runOp(gpu, gather, [tensor([1, 2, 3, 4, 5, 6, 7], [7], 'i32'), tensor([7, 6], [2], 'i32')])
    expect([...(await z!.data())]).toEqual([0, 7])
    z!.dispose()
  })

  it('refuses i64 arithmetic by name', async () => {
    const x = tensor([1, 2], [2], 'i64')
    await expect(runOp(gpu, add, [x, x])).rejects.toThrow(DtypeError)
    await expect(runOp(gpu, add, [x, x])).rejects.toThrow(/op add; dtype i64.*Cast to i32/)
  })

  it('moves every bit pattern of i64', async () => {
    const values = BigInt64Array.of(2n ** 62n + 1n, -(2n ** 63n), -1n, 2n ** 53n + 1n)
    const [y] = await runOp(gpu, transpose, [tensor(values, [2, 2])])
    expect(await y!.data()).toEqual(BigInt64Array.of(values[0]!, values[2]!, values[1]!, values[3]!))
    y!.dispose()
  })
})

describe('a small device', () => {
  it('moves tensors in segments', async () => {
    using gpu = await openGpu({ limits: { maxStorageBufferBindingSize: 256, maxBufferSize: 600 } })
    const x = tensor(
      Float32Array.from({ length: 7 * 30 }, (_, i) => i),
      [7, 30],
    )
    const [y] = await runOp(gpu, transpose, [x])
    expect([...(await y!.data())]).toEqual(Array.from({ length: 7 * 30 }, (_, i) => (i % 7) * 30 + Math.floor(i / 7)))
    y!.dispose()
    const pieces = Array.from({ length: 9 }, (_, i) => tensor([i, i + 0.5, i + 0.75, -i], [2, 2]))
    const [z] = await runOp(gpu, concat, pieces, { axis: 1 })
    expect([...(await z!.data())].slice(0, 6)).toEqual([0, 0.5, 1, 1.5, 2, 2.5])
    z!.dispose()
  })
})
