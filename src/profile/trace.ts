/**
 * A profile as a Chrome trace (Trace Event Format, JSON object form): opens in Perfetto or chrome://tracing. One track per
 * dataflow, its layers end to end, each as long as its median time; the tracks start together, so that they can be compared.
 * The gaps and the overlap of a real run are not in it.
 */
import type { ProfileReport } from './report.ts'

export interface TraceEvent {
  readonly name: string
  readonly ph: 'X' | 'M'
  readonly pid: number
  readonly tid: number
  /** Microseconds. */
  readonly ts?: number
  readonly dur?: number
  readonly cat?: string
  readonly args: Readonly<Record<string, unknown>>
}

export interface Trace {
  readonly displayTimeUnit: 'ms'
  readonly otherData: Readonly<Record<string, unknown>>
  readonly traceEvents: readonly TraceEvent[]
}

const PROCESS = 1

export function traceOf(report: ProfileReport): Trace {
  const dataflows = [...new Set(report.layers.flatMap((layer) => Object.keys(layer.dataflows)))]
  const events: TraceEvent[] = [
    {
      name: 'process_name',
      ph: 'M',
      pid: PROCESS,
      tid: 0,
      args: { name: `${report.model}, batch ${report.batch}, ${report.precision}` },
    },
  ]
  dataflows.forEach((dataflow, index) => {
    const tid = index + 1
    events.push({ name: 'thread_name', ph: 'M', pid: PROCESS, tid, args: { name: dataflow } })
    let ts = 0
    for (const layer of report.layers) {
      const row = layer.dataflows[dataflow]
      if (row?.time_ms === undefined) continue
      const dur = row.time_ms * 1000
      const { problem, macs } = layer
      const { gflops, verified, max_error, counted_equal, samples_ms } = row
      const args = { macs, gflops, verified, max_error, counted_equal, samples_ms, energy: row.predicted?.energy.total, problem }
      events.push({ name: layer.name, cat: 'layer', ph: 'X', pid: PROCESS, tid, ts, dur, args })
      ts += dur
    }
  })
  const { schema, model, date, adapter, hardware, clock, samples, warmups, complete } = report
  return {
    displayTimeUnit: 'ms',
    otherData: {
      note: 'medians end to end, one track per dataflow',
      schema,
      model,
      date,
      adapter,
      hardware,
      clock,
      samples,
      warmups,
      complete,
    },
    traceEvents: events,
  }
}
