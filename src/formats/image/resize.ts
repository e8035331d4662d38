/**
 * Resampling of 8-bit pictures.
 *
 * - `antialias` (default): bilinear as PIL and torchvision do it. Shrinking widens the triangle filter by the scale, so that every
 *   source pixel counts; columns first, then rows, each rounded to 8 bits, with PIL's 22-bit fixed-point weights (Pillow,
 *   src/libImaging/Resample.c).
 * - `bilinear`: the four neighbours at half-pixel centres, as OpenCV's INTER_LINEAR and Caffe's tools; shrinking may alias.
 * - `nearest`: the nearest pixel at half-pixel centres, as PIL's NEAREST.
 */
import { OptionError } from '../../errors.ts'
import { MAX_PIXELS, type Image } from './picture.ts'

export const SAMPLINGS = ['antialias', 'bilinear', 'nearest'] as const
export type Sampling = (typeof SAMPLINGS)[number]

/** Fraction bits of a weight: 32 − 8 (the sample) − 2 (headroom), as in Pillow. */
const PRECISION = 22
const HALF = 1 << (PRECISION - 1)

/** The weights with which source samples `first`, `first + 1`, ... make one target sample. */
interface Taps {
  readonly first: number
  readonly weights: Int32Array
}

/** `image` at `width` × `height` pixels. @throws OptionError beyond MAX_PIXELS */
export function resizeImage(image: Image, width: number, height: number, sampling: Sampling = 'antialias'): Image {
  if (width * Math.max(height, image.height) > MAX_PIXELS) {
    throw new OptionError(`A picture of ${image.width}×${image.height} cannot be resized to ${width}×${height}`, {
      limit: `${MAX_PIXELS} pixels`,
      remedy: 'Resize to less',
    })
  }
  const wide = image.width === width ? image : resampleRows(image, tapsFor(image.width, width, sampling))
  return wide.height === height ? wide : resampleColumns(wide, tapsFor(image.height, height, sampling))
}

/** Every row gets as many pixels as there are taps. */
function resampleRows({ width, height, channels, data }: Image, taps: readonly Taps[]): Image {
  const out = new Uint8Array(taps.length * height * channels)
  for (let y = 0; y < height; y++) {
    taps.forEach(({ first, weights }, x) => {
      for (let c = 0; c < channels; c++) {
        let sum = HALF
        for (let i = 0; i < weights.length; i++) sum += data[(y * width + first + i) * channels + c]! * weights[i]!
        out[(y * taps.length + x) * channels + c] = clip8(sum)
      }
    })
  }
  return { width: taps.length, height, channels, data: out }
}

/** Every column gets as many pixels as there are taps. */
function resampleColumns({ width, channels, data }: Image, taps: readonly Taps[]): Image {
  const row = width * channels
  const out = new Uint8Array(taps.length * row)
  taps.forEach(({ first, weights }, y) => {
    for (let x = 0; x < row; x++) {
      let sum = HALF
      for (let i = 0; i < weights.length; i++) sum += data[(first + i) * row + x]! * weights[i]!
      out[y * row + x] = clip8(sum)
    }
  })
  return { width, height: taps.length, channels, data: out }
}

function clip8(sum: number): number {
  return Math.min(Math.max(sum >> PRECISION, 0), 255)
}

function tapsFor(from: number, to: number, sampling: Sampling): Taps[] {
  return Array.from({ length: to }, (_, target) => {
    const scale = from / to
    const center = (target + 0.5) * scale
    switch (sampling) {
      case 'antialias':
        return triangle(center, Math.max(scale, 1), from)
      case 'bilinear':
        return neighbours(center, from)
      case 'nearest':
        return { first: Math.min(Math.floor(center), from - 1), weights: Int32Array.of(1 << PRECISION) }
    }
  })
}

/** A triangle of half-width `support` around `center` (in source pixels, edges at integers), cut and renormalised at the picture's edge. */
function triangle(center: number, support: number, size: number): Taps {
  const first = Math.max(Math.trunc(center - support + 0.5), 0)
  const end = Math.min(Math.trunc(center + support + 0.5), size)
  const weights = Array.from({ length: end - first }, (_, i) => Math.max(1 - Math.abs((first + i - center + 0.5) / support), 0))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  return { first, weights: fixed(weights.map((weight) => weight / total)) }
}

/** The two samples whose centres enclose `center`; the edge sample alone beyond it. */
function neighbours(center: number, size: number): Taps {
  const at = Math.min(Math.max(center - 0.5, 0), size - 1)
  const first = Math.floor(at)
  const share = at - first
  return { first, weights: first + 1 < size ? fixed([1 - share, share]) : fixed([1]) }
}

function fixed(weights: readonly number[]): Int32Array {
  return Int32Array.from(weights, (weight) => Math.trunc(0.5 + weight * (1 << PRECISION)))
}
