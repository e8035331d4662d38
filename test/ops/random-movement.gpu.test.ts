/** Data movement and broadcasting on random shapes of up to eight axes: every kernel against its reference. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { openGpu } from '../../src/gpu/node.ts'
import { sub } from '../../src/ops/sub/op.ts'
import { gather } from '../../src/ops/gather/op.ts'
import { pad } from '../../src/ops/pad/op.ts'
import { PAD_MODES } from '../../src/ops/pad/rule.ts'
import { slice } from '../../src/ops/slice/op.ts'
import { transpose } from '../../src/ops/transpose/op.ts'
import { sizeOf } from '../../src/tensor/shape.ts'
import { tensor, type HostTensor } from '../../src/tensor/tensor.ts'
import { randomFrom } from '../cases/case.ts'
import { list } from '../cases/movement.ts'
import { check } from './run-table.ts'

const ROUNDS = 40

class Dice {
  readonly #random: () => number

  constructor(seed: number) {
    this.#random = randomFrom(seed)
  }

  /** An integer from `least` to `most`. */
  roll(least: number, most: number): number {
    return least + Math.floor(this.#random() * (most - least + 1))
  }

  /** A shape of 1 to 8 axes and at most a few thousand elements. */
  shape(): number[] {
    const rank = this.roll(1, 8)
    const most = rank < 3 ? 40 : rank < 5 ? 7 : 3
    return Array.from({ length: rank }, () => this.roll(1, most))
  }

  shuffled(values: readonly number[]): number[] {
    return values
      .map((value) => [this.#random(), value] as const)
      .toSorted(([a], [b]) => a - b)
      .map(([, value]) => value)
  }
}

function iota(shape: readonly number[]): HostTensor {
  return tensor(
    Float32Array.from({ length: sizeOf(shape) }, (_, i) => i + 1),
    shape,
  )
}

describe('random shapes', () => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu()
  })
  afterAll(() => gpu.dispose())

  const seeds = Array.from({ length: ROUNDS }, (_, seed) => seed)

  it('transpose', async () => {
    for (const seed of seeds) {
      const dice = new Dice(seed)
      const shape = dice.shape()
      await check(gpu, transpose, [iota(shape)], { perm: dice.shuffled(shape.map((_, axis) => axis)) })
    }
    expect(gpu.memory.liveBytes).toBe(0)
  })

  it('slice', async () => {
    for (const seed of seeds) {
      const dice = new Dice(1000 + seed)
      const shape = dice.shape()
      const axes = dice.shuffled(shape.map((_, axis) => axis)).slice(0, dice.roll(1, shape.length))
      const bounds = (): HostTensor => list(...axes.map((axis) => dice.roll(-2 * (shape[axis] ?? 1), 2 * (shape[axis] ?? 1))))
      const steps = axes.map(() => dice.roll(1, 3) * (dice.roll(0, 1) === 0 ? 1 : -1))
      await check(gpu, slice, [iota(shape), bounds(), bounds(), list(...axes), list(...steps)], {})
    }
    expect(gpu.memory.liveBytes).toBe(0)
  })

  it.each(PAD_MODES)('pad, mode %s', async (mode) => {
    for (const seed of seeds) {
      const dice = new Dice(2000 + seed)
      const shape = dice.shape()
      const ends = shape.map((extent) => [dice.roll(Math.min(0, 1 - extent), 2), dice.roll(0, 2)] as const)
      const pads = list(...ends.map(([begin]) => begin), ...ends.map(([, end]) => end))
      await check(gpu, pad, [iota(shape), pads, tensor([-1], [])], { mode })
    }
    expect(gpu.memory.liveBytes).toBe(0)
  })

  it('broadcast', async () => {
    for (const seed of seeds) {
      const dice = new Dice(3000 + seed)
      const shape = dice.shape()
      const part = (): number[] => shape.slice(dice.roll(0, shape.length)).map((extent) => (dice.roll(0, 2) === 0 ? 1 : extent))
      await check(gpu, sub, [iota(part()), iota(part())], {})
    }
    expect(gpu.memory.liveBytes).toBe(0)
  })

  it('gather', async () => {
    for (const seed of seeds) {
      const dice = new Dice(4000 + seed)
      const shape = dice.shape()
      const axis = dice.roll(0, shape.length - 1)
      const extent = shape[axis] ?? 1
      const picks = [dice.roll(1, 3), dice.roll(1, 4)]
      const indices = Array.from({ length: sizeOf(picks) }, () => dice.roll(-extent, extent - 1))
      await check(gpu, gather, [iota(shape), tensor(indices, picks, 'i64')], { axis })
    }
    expect(gpu.memory.liveBytes).toBe(0)
  })
})
