/** `tilewright prune` without a GPU: files, reports, what goes wrong; and the classes that names of pictures say. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import { networkNamed } from '../../models/index.ts'
import { classOf } from '../../src/cli/pictures.ts'
import { parseLabels } from '../../src/formats/labels.ts'
import { importOnnx } from '../../src/formats/onnx.ts'
import { decodeModel } from '../../src/formats/onnx/decode.ts'
import { exportOnnx } from '../../src/formats/onnx/export.ts'
import { graph } from '../../src/graph/builder.ts'
import { floatsOf } from '../../src/ops/values.ts'
import type { EnergyPlan } from '../../src/graph/prune-energy.ts'
import { weights } from '../graph/prune-graphs.ts'
import { folderOf, tilewright } from './harness.ts'

function net(): Uint8Array {
  const g = graph('net')
  const a = g.linear(g.input('x', 'f32', ['N', 8]), g.constant(weights('a.w', [12, 8]), 'a.w'), { name: 'a' })
  g.output('y', g.linear(g.relu(a), g.constant(weights('b.w', [5, 12]), 'b.w'), { name: 'b' }))
  return exportOnnx(g.finish())
}

const folder = folderOf({ 'net.onnx': net(), 'labels.txt': 'cat\ndog\n', 'text.onnx': 'no model' })
afterAll(folder.remove)
const model = folder.path('net.onnx')

function zeros(bytes: Uint8Array, name: string): Promise<number> {
  return importOnnx(bytes).then(({ graph: read }) => {
    const found = read.constants.get(name)
    return found === undefined ? NaN : floatsOf(found).reduce((count, value) => count + Number(value === 0), 0)
  })
}

describe('prune', () => {
  test('has help with examples', async () => {
    const { code, out } = await tilewright(['prune', '--help'])
    expect(code).toBe(0)
    for (const text of ['Examples:', '--pattern', '--permute', '--images', '--order', 'unstructured:0.8'])
      expect(out).toContain(text)
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(132)
  })

  test('writes the file with fewer weights and nothing else changed, and says what it kept', async () => {
    const file = folder.path('pruned.onnx')
    const { code, out, err } = await tilewright(['prune', model, '--permute', '--seed', '3', '-o', file, '--no-compare'])
    expect(code, err).toBe(0)
    expect(out).toMatch(/Layer +Op +Weights +Not zero +Sparsity +Kept \|w\| +Permuted +At best/)
    expect(out).toContain('2 of 2 layers pruned: 50.0 %')
    const written = new Uint8Array(readFileSync(file))
    expect([await zeros(written, 'a.w'), await zeros(written, 'b.w')]).toEqual([48, 30])
    const [before, after] = [decodeModel(net()), decodeModel(written)]
    expect(after.graph.node).toEqual(before.graph.node)
    expect(after.graph.input).toEqual(before.graph.input)
  })

  test('a network built by name is exported; JSON has the figures', async () => {
    const file = folder.path('lenet5.onnx')
    const args = ['prune', 'lenet5', '--pattern', 'unstructured:0.8', '--order', 'energy', '--most', '2', '-o', file]
    const { code, out, err } = await tilewright([...args, '--no-compare', '--json'])
    expect(code, err).toBe(0)
    const { energy, ...report } = JSON.parse(out) as { layers: { name: string; non_zero: number }[]; energy: EnergyPlan }
    expect(report).toMatchObject({ schema: 'tilewright.prune/1', model: 'lenet5', file, pattern: 'unstructured:0.8' })
    expect(energy).toMatchObject({ hardware: 'eyeriss', dataflow: 'rs', rules: 'skip', unit: 'MAC' })
    expect(report.layers).toHaveLength(2)
    expect(report.layers.map((layer) => [layer.name, layer.non_zero])).toEqual(
      energy.layers.map(({ name, weights: all, zeros: cut }) => [name, all - cut]),
    )
    expect(energy.totals.sparsity).toBeCloseTo(0.8, 2)
    expect(energy.totals.zeros).toBe(energy.uniform?.totals.zeros)
    expect(energy.uniform?.layers).toHaveLength(2)
    const { graph: back } = await importOnnx(new Uint8Array(readFileSync(file)))
    expect(back.inputs).toEqual(networkNamed('lenet5').build().inputs)
  })

  test('by energy: each layer and all, beside the same zeros spread evenly', async () => {
    const args = ['prune', model, '--order', 'energy', '--no-compare']
    const spread = await tilewright([...args, '--pattern', 'unstructured:0.5', '--hardware', 'scnn', '--lost', '0.6'])
    expect(spread.code, spread.err).toBe(0)
    expect(spread.out).toMatch(/Energy on scnn, is, in units of MAC \(its own rules about zeros\)/)
    expect(spread.out).toMatch(/Layer +Evenly +Sparsity +Kept \|w\| +Energy +Pruned +Saved +A zero saves/)
    expect(spread.out).toMatch(/all, by energy .*\nall, evenly /)
    expect(spread.out).toMatch(/zeros either way.* more than 60\.0 % of its Σ\|w\|, they save .*evenly/)
    const { code, out, err } = await tilewright(args)
    expect(code, err).toBe(0)
    expect(out).toMatch(/it has no rules about zeros: taken to pass over them/)
    expect(out).not.toMatch(/evenly/i)
  })

  test('OUT may be MODEL only by force', async () => {
    const own = folder.path('own.onnx')
    writeFileSync(own, net())
    const { code, err } = await tilewright(['prune', own, '-o', own, '--no-compare'])
    expect(code).toBe(1)
    expect(err).toContain('--force')
    expect(await zeros(new Uint8Array(readFileSync(own)), 'a.w')).toBe(0)
    expect((await tilewright(['prune', own, '-o', own, '--no-compare', '--force'])).code).toBe(0)
    expect(await zeros(new Uint8Array(readFileSync(own)), 'a.w')).toBe(48)
  })

  test.each([
    [[model, '--pattern', '5:9'], '"5:9" is no pruning pattern'],
    [[model, '--permute', '--pattern', 'filter:0.5'], 'Permuting channels is of use for 2:4'],
    [[model, '--layers', 'conv*'], 'called conv*'],
    [[model, '--skip', '*'], 'nothing to prune'],
    [[model, '--most', '0'], '--most'],
    [[model, '--order', 'size'], '--order'],
    [[model, '--lost', '0.5'], '--order energy'],
    [[model, '--lost', '-1', '--order', 'energy'], '--lost'],
    [[model, '--lost', '0.5', '--order', 'energy'], 'not 2:4'],
    [[model, '--hardware', 'none', '--order', 'energy'], 'no hardware called'],
    [[model, '--labels', 'labels.txt'], '--images'],
    [[model, '--images', 'there'], '--no-compare'],
    [[folder.path('text.onnx')], 'ModelFormatError'],
    [[folder.path('none.onnx')], 'there is no such file'],
    [[model, '-o', `${model}/below.onnx`], 'cannot be written'],
    [[model, '-o', '-'], 'standard output'],
  ])('%j is an error that says what to do', async (args, text) => {
    const { code, out, err } = await tilewright(['prune', ...args, '--no-compare'])
    expect([code, out]).toEqual([1, ''])
    expect(err).toContain(text)
    expect(err).not.toContain('fault of Tilewright')
  })

  test.each([
    [['--images', folder.path('none')], 'there is no such file'],
    [['--images', folder.path('.')], 'no .png or .jpg'],
    [['--images', model], 'IDX'],
  ])('%j: pictures that are none are an error before anything is pruned', async (args, text) => {
    const { code, err } = await tilewright(['prune', model, ...args, '-o', folder.path('never.onnx')])
    expect(code).toBe(1)
    expect(err).toContain(text)
    expect(existsSync(folder.path('never.onnx'))).toBe(false)
  })
})

describe('the class that a name says', () => {
  const labels = parseLabels(
    new TextEncoder().encode('n01440764 tench, Tinca tinca\nn01614925 bald eagle\ncat\ntiger cat\ncrane\ncrane\n7\n'),
  )

  test.each([
    ['bald_eagle.jpeg', 1],
    ['Bald Eagle-3.png', 1],
    ['tinca_tinca_1.jpg', 0],
    ['n01440764_10.JPG', 0],
    ['n01614925/0001.jpg', 1],
    ['cat/0001.jpg', 2],
    ['cat_224x224.png', 2],
    ['tiger cat_2.png', 3],
    ['7.jpg', 6],
    ['catalogue.jpg', undefined],
    ['crane_1.jpg', undefined],
    ['0001.jpg', undefined],
  ])('%s', (path, index) => {
    expect(classOf(path, labels)).toBe(index)
  })
})
