/**
 * Colours that are shown side by side stay apart for colour-blind readers, on a light page and on a dark one.
 * Simulation: Machado, Oliveira, Fernandes 2009, severity 1, on linear RGB. Distance: in OKLab (Ottosson 2020).
 */
import { describe, expect, it } from 'vitest'
import type { Swatch } from '../../src/profile/html/palette.ts'
import { DATAFLOWS, MAC, NETWORK, OPERAND_SWATCHES, dataflowSwatch, levelSwatch } from '../../src/profile/html/palette.ts'

type Vector = readonly [number, number, number]
type Matrix = readonly [Vector, Vector, Vector]

const VISIONS: Readonly<Record<string, Matrix>> = {
  normal: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
}

const times = (matrix: Matrix, [x, y, z]: Vector): Vector => [
  matrix[0][0] * x + matrix[0][1] * y + matrix[0][2] * z,
  matrix[1][0] * x + matrix[1][1] * y + matrix[1][2] * z,
  matrix[2][0] * x + matrix[2][1] * y + matrix[2][2] * z,
]

const each = ([x, y, z]: Vector, change: (value: number) => number): Vector => [change(x), change(y), change(z)]

function linear(hex: string): Vector {
  const channel = (at: number) => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
  }
  return [channel(1), channel(3), channel(5)]
}

function oklab(rgb: Vector): Vector {
  const lms = times(
    [
      [0.4122214708, 0.5363325363, 0.0514459929],
      [0.2119034982, 0.6806995451, 0.1073969566],
      [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    rgb,
  )
  const root = each(lms, Math.cbrt)
  return times(
    [
      [0.2104542553, 0.793617785, -0.0040720468],
      [1.9779984951, -2.428592205, 0.4505937099],
      [0.0259040371, 0.7827717662, -0.808675766],
    ],
    root,
  )
}

function distance(a: string, b: string, vision: Matrix): number {
  const [x, y] = [a, b].map((hex) => oklab(each(times(vision, linear(hex)), (value) => Math.min(1, Math.max(0, value)))))
  if (x === undefined || y === undefined) return 0
  return Math.hypot(x[0] - y[0], x[1] - y[1], x[2] - y[2])
}

/** The closest pair of a set under every vision and scheme. */
function closest(swatches: readonly Swatch[]): { least: number; pair: string } {
  let found = { least: Infinity, pair: '' }
  for (const [vision, matrix] of Object.entries(VISIONS)) {
    for (const scheme of ['light', 'dark'] as const) {
      for (const [index, a] of swatches.entries()) {
        for (const b of swatches.slice(index + 1)) {
          const least = distance(a[scheme], b[scheme], matrix)
          if (least < found.least) found = { least, pair: `${a.label} / ${b.label}, ${vision}, ${scheme}` }
        }
      }
    }
  }
  return found
}

describe('palette', () => {
  const seven = ['ws', 'os-a', 'os-b', 'os-c', 'is', 'nlr', 'rs', 'fastest'].map(dataflowSwatch)
  const levels = ['DRAM', 'GLB', 'RF'].map((name, index) => levelSwatch(name, index, 3))

  it.each([
    ['dataflows', seven, 0.085],
    ['levels, network and MAC', [...levels, NETWORK, MAC], 0.085],
    ['operands and MAC', [...Object.values(OPERAND_SWATCHES), MAC], 0.085],
  ] as const)('keeps %s apart', (_, swatches, least) => {
    const found = closest(swatches)
    expect(found.least, found.pair).toBeGreaterThan(least)
  })

  it('stands out from the page', () => {
    const normal = VISIONS['normal']
    if (normal === undefined) throw new Error('no vision')
    for (const swatch of [...Object.values(DATAFLOWS), ...levels, NETWORK, MAC, ...Object.values(OPERAND_SWATCHES)]) {
      expect(distance(swatch.light, '#ffffff', normal), swatch.label).toBeGreaterThan(0.15)
      expect(distance(swatch.dark, '#191d24', normal), swatch.label).toBeGreaterThan(0.15)
    }
  })

  it('gives a dataflow of a user’s own a colour that depends on its name alone', () => {
    expect(dataflowSwatch('mine')).toEqual(dataflowSwatch('mine'))
    expect(dataflowSwatch('mine').label).toBe('mine')
  })
})
