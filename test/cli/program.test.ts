/** What the command line prints and writes, as far as it needs no GPU. */
import { readFileSync } from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import { parseDataflows } from '../../src/cli/commands/profile.ts'
import { topOf } from '../../src/cli/commands/run.ts'
import { duration, grouped, scientific, short, table } from '../../src/cli/table.ts'
import { colorsFor } from '../../src/cli/context.ts'
import { OptionError } from '../../src/errors.ts'
import { tensor } from '../../src/tensor/tensor.ts'
import { classifier, unknownOps } from './files.ts'
import { folderOf, tilewright } from './harness.ts'

const folder = folderOf({ 'classifier.onnx': classifier('N'), 'unknown.onnx': unknownOps() })
afterAll(folder.remove)

const COMMANDS = ['profile', 'run', 'verify', 'inspect', 'evaluate', 'map', 'doctor']

describe('help', () => {
  test('lists every command, and exits with 0', async () => {
    const { code, out } = await tilewright(['--help'])
    expect(code).toBe(0)
    for (const command of COMMANDS) expect(out).toMatch(new RegExp(`^  ${command} `, 'm'))
  })

  test.each(COMMANDS)('%s has examples and --json', async (command) => {
    const { code, out } = await tilewright([command, '--help'])
    expect(code).toBe(0)
    expect(out).toContain(`tilewright ${command} `)
    expect(out).toContain('Examples:')
    expect(out).toContain('--json [FILE]')
  })

  test('without arguments it goes to standard error, with exit code 1', async () => {
    const { code, out, err } = await tilewright([])
    expect([code, out]).toEqual([1, ''])
    expect(err).toContain('Usage: tilewright')
  })

  test('--version is that of the package', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
    expect(await tilewright(['--version'])).toEqual({ code: 0, out: `${version}\n`, err: '' })
  })
})

describe('inspect', () => {
  test('says how a network is laid out, and what transposes cost', async () => {
    const { code, out } = await tilewright(['inspect', 'googlenet', '--layout'])
    expect(code).toBe(0)
    expect(out).toMatch(/^conv1 +conv2d +nchw → nhwc +takes the graph's input in nchw and writes nhwc$/m)
    expect(out).toMatch(/^inception_3a\/1x1 +conv2d +nhwc +.* µs in nhwc, .* µs in nchw.*; in place in its concat$/m)
    expect(out).toContain('No transposes. 1 change of layout moves no element.')
    expect(out).toContain('Concats written in place by what they join: 9.')
    for (const line of out.slice(out.indexOf('Layouts,'), out.indexOf('Concats written')).split('\n'))
      expect(line.length).toBeLessThanOrEqual(120)

    const json = await tilewright(['inspect', 'vgg16', '--layout', 'nhwc', '--device', 'software', '--json'])
    const { layout } = JSON.parse(json.out) as { layout: Record<string, unknown> }
    // The last pool's 512 channels of 7 × 7 in the order that the fully connected layer takes, read and written.
    expect(layout).toMatchObject({ layout: 'nhwc', device: 'software', aliases: 0, concats_in_place: 0 })
    expect(layout.transposes).toMatchObject([{ value: 'pool5', from: 'nhwc', to: 'nchw', bytes: 2 * 4 * 512 * 49 }])
    const text = await tilewright(['inspect', 'vgg16', '--layout', 'nhwc'])
    expect(text.out).toMatch(/^ {2}pool5: nhwc → nchw, 196 KiB \(0\.\d+ % of all\), about .* µs$/m)

    const plain = await tilewright(['inspect', 'lenet5', '--layout', 'nchw'])
    expect(plain.out).toContain(
      'Layouts, forced to nchw for a GPU (the default; --device software: for a software adapter): all feature maps lie in nchw.',
    )
    const software = await tilewright(['inspect', 'lenet5', '--device', 'software'])
    expect(software.out).toMatch(/^Layouts, chosen for a software adapter:/m)
    const refused = await tilewright(['inspect', 'lenet5', '--layout', 'nwhc'])
    expect(refused.code).not.toBe(0)
    expect(refused.err).toContain('--layout')
  })

  test('a transposed convolution has its own filters; ties and transposes are told; no line is too long', async () => {
    const { out } = await tilewright(['inspect', 'unet16', '--layout'])
    expect(out).toMatch(/^up4\/conv +convTranspose2d .* 128 × 256×2×2, stride 2 /m)
    expect(out).toMatch(/ a tie: .* µs in nhwc as in /)
    expect(out).toMatch(/^Transposes that remain:\n {2}prob: .*\nBesides, 1 change of layout moves no element\.$/m)
    for (const line of out.slice(out.indexOf('In the kernel of')).split('\n'))
      expect([...line].length, line).toBeLessThanOrEqual(120)
  })

  test('alexnet --json gives the totals on standard output alone', async () => {
    const { code, out, err } = await tilewright(['inspect', 'alexnet', '--json'])
    expect([code, err]).toEqual([0, ''])
    expect(JSON.parse(out)).toMatchObject({
      schema: 'tilewright.inspect/1',
      model: 'alexnet',
      macs: 724_406_816,
      weights: 60_954_656,
      biases: 10_568,
      conv: { layers: 5, macs: 665_784_864, weights: 2_332_704 },
      unsupported: [],
    })
  })

  test('--json FILE writes the file and shows the table', async () => {
    const file = folder.path('deep/lenet.json')
    const { code, out, err } = await tilewright(['inspect', 'lenet5', '--json', file])
    expect(code).toBe(0)
    expect(out).toContain('357,600')
    expect(out).toContain('Sze et al. 2017, Table II')
    expect(err).toContain(file)
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ macs: 416_520 })
  })

  test('a model file: shapes, dimensions that were symbolic, biases apart', async () => {
    const { code, out } = await tilewright(['inspect', folder.path('classifier.onnx'), '--dim', 'N=2', '--json', '-'])
    expect(code).toBe(0)
    const report: unknown = JSON.parse(out)
    expect(report).toMatchObject({
      model: 'classifier',
      dimensions: { N: 2 },
      inputs: [{ name: 'x', dtype: 'f32', shape: ['N', 3, 8, 8] }],
      outputs: [{ name: 'scores', dtype: 'f32', shape: [2, 4] }],
      conv: { layers: 1, macs: 2 * 2 * 27 * 64, weights: 54 },
      fc: { layers: 1, macs: 2 * 4 * 128, weights: 512 },
      biases: 6,
    })
    const batched = await tilewright(['inspect', folder.path('classifier.onnx'), '--batch', '2', '--json'])
    expect(JSON.parse(batched.out)).toEqual(report)
  })

  test('unsupported nodes are listed with the reason, and what depends on them has no shape', async () => {
    const { code, out } = await tilewright(['inspect', folder.path('unknown.onnx')])
    expect(code).toBe(0)
    expect(out).toContain('2 unsupported:')
    expect(out).toMatch(/FancyOp: .+ – 1 × first/)
    expect(out).toMatch(/org\.example::Conv: .+ – 1 × last/)
    expect(out).toMatch(/^middle +relu +\? +– +– +–$/m)
  })
})

describe('map and evaluate', () => {
  test('what map writes, evaluate evaluates to the same', async () => {
    const file = folder.path('mapped.json')
    const mapped = await tilewright([
      'map',
      'lenet5:conv2',
      '--hardware',
      'eyeriss',
      '--dataflow',
      'ws',
      '--budget',
      '200',
      '--json',
      file,
    ])
    expect(mapped.err).not.toContain('Error')
    expect(mapped.code).toBe(0)
    const { evaluation } = JSON.parse(readFileSync(file, 'utf8')) as { evaluation: object }
    const { code, out } = await tilewright(['evaluate', file, '--json'])
    expect(code).toBe(0)
    expect(JSON.parse(out)).toEqual({ schema: 'tilewright.evaluate/1', halo: 'exact', convention: 'tilewright', ...evaluation })
  })
})

describe('--dataflow', () => {
  test('takes lists, all, both spellings, and names each once', () => {
    expect(parseDataflows('all')).toEqual(['ws', 'os-a', 'os-b', 'os-c', 'is', 'nlr', 'rs'])
    expect(parseDataflows('rs, os_a,rs')).toEqual(['rs', 'os-a'])
    expect(parseDataflows('fastest,all')).toHaveLength(8)
    expect(() => parseDataflows('')).toThrow(OptionError)
  })
})

describe('top', () => {
  const scores = tensor([0.1, NaN, 0.7, 0.2, 0.5, 0.5, -1, 9], [2, 4])
  const labels = ['a', 'b', 'c', 'd'].map((name) => ({ synset: null, name }))

  test('highest first, for each of the batch; NaN last, ties by index', () => {
    expect(topOf({ y: scores }, 2, labels)).toEqual([
      { item: 0, index: 2, label: 'c', score: Math.fround(0.7) },
      { item: 0, index: 3, label: 'd', score: Math.fround(0.2) },
      { item: 1, index: 3, label: 'd', score: 9 },
      { item: 1, index: 0, label: 'a', score: 0.5 },
    ])
    expect(topOf({ y: scores }, 9, undefined).map(({ index }) => index)).toEqual([2, 3, 0, 1, 3, 0, 1, 2])
  })

  test('is of the output that is scores', () => {
    const picture = tensor(new Float32Array(32), [1, 2, 4, 4])
    const map = tensor([1, 2, 3], [1, 3, 1, 1])
    expect(topOf({ picture, map }, 1, undefined)).toEqual([{ item: 0, index: 2, label: null, score: 3 }])
    expect(() => topOf({ picture }, 1, undefined)).toThrow(OptionError)
    expect(() => topOf({ map }, 1, labels)).toThrow(/4 labels.*3 classes/)
  })
})

describe('figures and tables', () => {
  test('read as people write them', () => {
    expect(grouped(724_406_816)).toBe('724,406,816')
    expect([0, 999, 999.6, 1200, 6_600_000, 60_954_656, 1e9, 1.01e9, 15.47e9, -2000].map(short)).toEqual([
      '0',
      '999',
      '1.00 k',
      '1.20 k',
      '6.60 M',
      '61.0 M',
      '1.00 G',
      '1.01 G',
      '15.5 G',
      '-2.00 k',
    ])
    expect(short(1.2345e18)).toBe('1230 P')
    expect([duration(1234), duration(1.5), duration(0.0789)]).toEqual(['1.23 s', '1.50 ms', '78.9 µs'])
    expect([scientific(0), scientific(2.34e-6), scientific(NaN)]).toEqual(['0', '2.3e-6', 'NaN'])
  })

  test('a table lines up', () => {
    const context = {
      out: { write: () => {}, isTTY: false, columns: 80 },
      err: { write: () => {}, isTTY: false, columns: 80 },
      signal: new AbortController().signal,
      env: {},
    }
    const text = table(
      [{ title: 'Name' }, { title: 'Count', align: 'right' }],
      [
        ['a', '1'],
        ['longer', '12345'],
      ],
      colorsFor(context, context.out),
    )
    expect(text).toBe(['Name    Count', '─────────────', 'a           1', 'longer  12345'].join('\n'))
  })
})
