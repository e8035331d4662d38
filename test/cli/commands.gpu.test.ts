/** Commands that open the GPU, on models small enough to run anywhere. */
import { readFileSync } from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import { decodeNpy } from '../../src/formats/npy.ts'
import { initializer, modelBytes, node, valueInfo } from '../formats/onnx-builder.ts'
import { classifier, npy, png } from './files.ts'
import { folderOf, tilewright } from './harness.ts'

/** A model whose activation is larger than any adapter's buffer here: 1 element padded to 40000 × 40000. */
function enormous(): Uint8Array {
  return modelBytes({
    inputs: [valueInfo('x', [1, 1])],
    initializers: [initializer('pads', [0, 0, 39_999, 39_999], [4], 'i64')],
    nodes: [node('Pad', ['x', 'pads'], ['y'], {}, { name: 'grow' })],
  })
}

const folder = folderOf({
  'classifier.onnx': classifier('N'),
  'enormous.onnx': enormous(),
  'x.npy': npy([2, 3, 8, 8]),
  'one.npy': npy([1, 1]),
  'picture.png': png(20),
  'labels.txt': 'ant\nbee\ncat\ndog\n',
})
afterAll(folder.remove)
const at = folder.path

describe('run', () => {
  test('writes outputs as .npy and run.json, and the top classes of each of the batch', async () => {
    const args = [
      'run',
      at('classifier.onnx'),
      '--input',
      `x=${at('x.npy')}`,
      '--output',
      at('out'),
      '--labels',
      at('labels.txt'),
      '--top',
      '2',
    ]
    const { code, out, err } = await tilewright(args)
    expect(err).not.toContain('Error')
    expect(code).toBe(0)
    const scores = decodeNpy(readFileSync(at('out/scores.npy')))
    expect([scores.dtype, scores.shape]).toEqual(['f32', [2, 4]])
    const values = Array.from(scores.values as Float32Array)
    for (const item of [0, 1]) expect(values.slice(4 * item, 4 * item + 4).reduce((sum, value) => sum + value)).toBeCloseTo(1, 5)
    const result = JSON.parse(readFileSync(at('out/run.json'), 'utf8')) as {
      top: { item: number; index: number; label: string; score: number }[]
    }
    expect(result).toMatchObject({
      schema: 'tilewright.run/1',
      outputs: { scores: { dtype: 'f32', shape: [2, 4], file: 'scores.npy' } },
    })
    expect(result.top).toHaveLength(4)
    for (const { item, index, label, score } of result.top) {
      expect(score).toBe(values[4 * item + index])
      expect(label).toBe(['ant', 'bee', 'cat', 'dog'][index])
    }
    expect(result.top[0]?.score).toBe(Math.max(...values.slice(0, 4)))
    expect(out).toContain(result.top[0]?.label)
  })

  test('a picture is resized to the input and normalised; NAME= may be left out', async () => {
    const shown = async (...more: string[]): Promise<unknown> => {
      const { code, out, err } = await tilewright([
        'run',
        at('classifier.onnx'),
        '--input',
        at('picture.png'),
        '--resize',
        '8x8',
        '--top',
        '4',
        '--json',
        '-',
        ...more,
      ])
      expect(code, err).toBe(0)
      return JSON.parse(out)
    }
    const plain = await shown()
    expect(plain).toMatchObject({ outputs: { scores: { shape: [1, 4], file: null } } })
    expect(await shown('--mean', '100', '--std', '50')).not.toEqual(plain)
    expect(await shown('--preprocess', 'none')).toEqual(plain)
  })

  test('a network by name, from a batch of its own', async () => {
    const { code, out } = await tilewright(['run', 'lenet5', '--input', at('picture.png'), '--top', '3', '--json'])
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({ model: 'lenet5', outputs: { prob: { shape: [1, 10] } }, top: { length: 3 } })
  })
})

describe('verify', () => {
  test('all nodes of a model agree, worst first', async () => {
    const { code, out, err } = await tilewright(['verify', at('classifier.onnx'), '--batch', '3', '--json'])
    expect(err).not.toContain('Error')
    expect(code).toBe(0)
    const { nodes, complete } = JSON.parse(out) as { nodes: { node: string; ratio: number; ok: boolean }[]; complete: boolean }
    expect(complete).toBe(true)
    expect(nodes.map(({ node: name }) => name).toSorted()).toEqual(['conv', 'flatten', 'gemm', 'relu', 'softmax'])
    expect(nodes.every(({ ok }) => ok)).toBe(true)
    expect(nodes.map(({ ratio }) => ratio)).toEqual(nodes.map(({ ratio }) => ratio).toSorted((a, b) => b - a))
  })

  test('given a tolerance that f32 cannot keep, it fails with exit code 1 and names the node', async () => {
    const { code, err } = await tilewright([
      'verify',
      at('classifier.onnx'),
      '--input',
      at('x.npy'),
      '--rtol',
      '0',
      '--atol',
      '1e-12',
    ])
    expect(code).toBe(1)
    expect(err).toMatch(/VerificationError: (conv|gemm|softmax) /)
  })

  test('stops when it is told to, with exit code 130', async () => {
    const { code } = await tilewright(['verify', 'alexnet'], AbortSignal.abort(new DOMException('Stopped', 'AbortError')))
    expect(code).toBe(130)
  })
})

describe('profile', () => {
  test('rows verified and counted, report, page and trace written', async () => {
    const args = [
      'profile',
      at('classifier.onnx'),
      '--dataflow',
      'os-a,fastest',
      '--samples',
      '1',
      '--json',
      at('p.json'),
      '--trace',
      at('t.json'),
    ]
    const { code, out, err } = await tilewright(args)
    expect(err).not.toContain('Error')
    expect(code).toBe(0)
    expect(out).toContain('= predicted')
    // Default kernels stand under the roof; dataflow rows only where --roofline asks for them.
    const [, roof = ''] = out.split('Attainable')
    expect(roof).toMatch(/^conv +[\w-]+ .*(memory|compute|launch)$/m)
    expect(roof).toMatch(/^gemm +\w+ .* = predicted .* (memory|compute|launch)$/m)
    expect(roof).toMatch(/^Roof: [\d.]+ GFLOP\/s of f32, [\d.]+ GB\/s, measured\.$/m)
    expect(roof).toMatch(/^conv +[\w-]+ +n\w+(>n\w+)? +[\d.]+( k)? +[\d.]+ % +[\d.e-]+ +[\d.e-]+$/m)
    expect(roof).toMatch(/^gemm: \w+ /m)
    expect(roof).not.toMatch(/^(conv|gemm) +os-a/m)
    expect(Math.max(...out.split('\n').map((line) => (line.startsWith('Time') ? 0 : line.length)))).toBeLessThanOrEqual(120)
    const report = JSON.parse(readFileSync(at('p.json'), 'utf8')) as {
      layers: { name: string; dataflows: Record<string, { roofline?: object }> }[]
    }
    expect(report).toMatchObject({ peaks: { flops: { f32: expect.any(Number) as number } } })
    expect(report).toMatchObject({ schema: 'tilewright.profile/1', model: 'classifier', complete: true })
    expect(report.layers.map(({ name }) => name)).toEqual(['conv', 'gemm'])
    for (const { dataflows } of report.layers) {
      expect(dataflows['os-a']).toMatchObject({
        verified: true,
        counted_equal: true,
        roofline: { bound: expect.any(String) as string },
      })
      expect(dataflows['fastest']).toMatchObject({ verified: true })
    }
    const { traceEvents } = JSON.parse(readFileSync(at('t.json'), 'utf8')) as {
      traceEvents: { ph: string; name: string; dur?: number }[]
    }
    expect(traceEvents.filter(({ ph }) => ph === 'X').map(({ name }) => name)).toEqual(['conv', 'gemm', 'conv', 'gemm'])
    expect(traceEvents.every(({ ph, dur }) => ph === 'M' || (dur ?? 0) > 0)).toBe(true)
  })

  test('stopped by Ctrl-C it keeps the rows that were done', async () => {
    const stop = new AbortController()
    const running = tilewright(['profile', 'alexnet', '--samples', '1', '--json', at('partial.json')], stop.signal)
    setTimeout(() => stop.abort(new DOMException('Stopped', 'AbortError')), 1500)
    const { code, err } = await running
    expect(code).toBe(130)
    expect(err).toContain('Stopped early')
    expect(JSON.parse(readFileSync(at('partial.json'), 'utf8'))).toMatchObject({ complete: false })
  })
})

describe('doctor', () => {
  test('says what the adapter has', async () => {
    const { code, out } = await tilewright(['doctor', '--json'])
    expect(code).toBe(0)
    const report = JSON.parse(out) as { ok: boolean; clock: { quantum_ns: number }; limits: { maxBufferSize: number } }
    expect(report.ok).toBe(true)
    expect(report.clock.quantum_ns).toBeGreaterThan(0)
    expect(report.limits.maxBufferSize).toBeGreaterThan(2 ** 20)
    const { out: text } = await tilewright(['doctor'])
    expect(text).toMatch(/Adapter +\S/)
    expect(text).toMatch(/largest binding \d/)
  })
})

describe('what only the GPU can refuse', () => {
  test('a tensor larger than the adapter can hold', async () => {
    const { code, err } = await tilewright(['run', at('enormous.onnx'), '--input', at('one.npy')])
    expect(code).toBe(1)
    expect(err).toMatch(/^DeviceLimitError: .*grow/m)
  })
})
