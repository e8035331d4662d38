/** From a report to rows, sums and checks: against figures added up by hand, and against what must hold for any report. */
import { describe, expect, it } from 'vitest'
import type { Issued } from '../../src/cost/evaluation.ts'
import {
  accessesOf,
  checksOf,
  countsOf,
  dataflowsOf,
  energyByLevel,
  energyByOperand,
  energyUnit,
  intensityOf,
  kernelCountsOf,
  kindOf,
  levelsOf,
  rowsOf,
  select,
  totalsOf,
} from '../../src/profile/html/data.ts'
import { loopNest } from '../../src/profile/html/loopnest.ts'
import { csvOf } from '../../src/profile/html/tables.ts'
import { configText, type KernelReport, type ProfileReport } from '../../src/profile/report.ts'
import { convProblem, gemmProblem } from '../../src/schedule/problem.ts'
import { sampleReport } from './html-sample.ts'

const report = sampleReport()
const trouble = sampleReport({ trouble: true, software: true })

describe('kindOf', () => {
  it('calls one pixel per filter and matrix products fully connected, all else a convolution', () => {
    expect(kindOf(convProblem({ M: 10, C: 4, R: 6, S: 6 }))).toBe('fc')
    expect(kindOf(gemmProblem({ i: 7, j: 5, k: 3 }))).toBe('fc')
    expect(kindOf(convProblem({ M: 8, C: 4, P: 7, Q: 7 }))).toBe('conv')
    expect(kindOf(convProblem({ M: 8, C: 4, P: 9, Q: 1, R: 3 }))).toBe('conv')
  })
})

describe('rowsOf', () => {
  it('has a row per layer and dataflow, in the report’s order', () => {
    const rows = rowsOf(report)
    expect(rows).toHaveLength(8 * 8)
    expect(rows[0]).toMatchObject({ layer: 'conv1', dataflow: 'ws', kind: 'conv', status: 'ok' })
    expect(rows.at(-1)).toMatchObject({ layer: 'fc8', dataflow: 'fastest', kind: 'fc' })
    expect(dataflowsOf(report)).toEqual(['ws', 'os-a', 'os-b', 'os-c', 'is', 'nlr', 'rs', 'fastest'])
    expect(levelsOf(rows)).toEqual(['DRAM', 'GLB', 'RF'])
  })

  it('finds unverified, unequal and skipped rows', () => {
    const checks = checksOf(rowsOf(trouble))
    expect(checks.unverified.map(({ layer, dataflow }) => `${layer} ${dataflow}`)).toEqual(['conv2 nlr'])
    expect(checks.unequal.map(({ layer, dataflow }) => `${layer} ${dataflow}`)).toEqual(['conv4 is'])
    expect(checks.skipped.map(({ layer, dataflow }) => `${layer} ${dataflow}`)).toEqual(['fc6 os-a'])
    expect(checks.run).toHaveLength(63)
    expect(checks.counted).toHaveLength(55)
  })

  it('calls a row failed whose counts differ though the report says they are equal', () => {
    const rows = rowsOf(lying(report))
    const [row] = rows.filter(({ status }) => status === 'failed')
    expect(row?.differences).toEqual([expect.objectContaining({ what: 'storage inputs loads' })])
    expect(checksOf(rows).unequal).toHaveLength(1)
  })

  it('calls a row unchecked that nobody compared', () => {
    const [layer] = report.layers
    const bare = { ...report, layers: layer === undefined ? [] : [{ ...layer, dataflows: { ws: { time_ms: 1 } } }] }
    expect(rowsOf(bare)[0]?.status).toBe('unchecked')
  })
})

/** The report with one storage count off by one, and `counted_equal` left true. */
function lying(honest: ProfileReport): ProfileReport {
  return {
    ...honest,
    layers: honest.layers.map((layer) => {
      const ws = layer.dataflows['ws']
      if (layer.name !== 'conv3' || ws?.counted === undefined) return layer
      const { inputs } = ws.counted.storage
      const counted: Issued = { ...ws.counted, storage: { ...ws.counted.storage, inputs: { ...inputs, loads: inputs.loads + 1 } } }
      return { ...layer, dataflows: { ...layer.dataflows, ws: { ...ws, counted } } }
    }),
  }
}

describe('sums', () => {
  it('splits a row’s energy into parts that add up to its total', () => {
    for (const row of rowsOf(report)) {
      const { predicted } = row.result
      if (predicted === undefined) continue
      for (const parts of [energyByLevel(row, predicted), energyByOperand(row, predicted)]) {
        const sum = parts.reduce((total, { value }) => total + value, 0)
        expect(Math.abs(sum / predicted.energy.total - 1)).toBeLessThan(1e-9)
      }
    }
  })

  it('adds up times and energies by dataflow and says how many layers are in a sum', () => {
    const totals = totalsOf(rowsOf(trouble))
    const times = trouble.layers.map(({ dataflows }) => dataflows['ws']?.time_ms ?? 0)
    expect(totals.find(({ dataflow }) => dataflow === 'ws')?.time_ms).toBeCloseTo(
      times.reduce((a, b) => a + b, 0),
      9,
    )
    expect(totals.find(({ dataflow }) => dataflow === 'os-a')).toMatchObject({ layers: 8, timed: 7, modelled: 7 })
    expect(totals.find(({ dataflow }) => dataflow === 'fastest')).toMatchObject({ timed: 8, modelled: 0, energy: 0 })
  })

  it('selects by kind, by layer and by dataflow', () => {
    const rows = rowsOf(report)
    const dataflows = new Set(['ws', 'rs'])
    expect(select(rows, { layers: 'all', dataflows })).toHaveLength(16)
    expect(select(rows, { layers: 'fc', dataflows }).map(({ layer }) => layer)).toEqual(['fc6', 'fc6', 'fc7', 'fc7', 'fc8', 'fc8'])
    expect(select(rows, { layers: 'layer:conv2', dataflows }).map(({ dataflow }) => dataflow)).toEqual(['ws', 'rs'])
    expect(select(rows, { layers: 'all', dataflows: new Set() })).toEqual([])
  })
})

describe('figures', () => {
  it('lists every issued figure once', () => {
    const row = rowsOf(report).find(({ result }) => result.predicted?.issued !== undefined)
    const issued = row?.result.predicted?.issued
    expect(issued).toBeDefined()
    if (issued === undefined) return
    const counts = countsOf(issued, issued)
    expect(new Set(counts.map(({ what }) => what)).size).toBe(counts.length)
    expect(counts).toHaveLength(1 + 3 * (2 * 2 + 1))
  })

  it('takes arithmetic intensity from issued words and the word’s bytes', () => {
    const issued: Issued = {
      macs: 300,
      storage: { weights: { loads: 10, stores: 0 }, inputs: { loads: 20, stores: 0 }, outputs: { loads: 5, stores: 15 } },
      workgroup: { weights: { loads: 0, stores: 0 }, inputs: { loads: 0, stores: 0 }, outputs: { loads: 0, stores: 0 } },
      hops: { weights: 0, inputs: 0, outputs: 0 },
    }
    const [row] = rowsOf(report)
    if (row === undefined) throw new Error('no row')
    const made = { ...row, macs: 300, result: { counted: issued } }
    expect(intensityOf(made, 'f32')).toEqual({ value: 600 / 200, from: 'issued' })
    expect(intensityOf(made, 'f16')).toEqual({ value: 600 / 100, from: 'issued' })
    expect(intensityOf({ ...made, result: {} }, 'f32')).toBeUndefined()
  })

  it('reads accesses by level', () => {
    const predicted = rowsOf(report)[0]?.result.predicted
    if (predicted === undefined) throw new Error('no evaluation')
    const [weights] = accessesOf(predicted, 'GLB')
    expect(weights).toMatchObject({ operand: 'weights', ...predicted.accesses['GLB']?.weights })
    expect(weights?.all).toBe((weights?.reads ?? 0) + (weights?.fills ?? 0) + (weights?.updates ?? 0))
    expect(accessesOf(predicted, 'L2')).toEqual([])
  })

  it('names the unit of energy by what a MAC costs', () => {
    expect(energyUnit(report).short).toBe('MAC energies')
    const costly = {
      ...report,
      layers: report.layers.map((layer) => ({
        ...layer,
        dataflows: Object.fromEntries(
          Object.entries(layer.dataflows).map(([name, row]) => [
            name,
            row.predicted === undefined
              ? row
              : { ...row, predicted: { ...row.predicted, energy: { ...row.predicted.energy, mac: row.predicted.macs * 3.1 } } },
          ]),
        ),
      })),
    }
    expect(energyUnit(costly).short).toBe('eyeriss units')
  })
})

describe('loopNest', () => {
  it('lists levels, loops above 1 and spatial splits from the outermost in', () => {
    const lines = loopNest({
      levels: [
        {
          name: 'DRAM',
          temporal: [
            ['M', 4],
            ['P', 1],
          ],
        },
        {
          name: 'GLB',
          temporal: [['Q', 56]],
          spatial: {
            x: [['P', 14]],
            y: [
              ['C', 4],
              ['R', 3],
            ],
          },
          keep: ['inputs', 'outputs'],
          forward: { inputs: 'x' },
        },
        { name: 'RF', temporal: [], keep: [] },
      ],
    })
    expect(lines.map(({ kind, text, note }) => [kind, text, note])).toEqual([
      ['level', 'DRAM', 'keeps all operands'],
      ['loop', 'for m in 0 ..< 4', undefined],
      ['level', 'GLB', 'keeps inputs, outputs'],
      ['loop', 'for q in 0 ..< 56', undefined],
      ['spatial', 'in parallel over x: P 14', 'inputs handed from neighbour to neighbour'],
      ['spatial', 'in parallel over y: C 4 · R 3', undefined],
      ['level', 'RF', 'keeps nothing'],
      ['body', 'outputs += weights × inputs', undefined],
    ])
    expect(lines.filter(({ kind }) => kind !== 'level').map(({ depth }) => depth)).toEqual([1, 2, 3, 4, 5])
  })
})

describe('default kernels of products', () => {
  const accesses = {
    a: { loads: 12, stores: 0 },
    b: { loads: 20, stores: 0 },
    bias: { loads: 6, stores: 0 },
    y: { loads: 0, stores: 6 },
  }
  const kernel: KernelReport = {
    name: 'tiled',
    config: { kernel: 'tiled', rows: 16, doubled: true },
    problem: gemmProblem({ i: 2, j: 3, k: 4 }),
    predicted_ms: 0.5,
    predicted_bound: 'memory',
    accesses: { predicted: accesses, counted: accesses },
  }
  const roofline = { operations: 48, bytes: 104, intensity: 0.46, attainable_gflops: 4, share: 0.25, bound: 'memory' } as const
  const withKernel = (given: KernelReport): ProfileReport => {
    const result = { time_ms: 1, gflops: 1, verified: true, counted_equal: true, kernel: given, roofline }
    return { ...report, layers: [{ name: 'fc', problem: given.problem, macs: 24, dataflows: { fastest: result } }] }
  }

  it('are counted beside their prediction, without what is 0 on both sides', () => {
    expect(kernelCountsOf(kernel).map(({ what, operand, counted }) => [what, operand, counted])).toEqual([
      ['storage a loads', 'inputs', 12],
      ['storage b loads', 'weights', 20],
      ['storage bias loads', 'epilogue', 6],
      ['storage y stores', 'outputs', 6],
    ])
    const [row] = rowsOf(withKernel(kernel))
    expect(row).toMatchObject({ status: 'ok', differences: [] })
    expect(checksOf(row === undefined ? [] : [row])).toMatchObject({ counted: [{ layer: 'fc' }], unequal: [] })
  })

  it('fail where a count is not the predicted one', () => {
    const wrong = { ...kernel, accesses: { predicted: accesses, counted: { ...accesses, a: { loads: 13, stores: 0 } } } }
    const [row] = rowsOf(withKernel(wrong))
    expect(row).toMatchObject({ status: 'failed', differences: [{ what: 'storage a loads', predicted: 12, counted: 13 }] })
  })

  it('stand in the CSV with their configuration and place under the roof', () => {
    expect(configText(kernel)).toBe('tiled rows 16, doubled true')
    const [head, line] = csvOf(rowsOf(withKernel(kernel))).split('\n')
    expect(head).toMatch(/,intensity,attainable_gflops,share,bound,kernel,predicted_ms,multiplications,error,error_bound$/)
    expect(line).toMatch(/,0.46,4,0.25,memory,"tiled rows 16, doubled true",0.5,,,$/)
  })

  it('of convolutions say what they multiply and how far they err; one that predicts no accesses counts none', () => {
    const { accesses: _, ...bare } = kernel
    const convolution = {
      layout: 'nchw',
      outputLayout: 'nhwc',
      multiplications: 12,
      additions: 30,
      macs: 24,
      error: { measured: 1e-7, bound: 1e-5 },
    } as const
    const config = { algorithm: 'winograd', tile: 2, kernel: { kernel: 'tiled', rows: 8 } }
    const given: KernelReport = { ...bare, name: 'winograd', config, convolution }
    expect(configText(given)).toBe('winograd tile 2, kernel (tiled, rows 8) in nchw>nhwc')
    const { counted_equal, ...result } = withKernel(given).layers[0]?.dataflows['fastest'] ?? {}
    expect(counted_equal).toBe(true)
    const made = { ...report, layers: [{ name: 'conv', problem: given.problem, macs: 24, dataflows: { fastest: result } }] }
    const rows = rowsOf(made)
    expect(rows).toMatchObject([{ status: 'ok', differences: [] }])
    expect(checksOf(rows)).toMatchObject({ counted: [], unequal: [] })
    expect(csvOf(rows).split('\n')[1]).toMatch(/,0.5,12,1e-7,0.00001$/)
  })
})

describe('csvOf', () => {
  it('has a line per row and quotes what would break one', () => {
    const text = csvOf(rowsOf(trouble))
    const lines = text.trimEnd().split('\n')
    expect(lines).toHaveLength(65)
    const columns = lines[0]?.split(',').length
    const skipped = lines.find((line) => line.startsWith('fc6,os-a,skipped'))
    expect(skipped).toContain('"Needs subgroups of at least 8 lanes, ')
    for (const line of lines) expect(line.replaceAll(/"[^"]*"/g, '').split(',')).toHaveLength(columns ?? 0)
  })
})
