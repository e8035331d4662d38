/**
 * A mapping as flat numbers, for searches that look at hundreds of thousands a second: think of it as the same sheet of music in
 * a form a machine reads. A search rewrites one code in place; `decode` makes a `Mapping` of the ones worth showing.
 */
import { OptionError } from '../errors.ts'
import type { Hardware } from './hardware.ts'
import type { Loop, Mapping, MappingLevel } from './mapping.ts'
import { DIMENSIONS, OPERANDS, type Operand } from './problem.ts'

export const AXES = ['temporal', 'x', 'y'] as const
/** Loops that a code has room for. */
export const LARGEST_CODE = 256

/** Loops from the outermost in: by level, and within a level temporal loops, then x, then y. Loops of bound 1 may be left out. */
export interface MappingCode {
  /** Loops in use; the arrays may be longer. */
  length: number
  /** Index into DIMENSIONS. */
  readonly dimension: Uint8Array
  readonly bound: Float64Array
  /** Index into the hardware's levels. */
  readonly level: Uint8Array
  /** Index into AXES. */
  readonly axis: Uint8Array
  /** By level: bit i set where operand i of OPERANDS is kept. Level 0 keeps all. */
  readonly keep: Uint8Array
  /** By level × operand (3·level + operand): 0, or the index into AXES along which it is forwarded. */
  readonly forward: Uint8Array
}

export function emptyCode(levels: number): MappingCode {
  return {
    length: 0,
    dimension: new Uint8Array(LARGEST_CODE),
    bound: new Float64Array(LARGEST_CODE),
    level: new Uint8Array(LARGEST_CODE),
    axis: new Uint8Array(LARGEST_CODE),
    keep: new Uint8Array(levels).fill(7),
    forward: new Uint8Array(3 * levels),
  }
}

/** @throws OptionError where the mapping has more loops than a code holds */
export function encode(mapping: Mapping, into: MappingCode = emptyCode(mapping.levels.length)): MappingCode {
  into.length = 0
  into.forward.fill(0)
  for (const [level, { temporal, spatial, keep, forward }] of mapping.levels.entries()) {
    for (const [axis, loops] of [temporal, spatial?.x ?? [], spatial?.y ?? []].entries()) {
      for (const [dimension, bound] of loops) {
        if (into.length === LARGEST_CODE) {
          throw new OptionError('The mapping has too many loops', { limit: `${LARGEST_CODE} loops` })
        }
        const at = into.length++
        into.dimension[at] = DIMENSIONS.indexOf(dimension)
        into.bound[at] = bound
        into.level[at] = level
        into.axis[at] = axis
      }
    }
    into.keep[level] =
      level === 0 || keep === undefined ? 7 : keep.reduce((bits, operand) => bits | (1 << OPERANDS.indexOf(operand)), 0)
    for (const [index, operand] of OPERANDS.entries()) {
      const axis = forward?.[operand]
      if (axis !== undefined) into.forward[3 * level + index] = AXES.indexOf(axis)
    }
  }
  return into
}

export function decode(code: MappingCode, hardware: Hardware): Mapping {
  return {
    levels: hardware.levels.map(({ name }, level): MappingLevel => {
      const along = (axis: number): Loop[] => {
        const loops: Loop[] = []
        for (let at = 0; at < code.length; at++) {
          if (code.level[at] !== level || code.axis[at] !== axis) continue
          loops.push([DIMENSIONS[code.dimension[at] ?? 0] ?? 'N', code.bound[at] ?? 1])
        }
        return loops
      }
      const [temporal, x, y] = [along(0), along(1), along(2)]
      const keep = OPERANDS.filter((_, index) => ((code.keep[level] ?? 7) & (1 << index)) !== 0)
      const forward: Partial<Record<Operand, 'x' | 'y'>> = {}
      for (const [index, operand] of OPERANDS.entries()) {
        const axis = AXES[code.forward[3 * level + index] ?? 0]
        if (axis === 'x' || axis === 'y') forward[operand] = axis
      }
      return {
        name,
        temporal,
        ...(x.length + y.length > 0 ? { spatial: { ...(x.length > 0 ? { x } : {}), ...(y.length > 0 ? { y } : {}) } } : {}),
        ...(level === 0 || keep.length === OPERANDS.length ? {} : { keep }),
        ...(Object.keys(forward).length > 0 ? { forward } : {}),
      }
    }),
  }
}
