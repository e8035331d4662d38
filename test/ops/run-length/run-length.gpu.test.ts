/** Run-length code on the GPU against the host's coder, word by word, and back: runs across lanes and blocks, densities, lengths. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runLengthBits } from '../../../src/cost/compression.ts'
import type { Gpu } from '../../../src/gpu/gpu.ts'
import { openGpu } from '../../../src/gpu/node.ts'
import { runLengthDecode } from '../../../src/ops/run-length-decode/op.ts'
import { codedValues, runLengthEncode } from '../../../src/ops/run-length-encode/op.ts'
import { runOp } from '../../../src/ops/run.ts'
import { zerosOf } from '../../../src/profile/zeros.ts'
import { HostTensor, tensor } from '../../../src/tensor/tensor.ts'
import { randomFrom } from '../../cases/case.ts'

let gpu: Gpu
beforeAll(async () => {
  gpu = await openGpu()
})
afterAll(() => {
  expect(gpu.memory.liveBytes).toBe(0)
  gpu.dispose()
})

/** Where two arrays first differ, -1 where they do not. */
function difference(a: ArrayLike<number | bigint>, b: ArrayLike<number | bigint>): number {
  for (let at = 0; at < Math.max(a.length, b.length); at++) if (a[at] !== b[at]) return at
  return -1
}

/** Encodes as the host does, word by word, decodes to the same bits, and is as large as the host says. */
async function checkCode(x: HostTensor, on = gpu): Promise<void> {
  const [expected, sizes] = runLengthEncode.reference([x], {})
  const [words, counts] = await runOp(on, runLengthEncode, [x], {})
  if (words === undefined || counts === undefined) throw new Error('There are words and counts')
  expect(words.shape).toEqual(expected?.tensor.shape)
  expect(difference(await words.data(), expected?.tensor.values ?? [])).toBe(-1)
  expect(await counts.data()).toEqual(sizes?.tensor.values)
  const { shape, dtype } = x
  const [y] = await runOp(on, runLengthDecode, [words, counts], { shape, dtype })
  if (y === undefined) throw new Error('There is a result')
  expect(y.shape).toEqual(shape)
  const [count] = await counts.data()
  const back = codedValues(new HostTensor(y.dtype, y.shape, await y.data()))
  for (const one of [words, counts, y]) one.dispose()
  const values = codedValues(x)
  expect(64 * Number(count)).toBe(runLengthBits(values))
  expect(difference(back, values)).toBe(-1)
}

function random(count: number, density: number, dtype: 'f16' | 'i32', seed = 1): HostTensor {
  const next = randomFrom(seed)
  const draw = (): number => (next() >= density ? 0 : dtype === 'f16' ? next() * 2 - 1 : Math.floor(next() * 65536) - 32768)
  return tensor(Array.from({ length: count }, draw), [count], dtype)
}

describe('run-length code', () => {
  it.each([0, 0.005, 0.05, 0.4, 0.9, 1])('of a part %d that is not zero', async (density) => {
    for (const dtype of ['f16', 'i32'] as const) await checkCode(random(9973, density, dtype))
  })

  it('of any length, across the ends of lanes (32) and workgroups (4096)', async () => {
    for (const length of [0, 1, 2, 3, 4, 31, 32, 33, 64, 65, 4095, 4096, 4097, 8192, 8209])
      await checkCode(random(length, 0.3, 'i32', length + 1))
  })

  it('of runs of 31, 32, 33 and more zeros, wherever they begin', async () => {
    const values: number[] = []
    for (const run of [31, 32, 33, 63, 64, 65, 5000, 0, 1, 127, 128, 129, 4096, 31]) {
      values.push(...Array.from({ length: run }, () => 0), run - 40 || 7)
    }
    for (const last of [0, 1, 31, 32, 33, 70])
      await checkCode(tensor([...values, ...Array.from({ length: last }, () => 0)], undefined, 'i32'))
  })

  it('of more than a million values', async () => {
    await checkCode(random(1_050_013, 0.03, 'f16'))
  })

  it('of all halves: NaN, infinities, the smallest; zeros of either sign are one', async () => {
    const x = tensor(
      Uint16Array.from({ length: 65536 }, (_, bits) => bits),
      [256, 256],
      'f16',
    )
    expect(codedValues(x)[0x8000]).toBe(0)
    await checkCode(x)
  })

  it('of integers that 16 bits do not hold: they saturate', async () => {
    const x = tensor([32767, 32768, -32769, 0, 2 ** 31 - 1, -(2 ** 31)], [2, 3], 'i32')
    expect(Array.from(codedValues(x))).toEqual([32767, 32767, -32768, 0, 32767, -32768])
    await checkCode(x)
  })

  it('is as large as the profile says that activations are', async () => {
    const x = random(20_000, 0.35, 'f16', 5)
    const [words, counts] = await runOp(gpu, runLengthEncode, [x], {})
    const [count] = counts === undefined ? [] : await counts.data()
    words?.dispose()
    counts?.dispose()
    expect((64 * Number(count)) / (16 * 20_000)).toBe(zerosOf(x).ratio)
  })

  it('of words that are damaged: what they do not hold is 0, what is too much is dropped', async () => {
    const x = random(700, 0.5, 'i32', 3)
    const [code] = runLengthEncode.reference([x], {})
    const inputs = [code?.tensor ?? null, tensor([30, 90], [2], 'u32')]
    const decoded = async (count: number): Promise<ArrayLike<number | bigint>> => {
      const [y] = await runOp(gpu, runLengthDecode, inputs, { shape: [count], dtype: 'i32' })
      const values = (await y?.data()) ?? []
      y?.dispose()
      return values
    }
    const [few, many] = [await decoded(40), await decoded(700)]
    expect(difference(few, Array.from(codedValues(x)).slice(0, 40))).toBe(-1)
    const first = difference(many, codedValues(x))
    expect(first).toBeGreaterThan(90)
    expect(
      Array.from(many)
        .slice(first)
        .every((value) => value === 0),
    ).toBe(true)
    expect(() => runLengthDecode.reference(inputs, { shape: [700], dtype: 'i32' })).toThrow(/does not say so/)
  })

  it('of tensors in several segments, over more workgroups than a dimension has', async () => {
    using small = await openGpu({ limits: { maxStorageBufferBindingSize: 131072, maxComputeWorkgroupsPerDimension: 8 } })
    await checkCode(random(70_001, 0.2, 'i32'), small)
    expect(small.memory.liveBytes).toBe(0)
  })
})
