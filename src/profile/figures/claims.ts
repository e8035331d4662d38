/**
 * What the survey says of its Figs. 33 to 35, each beside what comes out here. A claim agrees or not by a rule that is written
 * down with it; nothing is fitted to make it agree. A claim whose layers were not run is left out.
 */
import type { Operand } from '../../schedule/problem.ts'
import { sumOf, totalOfCells, type Charged, type Total } from './cells.ts'
import { operandOf, partOf, PARTS, totalOf, type Part } from './energy.ts'
import { COMPARED, ROOMS, WORD_BYTES, PES, bufferBytes, type Compared } from './equal-area.ts'
import { dramBounds, type Kind } from './layers.ts'

export interface Claim {
  readonly id: string
  /** Figure or section. */
  readonly where: string
  readonly survey: string
  readonly ours: string
  readonly agrees: boolean
  /** The numbers behind `ours`. */
  readonly figures: Readonly<Record<string, number>>
  /** What the authors' own formulas give (`published.ts`); absent where no dataflow is involved. */
  readonly published?: { readonly value: string; readonly agrees: boolean }
}

/**
 * Claims that the cells suffice for, those of the text before the figures first.
 * @param published the same layers and dataflows by the authors' formulas
 */
export function claimsOf(cells: readonly Charged[], published: readonly Charged[]): Claim[] {
  const theirs = new Map(energyClaims(published).map((claim) => [claim.id, claim]))
  const ours = energyClaims(cells).map((claim) => {
    const same = theirs.get(claim.id)
    return same === undefined ? claim : { ...claim, published: { value: same.ours, agrees: same.agrees } }
  })
  return [...boundClaims(), ...areaClaims(), ...ours]
}

function energyClaims(cells: readonly Charged[]): Claim[] {
  return [...convClaims(cells), ...fcClaims(cells), ...layerClaims(cells)]
}

function boundClaims(): Claim[] {
  const { macs, worst, best, convReads } = dramBounds()
  const reduction = convReads.worst / convReads.best
  return [
    {
      id: 'dram-worst',
      where: 'V-B',
      survey: 'AlexNet’s 724M MACs need nearly 3000M DRAM accesses in the worst case',
      ours: `4 × ${millions(macs)} = ${millions(worst)}`,
      agrees: macs === 724_406_816 && worst < 3e9 && worst > 2.85e9,
      figures: { macs, worst },
    },
    {
      id: 'dram-best',
      where: 'V-B',
      survey: 'At best 61M DRAM accesses',
      ours: `${millions(best)}: each weight once`,
      agrees: Math.round(best / 1e6) === 61,
      figures: { best },
    },
    {
      id: 'dram-reads',
      where: 'V-B',
      survey: 'DRAM reads of the CONV layers can be cut by up to 500×',
      ours: `${reduction.toFixed(0)}×: ${millions(convReads.worst)} reads of a weight and an input for each MAC, ${millions(convReads.best)} words read once`,
      agrees: Math.abs(reduction - 500) / 500 < 0.05,
      figures: { reduction, ...prefixed('reads_', convReads) },
    },
  ]
}

function areaClaims(): Claim[] {
  const sizes = COMPARED.map((dataflow) => bufferBytes(ROOMS[dataflow].rfBytes))
  const storage = COMPARED.map((dataflow) => bufferBytes(ROOMS[dataflow].rfBytes) + PES * ROOMS[dataflow].rfBytes)
  const ratio = Math.max(...sizes) / Math.min(...sizes)
  const kilobytes = (Math.max(...storage) - Math.min(...storage)) / 1024
  return [
    {
      id: 'area',
      where: 'ISCA 2016, VI-B',
      survey: 'On one area, buffers differ by up to 2.6× and total storage by up to 80 kB',
      ours: `${ratio.toFixed(2)}× and ${kilobytes.toFixed(0)} kB (words of ${WORD_BYTES} bytes)`,
      agrees: ratio.toFixed(1) === '2.6' && Math.abs(kilobytes - 80) <= 5,
      figures: { ratio, kilobytes },
    },
  ]
}

type Sums = Readonly<Record<Compared, Total>>

/** Sums of all dataflows, or undefined where a layer is missing. */
function sumsOf(cells: readonly Charged[], kind: Kind): Sums | undefined {
  const found: Partial<Record<Compared, Total>> = {}
  for (const dataflow of COMPARED) {
    const sum = sumOf(cells, dataflow, kind)
    if (sum === undefined) return undefined
    found[dataflow] = sum
  }
  const { ws, 'os-a': a, 'os-b': b, 'os-c': c, nlr, rs } = found
  if (!ws || !a || !b || !c || !nlr || !rs) return undefined
  return { ws, 'os-a': a, 'os-b': b, 'os-c': c, nlr, rs }
}

function perMac(sums: Sums, value: (total: Total) => number): Record<Compared, number> {
  const of = (dataflow: Compared): number => value(sums[dataflow]) / sums[dataflow].macs
  return { ws: of('ws'), 'os-a': of('os-a'), 'os-b': of('os-b'), 'os-c': of('os-c'), nlr: of('nlr'), rs: of('rs') }
}

const energyPerMac = (sums: Sums): Record<Compared, number> => perMac(sums, ({ energy }) => totalOf(energy))
const partPerMac = (sums: Sums, part: Part): Record<Compared, number> => perMac(sums, ({ energy }) => partOf(energy, part))
const operandPerMac = (sums: Sums, operand: Operand): Record<Compared, number> =>
  perMac(sums, ({ energy }) => operandOf(energy, operand))

function least(values: Readonly<Record<Compared, number>>): Compared {
  return COMPARED.reduce((best, dataflow) => (values[dataflow] < values[best] ? dataflow : best), COMPARED[0])
}

/** How much more than row stationary each other dataflow needs. */
function ratiosToRs(energy: Readonly<Record<Compared, number>>): { least: number; most: number } {
  const ratios = COMPARED.filter((dataflow) => dataflow !== 'rs').map((dataflow) => energy[dataflow] / energy.rs)
  return { least: Math.min(...ratios), most: Math.max(...ratios) }
}

function convClaims(cells: readonly Charged[]): Claim[] {
  const sums = sumsOf(cells, 'conv')
  if (sums === undefined) return []
  const energy = energyPerMac(sums)
  const ratios = ratiosToRs(energy)
  const weights = operandPerMac(sums, 'weights')
  const psums = operandPerMac(sums, 'outputs')
  const dram = partPerMac(sums, 'DRAM')
  const rsParts = shares(sums.rs)
  const nlrParts = shares(sums.nlr)
  const rf = partPerMac(sums, 'RF')
  return [
    {
      id: 'conv-rs-least',
      where: 'Fig. 33',
      survey: 'Row stationary needs the least energy in the CONV layers',
      ours: `${least(energy)} needs the least: ${inOrder(energy)}`,
      agrees: least(energy) === 'rs',
      figures: energy,
    },
    {
      id: 'conv-ratio',
      where: 'Fig. 33',
      survey: 'The others need 1.4× to 2.5× the energy of row stationary',
      ours: `${ratios.least.toFixed(2)}× to ${ratios.most.toFixed(2)}×`,
      // All of them in the range, to the one decimal that is printed.
      agrees: Number(ratios.least.toFixed(1)) >= 1.4 && Number(ratios.most.toFixed(1)) <= 2.5,
      figures: ratios,
    },
    {
      id: 'conv-weights',
      where: 'Fig. 33b',
      survey: 'Weight stationary spends least on weights',
      ours: `${least(weights)} does: ${inOrder(weights)}`,
      agrees: least(weights) === 'ws',
      figures: weights,
    },
    {
      id: 'conv-psums',
      where: 'Fig. 33b',
      survey: 'The output stationary ones spend least on partial sums',
      ours: `${least(psums)} does: ${inOrder(psums)}`,
      agrees: least(psums).startsWith('os-'),
      figures: psums,
    },
    {
      id: 'conv-rs-rf',
      where: 'Fig. 33a',
      survey: 'Row stationary spends most in the register file',
      ours: `${percent(rsParts.RF)} of its energy; register files of all: ${inOrder(rf)}`,
      agrees: largest(rsParts) === 'RF' && COMPARED.every((dataflow) => rf[dataflow] <= rf.rs),
      figures: rsParts,
    },
    {
      id: 'conv-nlr-dram',
      where: 'Fig. 33a',
      survey: 'No local reuse spends least at DRAM',
      ours: `${least(dram)} does: ${inOrder(dram)}`,
      agrees: least(dram) === 'nlr',
      figures: dram,
    },
    {
      id: 'conv-nlr-buffer',
      where: 'Fig. 33a',
      survey: 'Most of the accesses of no local reuse are to the buffer',
      ours: `${percent(nlrParts.buffer)} of its energy, ${nlrParts.array > nlrParts.buffer ? 'less' : 'more'} than in the array (${percent(nlrParts.array)})`,
      agrees: largest(nlrParts) === 'buffer',
      figures: nlrParts,
    },
  ]
}

function fcClaims(cells: readonly Charged[]): Claim[] {
  const sums = sumsOf(cells, 'fc')
  if (sums === undefined) return []
  const energy = energyPerMac(sums)
  const ratios = ratiosToRs(energy)
  const weights = perMac(sums, (total) => (operandOf(total.energy, 'weights') / totalOf(total.energy)) * total.macs)
  return [
    {
      id: 'fc-rs-least',
      where: 'Fig. 34',
      survey: 'Row stationary needs the least energy in the FC layers',
      ours: `${least(energy)} needs the least: ${inOrder(energy)}`,
      agrees: least(energy) === 'rs',
      figures: energy,
    },
    {
      id: 'fc-ratio',
      where: 'Fig. 34',
      survey: 'The others need at least 1.3× the energy of row stationary',
      ours: `${ratios.least.toFixed(2)}× to ${ratios.most.toFixed(2)}×`,
      agrees: Number(ratios.least.toFixed(1)) >= 1.3,
      figures: ratios,
    },
    {
      id: 'fc-weights',
      where: 'Fig. 34b',
      survey: 'All dataflows spend a significant amount of energy on reading weights',
      ours: `Share of weights: ${COMPARED.map((dataflow) => `${dataflow} ${percent(weights[dataflow])}`).join(', ')}`,
      agrees: COMPARED.every((dataflow) => weights[dataflow] > 1 / 3),
      figures: weights,
    },
    {
      id: 'fc-osc-osa',
      where: 'Fig. 34',
      survey: 'Output stationary C needs less energy than A',
      ours: `${energy['os-c'].toFixed(2)} against ${energy['os-a'].toFixed(2)} for each MAC`,
      agrees: energy['os-c'] < energy['os-a'],
      figures: { 'os-a': energy['os-a'], 'os-c': energy['os-c'] },
    },
  ]
}

function layerClaims(cells: readonly Charged[]): Claim[] {
  const [conv, fc] = [sumOf(cells, 'rs', 'conv'), sumOf(cells, 'rs', 'fc')]
  if (conv === undefined || fc === undefined) return []
  const layers = cells.filter(({ dataflow }) => dataflow === 'rs')
  const dominated = (kind: Kind, part: Part): string[] =>
    layers.filter((cell) => cell.kind === kind && largest(shares(totalOfCells([cell]))) === part).map(({ layer }) => layer)
  const of = (kind: Kind): number => layers.filter((cell) => cell.kind === kind).length
  const [rf, dram] = [dominated('conv', 'RF'), dominated('fc', 'DRAM')]
  const share = totalOf(conv.energy) / (totalOf(conv.energy) + totalOf(fc.energy))
  return [
    {
      id: 'layers-conv-rf',
      where: 'Fig. 35',
      survey: 'In the CONV layers most energy goes to the register file',
      ours: `${rf.length} of ${of('conv')} layers; ${percent(shares(conv).RF)} of all CONV layers together`,
      agrees: rf.length === of('conv'),
      figures: { layers: rf.length, ...shares(conv) },
    },
    {
      id: 'layers-fc-dram',
      where: 'Fig. 35',
      survey: 'In the FC layers most energy goes to DRAM',
      ours: `${dram.length} of ${of('fc')} layers; ${percent(shares(fc).DRAM)} of all FC layers together`,
      agrees: dram.length === of('fc'),
      figures: { layers: dram.length, ...shares(fc) },
    },
    {
      id: 'layers-conv-share',
      where: 'Fig. 35',
      survey: 'The CONV layers take about 80 % of the energy',
      ours: percent(share),
      agrees: Math.abs(share - 0.8) <= 0.05,
      figures: { share },
    },
  ]
}

function shares({ energy }: Total): Record<Part, number> {
  const total = totalOf(energy)
  const of = (part: Part): number => partOf(energy, part) / total
  return { ALU: of('ALU'), DRAM: of('DRAM'), buffer: of('buffer'), array: of('array'), RF: of('RF') }
}

function largest(parts: Readonly<Record<Part, number>>): Part {
  return PARTS.reduce((most, part) => (parts[part] > parts[most] ? part : most), PARTS[0])
}

/** rs 6.11, os-a 8.42, … from the least up. */
function inOrder(values: Readonly<Record<Compared, number>>): string {
  return COMPARED.toSorted((a, b) => values[a] - values[b])
    .map((dataflow) => `${dataflow} ${values[dataflow].toFixed(2)}`)
    .join(', ')
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`
}

function millions(count: number): string {
  return `${(count / 1e6).toFixed(1)}M`
}

function prefixed(prefix: string, values: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [prefix + name, value]))
}
