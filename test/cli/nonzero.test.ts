/** `inspect --nonzero`, on the CPU reference: figures, runs, and what is refused. */
import { afterAll, describe, expect, test } from 'vitest'
import type { InspectReport } from '../../src/profile/inspect.ts'
import { classifier, npy, png } from './files.ts'
import { folderOf, tilewright } from './harness.ts'

const folder = folderOf({
  'classifier.onnx': classifier('N'),
  'one.npy': npy([1, 3, 8, 8]),
  'two.npy': npy([2, 3, 8, 8]),
  'picture.png': png(20),
})
const pictures = folderOf({ 'a.png': png(9), 'b.png': png(12), 'notes.txt': 'no picture' })
const empty = folderOf({ 'notes.txt': 'no picture' })
afterAll(() => {
  for (const each of [folder, pictures, empty]) each.remove()
})

const inspect = (...args: string[]) => tilewright(['inspect', folder.path('classifier.onnx'), ...args])

async function json(...args: string[]): Promise<InspectReport> {
  const { code, out, err } = await inspect(...args, '--nonzero', '--cpu', '--json')
  expect(code, err).toBe(0)
  return JSON.parse(out) as InspectReport
}

describe('inspect --nonzero', () => {
  test('of a tensor: the figures of its layers, in a table and as JSON', async () => {
    const report = await json('--input', folder.path('two.npy'))
    expect(report.schema).toBe('tilewright.inspect/1')
    expect(report.dimensions).toEqual({ N: 2 })
    const { nonzero } = report
    if (nonzero === undefined) throw new Error('Nothing was counted')
    expect(nonzero.schema).toBe('tilewright.nonzero/1')
    expect(nonzero.activations).toEqual({ inputs: 'given', runs: 1, adapter: null })
    expect(nonzero.layers.map(({ name, macs, weights }) => [name, macs, weights])).toEqual(
      report.layers.filter(({ kind }) => kind !== undefined).map(({ name, macs, weights }) => [name, macs, weights]),
    )
    const [conv, gemm] = nonzero.layers
    // No value is zero: what is missing are the taps on padding, a ring of 1 around 8 × 8 under 3 × 3.
    expect(conv).toMatchObject({
      weights: 54,
      nonzero_weights: 54,
      nonzero_macs: 2 * 2 * 3 * (3 * 8 - 2) ** 2,
      macs: 2 * 2 * 3 * 9 * 64,
    })
    // After a rectifier: each zero takes its four MACs.
    expect(gemm?.inputs.zeros).toBeGreaterThan(20)
    expect(gemm?.nonzero_macs).toBe(4 * (256 - (gemm?.inputs.zeros ?? NaN)))
    const { out } = await inspect('--input', folder.path('two.npy'), '--nonzero', '--cpu')
    expect(out).toMatch(/conv +54 +54 +100\.0 +no +384 +100\.0 +1\.3\d × +6,912 +5,808 +5,808 +84\.0/)
    expect(out).toContain('Activations of the CPU reference on the input given.')
  })

  test('of a folder of pictures: means over the runs, and the files of others are left out', async () => {
    const many = await json('--input', pictures.path('.'))
    const each = [await json('--input', pictures.path('a.png')), await json('--input', pictures.path('b.png'))]
    expect(many.nonzero?.activations.runs).toBe(2)
    const zeros = each.map(({ nonzero }) => nonzero?.layers[1]?.inputs.zeros ?? NaN)
    expect(zeros[0]).not.toBe(zeros[1])
    expect(many.nonzero?.layers[1]?.inputs.zeros).toBe(((zeros[0] ?? NaN) + (zeros[1] ?? NaN)) / 2)
    const twice = await json('--input', pictures.path('a.png'), '--input', `x=${pictures.path('b.png')}`)
    expect(twice.nonzero).toEqual(many.nonzero)
  })

  test('of seeded noise, and says so', async () => {
    const report = await json('--dim', 'N=3', '--input-seed', '7')
    expect(report.dimensions).toEqual({ N: 3 })
    expect(report.nonzero?.activations).toEqual({ inputs: 'seeded', seed: 7, runs: 1, adapter: null })
    expect((await json('--dim', 'N=3')).nonzero?.total).not.toEqual(report.nonzero?.total)
    const { out } = await inspect('--nonzero', '--cpu')
    expect(out).toContain('seeded noise (seed 0), no picture')
  })

  test("of LeNet-5, which the survey's Table IV does not have", async () => {
    const { out } = await tilewright(['inspect', 'lenet5', '--nonzero', '--cpu'])
    expect(out).toMatch(/total +5 +61,470 +61,470 +100\.0/)
    expect(out).not.toContain('Table IV')
  })

  test('on an accelerator, what its zeros are worth', async () => {
    const report = await json('--input', folder.path('one.npy'), '--hardware', 'eyeriss', '--budget', '100')
    expect(report.nonzero?.energy).toMatchObject({ hardware: 'eyeriss', dataflow: 'rs', budget: 100, unpriced: [] })
    const { dense, gated, skipped } = report.nonzero?.energy?.total ?? {}
    expect(gated?.energy).toBeLessThan(dense?.energy ?? NaN)
    expect(skipped?.cycles).toBeLessThan(gated?.cycles ?? NaN)
    const { out } = await inspect('--nonzero', '--cpu', '--hardware', 'eyeriss', '--budget', '100')
    expect(out).toMatch(
      /On eyeriss, rs, unit of energy: MAC:\nLayer +Energy +zeros gated or skipped +Cycles +zeros skipped +Utilisation\n/,
    )
    expect(out).toMatch(/^conv .* [\d.]+ %$/m)
  })

  test('under another dataflow, or none; and says where most PEs stand idle', async () => {
    const under = async (dataflow: string, hardware = 'eyeriss') =>
      (await inspect('--nonzero', '--cpu', '--hardware', hardware, '--dataflow', dataflow, '--budget', '100')).out
    const free = await under('none')
    expect(free).toContain('On eyeriss, unit of energy')
    expect(free).not.toContain('of the PEs work')
    const idle = await under('os-b', 'a100-like')
    expect(idle).toMatch(/Under os-b, 0\.\d+ % of the PEs work/)
    expect(idle).toMatch(/As described, dense, for their weights do not hold 2:4: conv, gemm\./)
  })

  test('plain inspect runs nothing and has no figures of a run', async () => {
    const { out } = await inspect('--json')
    expect((JSON.parse(out) as InspectReport).nonzero).toBeUndefined()
  })

  test.each([
    [['--input', 'x.npy'], '--input is for a run'],
    [['--input-seed', '3'], '--input-seed is for a run'],
    [['--cpu'], '--cpu is for a run'],
    [['--dataflow', 'ws'], '--dataflow is for a run'],
    [['--nonzero', '--cpu', '--dataflow', 'ws'], '--dataflow is of an accelerator'],
    [['--nonzero', '--cpu', '--budget', '9'], '--budget is of an accelerator'],
    [['--nonzero', '--cpu', '--hardware', 'eyeriss', '--dataflow', 'zig'], 'zig'],
    [['--hardware', 'eyeriss'], '--hardware is for a run'],
    [['--nonzero', '--cpu', '--hardware', 'abacus'], 'abacus'],
    [['--adapter', 'software'], '--adapter is for a run'],
    [['--nonzero', '--cpu', '--input', empty.path('.')], 'holds neither tensors'],
    [['--nonzero', '--cpu', '--input', 'nothing.npy'], 'nothing.npy'],
    [['--nonzero', '--cpu', '--input', `z=${folder.path('one.npy')}`], 'no input called z'],
  ])('%j is refused: %s', async (args, message) => {
    const { code, err } = await inspect(...args)
    expect(code).toBe(1)
    expect(err).toContain(message)
  })
})
