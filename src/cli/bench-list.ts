/** The cases of a bench, for people. */
import { convOutput, CONV, type ConvCase } from '../../bench/cases/conv.ts'
import { GEMM, type GemmCase } from '../../bench/cases/gemm.ts'
import { MODEL, type ModelCase } from '../../bench/cases/model.ts'
import type { Colors } from './context.ts'
import { dimensions, short, table, type Column } from './table.ts'

const FLOP: Column = { title: 'FLOP', align: 'right' }

export function listGemm(cases: readonly GemmCase[], colors: Colors): string {
  const rows = cases.map((item) => [
    item.name,
    item.family,
    item.dtype,
    `${item.batch === 1 ? '' : `${item.batch} of `}${dimensions([item.m, item.k, item.n])}`,
    short(2 * GEMM.macs(item)),
  ])
  return table([{ title: 'Case' }, { title: 'Family' }, { title: 'B' }, { title: 'M×K×N' }, FLOP], rows, colors)
}

export function listConv(cases: readonly ConvCase[], colors: Colors): string {
  const rows = cases.map((item) => [
    item.name,
    item.family,
    dimensions([item.batch, item.channels, ...item.size]),
    filtersOf(item),
    dimensions([item.batch, item.filters, ...convOutput(item)]),
    short(2 * CONV.macs(item)),
  ])
  return table([{ title: 'Case' }, { title: 'Family' }, { title: 'X' }, { title: 'Filters' }, { title: 'Y' }, FLOP], rows, colors)
}

/** As `64 of 3×3, stride 2, 32 groups`. */
function filtersOf({ filters, kernel, stride, dilation, groups, channels }: ConvCase): string {
  return [
    `${filters} of ${dimensions(kernel)}`,
    ...(stride === 1 ? [] : [`stride ${stride}`]),
    ...(dilation === 1 ? [] : [`dilation ${dilation}`]),
    ...(groups === 1 ? [] : [groups === channels ? 'depthwise' : `${groups} groups`]),
  ].join(', ')
}

export function listModels(cases: readonly ModelCase[], colors: Colors): string {
  const rows = cases.map((item) => [item.name, item.family, String(item.batch), short(2 * MODEL.macs(item))])
  return table([{ title: 'Case' }, { title: 'Family' }, { title: 'Batch' }, FLOP], rows, colors)
}
