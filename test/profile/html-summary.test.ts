/** The report in words: what it claims must follow from the figures, and nothing is ranked that must not be. */
import { describe, expect, it } from 'vitest'
import type { Evaluation } from '../../src/cost/evaluation.ts'
import { duration, error, fixed, integer, listed, plural, ratio, si, tick } from '../../src/profile/html/format.ts'
import { summarise } from '../../src/profile/html/summary.ts'
import type { DataflowReport, LayerReport, ProfileReport } from '../../src/profile/report.ts'
import { convProblem, macsOf } from '../../src/schedule/problem.ts'
import { sampleReport } from './html-sample.ts'

const conv = convProblem({ M: 10, C: 10, P: 10, Q: 10 })

function evaluation(total: number): Evaluation {
  const none = { weights: 0, inputs: 0, outputs: 0 }
  return {
    macs: macsOf(conv),
    cycles: 1,
    utilization: 1,
    accesses: {},
    network: { hops: none },
    energy: { total, mac: macsOf(conv), network: 0, levels: {}, per_operand: none },
  }
}

function row(energy: number, time_ms: number, more: Partial<DataflowReport> = {}): DataflowReport {
  return { predicted: evaluation(energy), time_ms, verified: true, ...more }
}

function made(dataflows: Record<string, DataflowReport>, more: Partial<ProfileReport> = {}): ProfileReport {
  const layer: LayerReport = { name: 'conv1', problem: conv, macs: macsOf(conv), dataflows }
  return { ...sampleReport(), layers: [layer], ...more }
}

const texts = (report: ProfileReport, kind?: string) =>
  summarise(report)
    .filter((sentence) => kind === undefined || sentence.kind === kind)
    .map(({ text }) => text)

describe('summarise', () => {
  it('names the dataflow of least energy, the next and the worst', () => {
    const report = made({ ws: row(50_000, 3), rs: row(20_000, 2), nlr: row(80_000, 1) })
    expect(texts(report, 'modelled')).toEqual([
      'Row stationary needs the least modelled energy in CONV: 2.00 MAC energies per MAC. Weight stationary, the next, needs 2.50× as much; no local reuse 4.00×.',
    ])
    expect(texts(report, 'measured')).toEqual([
      'Shortest measured time in CONV: no local reuse, 1 ms (0.0 GFLOP/s). Row stationary, the next, takes 2.00× as long.',
    ])
  })

  it('calls a tie a tie', () => {
    const [text] = texts(made({ ws: row(20_010, 3), rs: row(20_000, 2), nlr: row(80_000, 1) }), 'modelled')
    expect(text).toBe(
      'Row stationary and weight stationary need the least modelled energy alike in CONV: 2.00 MAC energies per MAC.',
    )
  })

  it('ranks no times of a software adapter', () => {
    const report = made({ ws: row(50_000, 3), rs: row(20_000, 2) }, { adapter: { ...sampleReport().adapter, software: true } })
    expect(texts(report, 'measured')).toEqual([])
    expect(texts(report, 'note')).toContain(
      'Times were taken on a software adapter: they show that every kernel runs, and rank nothing.',
    )
  })

  it('leaves a dataflow that lacks a layer out of the ranking, and says so', () => {
    const report = made({ ws: row(50_000, 3), rs: row(1, 1) })
    const second: LayerReport = {
      name: 'conv2',
      problem: conv,
      macs: macsOf(conv),
      dataflows: { ws: row(50_000, 3), rs: { skipped: 'no' } },
    }
    const [text] = texts({ ...report, layers: [...report.layers, second] }, 'modelled')
    expect(text).toBe(
      'Modelled energy of weight stationary in CONV: 50000.00 MAC energies per MAC. Left out, for want of a layer: row stationary.'.replace(
        '50000.00',
        '5.00',
      ),
    )
  })

  it('raises an alarm for a row that is not verified or counted otherwise than predicted', () => {
    expect(texts(made({ ws: row(1, 1) }), 'alarm')).toEqual([])
    expect(texts(made({ ws: row(1, 1, { verified: false }) }), 'alarm')).toEqual(['0 of 1 row agree with the CPU reference.'])
    expect(texts(sampleReport({ trouble: true }), 'alarm')).toEqual([
      '62 of 63 rows agree with the CPU reference; counted accesses equal the prediction on 54 of 55.',
    ])
  })

  it('says when a report was stopped early, and when it is empty', () => {
    expect(texts(made({ ws: row(1, 1) }, { complete: false }), 'note').join(' ')).toContain('Stopped early')
    expect(texts({ ...sampleReport(), layers: [] })).toEqual(['No row has been run.'])
  })
})

describe('format', () => {
  it('writes figures as people read them', () => {
    expect([0, 12, 724406816, 61e6, 999_999, 0.5, 1234, 3.1e-5].map(si)).toEqual([
      '0',
      '12',
      '724.4 M',
      '61 M',
      '1.000 M',
      '0.500',
      '1.234 k',
      '3.10e-5',
    ])
    expect([0, 0.02, 1500, 2e8, 5e-5].map(tick)).toEqual(['0', '0.02', '1.5k', '200M', '5e−5'])
    expect([0, 0.0005, 0.0123, 3.214, 1234].map(duration)).toEqual(['0 ms', '500 ns', '12.30 µs', '3.214 ms', '1.234 s'])
    expect([ratio(1.5), ratio(15.55), ratio(1234)]).toEqual(['1.50×', '15.6×', '1,234×'])
    expect([integer(1234567.4), fixed(2)(1234.5), error(0), error(1.26e-6), error(NaN)]).toEqual([
      '1,234,567',
      '1,234.50',
      '0',
      '1.3e-6',
      'NaN',
    ])
    expect([listed([]), listed(['a']), listed(['a', 'b', 'c']), plural(1, 'row'), plural(2, 'row')]).toEqual([
      '',
      'a',
      'a, b and c',
      '1 row',
      '2 rows',
    ])
  })
})
