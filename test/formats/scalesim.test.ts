/** SCALE-Sim's topologies and configurations: read as SCALE-Sim takes them, refused by name, and counted as it publishes. */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { evaluate } from '../../src/cost/evaluate.ts'
import { systolicMapping, systolicRun } from '../../src/cost/systolic.ts'
import { TilewrightError } from '../../src/errors.ts'
import { looksLikeConfig, looksLikeTopology, readConfig, readTopology } from '../../src/formats/scalesim/index.ts'
import { convProblem, gemmProblem, macsOf } from '../../src/schedule/problem.ts'
import { processorTime } from '../processor.ts'

const TOPOLOGY = `Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,
first, 227, 227, 11, 11, 3, 96, 4,
second , 15,13, 3,3, 256, 384, 1,

third, 8, 9, 3, 2, 4, 5, 2,
DPwise, 6, 6, 3, 3, 7, 2, 1,
`
const CONFIG = `[general]
run_name = small array

[architecture_presets]
ArrayHeight:    12
ArrayWidth:     14
IfmapSramSzkB:   64
FilterSramSzkB:  32
OfmapSramSzkB:   16
IfmapOffset:    0
Bandwidth : 10
Dataflow : ws
[sparsity]
SparsitySupport : false
[run_presets]
InterfaceBandwidth: CALC
`

describe('topologies', () => {
  test('convolutions: trailing commas, blanks, odd edges, depthwise layers', () => {
    const { layers, notes } = readTopology('t.csv', TOPOLOGY)
    expect(layers).toEqual([
      { name: 'first', problem: convProblem({ C: 3, M: 96, P: 55, Q: 55, R: 11, S: 11, stride: [4, 4] }) },
      { name: 'second', problem: convProblem({ C: 256, M: 384, P: 13, Q: 11, R: 3, S: 3 }) },
      // (8 − 3 + 2)/2 = 3.5 rows: four, of which the last reaches a row over the edge; (9 − 2 + 2)/2 = 4.5 columns: five.
      { name: 'third', problem: convProblem({ C: 4, M: 5, P: 4, Q: 5, R: 3, S: 2, stride: [2, 2], padding: [0, 0, 1, 1] }) },
      { name: 'DPwise', problem: convProblem({ groups: 7, M: 2, P: 4, Q: 4, R: 3, S: 3 }) },
    ])
    expect(notes.join('\n')).toContain('third: SCALE-Sim rounds the output up')
    expect(notes.join('\n')).toContain('DPwise: depthwise')
    expect(looksLikeTopology(TOPOLOGY)).toBe(true)
  })

  test('matrix products, with a batch; two strides; line ends of Windows and a byte-order mark', () => {
    const products = '\uFEFFLayer,M,N,K,\r\nqkv,128,64,32,\r\nheads, 16,8, 4, 12,\r\ndense,2,3,4,1:1,\r\n'
    expect(readTopology('g.csv', products).layers).toEqual([
      { name: 'qkv', problem: gemmProblem({ i: 128, j: 64, k: 32 }) },
      { name: 'heads', problem: gemmProblem({ i: 16, j: 8, k: 4, batch: 12 }) },
      { name: 'dense', problem: gemmProblem({ i: 2, j: 3, k: 4 }) },
    ])
    const strides =
      'Layer name,IFMAP height,IFMAP width,Filter height,Filter width,Channels,Num filter,Stride height,Stride width,\na,9,9,3,3,2,4,2,1,\n'
    expect(readTopology('s.csv', strides).layers[0]?.problem).toEqual(
      convProblem({ C: 2, M: 4, P: 4, Q: 7, R: 3, S: 3, stride: [2, 1] }),
    )
  })

  test('without a head', () => {
    const { layers, notes } = readTopology('t.csv', 'a,9,9,3,3,2,4,1\nb,9,9,3,3,2,4,1')
    expect(layers.map(({ name }) => name)).toEqual(['a', 'b'])
    expect(notes).toEqual(['the file has no head: SCALE-Sim itself skips its first row'])
    expect(readTopology('g.csv', 'a,2,3,4').layers[0]?.problem).toEqual(gemmProblem({ i: 2, j: 3, k: 4 }))
  })

  test.each([
    ['nothing', '', 't.csv is empty'],
    ['a head only', 'Layer, M, N, K,\n', 'has a head and no layers'],
    ['no number', TOPOLOGY.replace('96', 'many'), 't.csv:2: the filters is "many"'],
    ['a negative one', TOPOLOGY.replace('96', '-96'), 'the filters is "-96"'],
    ['nought', TOPOLOGY.replace('96', '0'), 'the filters is "0"'],
    ['a huge one', TOPOLOGY.replace('96', '99999999999999'), 'the filters is "99999999999999"'],
    ['more than can be counted', 'Layer,M,N,K\na,2000000000,2000000000,2000000000', 'too large to count'],
    ['a column too few', TOPOLOGY.replace('384, 1', '384'), 't.csv:3: the stride is ""'],
    ['a column too many', TOPOLOGY.replace('384, 1', '384, 1, 7'), 'there is a column too many: "7"'],
    ['a sparse layer', TOPOLOGY.replace('384, 1', '384, 1, 2:4'), 'the layer is sparse, 2:4'],
    ['a sparse product', 'Layer,M,N,K\na,2,3,4,1:2', 'the layer is sparse, 1:2'],
    ['a filter larger than its input', TOPOLOGY.replace('11, 11', '311, 11'), 'a filter of 311×11 is larger than its input'],
    ['no name', TOPOLOGY.replace('first', ''), 'the layer has no name'],
    ['a megabyte', 'a,'.repeat(1 << 20), 'characters of topology'],
    ['many rows', `Layer,M,N,K\n${'a,1,1,1\n'.repeat(20_000)}`, 'has 20001 rows'],
  ])('refused: %s', (_, text, message) => {
    const seconds = processorTime()
    expect(() => readTopology('t.csv', text)).toThrow(message)
    expect(() => readTopology('t.csv', text)).toThrow(TilewrightError)
    expect(seconds()).toBeLessThan(1)
  })
})

describe('configurations', () => {
  test('the array, its flow and its buffers', () => {
    const hardware = readConfig('s.cfg', CONFIG)
    expect(hardware).toMatchObject({ name: 'small array', systolic: 'ws', array: { x: 14, y: 12 }, word_bits: 8 })
    expect(hardware.levels.map(({ name, words, holds }) => [name, words, holds])).toEqual([
      ['DRAM', undefined, undefined],
      ['IFMAP', 65536, ['inputs']],
      ['FILTER', 32768, ['weights']],
      ['OFMAP', 16384, ['outputs']],
      ['PE', 1, ['weights']],
    ])
    expect(hardware.levels.every(({ bandwidth }) => bandwidth === undefined)).toBe(true)
    expect(looksLikeConfig(CONFIG)).toBe(true)
    expect(looksLikeConfig(TOPOLOGY)).toBe(false)
  })

  test('a bandwidth of the user is that of each interface', () => {
    const { levels } = readConfig('s.cfg', CONFIG.replace('CALC', 'USER'))
    expect(levels.map(({ bandwidth }) => bandwidth?.write)).toEqual([10, 10, 10, undefined, undefined])
    const several = readConfig('s.cfg', CONFIG.replace('CALC', 'user').replace(': 10', ': 1, 2, 3'))
    expect(several.levels.map(({ bandwidth }) => bandwidth?.write)).toEqual([3, 1, 2, undefined, undefined])
  })

  test.each([
    ['no dataflow', CONFIG.replace('Dataflow : ws', ''), 's.cfg has no dataflow'],
    ['another dataflow', CONFIG.replace(': ws', ': rs'), 's.cfg:12: expected the dataflow ws, os or is, found "rs"'],
    ['no rows', CONFIG.replace('ArrayHeight:    12', ''), 's.cfg has no arrayheight'],
    ['rows below 1', CONFIG.replace('    12', '0'), 'expected an integer from 1 to 65536, found "0"'],
    ['a huge array', CONFIG.replace('    12', '99999999999999'), 'expected an integer from 1 to 65536'],
    ['NaN', CONFIG.replace('    12', 'NaN'), 'expected an integer from 1 to 65536, found "NaN"'],
    ['sparse operands', CONFIG.replace(': false', ': true'), 's.cfg:14: sparse operands are not read'],
    ['a setting twice', `${CONFIG}ArrayHeight: 3\n`, 'arrayheight stands in line 5 already'],
    ['no setting', `${CONFIG}what is this\n`, '"what is this" is no setting'],
    ['a bandwidth that is none', CONFIG.replace('CALC', 'USER').replace(': 10', ': fast'), 'expected one to three integers'],
    ['another kind of bandwidth', CONFIG.replace('CALC', 'LOTS'), 'expected the interface bandwidth CALC or USER'],
    ['a prototype', `${CONFIG}__proto__: 1\n`, undefined],
    ['a megabyte', CONFIG + '#'.repeat(1 << 20), 'characters of configuration'],
  ])('%s', (_, text, message) => {
    if (message === undefined) expect(readConfig('s.cfg', text).systolic).toBe('ws')
    else {
      expect(() => readConfig('s.cfg', text)).toThrow(message)
      expect(() => readConfig('s.cfg', text)).toThrow(TilewrightError)
    }
  })
})

const TRUTH = fileURLToPath(new URL('../../../shared/truth/', import.meta.url))
const isThere = existsSync(TRUTH)
if (!isThere) console.log('skipped: the published runs of SCALE-Sim are expected in ../shared/truth')
const rows = z.object({
  rows: z.array(
    z.object({
      net: z.string(),
      layer: z.string(),
      dataflow: z.enum(['ws', 'os', 'is']),
      rows: z.number(),
      cols: z.number(),
      macs: z.number(),
      array_cycles: z.number(),
      sram_ifmap_reads: z.number(),
      sram_filter_reads: z.number(),
    }),
  ),
})

describe.skipIf(!isThere)('published runs from their files', () => {
  test('topology and configuration as text, counted as published', () => {
    const published = rows.parse(JSON.parse(readFileSync(`${TRUTH}scalesim.json`, 'utf8'))).rows
    const files = { alexnet: 'alexnet_padded_grouped.csv', resnet50: 'resnet50_v1_unique.csv' }
    const layers = Object.entries(files).flatMap(([net, file]) =>
      readTopology(file, readFileSync(`${TRUTH}${file}`, 'utf8')).layers.map((layer) => ({ net, ...layer })),
    )
    const differing: string[] = []
    const unread: string[] = []
    let figures = 0
    let mapped = 0
    for (const row of published) {
      const layer = layers.find(({ net, name }) => row.net.startsWith(net) && name === row.layer)
      if (layer === undefined) {
        unread.push(`${row.net}/${row.layer}`)
        continue
      }
      const text = CONFIG.replace(/ArrayHeight:.*/, `ArrayHeight: ${row.rows}`)
        .replace(/ArrayWidth:.*/, `ArrayWidth: ${row.cols}`)
        .replace(/SramSzkB:.*/g, 'SramSzkB: 65536')
        .replace(': ws', `: ${row.dataflow}`)
      const hardware = readConfig('s.cfg', text)
      const check = (name: string, mine: number | undefined, theirs: number): void => {
        figures++
        if (mine !== theirs)
          differing.push(`${row.net}/${row.layer} ${row.dataflow} ${row.rows}×${row.cols} ${name}: ${mine}, ${theirs}`)
      }
      const run = systolicRun(layer.problem, { rows: hardware.array.y, columns: hardware.array.x }, row.dataflow)
      check('macs', macsOf(layer.problem), row.macs)
      check('cycles', run.cycles, row.array_cycles)
      check('input reads', run.reads.inputs, row.sram_ifmap_reads)
      check('filter reads', run.reads.weights, row.sram_filter_reads)
      // The same through the mapping that evaluate takes, for one layer of each net and array.
      if (row.layer !== 'conv1') continue
      const { problem, mapping } = systolicMapping(layer.problem, hardware, row.dataflow)
      const ours = evaluate(problem, hardware, mapping)
      check('cycles of the mapping', ours.cycles, row.array_cycles)
      mapped++
    }
    console.log(
      `scalesim: ${figures} figures of ${published.length - unread.length} runs compared from their files, ${differing.length} differ`,
    )
    expect(differing).toEqual([])
    expect(unread).toEqual([])
    expect(figures).toBeGreaterThan(100)
    expect(mapped).toBeGreaterThan(5)
  })
})
