/**
 * One fixed colour per dataflow, storage level and operand, in a light and a dark variant, and the names that go with them.
 * After Okabe & Ito (2008) and Paul Tol's schemes, adjusted so that members of a set stay apart for colour-blind readers
 * (test/profile/html-palette.test.ts measures it). Colour is never the only channel: bars are labelled, dots have shapes.
 */
import type { Operand } from '../../schedule/problem.ts'

export interface Swatch {
  readonly label: string
  /** On a light page, and on a dark one. */
  readonly light: string
  readonly dark: string
}

export const DATAFLOWS: Readonly<Record<string, Swatch>> = {
  ws: { label: 'weight stationary', light: '#0072b2', dark: '#629cdf' },
  'os-a': { label: 'output stationary A', light: '#913c00', dark: '#e2622a' },
  'os-b': { label: 'output stationary B', light: '#e08214', dark: '#f5a742' },
  'os-c': { label: 'output stationary C', light: '#d9bf2b', dark: '#f3e36b' },
  is: { label: 'input stationary', light: '#5fc087', dark: '#00cda2' },
  nlr: { label: 'no local reuse', light: '#8d8f96', dark: '#938f8e' },
  rs: { label: 'row stationary', light: '#c01d7b', dark: '#b44ca7' },
  fastest: { label: 'default kernels', light: '#22262e', dark: '#e3f8ff' },
  'systolic-ws': { label: 'systolic, weights stay', light: '#64b9ec', dark: '#a5d8f6' },
  'systolic-os': { label: 'systolic, outputs stay', light: '#7d5a2c', dark: '#b98f5b' },
  'systolic-is': { label: 'systolic, inputs stay', light: '#6bcfb4', dark: '#9be8d3' },
}

/** Storage from the outermost level in, then what is no storage. */
const STORAGE: readonly Swatch[] = [
  { label: 'DRAM', light: '#441c88', dark: '#5953d6' },
  { label: 'GLB', light: '#3a86c8', dark: '#4aa5ea' },
  { label: 'RF', light: '#3fb59a', dark: '#9fe3cd' },
]
const BETWEEN: Swatch = { label: 'buffer', light: '#5d5fae', dark: '#6f86b8' }
export const NETWORK: Swatch = { label: 'network', light: '#df992b', dark: '#efae45' }
export const MAC: Swatch = { label: 'MAC', light: '#c4c4c8', dark: '#7d7f86' }

export const OPERAND_SWATCHES: Readonly<Record<Operand, Swatch>> = {
  weights: { label: 'weights', light: '#004488', dark: '#5797e5' },
  inputs: { label: 'inputs', light: '#dfa930', dark: '#ecd46e' },
  outputs: { label: 'outputs', light: '#bb5566', dark: '#ee99aa' },
}

/** For dataflows that a user named. */
const EXTRA: readonly Swatch[] = [
  { label: '', light: '#5e3c99', dark: '#b19ad6' },
  { label: '', light: '#4d7c0f', dark: '#a3cf62' },
  { label: '', light: '#be185d', dark: '#f48fb9' },
  { label: '', light: '#0e7490', dark: '#67d3ea' },
]

/** The swatch of a dataflow; a name of a user's own gets one that depends on the name alone. */
export function dataflowSwatch(name: string): Swatch {
  const known = DATAFLOWS[name]
  if (known !== undefined) return known
  const hash = [...name].reduce((sum, letter) => (sum * 31 + (letter.codePointAt(0) ?? 0)) >>> 0, 7)
  const extra = EXTRA[hash % EXTRA.length] ?? BETWEEN
  return { ...extra, label: name }
}

/** The swatch of level `index` of `count`: the outermost is drawn as DRAM, the innermost as RF. */
export function levelSwatch(name: string, index: number, count: number): Swatch {
  const named = STORAGE.find((swatch) => swatch.label === name)
  const place = index === 0 ? 0 : index === count - 1 ? 2 : index === 1 ? 1 : -1
  return { ...(named ?? STORAGE[place] ?? BETWEEN), label: name }
}

/** A colour for CSS and SVG that follows the page's scheme. */
export function colour(swatch: Swatch): string {
  return `light-dark(${swatch.light}, ${swatch.dark})`
}
