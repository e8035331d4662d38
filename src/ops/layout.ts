/**
 * How feature maps lie in memory: N pictures of C channels over one to three spatial axes. A tensor in a layout has the physical shape
 * of the layout; an op that cares which axis is which has an attribute `layout`.
 *
 *     nchw    [N, C, …]          a channel is a plane: what ONNX has, and what models take and return
 *     nhwc    [N, …, C]          the channels of a pixel side by side: read four at a time where they are whole quads
 *     nchw4   [N, ⌈C/4⌉, …, 4]   planes of quads: four at a time for any C; places past the last channel are nobody's
 */

import { z } from 'zod'

export const LAYOUTS = ['nchw', 'nhwc', 'nchw4'] as const
export type Layout = (typeof LAYOUTS)[number]

/** The attribute of ops that take any of them. */
export const layoutField = z.enum(LAYOUTS).default('nchw')

/** Batch, channels (rounded up to quads in nchw4) and spatial extents of a tensor of `shape` in a layout. */
export function dimensionsOf(
  shape: readonly number[],
  layout: Layout,
): { batch: number; channels: number; extents: readonly number[] } {
  const [batch = 0, second = 0] = shape
  switch (layout) {
    case 'nchw':
      return { batch, channels: second, extents: shape.slice(2) }
    case 'nhwc':
      return { batch, channels: shape.at(-1) ?? 0, extents: shape.slice(1, -1) }
    case 'nchw4':
      return { batch, channels: 4 * second, extents: shape.slice(2, -1) }
  }
}

/** The shape in a layout of `batch` pictures of `channels` channels. */
export function layoutShape(layout: Layout, batch: number, channels: number, extents: readonly number[]): number[] {
  switch (layout) {
    case 'nchw':
      return [batch, channels, ...extents]
    case 'nhwc':
      return [batch, ...extents, channels]
    case 'nchw4':
      return [batch, Math.ceil(channels / 4), ...extents, 4]
  }
}

/** Strides in elements of a tensor in a layout: of a picture, a channel (within its quad in nchw4), and the three axes. */
export interface LayoutStrides {
  readonly picture: number
  readonly channel: number
  /** Of a quad of channels. */
  readonly quad: number
  readonly z: number
  readonly y: number
  readonly x: number
}

/** @param channels of all groups; extents of depth, height and width */
export function layoutStrides(
  layout: Layout,
  channels: number,
  [depth, height, width]: readonly [number, number, number],
): LayoutStrides {
  const plane = depth * height * width
  switch (layout) {
    case 'nchw':
      return { picture: channels * plane, channel: plane, quad: 4 * plane, z: height * width, y: width, x: 1 }
    case 'nhwc':
      return {
        picture: channels * plane,
        channel: 1,
        quad: 4,
        z: height * width * channels,
        y: width * channels,
        x: channels,
      }
    case 'nchw4':
      return {
        picture: 4 * Math.ceil(channels / 4) * plane,
        channel: 1,
        quad: 4 * plane,
        z: 4 * height * width,
        y: 4 * width,
        x: 4,
      }
  }
}

/** How a kernel finds the channel of element i: ⌊i / inner⌋ mod span · step + i mod step. */
export interface ChannelWalk {
  readonly inner: number
  readonly span: number
  readonly step: 1 | 4
}

/** @param shape of a tensor in the layout; in nchw of rank 1 (one channel) or more */
export function channelWalk(layout: Layout, shape: readonly number[]): ChannelWalk {
  const [, second = 1] = shape
  const product = (extents: readonly number[]): number => extents.reduce((size, extent) => size * extent, 1)
  switch (layout) {
    case 'nchw':
      return { inner: product(shape.slice(2)), span: second, step: 1 }
    case 'nhwc':
      return { inner: 1, span: shape.at(-1) ?? 1, step: 1 }
    case 'nchw4':
      return { inner: product(shape.slice(2)), span: second, step: 4 }
  }
}
