/** `tilewright export`: the file, what is told of it, and what goes wrong. */
import { existsSync, readFileSync } from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import { networkNamed } from '../../models/index.ts'
import { importOnnx } from '../../src/formats/onnx.ts'
import { exportOnnx } from '../../src/formats/onnx/export.ts'
import { graph } from '../../src/graph/builder.ts'
import { folderOf, tilewright } from './harness.ts'

function symbolic(): Uint8Array {
  const g = graph('symbolic')
  g.output('y', g.relu(g.input('x', 'f32', ['N', 3, 'W'])))
  return exportOnnx(g.finish())
}

const folder = folderOf({ 'symbolic.onnx': symbolic() })
afterAll(folder.remove)

describe('export', () => {
  test('has help with examples', async () => {
    const { code, out } = await tilewright(['export', '--help'])
    expect(code).toBe(0)
    for (const text of ['Examples:', '-o, --out <FILE>', '--seed', '--dim', '--json [FILE]']) expect(out).toContain(text)
  })

  test('writes a network with the seed asked for, and says what it wrote', async () => {
    const file = folder.path('out/lenet5.onnx')
    const { code, out } = await tilewright(['export', 'lenet5', '-o', file, '--seed', '3', '--batch', '2'])
    expect(code).toBe(0)
    expect(out).toMatch(/^Wrote .*lenet5\.onnx: lenet5, \d+ nodes, .* KiB, opset 17\ninput f32 2×1×28×28 → prob f32 2×10\n$/)
    const { graph: back } = await importOnnx(new Uint8Array(readFileSync(file)))
    const built = networkNamed('lenet5').build({ seed: 3, batch: 2 })
    expect(back.inputs).toEqual(built.inputs)
    expect([...back.constants.keys()].toSorted()).toEqual([...built.constants.keys()].toSorted())
    for (const [name, { values }] of built.constants) expect(back.constants.get(name)?.values, name).toEqual(values)
  })

  test('as JSON', async () => {
    const file = folder.path('lenet5.onnx')
    const { code, out } = await tilewright(['export', 'lenet5', '-o', file, '--json'])
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({
      schema: 'tilewright.export/1',
      model: 'lenet5',
      file,
      bytes: readFileSync(file).length,
      opsets: { '': 17 },
      ir_version: 8,
      outputs: [{ name: 'prob', dtype: 'f32', shape: [1, 10] }],
    })
  })

  test('fixes the dimensions that are named, and no other', async () => {
    const file = folder.path('fixed.onnx')
    const { code, out } = await tilewright(['export', folder.path('symbolic.onnx'), '-o', file, '--dim', 'N=4'])
    expect(code).toBe(0)
    // What hangs on W is not known.
    expect(out).toContain('x f32 4×3×W → y f32 4×3×?')
    const { graph: back } = await importOnnx(new Uint8Array(readFileSync(file)))
    expect(back.inputs).toEqual([{ name: 'x', dtype: 'f32', shape: [4, 3, 'W'] }])
  })

  test.each([
    [['export', 'lenet5'], '--out'],
    [['export', 'nothing', '-o', 'x.onnx'], 'There is no network called nothing'],
    [['export', 'lenet5', '-o', '-'], 'standard output'],
  ])('%j is an error that says what to do', async (args, text) => {
    const { code, out, err } = await tilewright(args)
    expect([code, out]).toEqual([1, ''])
    expect(err).toContain(text)
    expect(existsSync('x.onnx')).toBe(false)
  })
})
